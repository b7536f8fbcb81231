//! What hostile clients do, and what it costs: memory of the server, and the time that an honest
//! client waits meanwhile. A test runs it small; `cargo xtask hostile` runs it large.

#![allow(dead_code, reason = "a test and an example use different parts of it")]

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::frames::reason;

/// The server under attack: answers `/hello` with a few bytes and `/big` with a mebibyte.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) pid: u32,
}

/// One way to attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// How many connections, or requests, a small run and a large one make.
    pub(crate) small: usize,
    pub(crate) large: usize,
    pub(crate) run: fn(&Scene<'_>) -> Cut,
}

/// What an attack works with.
pub(crate) struct Scene<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) count: usize,
    pub(crate) stop: &'a AtomicBool,
    /// How many attackers are not done, and not thrown out.
    pub(crate) left: &'a AtomicUsize,
}

/// How many attackers were thrown out, of how many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    pub(crate) out: usize,
    pub(crate) of: usize,
    /// How, where an attack knows.
    pub(crate) why: Option<Why>,
}

/// What attackers over HTTP/2 were told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Why {
    /// GOAWAY with this reason.
    Goaway(u32),
    /// RST_STREAM with this one.
    Streams(u32),
    /// Nothing: the connection was closed or reset.
    Closed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goaway(code) => write!(f, "GOAWAY {}", reason(*code)),
            Self::Streams(code) => write!(f, "RST_STREAM {}", reason(*code)),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// What an attack did.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) growth_kib: u64,
    /// How long honest requests took, connecting included, shortest first.
    pub(crate) times: Vec<Duration>,
    pub(crate) cut: Cut,
}

impl Measured {
    pub(crate) fn p95(&self) -> Duration {
        self.times[self.times.len() * 95 / 100]
    }
}

/// A program in Lua to attack, with so many seconds of patience.
pub(crate) fn program(patience: u32) -> String {
    format!(
        "local big = ('x'):rep(1024 * 1024)
         require('httpng').cfg {{
             header_timeout = {patience}, body_timeout = {patience},
             idle_timeout = {patience}, write_timeout = {patience},
             handler = function(req)
                 return {{ body = req.path == '/big' and big or 'hello' }}
             end,
         }}"
    )
}

/// Runs one attack; honest requests go on until no attacker is left, and for `lasting` at most.
pub(crate) fn measure(
    target: Target,
    attack: &Attack,
    count: usize,
    lasting: Duration,
) -> Measured {
    let (stop, left) = (AtomicBool::new(false), AtomicUsize::new(count));
    let end = End(&stop);
    let before = memory_kib(target.pid, "VmRSS:");
    let mut times = Vec::new();
    let cut = std::thread::scope(|scope| {
        let scene = Scene {
            addr: target.addr,
            count,
            stop: &stop,
            left: &left,
        };
        let attacker = scope.spawn(move || (attack.run)(&scene));
        let begin = Instant::now();
        let goes_on = || left.load(Ordering::Relaxed) > 0 && begin.elapsed() < lasting;
        while goes_on() || times.len() < 20 {
            times.push(ask_honestly(target.addr));
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(end);
        attacker.join().expect("the attacker does not fail")
    });
    times.sort();
    // Each server is attacked once, so its peak is that of the attack.
    let most = memory_kib(target.pid, "VmHWM:");
    Measured {
        growth_kib: most.saturating_sub(before),
        times,
        cut,
    }
}

/// Ends the attack when it goes, also when an honest request has failed.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A new connection, one request, its answer.
fn ask_honestly(addr: SocketAddr) -> Duration {
    let begin = Instant::now();
    let mut stream = connect(addr);
    let request = b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("a request can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer comes");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    begin.elapsed()
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let patience = Duration::from_secs(20);
    let stream = TcpStream::connect_timeout(&addr, patience).expect("the server takes connections");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    stream.set_write_timeout(Some(patience)).expect("a timeout");
    stream
}

/// Resident memory of a process, now or at its peak; zero where the system does not tell.
fn memory_kib(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Opens connections that each begin with `start`, then send `drip` now and then and take `sip`
/// bytes, until the end of the attack.
fn crowd(scene: &Scene<'_>, start: &[u8], drip: &[u8], sip: usize) -> Cut {
    let mut open = Vec::new();
    let mut cut = Cut {
        out: 0,
        of: scene.count,
        why: None,
    };
    for _ in 0..scene.count {
        let mut stream = connect(scene.addr);
        stream.set_nonblocking(true).expect("a socket");
        // What does not fit at once is not sent at all: the server reads no more.
        let _ = stream.write(start);
        open.push(stream);
    }
    while !scene.stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        open.retain_mut(|stream| stays(stream, drip, sip));
        scene.left.store(open.len(), Ordering::Relaxed);
    }
    open.retain_mut(|stream| stays(stream, drip, usize::MAX));
    cut.out = scene.count - open.len();
    cut
}

/// Sends and takes a little. False: the server has ended the connection.
fn stays(stream: &mut TcpStream, drip: &[u8], sip: usize) -> bool {
    let would_block = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted);
    if !drip.is_empty() && stream.write(drip).is_err_and(|e| !would_block(e.kind())) {
        return false;
    }
    let mut left = sip;
    let mut buffer = [0; 16 * 1024];
    while left > 0 {
        let room = left.min(buffer.len());
        match stream.read(&mut buffer[..room]) {
            Ok(0) => return false,
            Ok(count) => left -= count,
            Err(e) => return would_block(e.kind()),
        }
    }
    true
}

/// Goes on as fast as it can, each time with a new connection: opens, sends, and ends it somehow.
fn flood(scene: &Scene<'_>, mut one: impl FnMut(usize, TcpStream)) -> Cut {
    for number in 0..scene.count {
        if scene.stop.load(Ordering::Relaxed) {
            break;
        }
        one(number, connect(scene.addr));
    }
    wait(scene);
    Cut::default()
}

fn wait(scene: &Scene<'_>) {
    scene.left.store(0, Ordering::Relaxed);
    while !scene.stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

const POST: &str = "POST /hello HTTP/1.1\r\nHost: h\r\n";

fn chunked(rest: &str) -> Vec<u8> {
    format!("{POST}Transfer-Encoding: chunked\r\n\r\n{rest}").into_bytes()
}

/// Requests one after the other on one connection, never waiting for an answer.
fn pipeline(scene: &Scene<'_>) -> Cut {
    let mut writer = connect(scene.addr);
    let mut reader = writer.try_clone().expect("a handle");
    let count = scene.count;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let request = b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
            for _ in 0..count / 100 {
                writer.write_all(&request).expect("the server reads on");
            }
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut answers = 0;
        let mut tail = Vec::new();
        let mut buffer = [0; 64 * 1024];
        while answers < count {
            let read = reader.read(&mut buffer).expect("answers come");
            assert!(
                read > 0,
                "the server ended after {answers} of {count} answers"
            );
            tail.extend_from_slice(&buffer[..read]);
            let mark = b"200 OK";
            answers += tail.windows(mark.len()).filter(|w| w == mark).count();
            let keep = tail.len().min(mark.len() - 1);
            tail.drain(..tail.len() - keep);
        }
    });
    wait(scene);
    Cut::default()
}

fn reset(stream: &TcpStream) {
    // std cannot set it, and a socket that closes with unread bytes resets too: this is best
    // effort, with what there is.
    let _ = stream.shutdown(Shutdown::Both);
}

/// All of them.
pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "idle connections",
        small: 500,
        large: 5_000,
        run: |scene| crowd(scene, b"", b"", usize::MAX),
    },
    Attack {
        name: "heads, a byte now and then",
        small: 300,
        large: 3_000,
        run: |scene| crowd(scene, b"GET / HTTP/1.1\r\nX: ", b"a", usize::MAX),
    },
    Attack {
        name: "large heads that never end",
        small: 500,
        large: 3_000,
        run: |scene| {
            let start = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(60_000));
            crowd(scene, start.as_bytes(), b"a", usize::MAX)
        },
    },
    Attack {
        name: "heads without end",
        small: 100,
        large: 1_000,
        run: |scene| {
            let field = format!("X: {}\r\n", "a".repeat(4_000));
            crowd(scene, b"GET / HTTP/1.1\r\n", field.as_bytes(), usize::MAX)
        },
    },
    Attack {
        name: "bodies, a byte now and then",
        small: 300,
        large: 3_000,
        run: |scene| {
            let start = format!("{POST}Content-Length: 1000000\r\n\r\n");
            crowd(scene, start.as_bytes(), b"b", usize::MAX)
        },
    },
    Attack {
        name: "large bodies that never end",
        small: 150,
        large: 1_000,
        run: |scene| {
            let mut start = format!("{POST}Content-Length: 1000000\r\n\r\n");
            start.push_str(&"b".repeat(900_000));
            crowd(scene, start.as_bytes(), b"b", usize::MAX)
        },
    },
    Attack {
        name: "chunk extensions without end",
        small: 100,
        large: 1_000,
        run: |scene| {
            crowd(
                scene,
                &chunked("1"),
                b";aaaaaaaaaaaaaaaaaaaaaaaa",
                usize::MAX,
            )
        },
    },
    Attack {
        name: "many tiny chunks",
        small: 20,
        large: 1_000,
        run: |scene| {
            let chunks = "1\r\nb\r\n".repeat(1_000);
            crowd(scene, &chunked(""), chunks.as_bytes(), usize::MAX)
        },
    },
    Attack {
        name: "readers of a byte now and then",
        small: 100,
        large: 1_000,
        run: |scene| {
            let request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n".repeat(20);
            crowd(scene, request.as_bytes(), b"", 1)
        },
    },
    Attack {
        name: "a connection for each request",
        small: 1_000,
        large: 20_000,
        run: |scene| {
            flood(scene, |_, mut stream| {
                let _ = stream.write_all(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
                let _ = stream.read(&mut [0; 512]);
            })
        },
    },
    Attack {
        name: "connections half closed",
        small: 300,
        large: 5_000,
        run: |scene| {
            let mut open = Vec::new();
            flood(scene, |number, mut stream| {
                let starts: [&[u8]; 3] =
                    [b"", b"GET / HT", b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n"];
                let _ = stream.write_all(starts[number % 3]);
                let _ = stream.shutdown(Shutdown::Write);
                open.push(stream);
            })
        },
    },
    Attack {
        name: "connections cut at every moment",
        small: 1_000,
        large: 20_000,
        run: |scene| {
            let whole = chunked("3\r\nabc\r\n0\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n");
            flood(scene, |number, mut stream| {
                let _ = stream.write_all(&whole[..number % (whole.len() + 1)]);
                reset(&stream);
            })
        },
    },
    Attack {
        name: "pipelined requests",
        small: 10_000,
        large: 100_000,
        run: pipeline,
    },
];
