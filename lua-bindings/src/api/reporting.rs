//! What a checked configuration says of logs and names of requests.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::config::{AccessFormat, AccessLogConfig, ReportingConfig};
use crate::raw::{Kind, Slot, Stack};

/// Reads it from a table that the Lua half made.
pub(super) fn read(stack: &mut Stack, slot: Slot) -> ReportingConfig {
    ReportingConfig {
        access_log: read_log(stack, slot),
        sends_request_id: super::httpng::truth(stack, slot, "request_id"),
        trusts_request_id: super::httpng::truth(stack, slot, "trust_request_id"),
    }
}

fn read_log(stack: &mut Stack, slot: Slot) -> Option<AccessLogConfig> {
    let top = stack.top();
    let is_there = stack.raw_field(slot, "access_log") == Kind::Table;
    let log = stack.top();
    let read = is_there.then(|| {
        let _ = stack.raw_field(log, "file");
        let file = stack.bytes(-1).unwrap_or_default();
        let file = (file != b"-").then(|| OsStr::from_bytes(file).into());
        let format = match stack.text_field(log, "format").as_deref() {
            Some("json") => AccessFormat::Json,
            _ => AccessFormat::Combined,
        };
        AccessLogConfig { file, format }
    });
    stack.set_top(top);
    read
}
