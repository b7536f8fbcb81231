//! Writes that do not wait, windows, and what a handler learns of its client: over real sockets.

use crate::harness::{PLAIN, SETUPS, Server, eventually};
use crate::program::{program, program_with};

fn counters(server: &Server) -> serde_json::Value {
    serde_json::from_str(&server.get("/stats")).unwrap()
}

/// Nothing is left of any request.
fn balance(server: &Server) {
    eventually("pins and shuttles are back", || {
        let counters = counters(server);
        // The one that asks.
        counters["pins"] == 0 && counters["open_requests"] == 1 && counters["shuttles"] == 1
    });
}

/// All parts of all kinds arrive, each once, in order: small, lent, larger than the window.
#[test]
fn many_parts_of_all_sizes_arrive_in_order_r6_r40() {
    let route = "
        local number = 0
        local function part(size)
            number = number + 1
            local mark = ('<%d>'):format(number)
            return mark .. ('x'):rep(size - #mark)
        end
        math.randomseed(tonumber(req.query))
        for _ = 1, 600 do
            local kind = math.random(4)
            local size = kind == 1 and math.random(8, 1023)
                or kind == 2 and math.random(1024, 60000) or 16
            if io:write(part(size)) then return end
            if math.random(20) == 1 then fiber.sleep(0) end
            if math.random(60) == 1 then io:wait(0) end
        end
        if req.query == '3' then return { body = 'end' } end
        io:write('end', req.query == '2')
        local s = io:get_send_stats()
        kept.current, kept.cancelled = s.current, s.cancelled";
    let routes = [
        ("/", route),
        ("/kept", "return { body = json.encode(kept) }"),
    ];
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        for seed in 1..=4 {
            let mut client = server.connect();
            client.get(&format!("/?{seed}"));
            let text = client.response().text();
            let mut at = 0;
            for number in 1..=600 {
                let mark = format!("<{number}>");
                let found = text[at..].find('<').map(|found| at + found);
                at = found.unwrap_or_else(|| panic!("{setup:?} {seed}: {mark} is missing"));
                assert!(text[at..].starts_with(&mark), "{setup:?} {seed}: {mark}");
                at += mark.len();
            }
            assert!(text.ends_with("end"), "{setup:?} {seed}");
            assert_eq!(text.matches('<').count(), 600, "{setup:?} {seed}");
            client.get("/kept");
            assert_eq!(client.response().head.status, 200, "the connection goes on");
        }
        balance(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

/// A thousand small writes are a few writes to the socket.
#[test]
fn many_small_parts_are_sent_together() {
    let route = "
        io:write_header(200)
        wait('go')
        for _ = 1, 1000 do io:write('sixteen bytes..\\n') end";
    for setup in PLAIN {
        let server = Server::start(&program(&[("/", route)]), setup);
        let mut client = server.connect();
        client.get("/");
        client.head();
        server.get("/open/go");
        let mut frames = 0;
        let mut bytes = 0;
        while let Some(frame) = client.chunk() {
            frames += 1;
            bytes += frame.len();
        }
        assert_eq!(bytes, 16_000);
        assert!(frames < 200, "{setup:?}: {frames} frames");
    }
}

/// A client that does not read costs its window, and its writer sleeps; then it leaves.
#[test]
fn a_client_that_does_not_read_costs_no_more_than_its_window_r4_r12() {
    let route = "
        io.send_window = 100000
        local part = ('x'):rep(10000)
        local function say(s) kept.seen = { s.current, s.sent, s.cancelled } end
        repeat
            local r = io:write(part .. tostring(math.random()), 1000)
            local s = io:get_send_stats()
            say(s)
            kept.most = math.max(kept.most or 0, s.current - s.sent)
            kept.pins = math.max(kept.pins or 0, httpng.stats().pins)
        until r
        say(io:get_send_stats())";
    let routes = [
        ("/", route),
        ("/kept", "return { body = json.encode(kept) }"),
    ];
    for setup in SETUPS {
        let server = Server::start(&program(&routes), setup);
        let client = {
            let mut client = server.connect();
            client.get("/");
            client
        };
        let mut last = String::new();
        eventually("the writer comes to rest", || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let now = server.get("/kept");
            let rests = now == last && now.contains("seen");
            last = now;
            rests
        });
        let kept: serde_json::Value = serde_json::from_str(&last).unwrap();
        assert_eq!(kept["seen"][2], false, "{last}");
        assert!(
            kept["most"].as_u64().unwrap() <= 100_000,
            "{setup:?} {last}"
        );
        assert!(kept["pins"].as_u64().unwrap() <= 11, "{setup:?} {last}");
        drop(client);
        eventually("the handler hears of it", || {
            let kept: serde_json::Value = serde_json::from_str(&server.get("/kept")).unwrap();
            kept["seen"][2] == true
        });
        balance(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

/// Two fibers wait for one client: a writer for room and another for progress. Both go on as it
/// reads, long before all is sent.
#[test]
fn progress_is_heard_of_while_the_worker_keeps_the_shuttle() {
    let route = "
        io:write_header(200)
        local part = ('x'):rep(20000)
        fiber.create(function()
            while not io:write(part) do end
        end)
        for mark = 1, 40 do
            if io:wait(mark * 1000000, 100) then return end
            kept.mark = mark
        end";
    let routes = [
        ("/", route),
        ("/mark", "return { body = tostring(kept.mark) }"),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/");
        client.head();
        let mut bytes = 0;
        while let Some(part) = client.chunk() {
            bytes += part.len();
        }
        assert!(bytes >= 40_000_000, "{setup:?}: {bytes}");
        assert_eq!(server.get("/mark"), "40");
        balance(&server);
    }
}

/// The time of a write is up: nothing of it is sent, and the response goes on.
#[test]
fn a_write_that_is_late_spoils_nothing() {
    let route = "
        local kept_bytes, late = 0, 0
        io.send_window = 50000
        local part = ('x'):rep(9999) .. '\\n'
        for _ = 1, 3000 do
            local r = io:write(part, 0)
            if r then
                late = late + 1
                assert(not httpng.cancelled(r) and httpng.headers_were_sent(r))
                assert(httpng.body_bytes_sent(r) <= kept_bytes)
                fiber.sleep(0.0001)
            else
                kept_bytes = kept_bytes + #part
            end
        end
        assert(io:get_send_stats().current == kept_bytes)
        return { body = 'end ' .. kept_bytes .. ' ' .. late }";
    for setup in SETUPS {
        let server = Server::start(&program(&[("/", route)]), setup);
        let mut client = server.connect();
        client.get("/");
        client.head();
        let mut body = Vec::new();
        while let Some(part) = client.chunk() {
            body.extend(part);
        }
        let text = String::from_utf8(body).unwrap();
        let end = text.lines().last().unwrap();
        let words: Vec<usize> = end.split(' ').skip(1).map(|n| n.parse().unwrap()).collect();
        assert_eq!(text.len() - end.len(), words[0], "{setup:?}: {end}");
        let is_whole = |line: &str| line.len() == 9999;
        let lines = text.lines().count() - 1;
        assert!(text.lines().take(lines).all(is_whole), "{setup:?}");
        balance(&server);
    }
}

/// Clients leave at any moment of a stream: everything is given back.
#[test]
fn r1_r2_r12_clients_that_leave_in_the_middle_leave_nothing() {
    let route = "
        local large = ('x'):rep(30000)
        for i = 1, 200 do
            if io:write(i % 3 == 0 and large or 'small') then return end
            if i % 50 == 0 then fiber.sleep(0) end
        end";
    for setup in SETUPS {
        let server = Server::start(&program(&[("/", route)]), setup);
        for round in 0..30 {
            let mut client = server.connect();
            client.get("/");
            if round % 3 > 0 {
                client.head();
            }
            if round % 3 > 1 {
                client.chunk();
            }
            drop(client);
        }
        balance(&server);
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn lengths_and_head_requests_hold_for_appended_parts() {
    let route = "
        io:write_header(200, { ['content-length'] = '10' })
        for _ = 1, 5 do io:write('abcd') end
        io:wait(0)
        kept.sent = io:get_send_stats().sent";
    let routes = [
        ("/", route),
        ("/sent", "return { body = tostring(kept.sent) }"),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut client = server.connect();
        client.get("/");
        assert_eq!(client.response().text(), "abcdabcdab", "{setup:?}");
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /sent HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().field("content-length"), Some("10"));
        assert_eq!(client.response().text(), "20", "{setup:?}");
    }
}

/// All stages give the same bytes.
#[test]
fn every_stage_sends_the_same() {
    let route = "io:write('one ') io:write(('x'):rep(3000)) io:write(' two', 0) io:close()";
    for stage in 1..=4 {
        let options = format!("stage = {stage},");
        let server = Server::start(&program_with(&options, &[("/", route)]), PLAIN[1]);
        let expected = format!("one {} two", "x".repeat(3000));
        assert_eq!(server.get("/"), expected, "stage {stage}");
        balance(&server);
    }
}

#[test]
fn the_server_ends_while_writers_wait_for_room_r1() {
    let route = "while not io:write(('x'):rep(50000)) do end kept.over = true";
    for setup in SETUPS {
        let options = ["--drain-timeout", "0.1"];
        let mut server = Server::start_with(&program(&[("/", route)]), setup, &options);
        let mut client = server.connect();
        client.get("/");
        client.head();
        assert!(counters(&server)["open_requests"] == 2);
        server.signal("TERM");
        let status = server.exit_status();
        assert!(status.code().is_some(), "{setup:?}: {}", server.log());
        assert!(!server.log().contains("panic"), "{}", server.log());
    }
}
