//! `unsafe`: only where the table says, and never without its reason.

use super::Finding;
use super::source::Source;
use super::tables::{FORBIDDING_ROOTS, UNSAFE_ALLOWED};

/// The keyword stands only in files of the table.
pub(super) fn unsafe_only_where_listed(source: &Source) -> Vec<Finding> {
    if is_listed(&source.path) {
        return Vec::new();
    }
    let message = "`unsafe` is not allowed here: see xtask/src/tidy/tables.rs";
    keywords(source)
        .map(|index| {
            Finding::new(
                &source.path,
                source.tokens[index].line,
                "unsafe-place",
                message,
            )
        })
        .collect()
}

fn is_listed(path: &str) -> bool {
    UNSAFE_ALLOWED
        .iter()
        .any(|allowed| match allowed.strip_suffix('/') {
            Some(_) => path.starts_with(allowed),
            None => path == *allowed,
        })
}

/// Every block, impl, function and extern block says why it is sound: `// SAFETY:` just above it,
/// or a `# Safety` section for a function that leaves the proof to its caller.
pub(super) fn unsafe_has_a_reason(source: &Source) -> Vec<Finding> {
    let message = "`unsafe` without a `// SAFETY:` comment just above";
    keywords(source)
        .filter(|index| needs_reason(source, *index) && !has_reason(source, *index))
        .map(|index| {
            Finding::new(
                &source.path,
                source.tokens[index].line,
                "safety-comment",
                message,
            )
        })
        .collect()
}

/// Crates that need no `unsafe` say so to the compiler.
pub(super) fn forbidding_roots(source: &Source) -> Vec<Finding> {
    if !FORBIDDING_ROOTS.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let words = ["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];
    if (0..source.tokens.len()).any(|index| source.reads(index, &words)) {
        return Vec::new();
    }
    vec![Finding::new(
        &source.path,
        1,
        "forbid-unsafe",
        "needs `#![forbid(unsafe_code)]`",
    )]
}

fn keywords(source: &Source) -> impl Iterator<Item = usize> {
    (0..source.tokens.len()).filter(|index| source.reads(*index, &["unsafe"]))
}

/// A function *type* (`unsafe fn(..)`, `unsafe extern "C" fn(..)`) promises nothing by itself, and
/// an attribute (`#[unsafe(..)]`) is not code.
fn needs_reason(source: &Source, index: usize) -> bool {
    let mut next = index + 1;
    if source.reads(next, &["("]) {
        return false;
    }
    if source.reads(next, &["extern"]) {
        next += 1;
        if source
            .tokens
            .get(next)
            .is_some_and(|token| token.is_literal)
        {
            next += 1;
        }
    }
    !source.reads(next, &["fn", "("])
}

/// Looks above the keyword, and above the statement that the keyword is part of.
fn has_reason(source: &Source, index: usize) -> bool {
    let keyword = source.tokens[index].line;
    let statement = statement_start(source, index);
    reason_above(source, keyword) || reason_above(source, statement)
}

/// The line of the first token of the statement, item or arm around `index`.
fn statement_start(source: &Source, index: usize) -> usize {
    let mut first = index;
    let mut depth = 0_usize;
    while first > 0 {
        let before = source.tokens[first - 1].text.as_str();
        match before {
            ")" | "]" => depth += 1,
            "(" | "[" => depth = depth.saturating_sub(1),
            ";" | "{" | "}" if depth == 0 => break,
            "," if depth == 0 => break,
            _ => {}
        }
        first -= 1;
    }
    source.tokens[first].line
}

fn reason_above(source: &Source, line: usize) -> bool {
    let mut above = line;
    if source.line(above).contains("// SAFETY:") {
        return true;
    }
    while above > 1 {
        above -= 1;
        let text = source.line(above).trim_start();
        let is_comment = text.starts_with("//");
        if is_comment && (text.contains("SAFETY:") || text.contains("# Safety")) {
            return true;
        }
        if !is_comment && !text.starts_with("#[") {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("Rust")
    }

    #[test]
    fn every_listed_file_is_there() {
        for path in UNSAFE_ALLOWED.iter().chain(FORBIDDING_ROOTS) {
            assert!(crate::workspace::root().join(path).exists(), "{path}");
        }
    }

    #[test]
    fn unsafe_bites_outside_the_table_also_in_tests() {
        let text = "fn a() {\n    // SAFETY: b.\n    unsafe { b() }\n}";
        for path in [
            "server/src/a.rs",
            "shuttle-core/src/link.rs",
            "tx-runtime/src/tests.rs",
        ] {
            assert_eq!(
                unsafe_only_where_listed(&source(path, text)).len(),
                1,
                "{path}"
            );
        }
        for path in ["shuttle-core/src/ring.rs", "lua-bindings/src/raw/state.rs"] {
            assert_eq!(unsafe_only_where_listed(&source(path, text)), [], "{path}");
        }
    }

    #[test]
    fn the_word_in_a_string_or_comment_passes() {
        let text = "// unsafe {}\nfn a() { b(\"unsafe\"); }";
        assert_eq!(
            unsafe_only_where_listed(&source("server/src/a.rs", text)),
            []
        );
    }

    #[test]
    fn a_reason_just_above_passes() {
        let good = [
            "fn a() {\n// SAFETY: b.\nunsafe { b() }\n}",
            "fn a() {\n// SAFETY: b\n// and c.\nlet x =\n    unsafe { b() };\n}",
            "fn a() {\nmatch b {\n// SAFETY: c.\n1 => unsafe { c() },\n_ => {}\n}\n}",
            "// SAFETY: one owner.\n#[cfg(x)]\nunsafe impl Send for A {}",
            "/// Frees.\n///\n/// # Safety\n/// Once.\npub unsafe fn a() {}",
            "/// # Safety\n/// Once.\n#[inline]\npub unsafe extern \"C\" fn a() {}",
            "type A = unsafe extern \"C\" fn(u8) -> u8;\ntype B = unsafe fn();",
            "fn a() { b(unsafe { c() }) // SAFETY: c.\n}",
        ];
        for text in good {
            assert_eq!(
                unsafe_has_a_reason(&source("a/src/a.rs", text)),
                [],
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_reason_bites() {
        let bad = [
            "fn a() {\nunsafe { b() }\n}",
            "// SAFETY: too far away.\n\nunsafe impl Send for A {}",
            "/// Frees.\npub unsafe fn a() {}",
            "// SAFETY: of another.\nfn b() {}\nfn a() { unsafe { b() } }",
            "// a comment\nunsafe extern \"C\" {\n}",
        ];
        for text in bad {
            assert_eq!(
                unsafe_has_a_reason(&source("a/src/a.rs", text)).len(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn roots_of_safe_crates_forbid_it() {
        let bare = "//! A crate.";
        let good = "//! A crate.\n#![forbid(unsafe_code)]";
        assert_eq!(
            forbidding_roots(&source("xtask/src/main.rs", bare)).len(),
            1
        );
        assert_eq!(forbidding_roots(&source("xtask/src/main.rs", good)), []);
        assert_eq!(forbidding_roots(&source("tx-runtime/src/lib.rs", bare)), []);
    }
}
