//! A server that has come to its stride asks the allocator for nothing more: neither the workers
//! nor Lua, for requests of HTTP/1.1 on connections that are kept.
//!
//! One test alone in its process, for all of the process is counted: the server runs in it, and the
//! client uses nothing but the stack.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use httpng::bells::TxBells;
use httpng::exit::Exit;
use httpng::signals::StopFlag;
use httpng::supervisor::Overrides;
use httpng::tx::{self, Ending, Options, Program};
use shuttle_core::Doorbell as _;
use signal_hook::consts::SIGTERM;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const PROGRAM: &str = r"
local httpng = require 'httpng'
local text = { ['content-type'] = 'text/plain' }
local fixed = { ['content-length'] = '92' }
httpng.cfg {
    listen = '127.0.0.1:0',
    handler = function(req, io)
        if req.path == '/hello' then
            return { status = 200, headers = text, body = 'Hello, World!' }
        elseif req.path == '/echo' then
            return { body = req.body, headers = { ['x-agent'] = req.headers['user-agent'] } }
        end
        io:write_header(200, fixed)
        for _ = 1, 10 do
            io:write('a part, ')
        end
        io:write('and the end.', true)
    end,
}
";

/// Requests of a round: of several collections of Lua's.
const REQUESTS: usize = 1000;

/// So many rounds until there has to be one that asks for nothing.
const ROUNDS: usize = 20;

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Case {
    request: &'static [u8],
    /// With what the answer ends.
    end: &'static [u8],
}

const CASES: [Case; 3] = [
    Case {
        request: b"GET /hello HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\n\r\n",
        end: b"Hello, World!",
    },
    Case {
        request:
            b"POST /echo HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nContent-Length: 11\r\n\r\n\
            {\"key\": 42}",
        end: b"{\"key\": 42}",
    },
    Case {
        request: b"GET /parts HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
        end: b"and the end.",
    },
];

fn serve(threads: u16, stop: StopFlag, bells: TxBells, found: Sender<SocketAddr>) -> Ending {
    let options = Options {
        program: Program::Text("counted", PROGRAM.to_owned(), Vec::new()),
        overrides: Overrides {
            threads: Some(threads),
            on_listen: Some(Box::new(move |addr| found.send(addr).unwrap())),
            ..Overrides::default()
        },
        on_bell: Some(Box::new(move |bell| bells.add(bell))),
        drain_timeout: Duration::from_secs(5),
        stuck_after: Duration::ZERO,
    };
    tx::run(options, stop)
}

/// Sends one request and takes its answer, on the stack alone.
fn exchange(client: &mut TcpStream, case: &Case) {
    client.write_all(case.request).unwrap();
    let mut answer = [0; 1024];
    let mut len = 0;
    while !answer[..len].ends_with(case.end) {
        let count = client.read(&mut answer[len..]).unwrap();
        assert!(count > 0, "closed after {}", answer[..len].escape_ascii());
        len += count;
    }
}

/// The fewest blocks that were asked for while a round of requests was served. The first rounds
/// let every buffer find its size, and Lua's lists of free blocks the peak between two collections.
fn blocks(client: &mut TcpStream, case: &Case) -> u64 {
    let mut fewest = u64::MAX;
    let mut rounds = 0..ROUNDS;
    while fewest > 0 && rounds.next().is_some() {
        let before = dhat::HeapStats::get().total_blocks;
        (0..REQUESTS).for_each(|_| exchange(client, case));
        fewest = fewest.min(dhat::HeapStats::get().total_blocks - before);
    }
    fewest
}

fn check(threads: u16) {
    let (stop, bells) = (StopFlag::default(), TxBells::default());
    let (found, addresses) = channel();
    let server = {
        let (stop, bells) = (stop.clone(), bells.clone());
        thread::spawn(move || serve(threads, stop, bells, found))
    };
    let addr = addresses.recv().unwrap();
    let mut client = TcpStream::connect(addr).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for case in &CASES {
        let asked = blocks(&mut client, case);
        let request = case.request.escape_ascii();
        assert_eq!(
            asked, 0,
            "blocks at least for {REQUESTS} times {request} with {threads} threads"
        );
    }
    drop(client);
    stop.ask(SIGTERM);
    bells.ring();
    let ending = server.join().unwrap();
    assert_eq!(ending.exit, Exit::Done, "{ending:?}");
}

#[test]
fn a_request_asks_for_no_memory() {
    let _counts = dhat::Profiler::builder().testing().build();
    for threads in 0..3 {
        check(threads);
    }
}
