//! Clients that leave, as handlers learn of it; and handlers that do not end when they should.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::harness::{PATIENCE, PLAIN, SETUPS, Server, address_in, eventually};
use crate::leavers::nothing_is_left;
use crate::program::{program, program_with};

/// `/watch` says how it ended by `/told`.
const ROUTES: &[(&str, &str)] = &[
    (
        "/watch",
        "kept.told = nil
         io:on_close(function(io, how) fiber.sleep(0.001) kept.told = how end)
         io:write('begun')
         wait('go')
         return { body = 'end' }",
    ),
    ("/told", "return { body = tostring(kept.told) }"),
    (
        "/sleep",
        "kept.ended, kept.caught = 0, nil
         io:write('begun')
         for _ = 1, 2 do
             local ok, why = pcall(fiber.sleep, 1000)
             kept.caught = tostring(why)
             kept.ended = kept.ended + 1
         end
         fiber.sleep(1000)
         kept.ended = 100",
    ),
    (
        "/ended",
        "return { body = ('%s %s'):format(kept.ended, kept.caught) }",
    ),
];

#[test]
fn on_close_tells_how_a_response_ended() {
    for setup in SETUPS {
        let server = Server::start(&program(ROUTES), setup);
        let mut client = server.connect();
        client.get("/watch");
        client.head();
        assert_eq!(client.part(), "begun");
        drop(client);
        eventually("it is told of a client that left", || {
            server.get("/told") == "gone"
        });
        server.get("/open/go");
        let mut client = server.connect();
        client.get("/watch");
        client.head();
        assert_eq!(client.part(), "begun");
        server.get("/open/go");
        assert_eq!(client.part(), "end");
        assert_eq!(client.chunk(), None);
        eventually("it is told of the end", || server.get("/told") == "done");
        nothing_is_left(&server);
    }
}

#[test]
fn l13_cancel_on_disconnect_ends_handlers_of_clients_that_left() {
    for setup in SETUPS {
        let options = "cancel_on_disconnect = true,";
        let server = Server::start(&program_with(options, ROUTES), setup);
        for half in [false, true] {
            let mut client = server.connect();
            client.get("/sleep");
            client.head();
            assert_eq!(client.part(), "begun");
            // One behind it goes with its connection, or is cancelled as soon as it begins.
            client.get("/watch");
            if half {
                client.half_close();
            } else {
                drop(client);
            }
            eventually("the handler is cancelled", || {
                server.get("/ended") == "2 fiber is cancelled"
            });
            nothing_is_left(&server);
        }
        let told = server.get("/told");
        assert!(told == "nil" || told == "gone", "{told}");
        assert!(!server.log().contains("ERROR"), "{}", server.log());
        assert_eq!(server.stop(), 0);
    }
}

/// Handlers that ignore everything, and how the server is ended in spite of them.
const STUBBORN: &str = r#"
local httpng, fiber = require('httpng'), require('fiber')
local phase, goes = 'serving', 0
local function handler(req, io)
    if req.path == '/go' then goes = goes + 1 end
    if req.path ~= '/stubborn' then return { body = phase } end
    io:write('begun')
    while phase ~= 'over' do
        pcall(fiber.sleep, 0.001)
        pcall(io.write, io, ('x'):rep(2000))
    end
end
local function cfg(threads, shuttles)
    httpng.cfg {
        threads = threads, max_shuttles_per_thread = shuttles, handler = handler,
        thread_termination_timeout = 0.05,
    }
end
cfg(--FROM--)
while goes < 1 do fiber.sleep(0.001) end
cfg(--TO--)
httpng.force_decrease_threads()
phase = 'shrunk'
while goes < 2 do fiber.sleep(0.001) end
httpng.shutdown(0.05)
cfg(1)
phase = 'again'
"#;

#[test]
fn l13_stubborn_handlers_hold_up_neither_a_decrease_nor_the_end() {
    // The last ones make room for more requests: that replaces all workers.
    for (from, to) in [
        ("4", "1"),
        ("2", "0"),
        ("0", "2"),
        ("2", "2, 5000"),
        ("0", "0, 5000"),
    ] {
        let text = STUBBORN.replace("--FROM--", from).replace("--TO--", to);
        let server = Server::start_free(&text, false, 1024);
        let begin = || {
            let mut client = server.connect();
            client.get("/stubborn");
            client.head();
            // What follows may leave with it.
            assert!(client.part().starts_with("begun"));
            client
        };
        let held: Vec<_> = (0..8).map(|_| begin()).collect();
        ask(server.addr, "/go");
        eventually("threads are gone", || ask(server.addr, "/") == "shrunk");
        drop(held);
        let last = begin();
        ask(server.addr, "/go");
        let mut again = server.addr;
        eventually("it listens again", || {
            let log = server.log();
            let line = log.lines().rfind(|line| line.contains("listening on http"));
            again = line.map_or(again, address_in);
            again != server.addr
        });
        eventually("it serves again", || ask(again, "/") == "again");
        drop(last);
        assert!(server.log().contains("/stubborn: its handler does not end"));
        assert_eq!(server.stop(), 0);
    }
}

/// The phase; nothing where nobody answers. A thread that is ended by force resets whom it has let
/// in, maybe as early as in the middle of connecting.
fn ask(addr: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(addr).and_then(|mut socket| {
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )?;
        socket.read_to_string(&mut answer)
    });
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    asked.map_or("", |_| body.unwrap_or_default()).to_owned()
}

#[test]
fn l13_stubborn_handlers_do_not_hold_up_a_signal() {
    for setup in PLAIN {
        let routes = [(
            "/stubborn",
            "io:write('begun')
             while true do pcall(fiber.sleep, 0.001) end",
        )];
        let options = ["--drain-timeout", "0.05"];
        let server = Server::start_with(&program(&routes), setup, &options);
        let mut client = server.connect();
        client.get("/stubborn");
        client.head();
        assert_eq!(client.part(), "begun");
        assert_eq!(server.stop(), 4);
    }
}
