//! Starting and ending in any order, with anything refused on the way: the races of a supervisor.

use std::process::Command;

use crate::graceful::entries;
use crate::harness::{PLAIN, Server, Setup, address_in, httpng, run_as};

/// R32, R38. The number of workers grows and shrinks from one start to the next; each of them
/// serves by the configuration of its own start, limits included.
#[test]
fn r32_r38_workers_come_and_go_with_the_configuration_of_their_start() {
    const THREADS: [usize; 6] = [2, 0, 4, 1, 3, 0];
    let list = THREADS.map(|threads| threads.to_string()).join(", ");
    let program = format!(
        "local httpng, fiber, log = require('httpng'), require('fiber'), require('log')
         for round, threads in ipairs({{ {list} }}) do
             local goes_on = false
             httpng.cfg({{ threads = threads, max_body_len = round, handler = function(req)
                 goes_on = goes_on or req.path == '/next'
                 return {{ body = 'round ' .. round .. ': ' .. req.body }}
             end }})
             log.info('round %d begins', round)
             while not goes_on do fiber.sleep(0.001) end
             httpng.shutdown()
         end
         log.info('all rounds are over')
         fiber.sleep(1000)"
    );
    let server = Server::start_own_threads(&program);
    for (index, threads) in THREADS.into_iter().enumerate() {
        let round = index + 1;
        server.wait_line(&format!("round {round} begins"));
        let log = server.log();
        let line = log.lines().rfind(|line| line.contains("listening on http"));
        let addr = address_in(line.unwrap());
        // So many connections that each worker has some.
        for _ in 0..(8 * threads).max(1) {
            let mut client = PLAIN[0].connect(addr);
            let body = "x".repeat(round);
            client.post("/", body.as_bytes());
            assert_eq!(client.response().text(), format!("round {round}: {body}"));
            client.post("/", &vec![b'x'; round + 1]);
            assert_eq!(client.response().head.status, 413, "round {round}");
        }
        PLAIN[0].connect(addr).get("/next");
    }
    server.wait_line("all rounds are over");
    // The main thread, the signal thread, the watchdog.
    assert!(entries(server.pid(), "task").is_none_or(|count| count == 3));
    assert_eq!(server.stop(), 0);
}

/// R37. A start that is refused at any step gives everything back, and the next one succeeds.
#[test]
fn r37_refused_starts_leak_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut held = Vec::new();
    for rounds in [1, 30] {
        let program = format!(
            "local httpng, log = require('httpng'), require('log')
             local free = {{ addr = '127.0.0.1', port = 0 }}
             local taken = {{ addr = '127.0.0.1', port = {port} }}
             local pair = {{ certificate_file = arg[0], certificate_key_file = arg[0] }}
             local tls = {{ addr = '127.0.0.1', port = 0, tls = {{ pair }} }}
             local function refused(listen)
                 local ok, why = pcall(httpng.cfg, {{ threads = 3, listen = listen,
                     handler = function() end }})
                 assert(not ok and not pcall(httpng.shutdown))
                 return why
             end
             for i = 1, {rounds} do
                 local first, second = refused({{ free, taken }}), refused({{ free, tls }})
                 assert(first:find('in use'), first)
                 assert(second:find('certificate'), second)
             end
             httpng.cfg({{ threads = 3, listen = {{ free }}, handler = function() end }})
             log.info('ready now')"
        );
        let setup = Setup {
            threads: 3,
            https: false,
            http2: false,
        };
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("app.lua");
        std::fs::write(&path, program).unwrap();
        let server = Server::start_own_listen(&path, setup, &[], files);
        server.wait_line("ready now");
        let mut client = server.connect();
        client.get("/");
        client.response();
        held.push((entries(server.pid(), "task"), entries(server.pid(), "fd")));
        assert_eq!(server.stop(), 0);
    }
    assert_eq!(held[0], held[1], "threads or descriptors leaked");
}

/// R37. The machine has only so many descriptors, from too few for anything up to enough: the
/// program serves, or ends with one clear line; it never hangs, and never dies of it.
#[cfg(unix)]
#[test]
fn r37_descriptors_run_out_at_every_step_of_a_start() {
    let program = "local httpng = require('httpng')
                   httpng.cfg({ handler = function() end })
                   httpng.shutdown()
                   httpng.cfg({ handler = function() end })
                   httpng.shutdown()";
    for threads in ["0", "3"] {
        let mut codes = Vec::new();
        for descriptors in 4..40 {
            let mut command = Command::new("sh");
            command.arg("-c").arg("ulimit -n $0 && exec \"$@\"");
            command.arg(descriptors.to_string());
            command.arg(httpng().get_program());
            let options = ["--listen", "127.0.0.1:0", "--threads", threads];
            let (code, text) = run_as(command, &options, Some(program));
            let lines = text.lines().filter(|line| line.starts_with("httpng: "));
            let expected = usize::from(code != 0);
            assert_eq!(lines.count(), expected, "{descriptors}: {code} {text}");
            assert!(!text.contains("panicked"), "{descriptors}: {text}");
            codes.push(code);
        }
        assert!(
            codes.iter().all(|code| [0, 1, 3].contains(code)),
            "{codes:?}"
        );
        let refused = codes.iter().filter(|code| **code == 3).count();
        assert!(refused > 3, "the limit bites at several steps: {codes:?}");
        assert_eq!(codes.last(), Some(&0), "{codes:?}");
    }
}

/// R29. A signal comes while the program starts and ends its server again and again.
#[test]
fn r26_r29_a_signal_ends_a_program_that_restarts_its_server() {
    let program = "local httpng, fiber = require('httpng'), require('fiber')
                   while true do
                       httpng.cfg({ handler = function() end })
                       fiber.sleep(0.001)
                       httpng.shutdown()
                   end";
    for setup in PLAIN {
        for _ in 0..5 {
            let options = ["--drain-timeout", "600"];
            let server = Server::start_with(program, setup, &options);
            assert_eq!(server.stop(), 0, "{setup:?}");
        }
    }
}

/// R29. The program is about to start its server anew when the signal comes: it is not started
/// again, and nobody is let in who would be cut later.
#[test]
fn r29_who_is_to_end_does_not_start_again() {
    let files = tempfile::tempdir().unwrap();
    let go = files.path().join("go");
    let program = format!(
        "local httpng, fiber, log = require('httpng'), require('fiber'), require('log')
         -- Then the program looks in each turn whether its shutdown is over, and sees it first.
         fiber.sleep = fiber.yield
         local function serve() httpng.cfg({{ handler = handler }}) end
         function handler(req, io)
             io:write('begun')
             while not io_open('{}') do fiber.sleep(0.001) end
         end
         io_open = io.open
         serve()
         while httpng.stats().requests == 0 do fiber.sleep(0.001) end
         log.info('shutting down')
         httpng.shutdown()
         serve()
         log.info('serving again')",
        go.display()
    );
    // With threads it is a matter of luck who sees it first: several tries.
    for setup in PLAIN.repeat(3) {
        let options = ["--drain-timeout", "600"];
        let mut server = Server::start_with(&program, setup, &options);
        let mut client = server.connect();
        client.get("/");
        server.wait_line("shutting down");
        server.signal("TERM");
        server.wait_line("stopping");
        std::fs::write(&go, "").unwrap();
        let status = server.exit_status();
        std::fs::remove_file(&go).unwrap();
        assert_eq!(status.code(), Some(0), "{setup:?}: {}", server.log());
        assert!(!server.log().contains("serving again"), "{setup:?}");
    }
}
