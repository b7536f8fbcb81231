//! Clients that leave, at any moment: nothing of them may stay.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::{PLAIN, SETUPS, Server, Setup, eventually};
use crate::program::program;

/// Waits until the server's counters say that nothing of any request is left but the one that
/// asks: its shuttle, its fiber.
pub(crate) fn nothing_is_left(server: &Server) {
    let mut last = String::new();
    let what = format!("counters return to rest ({:?})", server.setup);
    eventually(&what, || {
        last = server.get("/stats");
        let stats: serde_json::Value = serde_json::from_str(&last).expect("counters are JSON");
        let is = |name: &str, value: u64| stats[name].as_u64() == Some(value);
        is("shuttles", 1) && is("pins", 0) && is("fibers", 1)
    });
}

const ROUTES: &[(&str, &str)] = &[
    (
        "/seed",
        "io:write_header(200, nil, 'a') fiber.yield() io:write('b') fiber.yield() io:close()",
    ),
    (
        "/large",
        "for _ = 1, 8 do if io:write(('x'):rep(200000)) then break end end",
    ),
    ("/table", "return { body = ('y'):rep(3000) }"),
    ("/echo", "return { body = req.body }"),
    ("/fail", "io:write('x') error('on purpose')"),
];

/// A generator of small numbers with a seed: the same leavers in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % sides
    }
}

/// Sends a part of a request, reads a part of the answer, leaves: by a reset or an orderly end.
fn leave(addr: SocketAddr, dice: &mut Dice) {
    use std::io::Read as _;
    const REQUESTS: [&str; 5] = [
        "GET /seed HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /table HTTP/1.1\r\nHost: a\r\n\r\nGET /seed HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
        "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let request = REQUESTS[dice.roll(REQUESTS.len())].as_bytes();
    let cut = if dice.roll(4) == 0 {
        dice.roll(request.len())
    } else {
        request.len()
    };
    let mut socket = TcpStream::connect(addr).unwrap();
    // Patience, not a pause: an answer that is complete has nothing more to read.
    socket
        .set_read_timeout(Some(Duration::from_millis(2)))
        .unwrap();
    let _ = socket.write_all(&request[..cut]);
    if cut == request.len() {
        let mut block = [0; 4096];
        for _ in 0..dice.roll(4) {
            if !matches!(socket.read(&mut block), Ok(count) if count > 0) {
                break;
            }
        }
    }
    // Unread input turns the close into a reset; after a full read it is an orderly end.
}

#[test]
fn hundreds_leave_at_random_moments() {
    for setup in PLAIN {
        let server = Server::start(&program(ROUTES), setup);
        let mut dice = Dice(42);
        for _ in 0..100 {
            leave(server.addr, &mut dice);
        }
        nothing_is_left(&server);
        let before = resident_kib(server.pid());
        for _ in 0..700 {
            leave(server.addr, &mut dice);
        }
        nothing_is_left(&server);
        if let (Some(before), Some(after)) = (before, resident_kib(server.pid())) {
            assert!(
                after < before + 8 * 1024,
                "{setup:?}: {before} KiB grew to {after} KiB"
            );
        }
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

/// The same over TLS: leaves in the middle of the handshake, of a request or of an answer.
fn leave_tls(server: &Server, dice: &mut Dice) {
    if dice.roll(4) == 0 {
        // The beginning of a record, and no more.
        let mut socket = TcpStream::connect(server.addr).unwrap();
        let _ = socket.write_all(&[22, 3, 1, 2, 0, 1][..dice.roll(6)]);
        return;
    }
    let mut client = server.connect();
    let paths = ["/seed", "/large", "/table", "/fail"];
    client.get(paths[dice.roll(paths.len())]);
    if dice.roll(2) == 0 {
        client.head();
    }
}

#[test]
fn many_leave_over_tls() {
    for setup in &SETUPS[3..] {
        let server = Server::start(&program(ROUTES), *setup);
        let mut dice = Dice(7);
        for _ in 0..150 {
            leave_tls(&server, &mut dice);
        }
        nothing_is_left(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

/// Resident memory of a process, where /proc tells.
pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn l12_a_client_that_leaves_is_told_to_the_handler_at_once() {
    let routes = [
        (
            "/watch",
            "io:write('begun')
             kept.writes = 0
             while not io:write('more') do
                 kept.writes = kept.writes + 1
                 fiber.sleep(0.001)
             end
             kept.told = true",
        ),
        ("/told", "return { body = tostring(kept.told) }"),
    ];
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/watch");
        client.head();
        assert!(client.part().starts_with("begun"));
        drop(client);
        eventually("the handler is told", || server.get("/told") == "true");
        nothing_is_left(&server);
    }
}

#[test]
fn a_reader_that_stops_reading_stops_only_its_own_handler() {
    let routes = [
        (
            "/flood",
            "while not io:write(('z'):rep(100000)) do kept.sent = (kept.sent or 0) + 1 end",
        ),
        ("/hello", "return { body = 'hello' }"),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut stuck = server.connect();
        stuck.get("/flood");
        stuck.head();
        for _ in 0..50 {
            assert_eq!(server.get("/hello"), "hello", "{setup:?}");
        }
        drop(stuck);
        nothing_is_left(&server);
    }
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let routes = [("/hello", "wait('go') return { body = 'hello' }")];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/hello");
        client.half_close();
        server.get("/open/go");
        assert_eq!(client.response().text(), "hello", "{setup:?}");
    }
}

#[test]
fn connections_that_say_nothing_cost_nothing() {
    let setup = Setup {
        threads: 1,
        https: false,
        http2: false,
    };
    let server = Server::start(&program(ROUTES), setup);
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(server.addr).unwrap())
        .collect();
    assert!(server.get("/table").len() == 3000);
    drop(silent);
    nothing_is_left(&server);
}
