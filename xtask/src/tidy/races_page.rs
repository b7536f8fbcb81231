//! `docs/races.md`: what its tables name exists, and they have every row.
//!
//! A table of promises rots when a test is renamed or removed and nobody looks. So each test that
//! a row names must be a test whose name or comment carries the id of the row, and everything else
//! that a row names must be defined in the code or be a file.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::Source;

/// Where the page lies.
pub(super) const PAGE: &str = "docs/races.md";

/// The rows that there must be, by the letter of their ids.
const ROWS: [(char, usize); 2] = [('R', 42), ('L', 14)];

/// What the last cell of a row says when the row is about something that is not there yet.
const NOT_YET: &str = "comes with";

/// The page names nothing that is not there, and has all rows.
pub(super) fn page_holds(sources: &[Source], files: &[String], page: Option<&str>) -> Vec<Finding> {
    let find = |line, message: String| Finding::new(PAGE, line, "races-page", message);
    let Some(page) = page else {
        return vec![find(1, "the page is missing".to_owned())];
    };
    let code = Code::of(sources);
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, line) in page.lines().enumerate() {
        let Some(row) = Row::of(line) else { continue };
        let complaints = row.complaints(&code, files);
        findings.extend(complaints.into_iter().map(|text| find(index + 1, text)));
        if !seen.insert(row.id) {
            findings.push(find(index + 1, format!("a second row for {}", row.id)));
        }
    }
    for (letter, count) in ROWS {
        let ids = (1..=count).map(|number| format!("{letter}{number}"));
        let missing = ids.filter(|id| !seen.contains(id.as_str()));
        findings.extend(missing.map(|id| find(1, format!("no row for {id}"))));
    }
    findings
}

/// `| R1 | the mistake | what prevents it | tests |`.
struct Row<'a> {
    id: &'a str,
    prevention: &'a str,
    tests: &'a str,
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, _, prevention, tests, _] = cells[..] else {
            return None;
        };
        let (letter, number) = id.split_at_checked(1)?;
        let is_id = matches!(letter, "R" | "L") && number.parse::<usize>().is_ok();
        is_id.then_some(Self {
            id,
            prevention,
            tests,
        })
    }

    fn complaints(&self, code: &Code, files: &[String]) -> Vec<String> {
        let mut complaints = Vec::new();
        for name in quoted(self.prevention) {
            if !code.has(name) && !files.iter().any(|file| file == name) {
                complaints.push(format!("`{name}` is neither defined nor a file"));
            }
        }
        for name in quoted(self.tests) {
            complaints.extend(match code.tests.get(name) {
                None => Some(format!("there is no test `{name}`")),
                Some(ids) if ids.contains(self.id) => None,
                Some(_) => Some(format!("`{name}` does not carry {}", self.id)),
            });
        }
        if quoted(self.tests).next().is_none() && !self.tests.contains(NOT_YET) {
            complaints.push(format!("{} has no test", self.id));
        }
        complaints
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Names of the code.
#[derive(Default)]
struct Code {
    /// Tests, with the ids that their names and comments carry.
    tests: BTreeMap<String, BTreeSet<String>>,
    /// What is defined by a keyword.
    defined: BTreeSet<String>,
    /// Every word.
    words: BTreeSet<String>,
}

impl Code {
    fn of(sources: &[Source]) -> Self {
        let mut code = Self::default();
        sources.iter().for_each(|source| code.read(source));
        code
    }

    /// `name`, or `name::more`.
    fn has(&self, path: &str) -> bool {
        let mut parts = path.split("::");
        parts.next().is_some_and(|name| self.defined.contains(name))
            && parts.all(|part| self.words.contains(part))
    }

    fn read(&mut self, source: &Source) {
        let tokens = &source.tokens;
        // The attributes in front of the next item; comments are attributes here.
        let mut attributes: Vec<String> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if source.reads(at, &["#", "["]) {
                let end = end_of_attribute(source, at + 1);
                let texts = tokens[at + 2..end].iter().map(|token| token.text.as_str());
                attributes.push(texts.collect());
                at = end + 1;
                continue;
            }
            let word = tokens[at].text.as_str();
            if !tokens[at].is_literal {
                self.words.insert(word.to_owned());
            }
            if let Some(name) = tokens.get(at + 1).filter(|_| defines(word)) {
                self.defined.insert(name.text.clone());
                if word == "fn" && attributes.iter().any(|text| text == "test") {
                    let ids = ids_of(&name.text, &attributes);
                    self.tests.entry(name.text.clone()).or_default().extend(ids);
                }
            }
            if !matches!(word, "pub" | "(" | "crate" | ")" | "async" | "unsafe") {
                attributes.clear();
            }
            at += 1;
        }
    }
}

/// The index of the bracket that closes the one at `open`.
fn end_of_attribute(source: &Source, open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in source.tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            _ if token.is_literal => {}
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    source.tokens.len() - 1
}

fn defines(word: &str) -> bool {
    let keywords = [
        "fn", "struct", "enum", "trait", "type", "const", "static", "mod",
    ];
    keywords.contains(&word)
}

/// `r4` in a name, `R4` in a comment.
fn ids_of(name: &str, attributes: &[String]) -> BTreeSet<String> {
    let in_name = name.split('_').map(str::to_uppercase);
    let comments = attributes
        .iter()
        .filter_map(|text| text.strip_prefix("doc="));
    let words = comments.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    in_name.chain(words.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about a page that has all rows, one of them `row`.
    fn check(row: &str) -> Vec<String> {
        let text = "//! Tests.\nstruct Ring { slots: u8 }\n\
                    #[test]\nfn a_ring_r1_l2() {}\n\
                    /// R2, R3: both.\n#[test]\npub(crate) fn commented() {}\n\
                    fn no_test_r1() {}\n\
                    proptest! {\n/// R1.\n#[test]\nfn inside_a_macro(a in 0..1) {}\n}\n";
        let sources = [Source::parse("x/src/a.rs", text).expect("Rust")];
        let id = row.split('|').nth(1).unwrap_or("").trim();
        let mut page = format!("# Races\n\n| id | m | p | t |\n|---|---|---|---|\n{row}\n");
        for (letter, count) in ROWS {
            let ids = (1..=count).map(|number| format!("{letter}{number}"));
            for other in ids.filter(|other| other != id) {
                page.push_str(&format!("| {other} | m | p | comes with time |\n"));
            }
        }
        let files = ["x/src/a.rs".to_owned()];
        let findings = page_holds(&sources, &files, Some(&page));
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn rows_that_hold_pass() {
        for row in [
            "| R1 | m | `Ring`, `Ring::slots`, `x/src/a.rs` | `a_ring_r1_l2`, `inside_a_macro` |",
            "| L2 | m | p | `a_ring_r1_l2` |",
            "| R3 | m | p | `commented` |",
            "| R13 | m | p | comes with something |",
        ] {
            assert_eq!(check(row), [""; 0], "{row}");
        }
    }

    #[test]
    fn names_that_are_not_there_bite() {
        let cases = [
            ("| R1 | m | p | `gone` |", "there is no test `gone`"),
            (
                "| R1 | m | p | `no_test_r1` |",
                "there is no test `no_test_r1`",
            ),
            (
                "| R2 | m | p | `a_ring_r1_l2` |",
                "`a_ring_r1_l2` does not carry R2",
            ),
            ("| R1 | m | p | nothing |", "R1 has no test"),
            (
                "| R1 | m | `Gone` | `a_ring_r1_l2` |",
                "`Gone` is neither defined nor a file",
            ),
            (
                "| R1 | m | `Ring::gone` | `a_ring_r1_l2` |",
                "`Ring::gone` is neither defined nor a file",
            ),
            (
                "| R1 | m | `x/src/b.rs` | `a_ring_r1_l2` |",
                "`x/src/b.rs` is neither defined nor a file",
            ),
        ];
        for (row, message) in cases {
            assert_eq!(check(row), [message], "{row}");
        }
    }

    #[test]
    fn rows_that_are_missing_or_there_twice_bite() {
        assert_eq!(page_holds(&[], &[], None).len(), 1);
        let all: usize = ROWS.iter().map(|(_, count)| count).sum();
        assert_eq!(page_holds(&[], &[], Some("# Races\n")).len(), all);
        let twice = "| R1 | m | p | comes with a |\n".repeat(2);
        let findings = page_holds(&[], &[], Some(&twice));
        assert_eq!(findings.len(), all);
        assert!(
            findings
                .iter()
                .any(|finding| finding.message == "a second row for R1")
        );
    }
}
