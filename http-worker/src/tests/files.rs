//! Requests that the worker answers from a folder, among others that it does not.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_proto::{Leg, Site};
use tempfile::TempDir;

use super::world::{LARGE, Setup, World, readable, respond};
use crate::core::Flush;
use crate::limits::{
    FILE_COPY_BYTES, FILE_STEP_BYTES, FILE_TURN_BYTES, FILES_KEPT_COUNT, FOLDER_RECHECK_MS,
    FORMER_SITES_COUNT,
};
use crate::{App, Command, FileOptions, Files, Routes, Serve};

/// A worker that serves a folder at `/f`, and leaves the rest to TX.
struct Served {
    world: World,
    folder: TempDir,
}

fn routes(folder: &Path) -> Arc<Routes> {
    let files = Files::open(FileOptions::new(folder)).unwrap();
    let sites = [
        ("/f", Serve::Files(Arc::new(files))),
        ("/", Serve::App(App::default())),
    ];
    let sites = sites.map(|(path, value)| Site {
        path: path.into(),
        value,
    });
    Arc::new(Routes::new(sites))
}

impl Served {
    fn new() -> Self {
        Self::with(Setup::default())
    }

    fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(setup);
        world.command(Command::Routes(routes(folder.path())));
        Self { world, folder }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// How often the process has this file open.
    fn open_count(&self, name: &str) -> usize {
        let path = self.folder.path().join(name);
        let links = fs::read_dir("/proc/self/fd").unwrap();
        let targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
        targets.filter(|target| *target == path).count()
    }

    /// What a new client gets for these bytes.
    fn ask(&mut self, input: &str) -> String {
        let client = self.world.connect();
        self.world.ask(client, input.replace('|', "\r\n"));
        respond(&mut self.world);
        self.text(client)
    }

    /// What a client got, without what differs from file to file.
    fn text(&mut self, client: usize) -> String {
        let mut text = self.world.text(client);
        while let Some(start) = text.find("ETag: \"") {
            let end = start + text[start..].find('|').unwrap();
            text.replace_range(start..=end, "");
        }
        for line in ["Accept-Ranges: bytes|", "Vary: Accept-Encoding|"] {
            text = text.replace(line, "");
        }
        text.replace("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT|", "")
    }

    #[track_caller]
    fn check(&mut self, input: &str, expected: &str) {
        assert_eq!(self.ask(input), expected, "{input}");
        self.world.check_balance();
    }
}

/// The head of the answer to a file of so many bytes of text.
fn ok(length: usize) -> String {
    format!("HTTP/1.1 200 OK|Content-Length: {length}|Content-Type: text/plain; charset=utf-8||")
}

/// What reaches a client that reads all.
fn got(world: &mut World, client: usize) -> Vec<u8> {
    world.clients[client].appetite = usize::MAX;
    world.settle();
    std::mem::take(&mut world.clients[client].got)
}

#[test]
fn a_file_is_answered_without_tx() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let expected = format!("{}hello<open>", ok(5));
    served.check("GET /f/a.txt HTTP/1.1|Host: h||", &expected);
    served.check(
        "HEAD /f/a.txt HTTP/1.1|Host: h||",
        &format!("{}<open>", ok(5)),
    );
    assert_eq!(served.world.stats().requests, 0);
    assert_eq!(served.world.stats().responses, [0, 2, 0, 0, 0]);
    assert_eq!(served.open_count("a.txt"), 0, "it stays open");
}

#[test]
fn http_1_0_and_close_are_heard() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let closing = ok(5).replace("|Content-Type", "|Connection: close|Content-Type");
    let expected = format!("{closing}hello<end>");
    served.check("GET /f/a.txt HTTP/1.0||", &expected);
    served.check(
        "GET /f/a.txt HTTP/1.1|Host: h|Connection: close||",
        &expected,
    );
}

#[test]
fn other_methods_are_refused_and_their_bodies_read_over() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let refused = "HTTP/1.1 405 Method Not Allowed|Content-Length: 18|\
                   Content-Type: text/plain; charset=utf-8|Vary: Accept|Allow: GET, HEAD, OPTIONS||\
                   method not allowed";
    let input = "POST /f/a.txt HTTP/1.1|Host: h|Content-Length: 3||abc\
                 DELETE /f/a.txt HTTP/1.1|Host: h||\
                 PUT /f/a.txt HTTP/1.1|Host: h|Transfer-Encoding: chunked||3|abc|0||\
                 OPTIONS /f/a.txt HTTP/1.1|Host: h||";
    let options = "HTTP/1.1 204 No Content|Allow: GET, HEAD, OPTIONS||";
    served.check(
        input,
        &format!("{refused}{refused}{refused}{options}<open>"),
    );
    assert_eq!(served.world.stats().body_bytes_held, 0);
}

#[test]
fn files_and_others_are_answered_in_the_order_of_the_requests() {
    let mut served = Served::new();
    served.put("a.txt", "first");
    served.put("b.txt", "second");
    let input = "GET /f/a.txt HTTP/1.1|Host: h||GET /lua HTTP/1.1|Host: h||\
                 GET /f/b.txt HTTP/1.1|Host: h||GET /lua HTTP/1.1|Host: h||";
    let lua = "HTTP/1.1 200 OK|Content-Length: 4||/lua";
    let expected = format!("{}first{lua}{}second{lua}<open>", ok(5), ok(6));
    served.check(input, &expected);
}

#[test]
fn requests_split_anywhere_are_answered_the_same() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let input = "GET /f/a.txt HTTP/1.1|Host: h||POST /x HTTP/1.1|Host: h|Content-Length: 1||y\
                 GET /f/none HTTP/1.1|Host: h||"
        .replace('|', "\r\n");
    let expected = format!(
        "{}helloHTTP/1.1 200 OK|Content-Length: 2||/xHTTP/1.1 404 Not Found|Content-Length: 9|\
         Content-Type: text/plain; charset=utf-8|Vary: Accept||not found<open>",
        ok(5)
    );
    for at in 1..input.len() {
        let client = served.world.connect();
        served.world.ask(client, &input[..at]);
        respond(&mut served.world);
        served.world.ask(client, &input[at..]);
        respond(&mut served.world);
        assert_eq!(served.text(client), expected, "split at {at}");
        served.world.clients.clear();
    }
}

#[test]
fn a_thousand_pipelined_files() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let client = served.world.connect();
    served.world.ask(
        client,
        "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000),
    );
    let got = got(&mut served.world, client);
    assert_eq!(readable(&got).matches("||hello").count(), 1000);
}

#[test]
fn more_files_in_one_turn_than_are_kept() {
    let mut served = Served::new();
    let mut input = String::new();
    for number in 0..=FILES_KEPT_COUNT {
        served.put(&number.to_string(), format!("[{number}]"));
        input.push_str(&format!("GET /f/{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    let client = served.world.connect();
    served.world.ask(client, input.repeat(2));
    let text = readable(&got(&mut served.world, client));
    for number in 0..=FILES_KEPT_COUNT {
        assert_eq!(
            text.matches(&format!("||[{number}]")).count(),
            2,
            "{number}"
        );
        assert_eq!(served.open_count(&number.to_string()), 0);
    }
}

#[test]
fn a_large_file_is_sent_in_steps() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 4 * FILE_STEP_BYTES]);
    let client = served.world.connect();
    served.world.settle();
    let before = served.world.stats().writes;
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    let writes = served.world.stats().writes - before;
    assert!(writes > 4, "{writes} writes, the head's among them");
}

#[test]
fn at_the_bound_of_what_is_copied_and_beyond() {
    for length in [
        0,
        1,
        FILE_COPY_BYTES - 1,
        FILE_COPY_BYTES,
        FILE_COPY_BYTES + 1,
        1 << 20,
    ] {
        let mut served = Served::new();
        served.put("a.txt", &LARGE[..length]);
        let client = served.world.connect();
        let request = "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
        served.world.ask(client, request.repeat(3));
        let got = got(&mut served.world, client);
        let text = String::from_utf8(got).unwrap();
        let bodies: Vec<_> = text.split("\r\n\r\n").skip(1).collect();
        assert_eq!(bodies.len(), 3, "{length}");
        for body in bodies {
            assert_eq!(
                body.bytes().take_while(|byte| *byte == b'x').count(),
                length
            );
        }
        assert_eq!(served.open_count("a.txt"), 0);
    }
}

#[test]
fn several_ranges_of_a_large_file() {
    let mut served = Served::new();
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    served.put("a.bin", &content);
    let client = served.world.connect();
    let request =
        "GET /f/a.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=0-99999,1000000-1099999\r\n\r\n";
    served.world.ask(client, request);
    let got = got(&mut served.world, client);
    let find = |part: &[u8]| got.windows(part.len()).position(|window| window == part);
    let first = find(&content[..100_000]).expect("the first range");
    let second = find(&content[1_000_000..1_100_000]).expect("the second range");
    assert!(first < second);
    assert!(got.starts_with(b"HTTP/1.1 206 Partial Content\r\n"));
    assert!(got.ends_with(b"--\r\n"));
}

#[test]
fn a_slow_reader_has_one_file_open_and_is_cut_off() {
    let mut served = Served::with(Setup::default());
    served.put("a.txt", vec![b'x'; 16 << 20]);
    let client = served.world.connect_slow(4096);
    let request = "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    served.world.ask(client, request.repeat(20));
    assert_eq!(served.open_count("a.txt"), 1);
    assert!(served.world.stats().bytes_out < 16 << 20);
    served
        .world
        .pass(Duration::from_millis(crate::limits::WRITE_TIMEOUT_MS + 100));
    assert_eq!(served.open_count("a.txt"), 0);
    assert_eq!(served.world.stats().open, 0);
    assert_eq!(served.world.stats().timeouts, 1);
}

#[test]
fn a_slow_reader_that_reads_gets_all() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 16 << 20]);
    let client = served.world.connect_slow(4096);
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    for _ in 0..3 {
        // Enough for the kernel to say that there is room again.
        served.world.clients[client].appetite = 4 << 20;
        served
            .world
            .pass(Duration::from_millis(crate::limits::WRITE_TIMEOUT_MS / 2));
    }
    let got = got(&mut served.world, client);
    assert_eq!(
        got.iter().filter(|byte| **byte == b'x').count(),
        (16 << 20) + 1
    );
    assert_eq!(served.world.stats().open, 1);
}

#[test]
fn no_connection_is_sent_more_in_a_turn_than_its_share() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 8 << 20]);
    let client = served.world.connect();
    served.world.settle();
    served
        .world
        .say(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut before = served.world.stats().bytes_out;
    let mut turns = 0;
    while before < 8 << 20 {
        let turn = served
            .world
            .core
            .turn(Some(Duration::from_millis(1)), Flush::Lazily);
        turn.unwrap();
        let after = served.world.stats().bytes_out;
        // Twice: when it goes on, and when the kernel says something of it.
        assert!(
            after - before <= 2 * FILE_TURN_BYTES as u64 + 1024,
            "{}",
            after - before
        );
        before = after;
        turns += 1;
        served.world.clients[client].take();
        assert!(turns < 100_000, "it does not go on");
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 16 << 20]);
    let client = served.world.connect_slow(4096);
    served.world.ask(
        client,
        "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\nGET /lua HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    let path = served.folder.path().join("a.txt");
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let got = got(&mut served.world, client);
    assert!(got.len() < 8 << 20, "{} bytes", got.len());
    assert_ne!(served.world.clients[client].seen, super::world::Seen::Open);
    assert_eq!(served.open_count("a.txt"), 0);
    for shuttle in std::mem::take(&mut served.world.held) {
        served.world.held.push(shuttle);
        served.world.go(Leg::Release);
    }
    served.world.check_balance();
}

#[test]
fn of_a_file_that_grows_as_much_is_sent_as_was_announced() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 16 << 20]);
    let client = served.world.connect_slow(4096);
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    served.put("a.txt", vec![b'x'; 20 << 20]);
    let text = got(&mut served.world, client);
    assert_eq!(
        text.iter().filter(|byte| **byte == b'x').count(),
        (16 << 20) + 1
    );
    served
        .world
        .ask(client, "GET /lua HTTP/1.1\r\nHost: h\r\n\r\n");
    respond(&mut served.world);
    assert!(served.text(client).ends_with("||/lua<open>"));
}

#[test]
fn a_request_that_met_its_site_too_late_comes_back() {
    for rounds in [0, 1, 10] {
        check_coming_back(rounds);
    }
}

fn check_coming_back(rounds: usize) {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    served.world.command(Command::Routes(Arc::default()));
    let client = served.world.connect();
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut shuttle = served.world.take();
    // TX sends it back after it has told the worker, who may learn of both at once.
    served
        .world
        .order(Command::Routes(routes(served.folder.path())));
    // And sites may have been replaced once more by then.
    for _ in 0..rounds {
        served.world.order(Command::Routes(Arc::default()));
    }
    shuttle.is_elsewhere = true;
    shuttle.advance(Leg::Release).unwrap();
    served.world.send(shuttle);
    assert_eq!(served.text(client), format!("{}hello<open>", ok(5)));
    served.world.check_balance();
}

#[test]
fn what_comes_back_for_another_reason_is_no_file() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    served.world.command(Command::Routes(Arc::default()));
    let client = served.world.connect();
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    served
        .world
        .command(Command::Routes(routes(served.folder.path())));
    served.world.go(Leg::Release);
    assert!(served.text(client).starts_with("HTTP/1.1 500 "));
    served.world.check_balance();
}

#[test]
fn of_former_sites_the_newest_of_each_path_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let files = |index: &str| {
        let mut options = FileOptions::new(folder.path());
        options.index = index.to_owned();
        Serve::Files(Arc::new(Files::open(options).unwrap()))
    };
    let one = |path: String, value: Serve| {
        let path = path.into();
        Routes::new([Site { path, value }])
    };
    let mut former = Routes::default();
    for number in 0..=FORMER_SITES_COUNT {
        former = crate::routes::former(&one(format!("/{number}"), files("old")), &former);
    }
    assert_eq!(former.iter().count(), FORMER_SITES_COUNT);
    assert!(former.find(b"/0").is_none(), "the oldest is forgotten");
    former = crate::routes::former(&one("/5".to_owned(), files("new")), &former);
    assert_eq!(former.find(b"/5/x").unwrap().value, files("new"));
    let app = one("/lua".to_owned(), Serve::App(App::default()));
    former = crate::routes::former(&app, &former);
    assert!(former.find(b"/lua").is_none());
}

#[test]
fn a_folder_that_is_made_anew_is_served_at_once() {
    let mut served = Served::new();
    let inner = served.folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("a.txt"), "old").unwrap();
    served.world.command(Command::Routes(routes(&inner)));
    let request = "GET /f/a.txt HTTP/1.1|Host: h||";
    served.check(request, &format!("{}old<open>", ok(3)));
    fs::remove_dir_all(&inner).unwrap();
    assert!(served.ask(request).starts_with("HTTP/1.1 404 "));
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("a.txt"), "newer").unwrap();
    served.check(request, &format!("{}newer<open>", ok(5)));
}

#[test]
fn a_folder_that_is_replaced_is_served_soon() {
    let mut served = Served::new();
    let at = |name: &str| served.folder.path().join(name);
    for name in ["old", "newer"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("a.txt"), name).unwrap();
    }
    let current = at("current");
    std::os::unix::fs::symlink("old", &current).unwrap();
    served.world.command(Command::Routes(routes(&current)));
    let request = "GET /f/a.txt HTTP/1.1|Host: h||";
    served.check(request, &format!("{}old<open>", ok(3)));
    fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink("newer", &current).unwrap();
    let soon = Duration::from_millis(FOLDER_RECHECK_MS - 1);
    served.world.pass(soon);
    served.check(request, &format!("{}old<open>", ok(3)));
    served.world.pass(Duration::from_millis(1));
    served.check(request, &format!("{}newer<open>", ok(5)));
}

#[test]
fn a_drain_lets_a_file_be_sent_to_the_end() {
    let mut served = Served::new();
    served.put("a.txt", vec![b'x'; 8 << 20]);
    let client = served.world.connect_slow(4096);
    served
        .world
        .ask(client, "GET /f/a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    served.world.command(Command::Drain { deadline_ms: None });
    let got = got(&mut served.world, client);
    assert_eq!(
        got.iter().filter(|byte| **byte == b'x').count(),
        (8 << 20) + 1
    );
    served.world.pass(Duration::from_secs(1));
    assert!(served.world.core.is_finished());
}

#[test]
fn a_folder_that_cannot_be_served_is_told() {
    let refused = |options: FileOptions| Files::open(options).unwrap_err().to_string();
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    assert_eq!(
        refused(FileOptions::new(&none)),
        format!(
            "the folder {} cannot be served: No such file or directory (os error 2)",
            none.display()
        )
    );
    fs::write(&none, "").unwrap();
    assert!(refused(FileOptions::new(&none)).ends_with("Not a directory (os error 20)"));
    let mut options = FileOptions::new(folder.path());
    options.index = "a/b".to_owned();
    assert!(refused(options.clone()).ends_with("the name of its index is no name of a file"));
    options.index = "a".to_owned();
    options.cache_control = Some("a\r\nb: c".to_owned());
    assert!(
        refused(options).ends_with("its cache_control: the field value has a control character")
    );
}

#[test]
fn a_body_under_way_does_not_keep_its_request_from_coming_back() {
    for rest in ["", "world"] {
        let mut served = Served::new();
        let app = App {
            streams_body: true,
            ..App::default()
        };
        let streaming = Site {
            path: "/".into(),
            value: Serve::App(app),
        };
        served
            .world
            .command(Command::Routes(Arc::new(Routes::new([streaming]))));
        let client = served.world.connect();
        let head = "POST /f/a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello";
        served.world.ask(client, format!("{head}{rest}"));
        served
            .world
            .order(Command::Routes(routes(served.folder.path())));
        while !served.world.held.is_empty() {
            let mut shuttle = served.world.take();
            shuttle.is_elsewhere = shuttle.leg() == Leg::Request;
            shuttle.advance(Leg::Release).unwrap();
            served.world.send(shuttle);
        }
        assert!(served.text(client).starts_with("HTTP/1.1 405 "), "{rest}");
        if rest.is_empty() {
            served.world.ask(client, "world");
        }
        let next = "GET /f/none HTTP/1.1\r\nHost: h\r\n\r\n";
        served.world.ask(client, next);
        let text = served.text(client);
        assert!(text.starts_with("HTTP/1.1 404 "), "{rest}: {text}");
        served.world.check_balance();
    }
}

#[test]
fn errors_are_told_in_the_form_that_is_asked_for() {
    let mut served = Served::new();
    for (accept, form, body) in [
        ("*/*", "text/plain; charset=utf-8", "not found"),
        ("application/json", "application/json", "{\"status\":404,"),
        ("text/html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
    ] {
        let ask = |method| format!("{method} /f/none HTTP/1.1|Host: h|Accept: {accept}||");
        let text = served.ask(&ask("GET"));
        let (head, rest) = text.split_once("||").unwrap();
        assert!(head.starts_with("HTTP/1.1 404 "), "{text}");
        assert!(
            head.contains(&format!("|Content-Type: {form}|Vary: Accept")),
            "{text}"
        );
        assert!(rest.starts_with(body), "{text}");
        assert_eq!(served.ask(&ask("HEAD")), format!("{head}||<open>"));
        let refused = served.ask(&ask("PUT"));
        assert!(
            refused.contains("|Vary: Accept|Allow: GET, HEAD, OPTIONS||"),
            "{refused}"
        );
    }
}

/// The answer depends on no body: nobody is invited to send one.
#[test]
fn bodies_that_wait_to_be_invited_are_not() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let head = |method| {
        format!(
            "{method} /f/a.txt HTTP/1.1|Host: h|Content-Length: 9|\
             Expect: 100-continue|Accept: */*||"
        )
    };
    let refused = "HTTP/1.1 405 Method Not Allowed|Content-Length: 18|Connection: close|\
                   Content-Type: text/plain; charset=utf-8|Vary: Accept|Allow: GET, HEAD, OPTIONS||\
                   method not allowed<end>";
    served.check(&head("PUT"), refused);
    let found = ok(5).replace("|Content-Type", "|Connection: close|Content-Type");
    served.check(&head("GET"), &format!("{found}hello<end>"));
    let chunked = head("PUT").replace("Content-Length: 9", "Transfer-Encoding: chunked");
    served.check(&chunked, refused);
    // Who does not wait for long enough can read the answer all the same.
    let client = served.world.connect();
    served.world.ask(client, head("PUT").replace('|', "\r\n"));
    served.world.say(client, "12345");
    served.world.ask(client, "6789");
    assert_eq!(served.text(client), refused);
    // What came with the head anyway is read over, as ever.
    let text = served.ask(&format!(
        "{}123456789GET /f/a.txt HTTP/1.1|Host: h||",
        head("PUT")
    ));
    assert!(
        text.starts_with("HTTP/1.1 405 ") && text.ends_with("||hello<open>"),
        "{text}"
    );
}

/// What was not beside a file a moment ago is not looked for with each request.
#[test]
fn siblings_are_looked_for_now_and_then() {
    let mut served = Served::new();
    served.put("a.txt", "hello");
    let gzip = "GET /f/a.txt HTTP/1.1|Host: h|Accept-Encoding: gzip||";
    let plain = format!("{}hello<open>", ok(5));
    served.check(gzip, &plain);
    served.put("a.txt.gz", "zipped");
    served.check(gzip, &plain);
    let second = Duration::from_millis(FOLDER_RECHECK_MS);
    served.world.pass(second - Duration::from_millis(1));
    served.check(gzip, &plain);
    served.world.pass(Duration::from_millis(1));
    let zipped = served.ask(gzip);
    assert!(zipped.contains("|Content-Encoding: gzip|"), "{zipped}");
    assert!(zipped.ends_with("||zipped<open>"), "{zipped}");
    fs::remove_file(served.folder.path().join("a.txt.gz")).unwrap();
    served.check(gzip, &plain);
}
