//! `cfg`, reload and `shutdown` again and again, while clients come: nothing is left over.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::graceful::entries;
use crate::harness::{Server, Setup, eventually};

/// Goes through its cycles in an order that a small generator of random numbers decides, and says
/// after a tenth and after all of them what there is of everything that could leak.
const PROGRAM: &str = r#"
local httpng, fiber, log = require('httpng'), require('fiber'), require('log')
local seed = 7
local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return math.floor(seed / 65536) % n
end
local base = { addr = '127.0.0.1', port = --PORT-- }
local more = { addr = '127.0.0.1', port = 0 }
local function handler()
    local kept = ('x'):rep(2000)
    return function(req, io)
        if req.path == '/parts' then io:write(kept) fiber.sleep(0.001) io:write(kept) end
        return { body = kept }
    end
end
local function cfg(t)
    t.threads = --THREADS--
    t.thread_termination_timeout = 0.01
    t.handler = handler()
    t.sites = { { path = '/site', handler = handler() } }
    return pcall(httpng.cfg, t)
end
local actions = {
    function() return cfg {} end,
    function() return cfg { max_shuttles_per_thread = random(3) } end,
    function() return cfg { reload_listeners = true, listen = { base, more } } end,
    function() return cfg { reload_listeners = true, listen = { base } } end,
    function() return cfg { listen = 1 } end,
    function() return cfg { reload_listeners = true, listen = { base, { addr = '127.0.0.1',
        port = 0, tls = { { certificate_file = 'none', certificate_key_file = 'none' } } } } } end,
    function() return cfg { idle_timeout = 'x' } end,
    function() return pcall(httpng.force_decrease_threads) end,
    function() fiber.sleep(0.0005) end,
}
local function once()
    assert(cfg { listen = { base } })
    for _ = 1, random(3) do actions[1 + random(#actions)]() end
    if random(2) == 0 then fiber.sleep(0) end
    httpng.shutdown()
end
local function references()
    local count = 0
    for _ in pairs(debug.getregistry()) do count = count + 1 end
    return count
end
local function report(name)
    fiber.sleep(0.05)
    collectgarbage() collectgarbage()
    local stats, fibers, pages = httpng.stats(), 0, nil
    for _ in pairs(fiber.info()) do fibers = fibers + 1 end
    local statm = io.open('/proc/self/statm')
    if statm then pages = statm:read('*l'):match('^%d+ (%d+)') statm:close() end
    assert(stats.open_requests == 0 and stats.pins == 0 and stats.shuttles == 0)
    assert(stats.connections == 0 and stats.threads == 0 and stats.threads_ending == 0)
    log.info('%s: %d references, %d fibers, %d KiB, %s pages, end', name, references(), fibers,
        collectgarbage('count'), pages or 0)
    log.info('go on after %s', name)
end
for i = 1, --CYCLES-- do
    once()
    if i == --CYCLES-- / 10 then report('early') fiber.sleep(0.3) end
end
report('late')
fiber.sleep(1000)
"#;

/// The numbers of a report.
fn numbers(line: &str) -> Vec<i64> {
    let text = line.split_once(": ").unwrap().1;
    text.split([' ', ','])
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Asks whether it is heard or not.
fn knock(addr: SocketAddr, number: usize) {
    use std::io::{Read as _, Write as _};
    let patience = Duration::from_millis(50);
    let Ok(mut socket) = TcpStream::connect_timeout(&addr, patience) else {
        std::thread::sleep(Duration::from_millis(1));
        return;
    };
    let _ = socket.set_read_timeout(Some(patience));
    let path = ["/", "/parts", "/site"][number % 3];
    let _ = socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    let _ = socket.read(&mut [0; 4096]);
}

fn cycles(threads: u16, count: usize) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = port.local_addr().unwrap();
    drop(port);
    let program = PROGRAM
        .replace("--PORT--", &addr.port().to_string())
        .replace("--THREADS--", &threads.to_string())
        .replace("--CYCLES--", &count.to_string());
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("app.lua");
    std::fs::write(&path, program).unwrap();
    let setup = Setup {
        threads,
        https: false,
        http2: false,
    };
    let server = Server::start_own_cfg(&path, setup, files);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    knock(addr, number);
                    number += 1;
                }
            })
        })
        .collect();
    let held = || (entries(server.pid(), "task"), entries(server.pid(), "fd"));
    let early = numbers(&server.wait_line("early: "));
    let first = held();
    let late = numbers(&server.wait_line("late: "));
    stop.store(true, Ordering::Relaxed);
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    eventually("threads and descriptors are as before", || first == held());
    // Where fibers of a pool rest their number may differ by a few; so may what memory is used.
    assert!(
        (late[0] - early[0]).abs() <= 16,
        "references: {early:?} {late:?}"
    );
    assert!(
        (late[1] - early[1]).abs() <= 8,
        "fibers: {early:?} {late:?}"
    );
    assert!(
        late[2] - early[2] <= 128,
        "memory of Lua: {early:?} {late:?}"
    );
    // The allocator keeps what was freed, up to many links' worth; one lost in each cycle is more.
    let spare = 50_000;
    assert!(late[3] - early[3] <= spare, "pages: {early:?} {late:?}");
    assert_eq!(server.stop(), 0);
}

#[test]
fn r29_r36_r37_a_thousand_cycles_in_the_lua_thread_leak_nothing() {
    cycles(0, 1000);
}

#[test]
fn r29_r36_r37_cycles_with_threads_leak_nothing() {
    cycles(2, 100);
}
