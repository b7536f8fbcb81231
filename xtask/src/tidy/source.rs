//! One Rust file as the rules see it: text, tokens with their places, syntax, and which lines are
//! tests.
//!
//! Rules look at tokens, never at raw lines, so a word inside a string or a comment is not taken
//! for code, and code inside a macro call is not missed.

use std::collections::HashSet;

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A token and where it begins. Delimiters are tokens too.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    /// A string, character or number: never a word of the language.
    pub(super) is_literal: bool,
}

/// One Rust file.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    pub(super) syntax: syn::File,
    /// The whole file is compiled for tests only, or is a test, a bench or an example.
    pub(super) is_test: bool,
    /// Ranges of lines, both ends included, that are compiled for tests only.
    test_lines: Vec<(usize, usize)>,
}

impl Source {
    /// Reads one file. `Err` says what is not Rust about it.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let broken = |e: &dyn std::fmt::Display| format!("{path}: not Rust: {e}");
        let stream: TokenStream = text.parse().map_err(|e| broken(&e))?;
        let mut tokens = Vec::new();
        flatten(stream.clone(), &mut tokens);
        let syntax: syn::File = syn::parse2(stream).map_err(|e| broken(&e))?;
        let mut finder = TestFinder::default();
        finder.visit_file(&syntax);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            syntax,
            is_test: is_test_path(path),
            test_lines: finder.lines,
        })
    }

    /// Whether this line is compiled for tests only.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.is_test
            || self
                .test_lines
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&line))
    }

    /// Lines that are compiled for more than tests.
    pub(super) fn production_lines(&self) -> usize {
        (1..=self.text.lines().count())
            .filter(|line| !self.is_test_line(*line))
            .count()
    }

    /// Tokens that are compiled for more than tests, with their index in `tokens`.
    pub(super) fn production_tokens(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| !self.is_test_line(token.line))
    }

    /// Whether the tokens from `index` on read as `pattern`.
    pub(super) fn reads(&self, index: usize, pattern: &[&str]) -> bool {
        let Some(window) = self.tokens.get(index..index + pattern.len()) else {
            return false;
        };
        window
            .iter()
            .zip(pattern)
            .all(|(token, word)| !token.is_literal && token.text == *word)
    }

    /// The line of this number, counted from one; empty beyond the end.
    pub(super) fn line(&self, number: usize) -> &str {
        number
            .checked_sub(1)
            .and_then(|n| self.text.lines().nth(n))
            .unwrap_or("")
    }

    /// Files that this one declares as modules for tests only: `#[cfg(test)] mod x;`.
    fn test_modules(&self) -> Vec<String> {
        let dir = module_dir(&self.path);
        let mut found = Vec::new();
        for item in &self.syntax.items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            if module.content.is_none() && has_test_cfg(&module.attrs) {
                found.push(format!("{dir}/{}", module.ident));
            }
        }
        found
    }
}

/// Parses every Rust file and marks those that only tests reach.
pub(super) fn read_all(
    files: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".rs")) {
        let text = read(path).ok_or_else(|| format!("{path}: cannot be read"))?;
        sources.push(Source::parse(path, &text)?);
    }
    let roots: HashSet<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        source.is_test |= roots
            .iter()
            .any(|root| is_module_or_below(&source.path, root));
    }
    Ok(sources)
}

fn is_module_or_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Tests, benches and examples by where they lie.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or("");
    file == "tests.rs" || parts.any(|dir| matches!(dir, "tests" | "benches" | "examples"))
}

/// Where the file modules of this file lie.
fn module_dir(path: &str) -> String {
    let (dir, file) = path.rsplit_once('/').unwrap_or((".", path));
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => dir.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    }
}

/// Finds the items that are compiled for tests only.
#[derive(Default)]
struct TestFinder {
    lines: Vec<(usize, usize)>,
}

impl<'ast> Visit<'ast> for TestFinder {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if has_test_cfg(attributes(item)) {
            let span = item.span();
            self.lines.push((span.start().line, span.end().line));
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if has_test_cfg(attributes) {
            let span = item.span();
            self.lines.push((span.start().line, span.end().line));
        }
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, ..))]`; not `#[cfg(not(test))]`.
fn has_test_cfg(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => names_test(list.tokens.clone()),
        _ => false,
    })
}

/// Whether a `cfg` is true in tests only: `test` on its own or inside `all`.
fn names_test(cfg: TokenStream) -> bool {
    let mut inside_all = true;
    for tree in cfg {
        match tree {
            TokenTree::Ident(word) if word == "test" => return true,
            TokenTree::Ident(word) => inside_all = word == "all",
            TokenTree::Group(group) if inside_all && names_test(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(tokens, open, group.span_open().start(), false);
                flatten(group.stream(), tokens);
                push(tokens, close, group.span_close().start(), false);
            }
            TokenTree::Literal(literal) => {
                push(tokens, &literal.to_string(), literal.span().start(), true);
            }
            other => push(tokens, &other.to_string(), other.span().start(), false),
        }
    }
}

fn push(tokens: &mut Vec<Token>, text: &str, at: LineColumn, is_literal: bool) {
    tokens.push(Token {
        text: text.to_owned(),
        line: at.line,
        is_literal,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_test_modules_are_not_production() {
        let text =
            "fn a() {}\n#[cfg(all(test, not(loom)))]\nmod tests {\n fn b() {}\n}\nfn c() {}\n";
        let source = Source::parse("x/src/a.rs", text).expect("Rust");
        assert_eq!(source.production_lines(), 2);
        assert!(source.is_test_line(4) && !source.is_test_line(6));
    }

    #[test]
    fn code_outside_tests_only_is_production() {
        let text = "#[cfg(not(test))]\nfn a() {}\n#[cfg(any(test, loom))]\nfn b() {}\n";
        let source = Source::parse("x/src/a.rs", text).expect("Rust");
        assert_eq!(source.production_lines(), 4);
    }

    #[test]
    fn files_below_a_test_module_are_tests() {
        let files = [
            "x/src/lib.rs",
            "x/src/loom_trip.rs",
            "x/src/link.rs",
            "x/src/link/model.rs",
        ];
        let sources = read_all(&files.map(str::to_owned), |path| {
            Some(match path {
                "x/src/lib.rs" => "#[cfg(all(test, loom))]\nmod loom_trip;\nmod link;".to_owned(),
                "x/src/link.rs" => "#[cfg(test)]\nmod model;".to_owned(),
                _ => String::new(),
            })
        })
        .expect("Rust");
        let tests: Vec<bool> = sources.iter().map(|source| source.is_test).collect();
        assert_eq!(tests, [false, true, false, true]);
    }

    #[test]
    fn strings_and_comments_are_not_code() {
        let text = "// x.unwrap()\nfn a() { let _ = \"x.unwrap()\"; }";
        let source = Source::parse("x/src/a.rs", text).expect("Rust");
        assert!((0..source.tokens.len()).all(|i| !source.reads(i, &["unwrap"])));
    }

    #[test]
    fn what_is_not_rust_is_said() {
        assert!(
            Source::parse("x/src/a.rs", "fn {")
                .err()
                .expect("no")
                .contains("x/src/a.rs")
        );
    }
}
