//! Words that do not belong into a repository: paths of one machine, work left undone.

use super::Finding;

/// Folders of one machine. Written in pieces, so that this file passes its own rule.
const MACHINE_FOLDERS: &[&[&str]] = &[
    &["/wo", "rk/"],
    &["/ho", "me/"],
    &["/ro", "ot/"],
    &["/Us", "ers/"],
];

/// Marks of work left undone, in pieces as above.
const UNDONE: &[&[&str]] = &[&["TO", "DO"], &["FIX", "ME"], &["X", "XX"]];

/// Switches that leave code out, in pieces as above: each needs its reason.
const SWITCHED_OFF: &[&[&str]] = &[
    &["#[ign", "ore]"],
    &["to", "do!("],
    &["unimpl", "emented!("],
];

/// No path that exists on one machine only.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let folders: Vec<String> = MACHINE_FOLDERS
        .iter()
        .map(|pieces| pieces.concat())
        .collect();
    each_line(path, text, "machine-path", |line| {
        let folder = folders.iter().find(|folder| names_folder(line, folder))?;
        Some(format!("`{folder}` exists on one machine only"))
    })
}

/// The folder at the start of a path: `src/work/` is not it.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')'))
    })
}

/// Work left undone says what it waits for: the mark, then `(reason)`.
pub(super) fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    let marks: Vec<String> = UNDONE.iter().map(|pieces| pieces.concat()).collect();
    let switches: Vec<String> = SWITCHED_OFF.iter().map(|pieces| pieces.concat()).collect();
    each_line(path, text, "unfinished", |line| {
        if let Some(mark) = marks.iter().find(|mark| has_bare_mark(line, mark)) {
            return Some(format!("`{mark}` without `(what it waits for)`"));
        }
        let switch = switches
            .iter()
            .find(|switch| line.contains(switch.as_str()))?;
        Some(format!("`{switch}` switches code off without a reason"))
    })
}

/// The mark as a word of its own, not followed by its reason in parentheses.
fn has_bare_mark(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + mark.len()..];
        let is_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let reason = after
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'));
        is_word && reason.is_none_or(|(reason, _)| reason.trim().len() <= 3)
    })
}

/// Text ends with a newline, and its lines neither with spaces nor with a carriage return.
pub(super) fn line_ends(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = each_line(path, text, "line-ends", |line| {
        let ends_badly = line.ends_with([' ', '\t', '\r']);
        ends_badly.then(|| "spaces at the end of the line".to_owned())
    });
    if !text.is_empty() && !text.ends_with('\n') {
        let last = text.lines().count();
        findings.push(Finding::new(
            path,
            last,
            "line-ends",
            "no newline at the end",
        ));
    }
    findings
}

fn each_line(
    path: &str,
    text: &str,
    rule: &'static str,
    judge: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    text.split('\n')
        .enumerate()
        .filter_map(|(index, line)| Some(Finding::new(path, index + 1, rule, judge(line)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_bite() {
        let folder = MACHINE_FOLDERS[0].concat();
        for line in [
            format!("see {folder}x"),
            folder.clone(),
            format!("(\"{folder}x\")"),
        ] {
            assert_eq!(machine_paths("a.md", &line).len(), 1, "{line}");
        }
    }

    #[test]
    fn other_paths_pass() {
        let folder = MACHINE_FOLDERS[0].concat();
        for line in [
            format!("src{folder}x"),
            format!("$x.{folder}"),
            "/tmp/x /usr/bin".to_owned(),
        ] {
            assert_eq!(machine_paths("a.md", &line), [], "{line}");
        }
    }

    #[test]
    fn undone_work_without_its_reason_bites() {
        let mark = UNDONE[0].concat();
        for line in [
            format!("// {mark}: later"),
            format!("// {mark}() x"),
            mark.clone(),
        ] {
            assert_eq!(unfinished("a.rs", &line).len(), 1, "{line}");
        }
        assert_eq!(unfinished("a.rs", &SWITCHED_OFF[0].concat()).len(), 1);
    }

    #[test]
    fn undone_work_with_its_reason_passes() {
        let mark = UNDONE[0].concat();
        assert_eq!(
            unfinished("a.rs", &format!("// {mark}(needs mio 2): later")),
            []
        );
        assert_eq!(unfinished("a.rs", &format!("MAS{mark}S {mark}_LIST")), []);
        assert_eq!(unfinished("a.rs", "#[ignore = \"needs a network\"]"), []);
    }

    #[test]
    fn ends_of_lines() {
        assert_eq!(line_ends("a.md", "one\ntwo\n"), []);
        assert_eq!(line_ends("a.md", ""), []);
        assert_eq!(line_ends("a.md", "one \ntwo\t\nthree\r\n").len(), 3);
        assert_eq!(line_ends("a.md", "one").len(), 1);
    }
}
