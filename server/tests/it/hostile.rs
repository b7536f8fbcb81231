//! Hostile clients against the whole server: it keeps its memory, serves others, and throws them
//! out. Numbers from larger runs are in docs/hostile.md.

use std::net::SocketAddr;

use crate::attacks::{ATTACKS, Cut, Target, measure, program};
use crate::client::Client;
use crate::floods::FLOODS;
use crate::harness::{PATIENCE, PLAIN, Server, eventually};
use crate::program::program_with;

/// What an attack may cost.
const GROWTH_KIB: u64 = 64 * 1024;

/// Runs the attack of this name, small, with short timeouts, until all attackers are thrown out.
fn check(name: &str) {
    attack(name);
}

/// The same with frames: they are told this.
fn check2(name: &str, why: &str) {
    let told = attack(name).why.map(|why| why.to_string());
    assert_eq!(told.as_deref(), Some(why), "{name}");
}

fn attack(name: &str) -> Cut {
    let mut attacks = ATTACKS.iter().chain(FLOODS);
    let attack = attacks.find(|attack| attack.name == name);
    let attack = attack.expect("an attack of this name");
    let server = Server::start(&program(1), PLAIN[1]);
    let target = Target {
        addr: server.addr,
        pid: server.pid(),
    };
    let measured = measure(target, attack, attack.small, PATIENCE);
    let growth_kib = measured.growth_kib;
    assert!(growth_kib < GROWTH_KIB, "{name}: {growth_kib} KiB");
    assert_eq!(
        measured.cut.out, measured.cut.of,
        "{name}: all are thrown out"
    );
    assert_eq!(server.get("/hello"), "hello");
    assert_eq!(server.stop(), 0);
    measured.cut
}

const CALM: &str = "GOAWAY ENHANCE_YOUR_CALM";

#[test]
fn floods_of_streams() {
    check2("rapid resets", CALM);
    check2("resets that the server is made to send", CALM);
}

#[test]
fn floods_of_heads() {
    check2("CONTINUATION without end", CALM);
    check2("empty CONTINUATION", CALM);
    check2("header bombs", CALM);
}

#[test]
fn floods_of_frames_about_the_connection() {
    for name in [
        "PING",
        "SETTINGS",
        "WINDOW_UPDATE",
        "PRIORITY",
        "unknown frames",
    ] {
        check2(name, CALM);
    }
}

#[test]
fn floods_of_frames_whose_answers_are_not_read() {
    check2("PING, answers not read", CALM);
}

#[test]
fn floods_of_data_without_data() {
    check2("empty DATA", CALM);
    check2("DATA of a byte", CALM);
}

#[test]
fn windows_that_stay_shut() {
    check2("shut windows, large answers", "RST_STREAM CANCEL");
    check2("shut windows, small answers", "RST_STREAM CANCEL");
}

#[test]
fn idle_connections() {
    check("idle connections");
}

#[test]
fn heads_a_byte_now_and_then() {
    check("heads, a byte now and then");
}

#[test]
fn large_heads_that_never_end() {
    check("large heads that never end");
}

#[test]
fn heads_without_end() {
    check("heads without end");
}

#[test]
fn bodies_a_byte_now_and_then() {
    check("bodies, a byte now and then");
}

#[test]
fn large_bodies_that_never_end() {
    check("large bodies that never end");
}

#[test]
fn chunk_extensions_without_end() {
    check("chunk extensions without end");
}

#[test]
fn many_tiny_chunks() {
    check("many tiny chunks");
}

#[test]
fn readers_of_a_byte_now_and_then() {
    check("readers of a byte now and then");
}

#[test]
fn a_connection_for_each_request() {
    check("a connection for each request");
}

#[test]
fn connections_half_closed() {
    check("connections half closed");
}

#[test]
fn connections_cut_at_every_moment() {
    check("connections cut at every moment");
}

#[test]
fn pipelined_requests() {
    check("pipelined requests");
}

/// A client whose address is this one; on Linux all of 127/8 is the machine's.
#[cfg(target_os = "linux")]
fn connect_from(address: [u8; 4], server: &Server) -> Client {
    let (domain, kind) = (socket2::Domain::IPV4, socket2::Type::STREAM);
    let socket = socket2::Socket::new(domain, kind, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&server.addr.into()).unwrap();
    Client::over(socket.into())
}

/// All places but the last are taken by clients that are busy: strangers are closed at once, those
/// that the places are kept for are served.
#[cfg(target_os = "linux")]
#[test]
fn the_last_places_are_for_whom_they_are_kept() {
    const LIMIT: usize = http_worker::limits::RESERVED_FROM_COUNT;
    const USUAL: usize = LIMIT - http_worker::limits::RESERVED_COUNT;
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let routes = [("/hello", "return { body = 'hello' }")];
    let options = format!("max_conn_per_thread = {LIMIT}, reserved_for = {{ '127.0.0.2/32' }},");
    let server = Server::start(&program_with(&options, &routes), PLAIN[1]);
    let mut busy = Vec::new();
    for _ in 0..USUAL {
        let mut client = server.connect();
        client.send("POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
        busy.push(client);
    }
    for number in 1..4 {
        assert!(server.connect().ended(), "stranger {number} is closed");
        let mut operator = connect_from([127, 0, 0, 2], &server);
        operator.get("/hello");
        assert_eq!(operator.response().text(), "hello");
        operator.get("/stats");
        let stats = operator.response().text();
        let refused = format!("\"refused\":{number}");
        assert!(stats.contains(&refused), "{stats}");
        assert!(stats.contains("\"evicted\":0"), "{stats}");
    }
    for mut client in busy {
        client.send("123456789");
        assert_eq!(client.response().text(), "hello");
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_address_has_its_connections_over_all_threads_together() {
    let routes = [("/hello", "return { body = 'hello' }")];
    for setup in PLAIN {
        let server = Server::start(&program_with("max_conn_per_ip = 3,", &routes), setup);
        let mut inside: Vec<_> = (0..3).map(|_| server.connect()).collect();
        for client in &mut inside {
            client.get("/hello");
            assert_eq!(client.response().text(), "hello", "{setup:?}");
        }
        for _ in 0..5 {
            assert!(server.connect().ended(), "{setup:?}: the fourth is closed");
        }
        inside[0].get("/stats");
        let stats = inside[0].response().text();
        assert!(stats.contains("\"refused\":5"), "{setup:?}: {stats}");
        inside.pop();
        eventually("a place is free", || {
            let mut client = server.connect();
            client.send_what_is_taken(b"GET /hello HTTP/1.0\r\n\r\n");
            client.rest().ends_with(b"hello")
        });
    }
}
