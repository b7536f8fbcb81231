//! Everything at random: whatever clients, the other shore and the clock do, and in whatever
//! order, every shuttle comes home, every answer is whole or visibly cut, and nothing is left.

use std::io::Write as _;
use std::time::Duration;

use http_proto::{Leg, Site, Sites};
use proptest::prelude::*;

use super::world::{LARGE, Seen, Setup, World, respond};
use crate::{App, Command, Serve};

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Op {
    Connect,
    /// A client sends this piece of text, which need not fit what it sent before.
    Say(usize, usize),
    Finish(usize),
    Reset(usize),
    /// A client reads this much, if it was slow.
    Read(usize, usize),
    /// TX does this with this shuttle.
    Tx(usize, usize),
    MustClose(usize),
    Pass(u64),
}

const TEXTS: &[&str] = &[
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "HEAD /g HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /h HTTP/1.0\r\n\r\n",
    "GET /i HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "GET /j HT",
    "\r\n",
    "nonsense\r\n\r\n",
    // Bodies that are not complete yet, and what completes them or not.
    "POST /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo",
    "POST /l HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n",
    "dy\r\n0\r\n\r\n",
];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Connect),
        8 => (0..8usize, 0..TEXTS.len()).prop_map(|(client, text)| Op::Say(client, text)),
        1 => (0..8usize).prop_map(Op::Finish),
        1 => (0..8usize).prop_map(Op::Reset),
        2 => (0..8usize, 0..2_000_000usize).prop_map(|(client, bytes)| Op::Read(client, bytes)),
        10 => (0..8usize, 0..8usize).prop_map(|(shuttle, what)| Op::Tx(shuttle, what)),
        2 => (0..4usize).prop_map(Op::MustClose),
        1 => (0..40_000u64).prop_map(Op::Pass),
    ]
}

fn play(world: &mut World, op: Op) {
    let clients = world.clients.len();
    let at = |number: usize| (clients > 0).then(|| number % clients.max(1));
    match op {
        Op::Connect if clients < 8 => {
            let client = if clients.is_multiple_of(2) {
                world.connect()
            } else {
                world.connect_slow(4096)
            };
            world.clients[client].stream.set_nonblocking(true).unwrap();
            world.settle();
        }
        Op::Connect => {}
        Op::Say(client, text) => {
            if let Some(client) = at(client) {
                // It may be closed by now, or full.
                let _ = world.clients[client].stream.write(TEXTS[text].as_bytes());
                world.settle();
            }
        }
        Op::Finish(client) => {
            if let Some(client) = at(client) {
                let _ = world.clients[client]
                    .stream
                    .shutdown(std::net::Shutdown::Write);
                world.settle();
            }
        }
        Op::Reset(client) => {
            if let Some(client) = at(client).filter(|at| world.clients[*at].seen == Seen::Open) {
                world.reset(client);
            }
        }
        Op::Read(client, bytes) => {
            if let Some(client) = at(client) {
                let appetite = &mut world.clients[client].appetite;
                *appetite = appetite.saturating_add(bytes);
                world.settle();
            }
        }
        Op::Tx(number, what) => act(world, number, what),
        Op::MustClose(index) => {
            // Only of a shuttle that is away: the worker's, or on its way.
            let held = world
                .held
                .iter()
                .find(|shuttle| shuttle.leg() == Leg::Request);
            if let (Some(shuttle), true) = (held, index > 0) {
                let berth = shuttle.berth();
                let mut shuttle = world.take_berth(berth);
                shuttle.write(b"part", false).unwrap();
                world.tx().send(shuttle);
                let _ = world.tx().must_close(berth);
                world.settle();
            }
        }
        Op::Pass(ms) => world.pass(Duration::from_millis(ms)),
    }
}

/// TX does something legal, or drops the shuttle.
fn act(world: &mut World, number: usize, what: usize) {
    if world.held.is_empty() {
        return;
    }
    let mut shuttle = world.held.remove(number % world.held.len());
    shuttle.unpin();
    let is_pending = shuttle.must_close_pending();
    match (shuttle.leg(), what) {
        (Leg::Closed, _) => shuttle.advance(Leg::Release).unwrap(),
        (Leg::Body, 1..=4) if !shuttle.last => shuttle.advance(Leg::WantBody).unwrap(),
        (Leg::Body, 1..) => shuttle.advance(Leg::Release).unwrap(),
        (_, 0) => return drop(shuttle),
        _ if shuttle.is_abandoned() => return drop(shuttle),
        (Leg::Continue, _) if is_pending => shuttle.advance(Leg::Close).unwrap(),
        (Leg::Request, 1 | 2) => shuttle.answer(200, &[], b"answer").unwrap(),
        (_, 3) => shuttle.write(b"part", false).unwrap(),
        (_, 4) => shuttle.write(b"part", true).unwrap(),
        (_, 5) => {
            shuttle.write(b"", false).unwrap();
            shuttle.lend_static(&LARGE);
        }
        (_, 6) => shuttle.advance(Leg::Release).unwrap(),
        _ => shuttle.advance(Leg::Close).unwrap(),
    }
    world.send(shuttle);
}

/// Everybody finishes: what is left is answered and read, and the worker ends.
fn finish(world: &mut World, stops: bool) {
    world.command(if stops {
        Command::Stop
    } else {
        Command::Drain {
            deadline_ms: Some(1),
        }
    });
    world.pass(Duration::from_millis(1));
    let mut rounds = 0;
    while !world.core.is_finished() {
        respond(world);
        rounds += 1;
        assert!(
            rounds < 100,
            "it does not end: {:?} {}",
            world.stats(),
            world.at_tx()
        );
    }
    world.check_balance();
    assert_eq!(world.stats().open, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// R1, R2, R6, R7, R8, R21, R42.
    #[test]
    fn whatever_happens_everything_comes_home(
        ops in prop::collection::vec(op(), 1..60),
        berths in 1u16..6,
        stops: bool,
        streams: bool,
    ) {
        let app = App { streams_body: streams, ..App::default() };
        let routes = Sites::new([Site { path: "/".into(), value: Serve::App(app) }]);
        let mut world = World::new(Setup { berths, routes, ..Setup::default() });
        for op in ops {
            play(&mut world, op);
        }
        finish(&mut world, stops);
    }
}
