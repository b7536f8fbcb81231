//! The shape of a file: its first line, its width, its length, the length of its functions.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;
use super::source::Source;
use super::tables::{COLUMNS_COUNT, FILE_LINES_COUNT, FUNCTION_LINES_COUNT};

/// A module opens by saying what it is for.
pub(super) fn opens_with_module_doc(source: &Source) -> Vec<Finding> {
    let first = source.line(1);
    if first.starts_with("//! ") {
        return Vec::new();
    }
    vec![Finding::new(
        &source.path,
        1,
        "module-doc",
        "the first line must be `//! ` and a sentence",
    )]
}

/// No line is wider than the page.
pub(super) fn columns(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let width = line.chars().count();
        if width > COLUMNS_COUNT {
            let message = format!("{width} columns, at most {COLUMNS_COUNT}");
            findings.push(Finding::new(&source.path, index + 1, "columns", message));
        }
    }
    findings
}

/// A file holds one idea; one that outgrew its budget holds several. Tests do not count.
pub(super) fn file_budget(source: &Source) -> Vec<Finding> {
    let lines = source.production_lines();
    if lines <= FILE_LINES_COUNT {
        return Vec::new();
    }
    let message = format!("{lines} production lines, at most {FILE_LINES_COUNT}: split by noun");
    vec![Finding::new(&source.path, 1, "file-budget", message)]
}

/// A function fits on one screen. Tests too.
pub(super) fn function_budget(source: &Source) -> Vec<Finding> {
    let mut finder = FunctionFinder {
        source,
        findings: Vec::new(),
    };
    finder.visit_file(&source.syntax);
    finder.findings
}

struct FunctionFinder<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
}

impl FunctionFinder<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let from = signature.span().start().line;
        let lines = block.span().end().line - from + 1;
        if lines > FUNCTION_LINES_COUNT {
            let name = &signature.ident;
            let message = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_COUNT}");
            self.findings.push(Finding::new(
                &self.source.path,
                from,
                "function-budget",
                message,
            ));
        }
    }
}

impl<'ast> Visit<'ast> for FunctionFinder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse("x/src/a.rs", text).expect("Rust")
    }

    #[test]
    fn a_module_must_open_with_its_sentence() {
        assert_eq!(
            opens_with_module_doc(&source("//! What it is.\nfn a() {}")).len(),
            0
        );
        for bad in ["", "fn a() {}", "// a comment", "\n//! Late.", "//!"] {
            assert_eq!(opens_with_module_doc(&source(bad)).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn the_hundredth_column_passes_and_the_next_bites() {
        let line = |width: usize| format!("// {}", "é".repeat(width - 3));
        assert_eq!(columns(&source(&line(100))), []);
        let findings = columns(&source(&format!("//! x\n{}", line(101))));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn five_hundred_lines_pass_and_one_more_bites() {
        let lines = |n: usize| "const A: u8 = 0;\n".repeat(n);
        assert_eq!(file_budget(&source(&lines(500))), []);
        assert_eq!(file_budget(&source(&lines(501))).len(), 1);
    }

    #[test]
    fn tests_do_not_count_into_the_file_budget() {
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const A: u8 = 0;\n".repeat(600)
        );
        assert_eq!(file_budget(&source(&tests)), []);
    }

    #[test]
    fn seventy_lines_pass_and_one_more_bites() {
        let function = |n: usize| format!("fn a() {{\n{}}}\n", "let _ = 0;\n".repeat(n - 2));
        assert_eq!(function_budget(&source(&function(70))), []);
        assert_eq!(function_budget(&source(&function(71))).len(), 1);
        let method = format!("impl A {{\n{}}}", function(71));
        assert_eq!(function_budget(&source(&method)).len(), 1);
        let default = format!("trait A {{\n{}}}", function(71));
        assert_eq!(function_budget(&source(&default)).len(), 1);
    }
}
