//! Several writes: the drawing's handler, and what may happen around it.

use crate::harness::{PLAIN, SETUPS, Server, Setup};
use crate::program::program;

/// The handler of the drawing, held at a gate between its parts.
const SEED: &str = "
    io:write_header(200, { ['content-type'] = 'text/plain' }, 'first ')
    wait('second')
    io:write('second ')
    wait('third')
    io:write('third')
    io:close()
    kept.after_close = true";

#[test]
fn parts_arrive_one_by_one() {
    for setup in SETUPS {
        let server = Server::start(&program(&[("/", SEED)]), setup);
        let mut client = server.connect();
        client.get("/");
        let head = client.head();
        assert_eq!(
            head.show(),
            "HTTP/1.1 200 OK | content-type: text/plain | transfer-encoding: chunked",
            "{setup:?}"
        );
        assert_eq!(client.part(), "first ");
        assert_eq!(server.get("/open/second"), "opened");
        assert_eq!(client.part(), "second ");
        assert_eq!(server.get("/open/third"), "opened");
        assert_eq!(client.part(), "third");
        assert_eq!(client.chunk(), None);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn curl_shows_the_parts_and_trusts_the_certificate() {
    use std::io::Read as _;
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("curl is not installed: skipped");
        return;
    }
    for setup in SETUPS {
        let server = Server::start(&program(&[("/", SEED)]), setup);
        let scheme = if setup.https { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/", server.addr.port());
        let mut curl = std::process::Command::new("curl")
            .args(["-sS", "-N", "-i", "-4", "--max-time", "20", "--cacert"])
            .arg(&crate::harness::certificate().cert)
            .arg(&url)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = curl.stdout.take().unwrap();
        let mut seen = String::new();
        let mut until = |end: &str| {
            while !seen.ends_with(end) {
                let mut byte = [0];
                assert_eq!(out.read(&mut byte).unwrap(), 1, "curl ended after {seen:?}");
                seen.push(byte[0] as char);
            }
        };
        until("first ");
        server.get("/open/second");
        until("second ");
        server.get("/open/third");
        until("third");
        assert!(curl.wait().unwrap().success(), "{setup:?}");
    }
}

/// One answer of one route, in one line.
fn check(server: &Server, path: &str, expected: &str) {
    let mut client = server.connect();
    client.get(path);
    assert_eq!(
        client.response().show(),
        expected,
        "{path} {:?}",
        server.setup
    );
}

#[test]
fn l4_r9_two_fibers_on_one_io_never_mix() {
    let route = "
        local done = fiber.channel(2)
        for _, letter in ipairs({ 'a', 'b' }) do
            fiber.create(function()
                for _ = 1, 20 do io:write(letter:rep(300)) end
                done:put(true)
            end)
        end
        done:get() done:get()
        io:close()";
    for setup in SETUPS {
        let server = Server::start(&program(&[("/", route)]), setup);
        let mut client = server.connect();
        client.get("/");
        let mut counts = [0, 0];
        for part in client.response().body.chunks(300) {
            assert_eq!(part.len(), 300, "{setup:?}: a write was cut");
            assert!(
                part.iter().all(|byte| *byte == part[0]),
                "{setup:?}: writes were mixed"
            );
            counts[usize::from(part[0] - b'a')] += 1;
        }
        assert_eq!(counts, [20, 20], "{setup:?}");
    }
}

#[test]
fn r11_l6_a_stale_io_is_inert() {
    let routes = [
        ("/keep", "kept.io = io  return { body = 'kept' }"),
        (
            "/use",
            "local io = kept.io
             local a, b = io:write('x'), io:write_header(200, {}, 'y')
             io:close()
             return { body = tostring(a) .. tostring(b) }",
        ),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        for _ in 0..3 {
            assert_eq!(server.get("/keep"), "kept");
            assert_eq!(server.get("/use"), "truetrue", "{setup:?}");
        }
    }
}

#[test]
fn r10_l5_waking_the_handler_changes_nothing() {
    let route = "
        local me = fiber.self()
        local stop = false
        fiber.create(function()
            while not stop do
                pcall(me.wakeup, me)
                fiber.yield()
            end
        end)
        for i = 1, 50 do io:write(('%03d'):format(i)) end
        stop = true
        io:close()";
    let expected: String = (1..=50).map(|i| format!("{i:03}")).collect();
    for setup in PLAIN {
        let server = Server::start(&program(&[("/", route)]), setup);
        assert_eq!(server.get("/"), expected, "{setup:?}");
    }
}

#[test]
fn r10_l5_a_cancelled_handler_ends_its_response() {
    let routes = [
        (
            "/before",
            "local me = fiber.self()
             fiber.create(function() me:cancel() end)
             fiber.sleep(1000)",
        ),
        (
            "/after",
            "io:write('begun')
             local me = fiber.self()
             fiber.create(function() me:cancel() end)
             fiber.sleep(1000)",
        ),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/before");
        assert_eq!(client.response().head.status, 500, "{setup:?}");
        let mut client = server.connect();
        client.get("/after");
        // What has begun is ended cleanly, as after any other error.
        assert_eq!(client.response().text(), "begun", "{setup:?}");
        crate::leavers::nothing_is_left(&server);
    }
}

#[test]
fn a_write_after_the_end_says_so() {
    let route = "
        local a = io:write('x')
        local b = io:write('y', true)
        local c = io:write('z')
        io:close()
        kept.answer = tostring(a) .. tostring(b) .. tostring(c)";
    let routes = [("/", route), ("/answer", "return { body = kept.answer }")];
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        assert_eq!(server.get("/"), "xy", "{setup:?}");
        assert_eq!(server.get("/answer"), "falsetruetrue", "{setup:?}");
    }
}

#[test]
fn large_bodies_are_lent_and_arrive_whole() {
    let routes = [
        ("/returned", "return { body = ('x'):rep(1048576) }"),
        (
            "/written",
            "for i = 0, 3 do io:write(tostring(i):rep(262144)) end io:close()",
        ),
        (
            "/rope",
            "-- garbage is made and collected while the bytes are with the worker
             for i = 0, 9 do io:write(tostring(i):rep(100000)) collectgarbage() end",
        ),
    ];
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        let body = server.get("/returned");
        assert!(
            body.len() == 1_048_576 && body.bytes().all(|byte| byte == b'x'),
            "{setup:?}"
        );
        let body = server.get("/written");
        let expected: String = (0..4).map(|i| i.to_string().repeat(262_144)).collect();
        assert!(body == expected, "{setup:?}");
        let body = server.get("/rope");
        let expected: String = (0..10).map(|i| i.to_string().repeat(100_000)).collect();
        assert!(body == expected, "{setup:?}");
        crate::leavers::nothing_is_left(&server);
    }
}

#[test]
fn content_length_set_by_the_handler_is_kept() {
    let routes = [
        (
            "/exact",
            "io:write_header(200, { ['Content-Length'] = 4 }, 'ab') io:write('cd')",
        ),
        (
            "/excess",
            "io:write_header(200, { ['Content-Length'] = 4 }, 'ab') io:write('cdef')",
        ),
        (
            "/short",
            "io:write_header(200, { ['content-length'] = '9' }, 'ab') io:write('cd')",
        ),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        check(
            &server,
            "/exact",
            "HTTP/1.1 200 OK | content-length: 4 || abcd",
        );
        check(
            &server,
            "/excess",
            "HTTP/1.1 200 OK | content-length: 4 || abcd",
        );
        let mut client = server.connect();
        client.get("/short");
        assert_eq!(client.head().field("content-length"), Some("9"));
        assert_eq!(
            client.rest(),
            b"abcd",
            "{setup:?}: the connection is closed at once"
        );
    }
}

#[test]
fn thousands_of_small_writes() {
    let route = "for i = 1, 2000 do io:write(i .. ',') end";
    let expected: String = (1..=2000).map(|i| format!("{i},")).collect();
    for setup in [
        Setup {
            threads: 0,
            https: false,
            http2: false,
        },
        Setup {
            threads: 1,
            https: true,
            http2: false,
        },
    ] {
        let server = Server::start(&program(&[("/", route)]), setup);
        assert_eq!(server.get("/"), expected, "{setup:?}");
    }
}
