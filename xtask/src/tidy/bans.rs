//! Calls that have a better place: panics without a reason, clocks, printing, memory orderings.

use super::Finding;
use super::source::Source;
use super::tables::{ORDERING_ALLOWED, PURE_DIR};

/// Outside tests an `unwrap` is an `expect` whose reason nobody wrote.
pub(super) fn unwrap(source: &Source) -> Vec<Finding> {
    let hint = "write `expect(\"why it cannot fail\")` or handle it";
    find(
        source,
        "unwrap",
        hint,
        &[&[".", "unwrap", "("], &[".", "unwrap_err", "("]],
    )
}

/// Time is an argument. Only a `clock.rs` asks the machine for it, and the tools of this crate.
pub(super) fn clocks(source: &Source) -> Vec<Finding> {
    if file_name(&source.path) == "clock.rs" || source.path.starts_with("xtask/") {
        return Vec::new();
    }
    let hint = "take `now` as an argument; only `clock.rs` asks the machine";
    let calls: &[&[&str]] = &[
        &["Instant", ":", ":", "now"],
        &["SystemTime", ":", ":", "now"],
        &[".", "elapsed", "("],
    ];
    find(source, "clocks", hint, calls)
}

/// Libraries log; only a program prints.
pub(super) fn printing(source: &Source) -> Vec<Finding> {
    if source.path.starts_with("xtask/") || source.path.starts_with("server/") {
        return Vec::new();
    }
    let calls: &[&[&str]] = &[
        &["println", "!"],
        &["print", "!"],
        &["eprintln", "!"],
        &["eprint", "!"],
        &["dbg", "!"],
    ];
    find(source, "printing", "use the `log` facade", calls)
}

/// Memory orderings are reasoned about in few files, and in counters.
pub(super) fn orderings(source: &Source) -> Vec<Finding> {
    let path = source.path.as_str();
    if ORDERING_ALLOWED.contains(&path) || file_name(path) == "stats.rs" {
        return Vec::new();
    }
    let kinds = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    let uses = kinds.map(|kind| ["Ordering", ":", ":", kind]);
    let mut calls: Vec<&[&str]> = uses.iter().map(|call| call.as_slice()).collect();
    calls.push(&["atomic", ":", ":", "Ordering"]);
    let hint = "orderings belong to shuttle-core and to counters: see xtask/src/tidy/tables.rs";
    let mut findings = find(source, "orderings", hint, &calls);
    findings.extend(imported_in_a_group(source, hint));
    findings.sort();
    findings.dedup();
    findings
}

/// `use ..atomic::{AtomicU8, Ordering}`, whatever it is renamed to.
fn imported_in_a_group(source: &Source, hint: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in source.production_tokens() {
        if !source.reads(index, &["atomic", ":", ":", "{"]) {
            continue;
        }
        let group = source.tokens[index..]
            .iter()
            .take_while(|token| token.text != "}");
        if group.into_iter().any(|token| token.text == "Ordering") {
            findings.push(Finding::new(&source.path, token.line, "orderings", hint));
        }
    }
    findings
}

/// The protocol crate is a value: bytes and `now` in, events and bytes out.
pub(super) fn pure_crates(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with(PURE_DIR) {
        return Vec::new();
    }
    let hint = "http-proto touches neither I/O nor threads nor the clock";
    let worlds = ["fs", "io", "thread", "process", "env", "os"];
    let uses = worlds.map(|world| ["std", ":", ":", world]);
    let mut calls: Vec<&[&str]> = uses.iter().map(|call| call.as_slice()).collect();
    let sockets: [&[&str]; 5] = [
        &["TcpStream"],
        &["TcpListener"],
        &["UdpSocket"],
        &["UnixStream"],
        &["ToSocketAddrs"],
    ];
    calls.extend(sockets);
    let mut findings = find(source, "pure", hint, &calls);
    // `Write` is also how one formats into a slice of bytes; that is no I/O.
    let formats = |line| source.line(line).contains("std::io::Write");
    findings.retain(|finding| !formats(finding.line));
    findings
}

fn find(source: &Source, rule: &'static str, hint: &str, calls: &[&[&str]]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in source.production_tokens() {
        if let Some(call) = calls.iter().find(|call| source.reads(index, call)) {
            let message = format!("`{}`: {hint}", call.concat());
            findings.push(Finding::new(&source.path, token.line, rule, message));
        }
    }
    findings
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&Source) -> Vec<Finding>;

    fn check(rule: Rule, path: &str, text: &str) -> usize {
        rule(&Source::parse(path, text).expect("Rust")).len()
    }

    #[test]
    fn unwrap_bites_outside_tests_also_inside_a_macro() {
        assert_eq!(check(unwrap, "a/src/a.rs", "fn a() { b().unwrap(); }"), 1);
        assert_eq!(
            check(unwrap, "a/src/a.rs", "fn a() { assert!(b().unwrap()); }"),
            1
        );
        assert_eq!(
            check(unwrap, "a/src/a.rs", "fn a() { b().unwrap_err(); }"),
            1
        );
    }

    #[test]
    fn unwrap_passes_in_tests_and_when_it_has_a_way_out() {
        assert_eq!(
            check(unwrap, "a/src/tests.rs", "fn a() { b().unwrap(); }"),
            0
        );
        assert_eq!(
            check(unwrap, "a/src/a.rs", "#[test]\nfn a() { b().unwrap(); }"),
            0
        );
        assert_eq!(
            check(unwrap, "a/src/a.rs", "fn a() { b().unwrap_or(1); }"),
            0
        );
        assert_eq!(
            check(unwrap, "a/src/a.rs", "fn a() { b().expect(\"c\"); }"),
            0
        );
    }

    #[test]
    fn clocks_bite_outside_clock_rs() {
        for call in [
            "Instant::now()",
            "std::time::SystemTime::now()",
            "began.elapsed()",
        ] {
            let text = format!("fn a() {{ {call}; }}");
            assert_eq!(check(clocks, "a/src/a.rs", &text), 1, "{call}");
            for fine in [
                "a/src/clock.rs",
                "a/examples/a.rs",
                "a/tests/b.rs",
                "xtask/src/a.rs",
            ] {
                assert_eq!(check(clocks, fine, &text), 0, "{fine}");
            }
        }
    }

    #[test]
    fn printing_bites_in_libraries() {
        assert_eq!(
            check(printing, "a/src/a.rs", "fn a() { println!(\"x\"); }"),
            1
        );
        assert_eq!(
            check(printing, "a/src/a.rs", "fn a() { log::info!(\"print!\"); }"),
            0
        );
        assert_eq!(
            check(
                printing,
                "server/src/main.rs",
                "fn a() { println!(\"x\"); }"
            ),
            0
        );
    }

    /// R41.
    #[test]
    fn orderings_bite_however_they_are_named() {
        let bad = [
            "fn a() { b.load(Ordering::Relaxed); }",
            "use std::sync::atomic::Ordering as O;",
            "use std::sync::atomic::{AtomicU8, Ordering};",
        ];
        for text in bad {
            assert_eq!(check(orderings, "a/src/a.rs", text), 1, "{text}");
            assert_eq!(check(orderings, "a/src/stats.rs", text), 0, "{text}");
            assert_eq!(
                check(orderings, "shuttle-core/src/state.rs", text),
                0,
                "{text}"
            );
        }
    }

    #[test]
    fn orderings_of_comparisons_pass() {
        let text = "use std::cmp::Ordering; fn a() { b == Ordering::Less; Leg::Release; }";
        assert_eq!(check(orderings, "a/src/a.rs", text), 0);
    }

    #[test]
    fn the_protocol_crate_has_no_world() {
        let path = "http-worker/proto/src/h1.rs";
        assert_eq!(check(pure_crates, path, "use std::io::Read;"), 1);
        assert_eq!(check(pure_crates, path, "fn a(b: &mut TcpStream) {}"), 1);
        assert_eq!(
            check(pure_crates, path, "use std::net::SocketAddr; use std::fmt;"),
            0
        );
        assert_eq!(
            check(pure_crates, "http-worker/src/a.rs", "use std::io::Read;"),
            0
        );
        assert_eq!(
            check(
                pure_crates,
                "http-worker/proto/src/tests.rs",
                "use std::fs;"
            ),
            0
        );
    }
}
