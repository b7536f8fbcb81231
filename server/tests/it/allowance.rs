//! `max_shuttles_per_thread` changes while the server runs: at once where the link has room, by
//! other workers where it has not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::Client;
use crate::graceful::entries;
use crate::harness::{Server, eventually};

/// `/to?N` allows so many requests. `/held` waits for `/open`, which is a signal of ours: a file
/// that is there.
const PROGRAM: &str = r#"
local httpng, fiber = require('httpng'), require('fiber')
local held, is_open, handler = 0, false, nil
local function to(count)
    return pcall(httpng.cfg, {
        threads = --THREADS--, max_shuttles_per_thread = count, handler = handler,
        thread_termination_timeout = 0,
    })
end
handler = function(req)
    if req.path == '/held' then
        held = held + 1
        while not is_open do fiber.sleep(0.001) end
        return { body = 'was held' }
    end
    if req.path == '/wait' then fiber.sleep(0.002) return { body = 'waited' } end
    if req.path == '/to' then
        local ok, why = to(req.query)
        return { body = ok and 'ok' or why }
    end
    return { body = 'hello' }
end
assert(to(2))
fiber.create(function()
    local seen = 0
    while true do
        if seen ~= held then
            seen = held
            require('log').info('%d are held', held)
            if held == 2 then assert(to(--NEXT--)) end
            if held == 4 then is_open = true end
        end
        fiber.sleep(0.001)
    end
end)
"#;

fn start(threads: u16, next: u32) -> Server {
    let program = PROGRAM.replace("--THREADS--", &threads.to_string());
    Server::start_free(&program.replace("--NEXT--", &next.to_string()), false, 1024)
}

/// Four requests, of which two may be with Lua until the server is told otherwise; on two
/// connections, so that one worker has all of each.
fn four(server: &Server) -> Vec<Client> {
    (0..4)
        .map(|_| {
            let mut client = server.connect();
            client.get("/held");
            client
        })
        .collect()
}

#[test]
fn r38_l14_a_reload_changes_how_many_requests_a_running_worker_may_have() {
    // Beyond 4096 the link has no room, and other workers take over.
    for (threads, next) in [(0, 4), (1, 4), (0, 5000), (1, 5000)] {
        let server = start(threads, next);
        let clients = four(&server);
        server.wait_line("2 are held");
        server.wait_line("4 are held");
        for mut client in clients {
            assert_eq!(client.response().text(), "was held");
        }
        let was_replaced = server.log().contains("threads: ");
        assert_eq!(was_replaced, next > 4096, "{}", server.log());
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn r22_r34_more_room_under_load_and_no_request_fails() {
    for threads in [0, 2] {
        let server = start(threads, 2);
        let before = entries(server.pid(), "task");
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..3)
            .map(|number| {
                let (stop, setup, addr) = (Arc::clone(&stop), server.setup, server.addr);
                std::thread::spawn(move || crate::threads::load(setup, addr, number, &stop))
            })
            .collect();
        for count in [1, 4096, 1, 5000, 1, 6000, 4999, 7000, 1] {
            eventually("it may be changed", || {
                let said = server.get(&format!("/to?{count}"));
                assert!(
                    said == "ok" || said.contains("until threads will shut down"),
                    "{said}"
                );
                said == "ok"
            });
        }
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            load.join().expect("no request fails");
        }
        eventually("the former workers are gone", || {
            entries(server.pid(), "task") == before
        });
        assert_eq!(server.stop(), 0);
    }
}
