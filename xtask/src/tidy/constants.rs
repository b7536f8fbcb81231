//! Limits: every number has its unit in its name and its reason in its doc.

use super::Finding;
use super::source::Source;
use super::tables::UNITS;

const RULE: &str = "limits";

/// Shortest doc that can hold a reason.
const REASON_CHARS_COUNT: usize = 20;

/// Whether a file holds limits: its name says so, or its folder's, and it is no test of them.
pub(super) fn holds_limits(source: &Source) -> bool {
    let path = &source.path;
    (path.ends_with("/limits.rs") || path.contains("/limits/")) && !source.is_test
}

/// Applies to files named `limits.rs` and to those of a folder `limits`. `const _` (an assertion
/// between limits) is free.
pub(super) fn limits_have_unit_and_reason(source: &Source) -> Vec<Finding> {
    if !holds_limits(source) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for item in &source.syntax.items {
        let syn::Item::Const(constant) = item else {
            continue;
        };
        let name = constant.ident.to_string();
        if name == "_" {
            continue;
        }
        let line = constant.ident.span().start().line;
        let mut say = |message: String| {
            findings.push(Finding::new(&source.path, line, RULE, message));
        };
        if !UNITS.iter().any(|unit| name.ends_with(unit)) {
            say(format!("`{name}` has no unit: one of {}", UNITS.join(" ")));
        }
        if doc_of(&constant.attrs).len() < REASON_CHARS_COUNT {
            say(format!("`{name}` has no doc that gives its reason"));
        }
    }
    findings
}

/// The doc comment, its lines put together with spaces.
pub(super) fn doc_of(attributes: &[syn::Attribute]) -> String {
    let mut doc = String::new();
    for attribute in attributes {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        let syn::Expr::Lit(value) = &pair.value else {
            continue;
        };
        if let (true, syn::Lit::Str(text)) = (pair.path.is_ident("doc"), &value.lit) {
            doc.push_str(text.value().trim());
            doc.push(' ');
        }
    }
    doc.truncate(doc.trim_end().len());
    doc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> usize {
        limits_have_unit_and_reason(&Source::parse(path, text).expect("Rust")).len()
    }

    const GOOD: &str = "/// Heads beyond this are an attack.\n\
                        pub const HEAD_MAX_BYTES: usize = 1;\n\
                        const _: () = assert!(HEAD_MAX_BYTES > 0);";

    #[test]
    fn unit_and_reason_pass() {
        assert_eq!(check("a/src/limits.rs", GOOD), 0);
    }

    #[test]
    fn a_missing_unit_or_reason_bites() {
        let nameless = "/// Heads beyond this are an attack.\nconst HEAD_MAX: usize = 1;";
        assert_eq!(check("a/src/limits.rs", nameless), 1);
        assert_eq!(
            check("a/src/limits.rs", "const HEAD_MAX_BYTES: usize = 1;"),
            1
        );
        assert_eq!(
            check("a/src/limits.rs", "/// Max.\nconst HEAD_MAX: usize = 1;"),
            2
        );
        assert_eq!(
            check("a/src/limits/heads.rs", "const HEAD_MAX: usize = 1;"),
            2
        );
        assert_eq!(check("a/src/other.rs", "const HEAD_MAX: usize = 1;"), 0);
        assert_eq!(
            check("a/tests/it/limits.rs", "const HEAD_MAX: usize = 1;"),
            0
        );
    }
}
