//! What the worker tells its witness, against its part of the drawings.

use std::sync::mpsc::{Receiver, Sender, channel};

use http_proto::drawing::{Mark, Member, Participant, Witness};
use http_proto::{Leg, Site, Sites};

use super::world::{LARGE, Setup, World};
use crate::{App, Serve};

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

struct Teller(Sender<Mark>);

impl Witness for Teller {
    fn mark(&mut self, mark: Mark, _ticket: u64) {
        self.0.send(mark).unwrap();
    }
}

/// A world with a witness, whose client has asked for `/a`.
fn asked() -> (World, usize, Receiver<Mark>) {
    let (teller, told) = channel();
    let mut world = World::watched(Setup::default(), Some(Box::new(Teller(teller))));
    let client = world.connect();
    world.ask(client, GET);
    (world, client, told)
}

/// The worker's part of a member, told by the worker or its client.
fn workers_part(member: Member) -> Vec<Mark> {
    let is_workers = |mark: &Mark| {
        matches!(
            mark.kind().actor(),
            Participant::Worker | Participant::Client
        )
    };
    member.marks().into_iter().filter(is_workers).collect()
}

fn check(told: &Receiver<Mark>, member: Member) {
    assert_eq!(told.try_iter().collect::<Vec<_>>(), workers_part(member));
}

#[test]
fn a_copied_answer() {
    let (mut world, _, told) = asked();
    world.answer(200, "hi");
    check(&told, Member::SimpleCopied);
}

#[test]
fn a_body_in_two_pieces() {
    let (teller, told) = channel();
    let app = App {
        streams_body: true,
        ..App::default()
    };
    let routes = Sites::new([Site {
        path: "/".into(),
        value: Serve::App(app),
    }]);
    let setup = Setup {
        routes,
        ..Setup::default()
    };
    let mut world = World::watched(setup, Some(Box::new(Teller(teller))));
    let client = world.connect();
    world.ask(
        client,
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n",
    );
    for (piece, next) in [("one", Leg::WantBody), ("two", Leg::Release)] {
        world.ask(client, piece);
        let mut body = world.held.pop().expect("a piece is at TX");
        body.advance(next).unwrap();
        world.send(body);
    }
    world.answer(200, "hi");
    check(&told, Member::Upload);
}

#[test]
fn a_lent_answer() {
    let (mut world, _, told) = asked();
    let mut shuttle = world.take();
    shuttle.write(b"", true).unwrap();
    shuttle.lend_static(&LARGE);
    world.send(shuttle);
    world.go(Leg::Release);
    check(&told, Member::Simple);
}

#[test]
fn two_writes_and_a_close() {
    let (mut world, _, told) = asked();
    world.write("one", false);
    world.write("two", false);
    world.go(Leg::Close);
    world.go(Leg::Release);
    check(&told, Member::Stage2Unlucky);
}

#[test]
fn a_close_in_time() {
    let (mut world, _, told) = asked();
    world.write("one", false);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"two", false).unwrap();
    world.tx().send(shuttle);
    let _ = world.tx().must_close(berth);
    world.settle();
    world.go(Leg::Release);
    check(&told, Member::Stage3InTime);
}

#[test]
fn parts_that_are_appended_in_time_and_too_late() {
    let (mut world, _, told) = asked();
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    shuttle.write(b"one", false).unwrap();
    world.tx().send(shuttle);
    let _ = world.tx().append(berth, b"two");
    world.settle();
    let _ = world.tx().append(berth, b"three");
    world.go(Leg::Close);
    world.go(Leg::Release);
    check(&told, Member::Stage4);
}

#[test]
fn a_part_that_waited_for_room() {
    let (mut world, _, told) = asked();
    world.write("one", false);
    let mut shuttle = world.take();
    let berth = shuttle.berth();
    let _ = world.tx().append(berth, b"two");
    shuttle.write(b"", false).unwrap();
    world.send(shuttle);
    let mut shuttle = world.take();
    let _ = world.tx().append(berth, b"three");
    shuttle.write(b"", false).unwrap();
    world.tx().send(shuttle);
    let _ = world.tx().must_close(berth);
    world.settle();
    world.go(Leg::Release);
    check(&told, Member::Stage4Limited);
}

#[test]
fn a_client_that_leaves_while_the_handler_runs() {
    let (mut world, client, told) = asked();
    world.reset(client);
    world.go(Leg::Release);
    check(&told, Member::Cancel);
}

#[test]
fn a_client_that_leaves_while_a_part_is_sent() {
    let (mut world, client, told) = asked();
    world.clients[client].appetite = 0;
    let mut shuttle = world.take();
    shuttle.write(b"", false).unwrap();
    for _ in 0..8 {
        shuttle.lend_static(&LARGE);
    }
    world.send(shuttle);
    world.reset(client);
    world.go(Leg::Release);
    check(&told, Member::CancelAway);
}
