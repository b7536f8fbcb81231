//! What is told of requests when they are over, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle_core::{Shuttle, Tx};

use super::client2::Client2;
use super::world::{LARGE, Setup, World};
use crate::limits::{LOGGED_TARGET_BYTES, LOGGED_USER_AGENT_BYTES};
use crate::{AccessLog, AccessRecord, Command, FileOptions, Files, Reporting, Serve};

/// Keeps what it is told.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<AccessRecord>>>);

impl AccessLog for Notes {
    fn record(&mut self, record: Box<AccessRecord>) {
        self.0.lock().unwrap().push(*record);
    }
}

impl Notes {
    /// A world that tells these notes everything.
    fn world(setup: Setup) -> (World, Self) {
        let mut world = World::new(setup);
        let notes = Self::default();
        notes.hang(&mut world, false, false);
        (world, notes)
    }

    fn hang(&self, world: &mut World, sends_id: bool, takes_id: bool) {
        let reporting = Reporting {
            log: Some(Box::new(self.clone())),
            sends_id,
            takes_id,
        };
        world.command(Command::Report(Box::new(reporting)));
    }

    fn take(&self) -> Vec<AccessRecord> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// What was told since the last look: request, status, bytes, failure.
    fn text(&self) -> String {
        let records = self.take();
        let lines = records.iter().map(|record| {
            let failure = record.failure.map(|why| format!(" ({why})"));
            format!(
                "{} {} {} {}{}",
                String::from_utf8_lossy(record.method()),
                String::from_utf8_lossy(record.target()),
                record.status,
                record.body_bytes,
                failure.unwrap_or_default(),
            )
        });
        lines.collect::<Vec<_>>().join(" | ")
    }

    /// The same for the legs, in milliseconds: parse, queue, TX, write.
    fn legs(&self) -> String {
        let records = self.take();
        let lines = records.iter().map(|record| {
            let legs = record.legs();
            let ms = |leg: Option<Duration>| {
                leg.map_or_else(|| "-".to_owned(), |leg| leg.as_millis().to_string())
            };
            let texts = [
                ms(Some(legs.parse)),
                ms(legs.queue),
                ms(legs.tx),
                ms(legs.write),
            ];
            format!("{} = {}", texts.join(" "), legs.total.as_millis())
        });
        lines.collect::<Vec<_>>().join(" | ")
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// A client that asked for eight mebibytes, which its socket does not take, and reads nothing.
fn slow_reader(world: &mut World) -> usize {
    let client = world.connect_slow(4096);
    world.ask(client, get("/large"));
    let mut shuttle = taken(world);
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"", true).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    client
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// TX takes the request that it holds now.
fn taken(world: &mut World) -> Shuttle<Tx, http_proto::Exchange> {
    let mut shuttle = world.take();
    shuttle.taken_at = Some(world.now());
    shuttle
}

#[test]
fn an_answer_is_told_when_it_is_sent() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, get("/a?b"));
    assert_eq!(notes.text(), "", "it is not answered");
    world.answer(201, "hello");
    assert_eq!(notes.text(), "GET /a?b 201 5");
    world.check_balance();
}

#[test]
fn a_record_says_who_asked_how() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(
        client,
        "GET /a HTTP/1.0\r\nHost: h:80\r\nReferer: r\r\nUser-Agent: u\r\n\r\n",
    );
    world.answer(200, "");
    let records = notes.take();
    let record = &records[0];
    let from = world.clients[client].stream.local_addr().unwrap();
    assert_eq!((record.peer, record.is_tls), (from, false));
    assert_eq!(record.version, Some(http_proto::Version::Http10));
    assert_eq!(record.host(), b"h:80");
    assert_eq!(
        (record.referer(), record.user_agent()),
        (&b"r"[..], &b"u"[..])
    );
    assert_eq!(record.unix_ms, 784_111_777_000);
}

#[test]
fn each_leg_has_its_time() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.pass(ms(1000));
    world.ask(client, "POST /a HTTP/1.1\r\nHost: h\r\n");
    world.pass(ms(10));
    world.ask(client, "Content-Length: 2\r\n\r\nh");
    world.pass(ms(10));
    world.ask(client, "i");
    world.pass(ms(3));
    let mut shuttle = taken(&mut world);
    world.pass(ms(4));
    shuttle.answer(200, &[], b"ok").unwrap();
    world.send(shuttle);
    assert_eq!(notes.legs(), "20 3 4 0 = 27");
    // The next one on the same connection is measured from its own first byte.
    world.pass(ms(500));
    world.ask(client, get("/b"));
    world.pass(ms(1));
    world.answer(200, "TX says nothing of when it took it");
    assert_eq!(notes.legs(), "0 - - 0 = 1");
}

#[test]
fn the_last_leg_lasts_until_the_client_has_read() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = slow_reader(&mut world);
    world.pass(ms(50));
    assert_eq!(notes.text(), "", "the socket does not take so much");
    world.clients[client].appetite = usize::MAX;
    world.settle();
    let records = notes.take();
    assert_eq!(records[0].legs().write, Some(ms(50)));
    assert_eq!(records[0].body_bytes, 8 << 20);
}

#[test]
fn what_the_worker_answers_is_told() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, "GET /a HTTP/1.1\r\n\r\n");
    assert_eq!(
        notes.text(),
        " GET /a HTTP/1.1 400 32 (the Host header field is missing)"
    );
    let client = world.connect();
    world.ask(client, "\x16\x03\x01 \"\n");
    assert!(notes.text().starts_with(" \x16\x03\x01 \" 400 "));
    let client = world.connect();
    world.ask(
        client,
        "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n",
    );
    assert!(notes.text().contains("413"));
    let client = world.connect();
    world.ask(client, get("/mute"));
    world.go(http_proto::Leg::Release);
    assert_eq!(
        notes.text(),
        "GET /mute 500 14 (the application gave no answer)"
    );
    world.check_balance();
}

#[test]
fn a_head_that_never_ends_is_told() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, "GET /slow HTTP/1.1\r\nHo");
    world.pass(Duration::from_secs(3600));
    let text = notes.text();
    assert!(text.starts_with(" GET /slow HTTP/1.1 408 "), "{text}");
}

#[test]
fn answers_in_parts_are_told_once() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, get("/parts") + &get("/next"));
    let next = world.held.pop().unwrap();
    let mut shuttle = world.take();
    shuttle.write_head(200, &[]).unwrap();
    shuttle.write(b"one", false).unwrap();
    world.send(shuttle);
    world.write(" two", true);
    // Lines and end of chunks included.
    assert_eq!(notes.text(), "GET /parts 200 22");
    world.go(http_proto::Leg::Release);
    world.held.push(next);
    world.answer(204, "");
    assert_eq!(notes.text(), "GET /next 204 0");
    world.check_balance();
}

#[test]
fn who_leaves_is_told() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, get("/a"));
    world.reset(client);
    assert_eq!(notes.text(), "GET /a 499 0 (the client has left)");
    world.answer(200, "nobody hears it");
    assert_eq!(notes.text(), "", "it was told");
    let client = world.connect();
    world.ask(
        client,
        "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nh",
    );
    world.reset(client);
    assert_eq!(notes.text(), "POST /b 499 0 (the client has left)");
    let client = slow_reader(&mut world);
    world.reset(client);
    let records = notes.take();
    assert_eq!(records[0].status, 200);
    assert_eq!(records[0].failure, Some("the client has left"));
    assert!(records[0].body_bytes < 8 << 20);
    world.go(http_proto::Leg::Release);
    world.check_balance();
}

#[test]
fn who_reads_nothing_is_told_as_such() {
    let (mut world, notes) = Notes::world(Setup::default());
    slow_reader(&mut world);
    world.pass(Duration::from_secs(3600));
    assert_eq!(notes.take()[0].failure, Some("the client did not read"));
}

#[test]
fn what_waits_behind_the_last_answer_is_told() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, get("/bye") + &get("/b"));
    let mut shuttle = world.take();
    shuttle
        .answer(200, &[("Connection", "close")], b"bye")
        .unwrap();
    world.send(shuttle);
    assert_eq!(
        notes.text(),
        "GET /bye 200 3 | GET /b 499 0 (the connection ended before its turn)"
    );
}

#[test]
fn a_worker_that_stops_tells_of_what_it_cuts() {
    let (mut world, notes) = Notes::world(Setup::default());
    let client = world.connect();
    world.ask(client, get("/a"));
    world.command(Command::Stop);
    assert_eq!(notes.text(), "GET /a 499 0 (the server has stopped)");
}

#[test]
fn texts_are_cut_at_their_limits() {
    let (mut world, notes) = Notes::world(Setup::default());
    for over in [0, 1] {
        let path = format!("/{}", "a".repeat(LOGGED_TARGET_BYTES - 1 + over));
        let agent = "u".repeat(LOGGED_USER_AGENT_BYTES + over);
        let client = world.connect();
        world.ask(
            client,
            format!("GET {path} HTTP/1.1\r\nHost: h\r\nUser-Agent: {agent}\r\n\r\n"),
        );
        world.answer(200, "");
        let records = notes.take();
        assert_eq!(records[0].target(), &path.as_bytes()[..LOGGED_TARGET_BYTES]);
        assert_eq!(
            records[0].user_agent(),
            &agent.as_bytes()[..LOGGED_USER_AGENT_BYTES]
        );
    }
}

#[test]
fn answers_name_their_request_when_wanted() {
    let (mut world, notes) = Notes::world(Setup::default());
    notes.hang(&mut world, true, true);
    let client = world.connect();
    let named = "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a-7\r\n\r\n";
    world.ask(client, named);
    assert_eq!(world.held[0].id.to_string(), "a-7");
    world.answer(200, "");
    let text = world.text(client);
    assert!(text.contains("|X-Request-Id: a-7|"), "{text}");
    assert_eq!(notes.take()[0].id.to_string(), "a-7");
    // The application's own word counts.
    world.ask(client, named);
    let mut shuttle = world.take();
    shuttle
        .answer(200, &[("x-request-id", "mine")], b"")
        .unwrap();
    world.send(shuttle);
    let text = world.text(client);
    assert!(!text.contains("a-7") && text.contains("mine"), "{text}");
    notes.hang(&mut world, false, false);
    world.ask(client, named);
    assert_ne!(world.held[0].id.to_string(), "a-7");
    world.answer(200, "");
    assert!(!world.text(client).contains("-Id"));
}

#[test]
fn no_two_requests_have_one_name() {
    let (mut world, _) = Notes::world(Setup::default());
    let client = world.connect();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        world.ask(client, get("/"));
        let id = world.held[0].id.to_string();
        assert_eq!(id.len(), 24);
        assert!(seen.insert(id));
        world.answer(200, "");
    }
}

#[test]
fn streams_of_http2_are_told() {
    let (mut world, notes) = Notes::world(Setup::default());
    notes.hang(&mut world, true, false);
    let mut client = Client2::new(&mut world);
    let stream = client.get(&mut world, "/a?b");
    world.pass(ms(3));
    let mut shuttle = taken(&mut world);
    world.pass(ms(4));
    shuttle.answer(200, &[], b"hello").unwrap();
    world.send(shuttle);
    client.settle(&mut world);
    assert!(client.text(stream).contains("x-request-id: "));
    let records = notes.take();
    let legs = records[0].legs();
    assert_eq!((legs.queue, legs.tx), (Some(ms(3)), Some(ms(4))));
    assert_eq!(records[0].version, Some(http_proto::Version::Http2));
    assert_eq!((records[0].status, records[0].body_bytes), (200, 5));
    // What the worker answers, what is reset, and what is lost with its connection.
    let stream = client.get(&mut world, "/mute");
    world.go(http_proto::Leg::Release);
    client.settle(&mut world);
    assert!(client.text(stream).contains("x-request-id: "));
    let stream = client.get(&mut world, "/left");
    client.reset(stream);
    client.settle(&mut world);
    client.get(&mut world, "/lost");
    world.reset(client.client);
    assert_eq!(
        notes.text(),
        "GET /mute 500 14 (the application gave no answer) | \
         GET /left 499 0 (the client has left) | GET /lost 499 0 (the client has left)"
    );
}

/// What the worker answers itself comes in the form that is asked for, if it got to hear that.
#[test]
fn early_errors_are_named_and_have_a_form() {
    let (mut world, notes) = Notes::world(Setup::default());
    notes.hang(&mut world, true, false);
    let json = "Accept: application/json\r\n";
    for (head, is_json) in [
        (
            format!("POST / HTTP/1.1\r\nHost: h\r\n{json}Content-Length: 1048577\r\n\r\n"),
            true,
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: h\r\n{json}Transfer-Encoding: chunked\r\n\r\nx\r\n"),
            true,
        ),
        // Nothing of a head counts that is not understood to its end.
        (format!("GET / HTTP/1.1\r\n{json}Host : h\r\n\r\n"), false),
        (format!("GET / HTTP/3.0\r\n{json}\r\n"), false),
    ] {
        let client = world.connect();
        world.ask(client, &head);
        let text = world.text(client);
        let record = notes.take().remove(0);
        assert!(
            text.contains(&format!("|X-Request-Id: {}|", record.id)),
            "{text}"
        );
        assert_eq!(
            text.contains("|Content-Type: application/json|"),
            is_json,
            "{text}"
        );
        let body = text
            .split_once("||")
            .unwrap()
            .1
            .strip_suffix("<end>")
            .unwrap();
        assert_eq!(record.body_bytes, body.len() as u64);
        assert_eq!(
            body.contains(&format!("\"request_id\":\"{}\"", record.id)),
            is_json
        );
    }
}

#[test]
fn without_a_log_nothing_is_kept() {
    let (mut world, notes) = Notes::world(Setup::default());
    world.command(Command::Report(Box::default()));
    let client = world.connect();
    world.ask(client, get("/a"));
    world.answer(200, "");
    world.ask(client, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(notes.text(), "");
    assert!(!world.text(client).contains("-Id"));
}

/// Files of both protocols: those that are copied and those that are sent from where they lie.
#[test]
fn files_are_told_when_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small"), "0123456789").unwrap();
    std::fs::write(folder.path().join("large"), [b'x'; 300_000]).unwrap();
    let files = Files::open(FileOptions {
        folder: folder.path().into(),
        index: "index.html".to_owned(),
        precompressed: false,
        cache_control: None,
    });
    let value = Serve::Files(Arc::new(files.unwrap()));
    let routes = http_proto::Sites::new([http_proto::Site {
        path: "/".into(),
        value,
    }]);
    let (mut world, notes) = Notes::world(Setup {
        routes,
        ..Setup::default()
    });
    let wanted = "GET /small 200 10 | GET /large 200 300000 | GET /none 404 ";
    let client = world.connect();
    world.ask(client, get("/small") + &get("/large") + &get("/none"));
    let text = notes.text();
    assert!(text.starts_with(wanted), "{text}");
    let mut client = Client2::new(&mut world);
    for path in ["/small", "/large", "/none"] {
        client.get(&mut world, path);
        client.settle(&mut world);
    }
    let text = notes.text();
    assert!(text.starts_with(wanted), "{text}");
}
