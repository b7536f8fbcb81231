//! The end of the server: signals, the bounded drain, `httpng.shutdown`, restarts.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use http_proto::drawing::{Mark, Witness};
use httpng::drawing::{Shore, Watch};
use httpng::exit::Exit;
use httpng::signals::StopFlag;
use httpng::supervisor::Overrides;
use httpng::tx::{self, Options, Program};

use crate::client::Client;
use crate::harness::{PATIENCE, PLAIN, SETUPS, Server, Setup};
use crate::program::program;

const ROUTES: &[(&str, &str)] = &[
    ("/held", "io:write('begun ') wait('go') io:write('done')"),
    ("/hello", "return { body = 'hello' }"),
    (
        "/loop",
        "log = require('log') log.info('looping now') while true do end",
    ),
    (
        "/background",
        "fiber.create(function() while true do fiber.sleep(1000) end end)",
    ),
];

#[test]
fn a_running_request_is_finished_after_sigterm() {
    // The handler cannot be released through the server once it drains, so it releases itself
    // when it sees the drain: its own listener no longer accepts.
    let routes = [(
        "/held",
        "io:write('begun ')
         while httpng.stats().draining == 0 do fiber.sleep(0.001) end
         io:write('done')",
    )];
    for signal in ["TERM", "INT"] {
        for setup in SETUPS {
            let mut server = Server::start(&program(&routes), setup);
            let mut client = server.connect();
            client.get("/held");
            client.head();
            assert_eq!(client.part(), "begun ");
            server.signal(signal);
            assert_eq!(client.part(), "done", "{setup:?}");
            assert_eq!(client.chunk(), None);
            assert!(client.ended(), "{setup:?}: no keep-alive while draining");
            assert_eq!(
                server.exit_status().code(),
                Some(0),
                "{setup:?}: {}",
                server.log()
            );
        }
    }
}

#[test]
fn idle_connections_and_background_fibers_do_not_hold_the_drain() {
    for setup in PLAIN {
        let server = Server::start(&program(ROUTES), setup);
        let mut idle = server.connect();
        idle.get("/background");
        idle.response();
        assert_eq!(server.stop(), 0, "{setup:?}");
        assert!(idle.ended());
    }
}

/// L13.
#[test]
fn the_drain_is_bounded() {
    for setup in PLAIN {
        let options = ["--drain-timeout", "0.05"];
        let mut server = Server::start_with(&program(ROUTES), setup, &options);
        let mut client = server.connect();
        client.get("/held");
        client.head();
        assert_eq!(client.part(), "begun ");
        server.signal("TERM");
        assert_eq!(
            server.exit_status().code(),
            Some(4),
            "{setup:?}: {}",
            server.log()
        );
        client.rest();
    }
}

/// R26.
#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for setup in PLAIN {
            let mut server = Server::start(&program(ROUTES), setup);
            let mut client = server.connect();
            client.get("/held");
            client.head();
            server.signal(signal);
            server.wait_line("stopping");
            server.signal(signal);
            assert_eq!(server.exit_status().code(), Some(code), "{setup:?}");
        }
    }
}

#[test]
fn a_handler_that_never_yields_is_reported_and_others_are_accepted() {
    for threads in [1, 2] {
        let setup = Setup {
            threads,
            https: false,
            http2: false,
        };
        let options = ["--stuck-after", "0.1", "--drain-timeout", "0.1"];
        let mut server = Server::start_with(&program(ROUTES), setup, &options);
        let mut stuck = server.connect();
        stuck.get("/loop");
        server.wait_line("looping now");
        let line = server.wait_line("has not yielded");
        assert!(
            line.contains("ERROR") && line.contains("\"http\" (GET /loop)"),
            "{line}"
        );
        // A worker still accepts, reads, and answers by itself what needs no Lua.
        let mut other = server.connect();
        other.send("NONSENSE\r\n\r\n");
        assert_eq!(other.response().head.status, 400, "{setup:?}");
        // Even now SIGTERM ends the program within its bound.
        server.signal("TERM");
        assert_eq!(
            server.exit_status().code(),
            Some(4),
            "{setup:?}: {}",
            server.log()
        );
        assert_eq!(
            server.log().matches("has not yielded").count(),
            1,
            "once per incident"
        );
    }
}

/// A program that starts and stops its server `rounds` times and then serves.
fn restarts(rounds: usize) -> String {
    format!(
        "local httpng, log = require('httpng'), require('log')
         for i = 1, {rounds} do
             httpng.cfg({{ handler = function() return {{ body = 'run ' .. i }} end }})
             httpng.shutdown()
             local ok, message = pcall(httpng.shutdown)
             assert(not ok and tostring(message):find('Server is not launched'), message)
         end
         httpng.cfg({{ handler = function() return {{ body = 'last' }} end }})
         log.info('ready now')"
    )
}

#[test]
fn r25_r28_r31_r37_shutdown_and_cfg_any_number_of_times() {
    for setup in SETUPS {
        let mut held = Vec::new();
        for rounds in [1, 6] {
            let server = Server::start(&restarts(rounds), setup);
            server.wait_line("ready now");
            let log = server.log();
            let line = log
                .lines()
                .rfind(|line| line.contains("listening on http"))
                .unwrap();
            let mut client = setup.connect(crate::harness::address_in(line));
            client.get("/");
            assert_eq!(client.response().text(), "last", "{setup:?}");
            held.push((entries(server.pid(), "task"), entries(server.pid(), "fd")));
            assert_eq!(server.stop(), 0, "{setup:?}");
        }
        assert_eq!(held[0], held[1], "{setup:?}: threads or descriptors leaked");
        // The main thread, the signal thread, the watchdog; then the workers.
        let threads = 3 + usize::from(setup.threads);
        assert!(
            held[0].0.is_none_or(|count| count == threads),
            "{setup:?}: {held:?}"
        );
    }
}

/// How many threads (`task`) or descriptors (`fd`) a process has, where /proc tells.
pub(crate) fn entries(pid: u32, of: &str) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/{of}")).ok()?.count())
}

#[test]
fn a_handler_restarts_the_server() {
    let program = "
        local httpng, log = require('httpng'), require('log')
        local function again(req, io)
            if req.query == 'streaming' then io:write(('x'):rep(5000)) end
            httpng.shutdown()
            httpng.cfg({ handler = function() return { body = 'second' } end })
            log.info('restarted now')
            return { body = 'to nobody' }
        end
        httpng.cfg({ handler = again })";
    for setup in PLAIN {
        for query in ["", "?streaming"] {
            let server = Server::start(program, setup);
            let mut first = server.connect();
            first.get(&format!("/{query}"));
            server.wait_line("restarted now");
            let log = server.log();
            let line = log
                .lines()
                .rfind(|line| line.contains("listening on http"))
                .unwrap();
            let mut client = setup.connect(crate::harness::address_in(line));
            client.get("/");
            assert_eq!(client.response().text(), "second", "{setup:?}");
            assert_eq!(server.stop(), 0, "{setup:?}");
        }
    }
}

/// R22.
#[test]
fn sockets_are_closed_after_shutdown() {
    let program = "
        local httpng, fiber = require('httpng'), require('fiber')
        local log = require('log')
        httpng.cfg({ handler = function() return { body = 'x' } end })
        httpng.shutdown()
        log.info('shut down')
        fiber.sleep(1000)";
    for setup in PLAIN {
        let server = Server::start(program, setup);
        server.wait_line("shut down");
        let refused = std::net::TcpStream::connect(server.addr).unwrap_err();
        assert_eq!(
            refused.kind(),
            std::io::ErrorKind::ConnectionRefused,
            "{setup:?}"
        );
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

#[test]
fn a_program_that_never_yields_is_reported_too() {
    let setup = Setup {
        threads: 0,
        https: false,
        http2: false,
    };
    let options = ["--stuck-after", "0.1", "--drain-timeout", "0"];
    let program = "require('httpng').cfg({ handler = function() end }) while true do end";
    let mut server = Server::start_with(program, setup, &options);
    let line = server.wait_line("has not yielded");
    assert!(line.contains("\"main\""), "{line}");
    server.signal("INT");
    assert_eq!(server.exit_status().code(), Some(4), "{}", server.log());
}

#[test]
fn r34_r35_a_reload_swaps_handlers_and_keeps_what_runs() {
    let routes = [
        ("/old", "io:write('old ') wait('go') io:write('end')"),
        (
            "/bad",
            "local ok, message = pcall(httpng.cfg, { handler = 42 })
             return { body = tostring(ok) .. ' ' .. tostring(message) }",
        ),
        (
            "/reload",
            "local gate = gate('go')
             httpng.cfg({ max_body_len = 5, handler = function(req)
                 if req.path == '/open' then gate:put(true) end
                 return { body = 'new ' .. #req.body }
             end })
             return { body = 'reloaded' }",
        ),
    ];
    for setup in PLAIN {
        let server = Server::start(&program(&routes), setup);
        let mut running = server.connect();
        running.get("/old");
        running.head();
        assert_eq!(running.part(), "old ");
        let refused = server.get("/bad");
        assert!(
            refused.contains("handler is not a function or table"),
            "{refused}"
        );
        assert_eq!(server.get("/reload"), "reloaded");
        let mut client = server.connect();
        client.post("/", b"12345");
        assert_eq!(client.response().text(), "new 5", "{setup:?}");
        client.post("/", b"123456");
        assert_eq!(
            client.response().head.status,
            413,
            "{setup:?}: limits are reloaded"
        );
        assert_eq!(server.get("/open"), "new 0");
        assert_eq!(
            running.part(),
            "end",
            "{setup:?}: what began ends with its handler"
        );
        assert_eq!(running.chunk(), None);
        assert_eq!(server.stop(), 0);
    }
}

/// A witness whose worker does not survive its first request.
struct Saboteur;

impl Watch for Saboteur {
    fn witness(&self, _shore: Shore) -> Box<dyn Witness> {
        Box::new(Self)
    }
}

impl Witness for Saboteur {
    fn mark(&mut self, mark: Mark, _worker_ticket: u64) {
        assert!(mark != Mark::RequestArrives, "sabotage");
    }
}

#[test]
fn a_worker_that_dies_ends_the_program() {
    let (tell, told) = mpsc::channel();
    let text = "require('httpng').cfg({ listen = { { addr = '127.0.0.1', port = 0 } }, \
                handler = function() end })";
    let server = std::thread::spawn(move || {
        let overrides = Overrides {
            threads: Some(2),
            watch: Some(Arc::new(Saboteur)),
            on_listen: Some(Box::new(move |addr| tell.send(addr).unwrap())),
            ..Overrides::default()
        };
        let options = Options {
            program: Program::Text("sabotage", text.to_owned(), Vec::new()),
            overrides,
            on_bell: None,
            drain_timeout: PATIENCE,
            stuck_after: Duration::ZERO,
        };
        tx::run(options, StopFlag::default())
    });
    let mut client = Client::tcp(told.recv_timeout(PATIENCE).unwrap());
    client.get("/");
    assert!(client.ended(), "its worker is gone");
    let ending = server.join().unwrap();
    assert_eq!(ending.exit, Exit::Environment);
    assert!(ending.message.unwrap().contains("ended by itself"));
}
