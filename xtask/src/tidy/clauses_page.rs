//! `docs/conformance.md`: what the RFCs ask, what we do, and the tests, made from
//! `conformance/clauses.txt`.
//!
//! A table of promises rots when a test is renamed and nobody looks: so every row names tests that
//! exist, and every case belongs to a row.

use std::collections::BTreeSet;

use super::Finding;
use super::source::Source;

/// Where the page lies, and what it is made of.
pub(crate) const PAGE: &str = "docs/conformance.md";
pub(super) const CLAUSES: &str = "conformance/clauses.txt";
/// Cases of HTTP/1, and of HTTP/2.
pub(super) const CASES: [&str; 2] = ["conformance/cases.txt", "conformance/http2.txt"];

const HEAD: &str = "\
# Conformance

What the RFCs of HTTP/1.1 and HTTP/2 ask of an origin server, in our words, what this one does, and
the tests that show it. Names with hyphens are cases of
[conformance/cases.txt](../conformance/cases.txt), or, if they begin with `h2-`, of
[conformance/http2.txt](../conformance/http2.txt); those with a star are all that begin so: bytes
in; answers and the fate of the connection out. Each is run whole and in pieces, in clear and
through TLS, and split at every place against the parser, or for HTTP/2 against the worker. Other
names are functions of tests. Where a clause is not followed, the column of
what we do says why. Made by `cargo xtask clauses`; `cargo xtask tidy` says when it is out of date
or a test is missing.
";

/// One clause.
struct Row<'a> {
    line: usize,
    section: &'a str,
    strength: &'a str,
    clause: &'a str,
    ours: &'a str,
    tests: Vec<&'a str>,
}

/// A line of the file that means something.
enum Line<'a> {
    Rfc(&'a str),
    Row(Row<'a>),
    Wrong(usize),
}

fn lines(clauses: &str) -> impl Iterator<Item = Line<'_>> {
    clauses.lines().enumerate().filter_map(|(index, line)| {
        if let Some(rfc) = line.strip_prefix("# RFC ") {
            return Some(Line::Rfc(rfc));
        }
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [section, strength, clause, ours, tests] = cells[..] else {
            return Some(Line::Wrong(index + 1));
        };
        Some(Line::Row(Row {
            line: index + 1,
            section,
            strength,
            clause,
            ours,
            tests: tests.split(' ').filter(|name| !name.is_empty()).collect(),
        }))
    })
}

/// Every row has tests, every test exists, every case belongs to a row, and the page is fresh.
pub(super) fn page_holds(
    sources: &[Source],
    clauses: Option<&str>,
    cases: [Option<&str>; CASES.len()],
    page: Option<&str>,
) -> Vec<Finding> {
    let find = |path, line, message: String| Finding::new(path, line, "clauses-page", message);
    let (Some(clauses), [Some(one), Some(two)]) = (clauses, cases) else {
        return vec![find(CLAUSES, 1, "clauses or cases are missing".to_owned())];
    };
    let files = [one, two].map(names_of_cases);
    let cases: BTreeSet<&str> = files.iter().flatten().copied().collect();
    let tests = names_of_tests(sources);
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for line in lines(clauses) {
        let row = match line {
            Line::Rfc(_) => continue,
            Line::Wrong(line) => {
                findings.push(find(CLAUSES, line, "not five cells".to_owned()));
                continue;
            }
            Line::Row(row) => row,
        };
        if row.tests.is_empty() {
            findings.push(find(CLAUSES, row.line, "no test shows it".to_owned()));
        }
        for name in row.tests {
            let meant = meant_by(name, &cases);
            if meant.is_empty() && !tests.contains(name) {
                findings.push(find(
                    CLAUSES,
                    row.line,
                    format!("there is no test `{name}`"),
                ));
            }
            named.extend(meant);
        }
    }
    for (path, names) in CASES.into_iter().zip(files) {
        let stray = names.difference(&named);
        findings.extend(stray.map(|name| find(path, 1, format!("no clause names `{name}`"))));
    }
    if page != Some(render(clauses).as_str()) {
        let message = "out of date: run `cargo xtask clauses`".to_owned();
        findings.push(find(PAGE, 1, message));
    }
    findings
}

/// The cases that a name in a row stands for: one, or with a `*` at its end all that begin so.
fn meant_by<'a>(name: &str, cases: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let is_meant = |case: &&&str| match name.strip_suffix('*') {
        Some(front) => case.starts_with(front),
        None => **case == name,
    };
    cases.iter().filter(is_meant).copied().collect()
}

/// The page as it should be.
pub(super) fn render(clauses: &str) -> String {
    let mut page = HEAD.to_owned();
    for line in lines(clauses) {
        match line {
            Line::Rfc(number) => {
                page.push_str(&format!("\n## RFC {number}\n\n"));
                page.push_str("| section | | what is asked | what we do | shown by |\n");
                page.push_str("|---|---|---|---|---|\n");
            }
            Line::Row(row) => {
                let tests: Vec<String> = row.tests.iter().map(|name| format!("`{name}`")).collect();
                page.push_str(&format!(
                    "| {} | {} | {} | {} | {} |\n",
                    row.section,
                    row.strength,
                    row.clause,
                    row.ours,
                    tests.join(", ")
                ));
            }
            Line::Wrong(_) => {}
        }
    }
    page
}

fn names_of_cases(cases: &str) -> BTreeSet<&str> {
    let name = |line: &'_ str| -> Option<(usize, usize)> {
        let name = line.strip_prefix('[')?.strip_suffix(']')?;
        Some((1, name.len()))
    };
    let lines = cases.lines();
    lines
        .filter_map(|line| name(line).map(|(at, len)| &line[at..at + len]))
        .collect()
}

/// Functions that stand behind `#[test]`.
fn names_of_tests(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        let mut after_test = false;
        let mut words = source
            .tokens
            .iter()
            .map(|token| token.text.as_str())
            .peekable();
        while let Some(word) = words.next() {
            match word {
                "test" => after_test = true,
                "fn" if std::mem::take(&mut after_test) => {
                    names.extend(words.peek().map(|name| (*name).to_owned()));
                }
                _ => {}
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about these clauses, with the cases `a-case` and `other`.
    fn check(clauses: &str) -> Vec<String> {
        let text = "//! Tests.\n#[test]\nfn a_test() {}\nfn no_test() {}\n";
        let sources = [Source::parse("x/src/a.rs", text).expect("Rust")];
        let cases = [
            Some("# c\n[a-case]\nGET\n=> 200 open\n"),
            Some("[other]\nGET 1\n=> 200=1 open\n"),
        ];
        let page = render(clauses);
        let findings = page_holds(&sources, Some(clauses), cases, Some(&page));
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn rows_with_tests_pass() {
        let clauses = "# RFC 1\n1 | MUST | asks | does | a-case a_test\n2 | MAY | a | b | other\n";
        assert_eq!(check(clauses), [""; 0]);
        assert!(render(clauses).ends_with("| 2 | MAY | a | b | `other` |\n"));
    }

    #[test]
    fn a_star_stands_for_all_that_begin_so() {
        assert_eq!(check("1 | MAY | a | b | a-* o*\n"), [""; 0]);
        let message = "there is no test `c-*`";
        assert_eq!(check("1 | MAY | a | b | * c-*\n"), [message]);
    }

    #[test]
    fn what_is_missing_bites() {
        let rest = "2 | MAY | a | b | a-case other\n";
        let cases = [
            ("1 | MUST | asks | does | gone\n", "there is no test `gone`"),
            (
                "1 | MUST | asks | does | no_test\n",
                "there is no test `no_test`",
            ),
            ("1 | MUST | asks | does | \n", "no test shows it"),
            ("1 | MUST | asks\n", "not five cells"),
        ];
        for (row, message) in cases {
            assert_eq!(check(&format!("{row}{rest}")), [message], "{row}");
        }
        assert_eq!(
            check("1 | MUST | a | b | other\n"),
            ["no clause names `a-case`"]
        );
    }

    #[test]
    fn an_old_page_bites() {
        let findings = page_holds(&[], Some(""), [Some(""); 2], Some("old"));
        assert_eq!(findings.len(), 1);
    }
}
