//! What a checked configuration says of the compression of a site's answers.

use std::sync::Arc;

use http_proto::content::{Coding, CompressRule};

use crate::raw::{Kind, Slot, Stack};

/// Reads it from the table of a site that the Lua half made.
pub(super) fn read(stack: &mut Stack, site: Slot) -> Option<Arc<CompressRule>> {
    let top = stack.top();
    let is_on = stack.raw_field(site, "compress") == Kind::Table;
    let item = stack.top();
    let rule = is_on.then(|| {
        let usual = CompressRule::default();
        let codings = texts(stack, item, "codings").map(|names| {
            let coding = |name: &String| Coding::ALL.into_iter().find(|one| one.name() == name);
            names.iter().filter_map(coding).collect()
        });
        let types = texts(stack, item, "types");
        let types = types.map(|types| types.into_iter().map(Into::into).collect());
        let min_bytes = stack.number_field(item, "min_bytes");
        Arc::new(CompressRule {
            codings: codings.unwrap_or(usual.codings),
            types: types.unwrap_or(usual.types),
            min_bytes: min_bytes.map_or(usual.min_bytes, |bytes| bytes as u64),
            level: stack.number_field(item, "level").map(|level| level as u8),
        })
    });
    stack.set_top(top);
    rule
}

/// A list of strings, if there is one.
fn texts(stack: &mut Stack, table: Slot, name: &str) -> Option<Vec<String>> {
    let top = stack.top();
    let is_list = stack.raw_field(table, name) == Kind::Table;
    let list = stack.top();
    let texts = is_list.then(|| {
        let mut texts = Vec::new();
        for place in 1..=stack.raw_len(list) {
            let _ = stack.raw_item(list, place);
            texts.extend(stack.lossy(-1));
            stack.set_top(list);
        }
        texts
    });
    stack.set_top(top);
    texts
}
