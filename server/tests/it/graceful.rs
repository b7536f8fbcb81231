//! The end of the server: signals, the bounded drain, `httpng.shutdown`, restarts.

use crate::harness::{PLAIN, SETUPS, Server, Setup};
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
        };
        let options = ["--stuck-after", "0.1", "--drain-timeout", "0.1"];
        let mut server = Server::start_with(&program(ROUTES), setup, &options);
        let mut stuck = server.connect();
        stuck.get("/loop");
        server.wait_line("looping now");
        let line = server.wait_line("has not yielded");
        assert!(line.contains("ERROR"), "{line}");
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

#[test]
fn r25_r28_r31_shutdown_and_cfg_any_number_of_times() {
    // The program restarts the server under itself; the port stays because --listen names it.
    let routes = [(
        "/restart",
        "fiber.create(function()
             httpng.shutdown()
             kept.restarts = (kept.restarts or 0) + 1
             httpng.cfg({ handler = function()
                 return { body = 'restart ' .. kept.restarts }
             end })
         end)",
    )];
    let _ = routes;
    let program = "
        local httpng, fiber = require('httpng'), require('fiber')
        local log = require('log')
        for i = 1, 5 do
            httpng.cfg({ handler = function() return { body = 'run ' .. i } end })
            httpng.shutdown()
            local ok, message = pcall(httpng.shutdown)
            assert(not ok and tostring(message):find('Server is not launched'), message)
        end
        httpng.cfg({ handler = function() return { body = 'last' } end })
        log.info('ready now')";
    for setup in SETUPS {
        let server = Server::start(program, setup);
        server.wait_line("ready now");
        let log = server.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("listening on http"))
            .unwrap();
        let addr = crate::harness::address_in(line);
        let mut client = if setup.https {
            crate::client::Client::tls(addr)
        } else {
            crate::client::Client::tcp(addr)
        };
        client.get("/");
        assert_eq!(client.response().text(), "last", "{setup:?}");
        let expected = usize::from(setup.threads);
        if let Some(count) = threads_of(server.pid()) {
            // The main thread, the signal thread, the watchdog; then the workers.
            assert_eq!(count, 3 + expected, "{setup:?}: threads leaked");
        }
        assert_eq!(server.stop(), 0, "{setup:?}");
    }
}

fn threads_of(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.count())
}

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
