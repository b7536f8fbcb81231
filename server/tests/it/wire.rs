//! HTTP through the whole server: what a client may do with one connection.

use std::fmt::Write as _;

use crate::harness::{HTTP1, PLAIN, SETUPS, Server};
use crate::program::{program, program_with};

const ROUTES: &[(&str, &str)] = &[
    ("/echo", "return { body = req.body }"),
    ("/length", "return { body = tostring(#req.body) }"),
    ("/hello", "return { body = 'hello' }"),
    ("/query", "return { body = req.query or '' }"),
    ("/slow", "wait('slow') return { body = 'slow' }"),
    ("/stream", "io:write('a') io:write('b')"),
];

#[test]
fn post_echo_of_every_size() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        for size in [0, 1, 1000, 1023, 1024, 16_384, 65_536, 1_048_576] {
            let body: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
            client.post("/echo", &body);
            assert!(
                client.response().body == body,
                "{setup:?}: {size} bytes came back different"
            );
        }
    }
}

#[test]
fn chunked_request_bodies() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        client.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             5;x=y\r\nhello\r\n",
        );
        client.send("6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
        assert_eq!(client.response().text(), "hello world", "{setup:?}");
    }
}

#[test]
fn pipelined_answers_leave_in_order() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        let mut batch = String::from("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        for i in 0..40 {
            write!(batch, "GET /query?{i} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
        client.send(batch);
        assert_eq!(server.get("/open/slow"), "opened");
        assert_eq!(client.response().text(), "slow", "{setup:?}");
        for i in 0..40 {
            assert_eq!(client.response().text(), i.to_string(), "{setup:?}");
        }
    }
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(
            client.head().show(),
            "HTTP/1.1 200 OK | content-length: 5",
            "{setup:?}"
        );
        client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().status, 200);
        client.get("/hello");
        assert_eq!(client.response().text(), "hello", "{setup:?}");
    }
}

#[test]
fn continue_is_sent_when_the_body_is_wanted() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        client.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.head().line, "HTTP/1.1 100 Continue", "{setup:?}");
        client.send("body");
        assert_eq!(client.response().text(), "body", "{setup:?}");
    }
}

#[test]
fn one_connection_serves_many_requests_and_close_is_obeyed() {
    for setup in HTTP1 {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        for i in 0..100 {
            client.get(&format!("/query?{i}"));
            assert_eq!(client.response().text(), i.to_string());
        }
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let last = client.response();
        assert_eq!(last.head.field("connection"), Some("close"), "{setup:?}");
        assert_eq!(last.text(), "hello");
        assert!(client.ended(), "{setup:?}");
        let mut client = server.connect();
        client.send("GET /hello HTTP/1.0\r\n\r\n");
        assert_eq!(client.response().text(), "hello");
        assert!(client.ended(), "{setup:?}: HTTP/1.0 closes by itself");
    }
}

/// What the server answers before any Lua runs, and that it closes then.
fn check_early(server: &Server, request: &str, status: u16) {
    let mut client = server.connect();
    client.send(request);
    let response = client.response();
    assert_eq!(
        response.head.status, status,
        "{:?}: {request:.60}",
        server.setup
    );
    assert!(
        client.ended(),
        "{:?}: {request:.60} must close",
        server.setup
    );
}

#[test]
fn early_errors() {
    let long = "x".repeat(100_000);
    for setup in PLAIN {
        let server = Server::start(&program_with("max_body_len = 1000,", ROUTES), setup);
        check_early(&server, "GARBAGE\r\n\r\n", 400);
        check_early(&server, "GET / HTTP/1.1\r\n\r\n", 400);
        check_early(&server, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400);
        check_early(
            &server,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        );
        check_early(&server, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
        check_early(
            &server,
            &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            414,
        );
        check_early(
            &server,
            &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            431,
        );
        check_early(
            &server,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
            413,
        );
        check_early(
            &server,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            501,
        );
        check_early(
            &server,
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n",
            417,
        );
        let mut client = server.connect();
        client.post("/length", &[b'x'; 1000]);
        assert_eq!(
            client.response().text(),
            "1000",
            "the bound itself is allowed"
        );
    }
}

#[test]
fn the_connection_limit_of_a_thread_holds_and_frees() {
    for setup in PLAIN {
        let server = Server::start(&program_with("max_conn_per_thread = 2,", ROUTES), setup);
        // Whatever thread the kernel picks, a client that waits in the backlog is served as soon
        // as another leaves.
        for _ in 0..10 {
            let mut clients: Vec<_> = (0..2).map(|_| server.connect()).collect();
            clients[0].get("/hello");
            assert_eq!(clients[0].response().text(), "hello", "{setup:?}");
        }
    }
}

#[test]
fn more_requests_than_shuttles_wait_and_are_served() {
    for setup in PLAIN {
        let server = Server::start(&program_with("max_shuttles_per_thread = 2,", ROUTES), setup);
        let mut waiting: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &mut waiting {
            client.get("/stream");
        }
        for client in &mut waiting {
            assert_eq!(client.response().text(), "ab", "{setup:?}");
        }
    }
}
