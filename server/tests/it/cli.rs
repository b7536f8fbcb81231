//! The command line as a user meets it: exit codes, and one clear line for each mistake.

use std::net::TcpListener;

use crate::harness::{PLAIN, SETUPS, Server, Setup, httpng, run};

/// Runs a program to its end; `expected` must be the exit code and part of the *only* line of
/// standard error (log lines aside).
fn check_fails(options: &[&str], program: Option<&str>, code: i32, expected: &str) {
    let (got, text) = run(options, program);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("httpng: "))
        .collect();
    assert_eq!(got, code, "{options:?} {program:?}: {text}");
    assert_eq!(lines.len(), 1, "one clear line: {text}");
    assert!(
        lines[0].contains(expected),
        "{expected:?} is not in {text:?}"
    );
}

#[test]
fn a_wrong_file_is_named() {
    check_fails(&["nowhere.lua"], None, 1, "nowhere.lua: No such file");
    check_fails(
        &["--check", "nowhere.lua"],
        None,
        1,
        "nowhere.lua: No such file",
    );
    check_fails(&["."], None, 1, ".: Is a directory");
}

#[test]
fn a_syntax_error_has_file_and_line() {
    check_fails(&[], Some("local x =\n\n= 3"), 1, "app.lua:3: ");
    check_fails(&["--check"], Some("local x =\n\n= 3"), 1, "app.lua:3: ");
}

#[test]
fn an_error_of_the_program_has_file_and_line() {
    check_fails(&[], Some("\nerror('no luck')"), 1, "app.lua:2: no luck");
    check_fails(&[], Some("error({ code = 7 })"), 1, "");
    check_fails(
        &[],
        Some("local function f() f() end f()"),
        1,
        "stack overflow",
    );
}

#[test]
fn a_program_that_ends_without_serving_is_done() {
    assert_eq!(run(&[], Some("local x = 1")).0, 0);
    let sleeps = "local fiber = require('fiber') fiber.create(function() fiber.sleep(0.01) end)";
    assert_eq!(run(&[], Some(sleeps)).0, 0);
}

#[test]
fn arguments_reach_the_program() {
    let program = "local a, b = ... assert(a == '--x' and b == 'y' and arg[1] == '--x' and \
                   arg[0] == 'app.lua', tostring(a) .. tostring(arg[0]))";
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("app.lua"), program).unwrap();
    let output = httpng()
        .current_dir(files.path())
        .args(["app.lua", "--x", "y"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_port_in_use_is_named_with_its_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let program = format!(
        "require('httpng').cfg({{ listen = {{ {{ addr = '127.0.0.1', port = {} }} }}, \
         handler = function() end }})",
        taken.local_addr().unwrap().port()
    );
    for threads in ["0", "1", "2"] {
        check_fails(&["--threads", threads], Some(&program), 3, &addr);
        let here = ["--threads", threads, "--listen", &addr];
        let any = "require('httpng').cfg({ handler = function() end })";
        check_fails(&here, Some(any), 3, "in use");
    }
}

#[test]
fn a_port_of_another_httpng_is_in_use_too() {
    let program = "require('httpng').cfg({ handler = function() return { body = 'first' } end })";
    for setup in PLAIN {
        let first = Server::start(program, setup);
        let addr = first.addr.to_string();
        check_fails(
            &["--threads", "2", "--listen", &addr],
            Some(program),
            3,
            &addr,
        );
        assert_eq!(first.get("/"), "first");
    }
}

#[test]
fn an_unreadable_certificate_is_named() {
    let program = "require('httpng').cfg({ listen = { { addr = '127.0.0.1', port = 0, tls = { { \
                   certificate_file = 'nowhere.pem', certificate_key_file = 'no-key.pem' } } } }, \
                   handler = function() end })";
    check_fails(&[], Some(program), 3, "nowhere.pem");
    check_fails(&["--check"], Some(program), 3, "nowhere.pem");
    let any = "require('httpng').cfg({ handler = function() end })";
    let options = [
        "--listen",
        "https://127.0.0.1:0",
        "--cert",
        "app.lua",
        "--key",
        "app.lua",
    ];
    check_fails(&options, Some(any), 3, "app.lua");
}

#[test]
fn check_loads_and_validates_but_does_not_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let program = |rest: &str| {
        format!("require('httpng').cfg({{ listen = {port}, {rest} handler = function() end }})")
    };
    let (code, text) = run(&["--check"], Some(&program("")));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("app.lua"), "says what was checked: {text}");
    check_fails(
        &["--check"],
        Some(&program("threads = 'many',")),
        1,
        "threads is not a number",
    );
    let waits = program("") + " require('fiber').sleep(1000)";
    assert_eq!(run(&["--check"], Some(&waits)).0, 0);
}

#[test]
fn help_and_version() {
    let help = httpng().arg("--help").output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    for word in [
        "--listen",
        "--threads",
        "--check",
        "--drain-timeout",
        "Exit codes",
        "130",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let version = httpng().arg("--version").output().unwrap();
    let text = String::from_utf8(version.stdout).unwrap();
    assert_eq!(text.trim(), concat!("httpng ", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--nonsense"], None).0, 2);
}

#[test]
fn every_setup_says_hello() {
    let program = "require('httpng').cfg({ handler = function(req) \
                   return { body = 'hello ' .. tostring(req.https) } end })";
    for setup in SETUPS {
        let server = Server::start(program, setup);
        let expected = if setup.https {
            "hello true"
        } else {
            "hello nil"
        };
        assert_eq!(server.get("/"), expected, "{setup:?}");
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn the_wildcard_is_listened_on_by_default_for_both_families() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let program = format!(
        "require('httpng').cfg({{ listen = {free}, handler = function() \
         return {{ body = 'both' }} end }})"
    );
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("app.lua");
    std::fs::write(&path, program).unwrap();
    let setup = Setup {
        threads: 1,
        https: false,
        http2: false,
    };
    let server = Server::start_own_listen(&path, setup, &[], files);
    let mut client = crate::client::Client::tcp(([127, 0, 0, 1], free).into());
    client.get("/");
    assert_eq!(client.response().text(), "both");
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let six = std::net::Ipv6Addr::LOCALHOST;
        let mut client = crate::client::Client::tcp((six, free).into());
        client.get("/");
        assert_eq!(client.response().text(), "both");
    }
    drop(server);
}
