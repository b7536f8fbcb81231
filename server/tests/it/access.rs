//! The access log from the outside: what is in it, who writes it, and what becomes of it when it
//! cannot be written.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::{SETUPS, Server, Setup, eventually, run};

const PROGRAM: &str = r#"
local httpng = require('httpng')
httpng.cfg {
    sites = {
        { path = '/stats', handler = function()
            return { body = tostring(httpng.stats().access_dropped) }
        end },
        { path = '/fail', handler = function() error('on purpose') end },
        { path = '/id', handler = function(req) return { body = req.id } end },
        { path = '/', handler = function(req) return { body = req.path } end },
    },
}
"#;

/// A server that keeps a log in a folder of its own.
fn start(setup: Setup, format: &str) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let options = [
        "--access-log",
        log.to_str().unwrap(),
        "--access-log-format",
        format,
    ];
    (Server::start_with(PROGRAM, setup, &options), folder)
}

/// The lines of a file, once there are so many.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    eventually("the lines are written", || {
        let text = fs::read_to_string(path).unwrap_or_default();
        lines = text.lines().map(str::to_owned).collect();
        lines.len() >= count && text.ends_with('\n')
    });
    lines
}

#[test]
fn each_request_is_an_object_with_its_legs() {
    for setup in SETUPS {
        let (server, folder) = start(setup, "json");
        assert_eq!(server.get("/a?b=c"), "/a");
        let id = server.get("/id");
        server.get("/fail");
        let lines = lines(&folder.path().join("access.log"), 3);
        let values: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // Two workers write in no order.
        let of = |target: &str| {
            let mut values = values.iter();
            let found = values.find(|value| value["target"] == target);
            found.unwrap_or_else(|| panic!("{target} in {lines:?}"))
        };
        let first = of("/a?b=c");
        assert_eq!(first["method"], "GET");
        assert_eq!(first["version"], setup.version());
        assert_eq!(first["tls"], setup.https);
        assert_eq!(first["peer"], "127.0.0.1");
        assert_eq!(
            (&first["status"], &first["body_bytes"]),
            (&200.into(), &2.into())
        );
        let legs = ["parse_us", "queue_us", "tx_us", "write_us"];
        let sum: u64 = legs.iter().map(|leg| first[leg].as_u64().unwrap()).sum();
        assert!(
            first["total_us"].as_u64().unwrap().abs_diff(sum) <= 4,
            "{first}"
        );
        assert_eq!(of("/id")["request_id"], id, "what the handler knows it by");
        let failed = of("/fail");
        assert_eq!(failed["status"], 500);
        assert_eq!(failed["failure"], "the handler failed");
        let of_failed = failed["request_id"].as_str().unwrap();
        server.wait_line(&format!("on purpose\" (request {of_failed})"));
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn a_request_cannot_forge_a_line() {
    let (server, folder) = start(SETUPS[1], "combined");
    let mut client = server.connect();
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: a\" \\ \xff\r\nReferer: r\r\n\r\n");
    client.response();
    let mut client = server.connect();
    client.send(b"GET /b\" 200 1 \"\x07 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.response();
    let lines = lines(&folder.path().join("access.log"), 2);
    assert_eq!(lines.len(), 2);
    let (head, rest) = lines[0].split_once(" - - [").unwrap();
    assert_eq!(head, "127.0.0.1");
    let rest = rest.split_once("] ").unwrap().1;
    assert_eq!(rest, r#""GET /a HTTP/1.1" 200 2 "r" "a\x22 \x5C \xFF""#);
    let rest = lines[1].split_once("] ").unwrap().1;
    assert!(
        rest.starts_with(r#""GET /b\x22 200 1 \x22\x07 HTTP/1.1" 400 "#),
        "{rest}"
    );
}

/// r: what was told before the signal is in the old file, what came later in the new one.
#[test]
fn rotation_under_load_loses_no_line_and_mixes_none() {
    for (setup, signal) in [(SETUPS[0], "USR1"), (SETUPS[2], "HUP"), (SETUPS[6], "USR1")] {
        let (server, folder) = start(setup, "json");
        let log = folder.path().join("access.log");
        let rotations = 5;
        let (clients, requests) = (4, 150);
        std::thread::scope(|scope| {
            for client in 0..clients {
                let server = &server;
                scope.spawn(move || {
                    let mut connection = server.connect();
                    for request in 0..requests {
                        connection.get(&format!("/{client}/{request}"));
                        assert_eq!(connection.response().head.status, 200);
                    }
                });
            }
            for rotation in 0..rotations {
                fs::rename(&log, folder.path().join(format!("old.{rotation}"))).unwrap();
                server.signal(signal);
                eventually("the file is there again", || log.exists());
            }
        });
        let server_log = server.log();
        assert_eq!(server.stop(), 0, "{server_log}");
        let mut seen = BTreeSet::new();
        for file in fs::read_dir(folder.path()).unwrap() {
            for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
                let value: Value = serde_json::from_str(line).unwrap();
                let target = value["target"].as_str().unwrap().to_owned();
                assert!(seen.insert(target), "twice: {line}");
            }
        }
        assert_eq!(seen.len(), clients * requests);
    }
}

/// A pipe that nobody reads holds the writer, and nobody else.
#[test]
fn a_full_queue_drops_and_counts_and_stalls_nobody() {
    for setup in [SETUPS[0], SETUPS[1]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        // Opened for both directions, which does not wait; never read before the end.
        let mut reader = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let options = ["--access-log", path.to_str().unwrap()];
        let server = Server::start_with(PROGRAM, setup, &options);
        let mut client = server.connect();
        let batch = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
        let dropped = || server.get("/stats").parse::<u64>().unwrap();
        let mut sent = 0;
        eventually("lines are lost", || {
            for _ in 0..10 {
                client.send(batch.as_bytes());
                for _ in 0..100 {
                    assert_eq!(client.response().head.status, 200);
                }
                sent += 100;
            }
            dropped() > 0
        });
        assert!(sent > 8_192, "the queue holds as many as it says");
        let mut some = [0; 4096];
        assert!(reader.read(&mut some).unwrap() > 0);
        let text = String::from_utf8_lossy(&some).into_owned();
        assert!(text.starts_with("127.0.0.1 - - ["), "{text}");
        // Nobody reads the rest: the end waits a moment for it and no longer.
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn standard_output_takes_the_log_too() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app.lua");
    let program = PROGRAM.replace("httpng.cfg {", "httpng.cfg { listen = 0, access_log = '-',");
    fs::write(&app, program).unwrap();
    let mut child = crate::harness::httpng()
        .args(["--listen", "127.0.0.1:0"])
        .arg(&app)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        std::io::BufRead::read_line(&mut log, &mut line).unwrap();
    }
    let mut client = crate::client::Client::tcp(crate::harness::address_in(&line));
    client.get("/out");
    client.response();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    line.clear();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(
        line.contains("\"GET /out HTTP/1.1\" 200 4 \"-\" \"-\""),
        "{line}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_that_cannot_be_opened_is_told() {
    let (code, text) = run(
        &[
            "--listen",
            "127.0.0.1:0",
            "--access-log",
            "/nowhere/access.log",
        ],
        Some(PROGRAM),
    );
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("cannot open the access log /nowhere/access.log: No such file"),
        "{text}"
    );
}

#[test]
fn a_reload_changes_the_log_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let program = format!(
        r#"
        local httpng = require('httpng')
        local function cfg(file, format)
            return pcall(httpng.cfg, {{
                access_log = file and {{ file = file, format = format }},
                handler = function(req)
                    local path = req.path
                    if path == '/second' then cfg('{second}', 'json') end
                    if path == '/none' then cfg(nil) end
                    if path == '/bad' then
                        local _, why = cfg('/nowhere/log')
                        return {{ body = why }}
                    end
                    return {{ body = 'ok' }}
                end,
            }})
        end
        assert(cfg('{first}'))
        "#,
        first = first.display(),
        second = second.display(),
    );
    // `cfg` is named inside of itself.
    let program = program.replace("local function cfg", "local cfg\nfunction cfg");
    for setup in [SETUPS[0], SETUPS[2]] {
        let _ = (fs::remove_file(&first), fs::remove_file(&second));
        let server = Server::start_with(&program, setup, &[]);
        server.get("/a");
        lines(&first, 1);
        let why = server.get("/bad");
        assert!(
            why.contains("cannot open the access log /nowhere/log"),
            "{why}"
        );
        lines(&first, 2);
        server.get("/second");
        server.get("/b");
        let last = lines(&second, 1).pop().unwrap();
        assert!(last.starts_with('{'), "{last}");
        server.get("/none");
        server.get("/c");
        assert_eq!(server.stop(), 0);
        let all = format!(
            "{}{}",
            fs::read_to_string(&first).unwrap(),
            fs::read_to_string(&second).unwrap()
        );
        for path in ["/a", "/bad", "/b"] {
            assert!(all.contains(path), "{path} in {all}");
        }
        assert!(!all.contains("/c "), "{all}");
    }
}

/// Without a log to open anew, SIGUSR1 changes nothing and SIGHUP has its usual meaning.
#[test]
fn signals_without_a_log() {
    let mut server = Server::start(PROGRAM, SETUPS[1]);
    server.signal("USR1");
    assert_eq!(server.get("/a"), "/a");
    server.signal("HUP");
    let status = server.exit_status();
    assert_eq!(status.code(), None, "{status}");
}

/// Who starts it with nohup(1) wants it to live on; a log is opened anew by SIGUSR1 all the same.
#[test]
fn a_hangup_that_was_ignored_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_ignoring_hangup(PROGRAM, &["--access-log", log.to_str().unwrap()]);
    fs::remove_file(&log).unwrap();
    server.signal("HUP");
    assert_eq!(server.get("/a"), "/a");
    assert!(!log.exists(), "it was not heard");
    server.signal("USR1");
    eventually("the file is there again", || log.exists());
    assert_eq!(server.stop(), 0);
}
