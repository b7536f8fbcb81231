//! `cargo xtask tidy`: the rules of the house, executed.
//!
//! Each rule is a function of its own over one file (or over one member of the workspace) and has
//! its own tests: one that shows it biting and one that shows it letting the good pass. What the
//! rules allow, and where, stands in `tables.rs` and nowhere else.

mod arrows;
mod bans;
mod clauses_page;
mod constants;
mod limits_page;
mod links;
mod lua;
mod manifests;
mod races_page;
mod safety;
mod shape;
mod source;
mod tables;
mod words;

use std::fmt;

use crate::workspace::{self, root};
use source::Source;

/// One place that breaks one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: [{}] {}",
            self.path, self.line, self.rule, self.message
        )
    }
}

/// The rules over one Rust file.
const SOURCE_RULES: &[fn(&Source) -> Vec<Finding>] = &[
    shape::opens_with_module_doc,
    shape::columns,
    shape::file_budget,
    shape::function_budget,
    bans::unwrap,
    bans::clocks,
    bans::printing,
    bans::orderings,
    bans::pure_crates,
    safety::unsafe_only_where_listed,
    safety::unsafe_has_a_reason,
    safety::forbidding_roots,
    constants::limits_have_unit_and_reason,
];

/// The rules over the text of any file of the repository.
const TEXT_RULES: &[fn(&str, &str) -> Vec<Finding>] = &[
    words::machine_paths,
    words::unfinished,
    words::line_ends,
    manifests::members_inherit,
];

/// Checks everything and prints what was found.
pub(crate) fn run() -> Result<(), String> {
    let findings = check()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        n => Err(format!("tidy: {n} findings")),
    }
}

/// Checks everything. The findings are sorted by place.
pub(crate) fn check() -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let members = workspace::members()?;
    for member in &members {
        findings.extend(arrows::arrows(member, &members));
    }
    let files = workspace::files()?;
    findings.extend(lua::every_module_has_tests(&files));
    findings.extend(links::links_lead_somewhere(&files, read));
    for (path, text) in read_texts(&files) {
        findings.extend(TEXT_RULES.iter().flat_map(|rule| rule(&path, &text)));
        if path.ends_with(".lua") {
            findings.extend(lua::public_functions_are_annotated(&path, &text));
        }
    }
    let sources = read_sources(&files)?;
    for source in &sources {
        findings.extend(SOURCE_RULES.iter().flat_map(|rule| rule(source)));
    }
    let page = read(limits_page::PAGE);
    findings.extend(limits_page::page_is_up_to_date(&sources, page.as_deref()));
    let page = read(races_page::PAGE);
    findings.extend(races_page::page_holds(&sources, &files, page.as_deref()));
    let cases = clauses_page::CASES.map(read);
    findings.extend(clauses_page::page_holds(
        &sources,
        read(clauses_page::CLAUSES).as_deref(),
        cases.each_ref().map(Option::as_deref),
        read(clauses_page::PAGE).as_deref(),
    ));
    findings.sort();
    Ok(findings)
}

/// `cargo xtask limits`: writes the page of limits anew.
pub(crate) fn write_limits_page() -> Result<(), String> {
    let sources = read_sources(&workspace::files()?)?;
    let path = root().join(limits_page::PAGE);
    std::fs::write(&path, limits_page::render(&sources))
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// `cargo xtask clauses`: writes the page of clauses anew.
pub(crate) fn write_clauses_page() -> Result<(), String> {
    let clauses = read(clauses_page::CLAUSES).ok_or("there are no clauses")?;
    let path = root().join(clauses_page::PAGE);
    std::fs::write(&path, clauses_page::render(&clauses))
        .map_err(|e| format!("{}: {e}", path.display()))
}

fn read_sources(files: &[String]) -> Result<Vec<Source>, String> {
    source::read_all(files, read)
}

/// The files that are text. A file that is not UTF-8 is none of tidy's business.
fn read_texts(files: &[String]) -> impl Iterator<Item = (String, String)> {
    files
        .iter()
        .filter(|path| !tables::NOT_OURS.iter().any(|rule| is_meant(rule, path)))
        .filter_map(|path| Some((path.clone(), read(path)?)))
}

/// Whether a rule of the tables means this path: itself, or a folder above it.
fn is_meant(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('/') && path.starts_with(rule))
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

#[cfg(test)]
mod tests {
    /// `cargo test` runs tidy too, so that nobody has to remember it.
    #[test]
    fn the_repository_is_tidy() {
        let findings = super::check().expect("tidy can read the repository");
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.is_empty(),
            "{} findings:\n{}",
            lines.len(),
            lines.join("\n")
        );
    }
}
