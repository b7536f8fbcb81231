//! Another number of threads while the server runs: at once, in peace, by force, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::Client;
use crate::graceful::entries;
use crate::harness::{Server, Setup, eventually};

/// Enough for every test that does not want to see them run out.
const DESCRIPTORS: u32 = 1024;

/// `/to?N` and `/to?N,TIMEOUT` reload with so many threads and say `ok` or the error. `/force` ends
/// threads by force; it is over when `/forced` says `true`. `/held` waits for its client to leave
/// or for `/open`.
const PROGRAM: &str = r#"
local httpng, fiber, json = require('httpng'), require('fiber'), require('json')
local is_open, is_forced, handler = false, false, nil
local routes = {
    ['/to'] = function(req)
        local threads, timeout = req.query:match('^(%d+),?(.*)$')
        local ok, why = pcall(httpng.cfg, {
            threads = threads, handler = handler,
            thread_termination_timeout = tonumber(timeout) or 0,
        })
        return { body = ok and 'ok' or why }
    end,
    ['/force'] = function()
        is_forced = false
        fiber.create(function()
            httpng.force_decrease_threads()
            is_forced = true
        end)
        return { body = 'forced' }
    end,
    ['/forced'] = function() return { body = tostring(is_forced) } end,
    ['/held'] = function(_, io)
        io:write('begun ')
        while not is_open and not io:is_closed() do fiber.sleep(0.001) end
        io:write('end')
    end,
    ['/open'] = function() is_open = true end,
    ['/stats'] = function() return { body = json.encode(httpng.stats()) } end,
    ['/wait'] = function() fiber.sleep(0.002) return { body = 'waited' } end,
}
handler = function(req, io)
    local route = routes[req.path]
    if route then return route(req, io) end
    return { body = 'hello' }
end
httpng.cfg { threads = --THREADS--, handler = handler }
"#;

const BUSY: &str = "Unable to reconfigure until threads will shut down";

fn start(threads: u16, https: bool) -> Server {
    let program = PROGRAM.replace("--THREADS--", &threads.to_string());
    Server::start_free(&program, https, DESCRIPTORS)
}

/// The body of the answer. A thread that is to end may have accepted the connection before it
/// knew, and be ended by force before it answers: then there is none, and the text is empty.
fn ask(server: &Server, path: &str) -> String {
    let mut client = server.connect();
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    ));
    let answer = String::from_utf8(client.rest()).unwrap();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    body.unwrap_or_default().to_owned()
}

/// Reloads as soon as that is possible.
fn change_to(server: &Server, what: &str) {
    let path = format!("/to?{what}");
    eventually(&path, || {
        let said = ask(server, &path);
        assert!(
            ["", "ok"].contains(&said.as_str()) || said.ends_with(BUSY),
            "{said}"
        );
        said == "ok"
    });
}

/// Waits until nobody ends any more.
fn settle(server: &Server, threads: u16) {
    let wanted = [
        format!("\"threads\":{threads},"),
        "\"threads_ending\":0".to_owned(),
    ];
    let mut stats = String::new();
    eventually("the surplus threads end", || {
        stats = format!("{},", ask(server, "/stats").replace('}', ","));
        wanted.iter().all(|wanted| stats.contains(wanted.as_str()))
    });
}

/// Asks for as long as it may, on one connection after another, and says how often.
pub(crate) fn load(
    setup: Setup,
    server: std::net::SocketAddr,
    number: usize,
    stop: &AtomicBool,
) -> usize {
    let mut count = 0;
    let mut client = setup.connect(server);
    while !stop.load(Ordering::Relaxed) {
        let (path, body) = match count % 3 {
            0 => ("/wait", "waited"),
            _ => ("/", "hello"),
        };
        client.get(path);
        let response = client.response();
        assert_eq!(response.text(), body);
        count += 1;
        // Some keep their connections, some have a new one for each request.
        if response.head.field("connection") == Some("close") || number % 2 == 1 {
            client = setup.connect(server);
        }
    }
    count
}

fn under_load(https: bool, steps: &[&str]) {
    let server = start(1, https);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (stop, setup, addr) = (Arc::clone(&stop), server.setup, server.addr);
            std::thread::spawn(move || load(setup, addr, number, &stop))
        })
        .collect();
    for step in steps {
        change_to(&server, step);
    }
    settle(&server, steps.last().unwrap().parse().unwrap());
    stop.store(true, Ordering::Relaxed);
    let asked: usize = clients
        .into_iter()
        .map(|client| client.join().expect("no request fails"))
        .sum();
    assert!(asked > 0);
    let mut stats = String::new();
    eventually("the counters are balanced", || {
        stats = server.get("/stats");
        let balanced = ["\"open_requests\":1,", "\"pins\":0,", "\"shuttles\":1,"];
        let stats = format!("{},", stats.replace('}', ","));
        balanced.iter().all(|wanted| stats.contains(wanted))
    });
    assert_eq!(server.stop(), 0);
}

#[test]
fn r22_r30_r34_threads_come_and_go_under_load_and_no_request_fails() {
    let steps = ["4", "1", "4", "2", "3", "1"];
    under_load(false, &steps.repeat(3));
    under_load(true, &steps);
    under_load(false, &["8", "1"].repeat(6));
    under_load(true, &["8", "1"].repeat(2));
}

#[test]
fn r22_r30_r34_from_threads_to_none_and_back_under_load() {
    let steps = ["0", "2", "0", "1"];
    under_load(false, &steps.repeat(3));
    under_load(true, &steps);
}

/// Connections with a response in progress, enough that every thread has some, and a last request
/// behind it.
fn holders(server: &Server) -> Vec<Client> {
    (0..24)
        .map(|_| {
            let mut client = server.connect();
            client.get("/held");
            client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            client.head();
            assert_eq!(client.part(), "begun ");
            client
        })
        .collect()
}

#[test]
fn r30_running_requests_finish_and_reloads_wait_for_them() {
    for (from, to) in [(4, 1), (0, 2), (2, 0)] {
        let server = start(from, false);
        let held = holders(&server);
        assert_eq!(server.get(&format!("/to?{to}")), "ok");
        for _ in 0..2 {
            let refused = server.get("/to?4");
            assert!(refused.ends_with(BUSY), "{refused}");
        }
        server.get("/open");
        for mut client in held {
            assert_eq!(client.part(), "end");
            assert_eq!(client.chunk(), None);
            assert!(client.rest().ends_with(b"hello"));
        }
        settle(&server, to);
        change_to(&server, "3");
        settle(&server, 3);
        assert_eq!(server.stop(), 0);
    }
}

/// How many of these were reset; the others are still served.
fn count_reset(server: &Server, held: Vec<Client>) -> usize {
    server.get("/open");
    held.into_iter()
        .map(|mut client| client.rest())
        .filter(|rest| !rest.ends_with(b"hello"))
        .count()
}

#[test]
fn r26_r28_by_force() {
    for (from, to) in [(4, 1), (0, 2), (2, 0)] {
        let server = start(from, false);
        let held = holders(&server);
        change_to(&server, &to.to_string());
        for _ in 0..2 {
            eventually("force begins", || ask(&server, "/force") == "forced");
        }
        eventually("force is over", || ask(&server, "/forced") == "true");
        assert_eq!(server.get(&format!("/to?{to}")), "ok", "nobody is left");
        let reset = count_reset(&server, held);
        assert!(
            reset > 0 && (from < 4 || reset < 24),
            "{from} {to}: {reset}"
        );
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn r29_after_their_time_connections_of_surplus_threads_are_reset() {
    let server = start(4, false);
    let held = holders(&server);
    change_to(&server, "1,0.05");
    settle(&server, 1);
    let reset = count_reset(&server, held);
    assert!(reset > 0 && reset < 24, "{reset}");
    assert_eq!(server.stop(), 0);
}

#[test]
fn shutdown_does_not_wait_for_the_patient() {
    let server = start(4, false);
    let held = holders(&server);
    change_to(&server, "1");
    server.get("/open");
    assert_eq!(server.stop(), 0);
    drop(held);
}

#[test]
fn r32_r37_two_hundred_cycles_leak_nothing() {
    let cycles = |count: usize| {
        format!(
            "local httpng, log = require('httpng'), require('log')
             local function cfg(threads)
                 local function handler() return {{ body = 'x' }} end
                 httpng.cfg {{ threads = threads, handler = handler }}
                 httpng.force_decrease_threads()
             end
             for _ = 1, {count} do
                 cfg(1) cfg(3) cfg(2) cfg(0) cfg(2)
             end
             log.info('ready now')"
        )
    };
    let mut held = None;
    for count in [1, 200] {
        let server = Server::start_free(&cycles(count), false, DESCRIPTORS);
        server.wait_line("ready now");
        // It stays while they are counted.
        let mut client = server.connect();
        client.get("/");
        assert_eq!(client.response().text(), "x");
        let mut now = (None, None);
        eventually("threads and descriptors are given back", || {
            now = (entries(server.pid(), "task"), entries(server.pid(), "fd"));
            held.is_none_or(|before| before == now)
        });
        held = Some(now);
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn r34_r37_a_reload_that_runs_out_of_descriptors_changes_nothing() {
    for from in [0, 2] {
        let program = PROGRAM.replace("--THREADS--", &from.to_string());
        let server = Server::start_free(&program, false, 60);
        let before = (entries(server.pid(), "task"), entries(server.pid(), "fd"));
        let refused = server.get("/to?200");
        assert!(refused.contains("cannot start a worker: "), "{refused}");
        assert_eq!(server.get("/"), "hello");
        eventually("everything is as before", || {
            before == (entries(server.pid(), "task"), entries(server.pid(), "fd"))
        });
        change_to(&server, "3");
        settle(&server, 3);
        assert_eq!(server.stop(), 0);
    }
}
