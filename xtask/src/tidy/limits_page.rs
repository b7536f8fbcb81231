//! `docs/limits.md`: every limit of every crate, made from the files of limits.
//!
//! A number that stands in two places is wrong in one of them, so the page is not written by hand:
//! `cargo xtask limits` makes it, and tidy says when it is out of date.

use syn::spanned::Spanned;

use super::Finding;
use super::constants::{doc_of, holds_limits};
use super::source::Source;

/// Where the page lies.
pub(crate) const PAGE: &str = "docs/limits.md";

const HEAD: &str = "\
# Limits

Every bound in the code, with its unit (the end of its name) and its reason. Made from the
files named `limits` by `cargo xtask limits`; `cargo xtask tidy` says when it is out of date.
";

/// The page is what the code says.
pub(super) fn page_is_up_to_date(sources: &[Source], page: Option<&str>) -> Vec<Finding> {
    if page == Some(render(sources).as_str()) {
        return Vec::new();
    }
    vec![Finding::new(
        PAGE,
        1,
        "limits-page",
        "out of date: run `cargo xtask limits`",
    )]
}

/// The page as it should be.
pub(super) fn render(sources: &[Source]) -> String {
    let mut page = HEAD.to_owned();
    for source in sources.iter().filter(|source| holds_limits(source)) {
        let rows: Vec<String> = source.syntax.items.iter().filter_map(row).collect();
        if rows.is_empty() {
            continue;
        }
        page.push_str(&format!("\n## {}\n\n", source.path));
        page.push_str("| limit | value | reason |\n|---|---|---|\n");
        rows.iter().for_each(|row| page.push_str(row));
    }
    page
}

fn row(item: &syn::Item) -> Option<String> {
    let syn::Item::Const(constant) = item else {
        return None;
    };
    let name = constant.ident.to_string();
    if name == "_" {
        return None;
    }
    let value = constant.expr.span().source_text().unwrap_or_default();
    let value: Vec<&str> = value.split_whitespace().collect();
    let reason = plain(&doc_of(&constant.attrs));
    Some(format!("| `{name}` | `{}` | {reason} |\n", value.join(" ")))
}

/// One line for a cell of a table: links of rustdoc become plain code, bars are escaped.
fn plain(doc: &str) -> String {
    let words: Vec<&str> = doc.split_whitespace().collect();
    let mut text = words.join(" ").replace('|', "\\|").replace("[`", "`");
    while let Some(end) = text.find("`](") {
        let after = text[end..]
            .find(')')
            .map_or(text.len(), |close| end + close + 1);
        text.replace_range(end..after, "`");
    }
    text.replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let text = "//! Limits.\n\
                    /// Heads beyond [`this`](crate::this) are\n/// an attack | or a mistake.\n\
                    pub const HEAD_MAX_BYTES: usize = 64 *\n 1024;\n\
                    const _: () = assert!(true);\n";
        vec![Source::parse("a/src/limits.rs", text).expect("Rust")]
    }

    #[test]
    fn a_row_has_name_value_and_reason() {
        let page = render(&sources());
        let row = "| `HEAD_MAX_BYTES` | `64 * 1024` | \
                   Heads beyond `this` are an attack \\| or a mistake. |\n";
        assert!(page.ends_with(row), "{page}");
        assert!(page.contains("## a/src/limits.rs"), "{page}");
    }

    #[test]
    fn an_old_page_bites_and_a_fresh_one_passes() {
        let fresh = render(&sources());
        assert_eq!(page_is_up_to_date(&sources(), Some(&fresh)), []);
        assert_eq!(page_is_up_to_date(&sources(), Some("# Limits\n")).len(), 1);
        assert_eq!(page_is_up_to_date(&sources(), None).len(), 1);
    }
}
