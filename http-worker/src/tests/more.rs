//! What TX appends to a shuttle that is here, or on its way.

use std::cell::RefCell;
use std::time::Duration;

use http_proto::drawing::{Mark, Witness};
use http_proto::{Exchange, Leg};
use shuttle_core::{Appended, BerthId, MustClose, Progress, TxShore};

use super::world::{LARGE, Setup, World};
use crate::core::Flush;
use crate::limits::LOOKS_PER_TURN_COUNT;

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client that reads so much has asked; TX has sent the head, and the worker has not looked.
fn begun(appetite: usize, fields: &[(&str, &str)], ask: &str) -> (World, usize, BerthId) {
    let mut world = World::new(Setup::default());
    let client = match appetite {
        usize::MAX => world.connect(),
        _ => world.connect_slow(4096),
    };
    world.ask(client, ask);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write_head(200, fields).unwrap();
    shuttle.write(b"", false).unwrap();
    if appetite == 0 {
        // More than any socket takes.
        (0..BEFORE_COUNT).for_each(|_| shuttle.lend_static(&LARGE));
    }
    world.tx().send(shuttle);
    (world, client, berth)
}

/// Pieces of a mebibyte that stand before what is appended for a client that does not read.
const BEFORE_COUNT: usize = 8;

impl World {
    fn append(&mut self, berth: BerthId, text: &str) -> Appended {
        self.tx().append(berth, text.as_bytes())
    }

    fn progress(&mut self, berth: BerthId) -> Progress {
        self.tx().progress(berth).unwrap()
    }

    /// The shuttle is home for the last time: what was not sent is forgotten.
    fn end(&mut self, discarded: usize) {
        let mut shuttle = self.take();
        assert_eq!(shuttle.leg(), Leg::Closed);
        assert_eq!(shuttle.discard_chunks(), discarded);
        shuttle.unpin();
        shuttle.advance(Leg::Release).unwrap();
        self.send(shuttle);
        self.check_balance();
    }
}

#[test]
fn what_is_appended_before_the_worker_looks_leaves_in_one_write_and_one_frame() {
    let (mut world, client, berth) = begun(usize::MAX, &[], GET);
    for _ in 0..3 {
        assert_eq!(world.append(berth, "tick "), Appended::InTime);
    }
    let writes = world.stats().writes;
    world.settle();
    assert_eq!(world.stats().writes, writes + 1);
    let head = "HTTP/1.1 200 OK|Transfer-Encoding: chunked||f|tick tick tick |<open>";
    assert_eq!(world.text(client), head);
    assert_eq!(world.at_tx(), "Continue /a");
    assert_eq!(world.progress(berth).sent_bytes, 15);

    // Too late: whoever has the shuttle sends it again.
    assert_eq!(world.append(berth, "tock"), Appended::TooLate);
    let mut shuttle = world.take();
    assert_eq!(shuttle.unsent_bytes(), 4);
    shuttle.write(b"", false).unwrap();
    world.send(shuttle);
    assert_eq!(world.text(client), "4|tock|<open>");
    assert_eq!(world.progress(berth).sent_bytes, 19);
    assert_eq!(world.append(berth, "end"), Appended::TooLate);
    let mut shuttle = world.take();
    shuttle.part = b"of the last time".to_vec();
    shuttle.advance(Leg::Close).unwrap();
    world.send(shuttle);
    assert_eq!(world.text(client), "3|end|0||<open>");
    world.end(0);
}

#[test]
fn the_part_and_lent_pieces_come_before_what_was_appended() {
    let mut world = World::new(Setup::default());
    let client = world.connect();
    world.ask(client, GET);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"part ", false).unwrap();
    shuttle.lend_static(b"lent ");
    world.tx().send(shuttle);
    assert_eq!(world.append(berth, "copied "), Appended::InTime);
    let lent = world.tx().append_static(berth, b"lent again");
    assert_eq!(lent, Appended::InTime);
    assert_eq!(world.tx().must_close(berth), MustClose::InTime);
    world.settle();
    assert_eq!(
        world.text(client),
        "HTTP/1.1 200 OK|Content-Length: 27||part lent copied lent again<open>",
        "all of it is known, so is its length"
    );
    world.end(0);
}

#[test]
fn a_slow_client_is_served_in_order_and_tx_hears_how_far_it_got() {
    let (mut world, client, berth) = begun(0, &[], GET);
    let large = world.tx().append_static(berth, &LARGE);
    assert_eq!(large, Appended::InTime);
    world.settle();
    assert_eq!(world.tx().await_progress(berth), Some(Progress::default()));
    while world.progress(berth).sent_bytes == 0 {
        assert_eq!(world.tx().hailed(), None);
        world.clients[client].appetite = 1 << 18;
        world.settle();
    }
    assert_eq!(world.tx().hailed(), Some(berth), "there was progress");
    assert!(!world.tx().client_gone(berth));
    assert!(world.progress(berth).sent_bytes < LARGE.len() as u64);
    world.clients[client].appetite = 1 << 18;
    world.settle();
    assert_eq!(world.tx().hailed(), None, "it was asked for once");

    assert_eq!(world.append(berth, "behind"), Appended::InTime);
    world.clients[client].appetite = usize::MAX;
    world.settle();
    assert_eq!(world.at_tx(), "Continue /a");
    let expected = format!(
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||900000|[{} x]|6|behind|<open>",
        9 << 20
    );
    assert_eq!(world.text(client), expected);
    assert_eq!(world.progress(berth).sent_bytes, LARGE.len() as u64 + 6);
    world.go(Leg::Close);
    assert_eq!(world.text(client), "0||<open>");
    world.end(0);
}

#[test]
fn beyond_the_declared_length_it_is_cut_and_counts_as_dealt_with() {
    for ask in [GET, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let (mut world, client, berth) = begun(usize::MAX, &[("Content-Length", "6")], ask);
        let _ = world.append(berth, "four");
        world.settle();
        let _ = world.tx().append_static(berth, &LARGE);
        let mut shuttle = world.take();
        shuttle.write(b"", false).unwrap();
        world.send(shuttle);
        assert_eq!(world.progress(berth).sent_bytes, 4 + LARGE.len() as u64);
        assert_eq!(world.progress(berth).settled_count, 1);
        world.go(Leg::Close);
        let body = if ask == GET { "fourxx" } else { "" };
        let expected = format!("HTTP/1.1 200 OK|Content-Length: 6||{body}<open>");
        assert_eq!(world.text(client), expected);
        world.end(0);
    }
}

#[test]
fn a_length_that_is_not_reached_ends_the_connection() {
    let (mut world, client, berth) = begun(usize::MAX, &[("Content-Length", "6")], GET);
    let _ = world.append(berth, "four");
    let _ = world.tx().must_close(berth);
    world.settle();
    let expected = "HTTP/1.1 200 OK|Content-Length: 6||four<end>";
    assert_eq!(world.text(client), expected);
    world.end(0);
}

#[test]
fn r4_r2_the_client_leaves_with_chunks_on_their_way() {
    for leaves in [World::reset, World::finish] {
        let (mut world, client, berth) = begun(0, &[], GET);
        let _ = world.tx().append_static(berth, &LARGE);
        world.settle();
        let _ = world.append(berth, "not looked for");
        leaves(&mut world, client);
        assert!(world.tx().client_gone(berth));
        assert_ne!(world.append(berth, " any more"), Appended::Stale);
        world.clients[client].appetite = usize::MAX;
        world.settle();
        assert_eq!(world.at_tx(), "Closed /a gone");
        let sent = world.progress(berth).sent_bytes as usize;
        world.end(LARGE.len() + "not looked for any more".len() - sent);
    }
}

#[test]
fn r1_the_worker_stops_with_chunks_on_their_way() {
    let (mut world, _, berth) = begun(0, &[], GET);
    let _ = world.tx().append_static(berth, &LARGE);
    world.settle();
    let _ = world.append(berth, "not looked for");
    world.command(crate::Command::Stop);
    assert_eq!(world.at_tx(), "Closed /a gone");
    world.end(LARGE.len() + "not looked for".len());
}

/// TX, and how often it appended.
type Writer = (TxShore<Exchange>, BerthId, usize);

thread_local! {
    static WRITER: RefCell<Option<Writer>> = const { RefCell::new(None) };
}

/// Appends at the very moment in which a part was given to the socket, for ever.
struct NeverStops;

impl Witness for NeverStops {
    fn mark(&mut self, mark: Mark, _: u64) {
        if !matches!(mark, Mark::ResponseToClient | Mark::BodyToClient) {
            return;
        }
        WRITER.with_borrow_mut(|writer| {
            if let Some((tx, berth, count)) = writer {
                assert_eq!(tx.append(*berth, b"tick"), Appended::InTime);
                *count += 1;
            }
        });
    }
}

#[test]
fn who_never_stops_writing_does_not_keep_the_others_waiting() {
    let mut world = World::watched(Setup::default(), Some(Box::new(NeverStops)));
    let client = world.connect();
    world.ask(client, GET);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"", false).unwrap();
    world.tx().send(shuttle);
    WRITER.set(Some((world.take_tx(), berth, 0)));
    let count = || WRITER.with_borrow(|writer| writer.as_ref().map_or(0, |writer| writer.2));
    // In the first turn it is served twice: for its shuttle, and as one that has more to do.
    for turn in 2..5 {
        let handled = world.core.turn(Some(Duration::ZERO), Flush::Lazily);
        assert!(handled.is_ok());
        assert_eq!(count(), 1 + turn * LOOKS_PER_TURN_COUNT);
    }
    let (tx, _, count) = WRITER.take().expect("it was put there");
    world.give_tx(tx);
    world.settle();
    assert_eq!(world.progress(berth).sent_bytes as usize, count * 4);
    assert_eq!(world.at_tx(), "Continue /a");
    world.go(Leg::Close);
    world.end(0);
}
