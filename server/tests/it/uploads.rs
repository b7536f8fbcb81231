//! Bodies as streams, over real sockets: what arrives, what the client feels, what is left.

use std::io::{Read as _, Write as _};

use crate::harness::{PLAIN, SETUPS, Server, eventually};
use crate::leavers::{nothing_is_left, resident_kib};
use crate::program::{program, program_with};

/// Handlers that read in each of the ways there are.
const ROUTES: &[(&str, &str)] = &[
    (
        "/count",
        "local n = 0 for piece in req:pieces() do n = n + #piece end
         return { body = n .. ' ' .. tostring(req.trailers['x-sum']) }",
    ),
    ("/whole", "return { body = req.body }"),
    ("/ignore", "return { body = 'no' }"),
    (
        "/echo",
        "io:write_header(200)
         for piece in req:pieces() do if io:write(piece) then return end end",
    ),
    (
        "/slow",
        "wait('go') local n = 0 for piece in req:pieces() do n = n + #piece end
         return { body = tostring(n) }",
    ),
    (
        "/last",
        "kept.begun = (kept.begun or 0) + 1
         repeat local piece, why = req:read() kept.why = why until not piece
         kept.whys = (kept.whys or 0) + 1",
    ),
    (
        "/early",
        "io:write_header(202, nil, 'taken', true)
         repeat local piece, why = req:read() kept.early = why until not piece",
    ),
    ("/why", "return { body = tostring(kept.early) }"),
    (
        "/whys",
        "return { body = tostring(kept.why) .. tostring(kept.whys) }",
    ),
    ("/begun", "return { body = tostring(kept.begun) }"),
];

fn streaming() -> String {
    program_with("stream = true,", ROUTES)
}

const CHUNKED: &str = "HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[test]
fn bodies_arrive_as_they_were_sent_whatever_the_site() {
    for setup in SETUPS {
        for program in [streaming(), program(ROUTES)] {
            let server = Server::start(&program, setup);
            let mut client = server.connect();
            let large = vec![b'x'; 900_000];
            client.post("/count", &large);
            assert_eq!(client.response().text(), "900000 nil", "{setup:?}");
            client.post("/whole", &large);
            assert_eq!(client.response().body, large);
            client.send(format!(
                "POST /count {CHUNKED}{}{}0\r\nX-Sum: 7\r\n\r\n",
                chunk("abc"),
                chunk("de")
            ));
            assert_eq!(client.response().text(), "5 7");
            client.post("/ignore", &large[..100_000]);
            assert_eq!(client.response().text(), "no");
            client.get("/count");
            assert_eq!(client.response().text(), "0 nil");
            nothing_is_left(&server);
            assert_eq!(server.stop(), 0);
        }
    }
}

#[test]
fn reading_and_writing_at_once() {
    for setup in SETUPS {
        let server = Server::start(&streaming(), setup);
        let mut client = server.connect();
        client.send(format!("POST /echo {CHUNKED}"));
        assert_eq!(client.head().status, 200);
        for round in 0..20 {
            let text = format!("round {round}");
            client.send(chunk(&text));
            assert_eq!(client.part(), text, "{setup:?}");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.chunk(), None);
        // The connection goes on.
        client.post("/whole", b"again");
        assert_eq!(client.response().text(), "again");
        nothing_is_left(&server);
    }
}

#[test]
fn a_body_beyond_the_bound_is_refused_only_where_it_is_kept_in_memory() {
    for setup in PLAIN {
        let options = "stream = true, max_body_len = 100000,
            sites = { { path = '/ten', stream = true, max_body_len = 10,
                        handler = function(req) return { body = req.body } end } },";
        let server = Server::start(&program_with(options, ROUTES), setup);
        let large = vec![b'x'; 300_000];
        let ask = |path: &str, body: &[u8]| {
            let mut client = server.connect();
            client.post(path, body);
            client.response().show()
        };
        assert!(ask("/count", &large).ends_with("|| 300000 nil"));
        let refused = ask("/whole", &large[..100_001]);
        assert!(refused.contains(" 413 ") && refused.ends_with("|| request entity is too large"));
        assert!(ask("/whole", &large[..100_000]).contains(" 200 "));
        assert!(ask("/ten", b"0123456789").ends_with("|| 0123456789"));
        assert!(ask("/ten", b"0123456789a").contains(" 413 "), "{setup:?}");
        let mut client = server.connect();
        client.send(format!(
            "POST /ten {CHUNKED}{}{}",
            chunk("01234567"),
            chunk("890")
        ));
        assert_eq!(client.response().head.status, 413);
        let log = server.log();
        assert!(!log.contains("ERROR"), "{log}");
        nothing_is_left(&server);
    }
}

#[test]
fn r42_clients_leave_in_the_middle_and_the_handler_knows() {
    for setup in SETUPS {
        let server = Server::start(&streaming(), setup);
        for round in 1..=20 {
            let mut client = server.connect();
            client.send(format!("POST /last {CHUNKED}"));
            for _ in 0..round % 4 {
                client.send(chunk("some text"));
            }
            // What is reset before it was read never happened.
            let round = round.to_string();
            eventually("it has begun", || server.get("/begun") == round);
            drop(client);
        }
        eventually("all have heard of it", || server.get("/whys") == "closed20");
        nothing_is_left(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn who_waits_for_an_invitation_gets_it_when_the_body_is_read() {
    for setup in SETUPS {
        let server = Server::start(&streaming(), setup);
        let head = |path: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
                 Expect: 100-continue\r\n\r\n"
            )
        };
        let mut client = server.connect();
        client.send(head("/whole"));
        assert_eq!(client.head().status, 100);
        client.send("abc");
        assert_eq!(client.response().text(), "abc");
        // What is too long by its own word is refused before any of it comes.
        let mut other = server.connect();
        let long = head("/whole").replace("Length: 3", "Length: 3000000");
        other.send(long);
        assert_eq!(other.response().head.status, 413);
        client.send(head("/ignore"));
        let answer = client.response().show();
        assert!(answer.contains("200"), "{answer}");
        // In HTTP/2 only its stream ends.
        if !setup.http2 {
            assert!(answer.contains("connection: close"), "{answer}");
            assert!(client.ended());
        }
        nothing_is_left(&server);
    }
}

#[test]
fn an_upload_that_nobody_reads_waits_and_takes_no_memory() {
    const LEN: usize = 64 * 1024 * 1024;
    for setup in PLAIN {
        let server = Server::start(&streaming(), setup);
        server.get("/stats");
        let before = resident_kib(server.pid());
        let mut socket = std::net::TcpStream::connect(server.addr).unwrap();
        let head = format!("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: {LEN}\r\n\r\n");
        let mut reading = socket.try_clone().unwrap();
        let pouring = std::thread::spawn(move || {
            socket.write_all(head.as_bytes()).unwrap();
            let block = vec![b'x'; 64 * 1024];
            for _ in 0..LEN / block.len() {
                socket.write_all(&block).unwrap();
            }
            socket
        });
        let bytes_in = || {
            let stats: serde_json::Value = serde_json::from_str(&server.get("/stats")).unwrap();
            stats["bytes_in"].as_u64().unwrap() as usize
        };
        eventually("some of it was read", || bytes_in() > 64 * 1024);
        assert!(bytes_in() < LEN / 8, "the worker reads no further");
        assert_eq!(server.get("/open/go"), "opened");
        let socket = pouring.join().unwrap();
        let mut answer = [0; 1024];
        let count = reading.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.ends_with(&LEN.to_string()), "{answer}");
        if let (Some(before), Some(after)) = (before, resident_kib(server.pid())) {
            let most = before + 16 * 1024;
            assert!(after < most, "{setup:?}: {before} KiB grew to {after} KiB");
        }
        drop(socket);
        nothing_is_left(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn a_complete_answer_ends_the_body() {
    for setup in PLAIN {
        let server = Server::start(&streaming(), setup);
        let mut client = server.connect();
        client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
        assert_eq!(client.response().text(), "taken");
        eventually("the handler hears of it", || server.get("/why") == "closed");
        client.send("def");
        client.get("/why");
        assert_eq!(client.response().text(), "closed", "{setup:?}");
    }
}

#[test]
fn a_reload_between_streaming_and_not_loses_no_request() {
    const PROGRAM: &str = "
        local httpng = require 'httpng'
        local streams = true
        local function handler(req)
            if req.path == '/flip' then
                streams = not streams
                httpng.cfg { threads = THREADS, stream = streams, handler = HANDLER }
            end
            local n = 0
            for piece in req:pieces() do n = n + #piece end
            return { body = tostring(n) }
        end
        function HANDLER(req, io) return handler(req, io) end
        httpng.cfg { threads = THREADS, stream = true, handler = HANDLER }";
    for setup in PLAIN {
        let program = PROGRAM.replace("THREADS", &setup.threads.to_string());
        let server = Server::start(&program, setup);
        std::thread::scope(|scope| {
            for len in [1, 1000, 200_000] {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    for _ in 0..40 {
                        client.post("/", &vec![b'x'; len]);
                        let response = client.response();
                        assert_eq!(response.text(), len.to_string(), "{}", response.head.line);
                    }
                });
            }
            for _ in 0..40 {
                assert_eq!(server.get("/flip"), "0");
            }
        });
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn curl_uploads_from_a_pipe() {
    use std::process::{Command, Stdio};
    if Command::new("curl").arg("--version").output().is_err() {
        println!("curl is not installed: skipped");
        return;
    }
    for setup in SETUPS {
        let server = Server::start(&streaming(), setup);
        let scheme = if setup.https { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/count", server.addr.port());
        let mut curl = Command::new("curl")
            .args(["-sS", "-4", "--max-time", "20", "-T", "-", "--cacert"])
            .arg(&crate::harness::certificate().cert)
            .arg(&url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = curl.stdin.take().unwrap();
        for _ in 0..50 {
            input.write_all(&[b'x'; 100_000]).unwrap();
        }
        drop(input);
        let output = curl.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "5000000 nil",
            "{setup:?}"
        );
    }
}

#[test]
fn bodies_in_memory_have_a_bound_together_and_wait_for_each_other() {
    let options = "max_buffered_bodies = 65536, max_body_len = 65536,";
    let server = Server::start(&program_with(options, ROUTES), PLAIN[1]);
    let head = "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n";
    let mut first = server.connect();
    first.send(head);
    first.send(vec![b'a'; 39_999]);
    let mut second = server.connect();
    second.send(head);
    second.send(vec![b'b'; 39_999]);
    let mut third = server.connect();
    third.send(head);
    third.send(vec![b'c'; 40_000]);
    // One of them goes beyond the bound; that it ends makes room for the others.
    first.send("a");
    second.send("b");
    assert_eq!(first.response().body, vec![b'a'; 40_000]);
    assert_eq!(second.response().body, vec![b'b'; 40_000]);
    assert_eq!(third.response().body, vec![b'c'; 40_000]);
}
