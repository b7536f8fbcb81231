//! Log lines cannot be forged.

use super::{one_line, short_target};

#[test]
fn a_message_cannot_start_a_new_record() {
    let shown = one_line(&format_args!("bad\n2026-11-22 ERROR x\r\x1b[2J\tok"));
    assert_eq!(shown, "bad\n    2026-11-22 ERROR x\\r\\u{1b}[2J\tok");
}

#[test]
fn targets_are_crates() {
    assert_eq!(short_target("http_worker::conn::write"), "http_worker");
    assert_eq!(short_target("lua"), "lua");
}
