//! Sleeping and waking with real descriptors.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::{Reactor, wait_readable, wait_writable};
use crate::limits::EVENTS_PER_WAIT_COUNT;
use crate::test_world::{World, in_world};
use crate::{FiberRef, Wakeup};

const LONG: Option<Duration> = Some(Duration::from_secs(30));
const NONE: Option<Duration> = Some(Duration::ZERO);

fn pair() -> (Rc<UnixStream>, UnixStream) {
    let (own, other) = UnixStream::pair().unwrap();
    own.set_nonblocking(true).unwrap();
    (Rc::new(own), other)
}

/// A fiber that waits for bytes and says how it ended.
fn reader(world: &World, socket: &Rc<UnixStream>, in_ms: Option<u64>) -> FiberRef {
    let (log, socket) = (world.log(), Rc::clone(socket));
    let deadline = in_ms.and_then(|ms| world.in_ms(ms));
    world.spawn("reader", move || {
        log.say(format!("{:?}", wait_readable(&*socket, deadline).unwrap()));
    })
}

#[test]
fn a_ring_from_another_thread_ends_the_sleep() {
    let mut reactor = Reactor::new().unwrap();
    let bell = reactor.doorbell();
    let ringer = thread::spawn(move || bell.ring());
    assert_eq!(reactor.wait(LONG).unwrap(), 1);
    ringer.join().unwrap();
}

#[test]
fn a_ring_before_the_sleep_is_not_lost_and_counts_once() {
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..3 {
        for _ in 0..5 {
            reactor.doorbell().ring();
        }
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        assert_eq!(reactor.wait(NONE).unwrap(), 0, "nobody rang since");
    }
}

#[test]
fn without_a_ring_the_sleep_ends_by_its_time() {
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.wait(Some(Duration::from_millis(1))).unwrap(), 0);
}

#[test]
fn it_can_sleep_inside_another_loop() {
    let mut reactor = Reactor::new().unwrap();
    let mut outer = Poll::new().unwrap();
    let fd = reactor.as_raw_fd();
    outer
        .registry()
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(1);
    outer.poll(&mut events, NONE).unwrap();
    assert!(events.is_empty());
    reactor.doorbell().ring();
    outer.poll(&mut events, LONG).unwrap();
    assert!(!events.is_empty());
    assert_eq!(reactor.wait(NONE).unwrap(), 1);
}

#[test]
fn a_fiber_waits_until_bytes_come() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, mut other) = pair();
        reader(world, &own, None);
        world.turn();
        assert_eq!(reactor.wait(NONE).unwrap(), 0);
        other.write_all(b"x").unwrap();
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        world.turn();
        assert_eq!(world.said(), "Ready");
        assert_eq!(format!("{reactor:?}"), "Reactor(0 watched)");
    });
}

#[test]
fn bytes_that_are_there_already_are_seen() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, mut other) = pair();
        other.write_all(b"x").unwrap();
        for _ in 0..2 {
            reader(world, &own, None);
            world.turn();
            assert_eq!(reactor.wait(LONG).unwrap(), 1, "they are still there");
            world.turn();
            assert_eq!(world.said(), "Ready");
        }
    });
}

#[test]
fn the_end_of_the_other_side_wakes_readers_and_writers() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, other) = pair();
        fill(&own);
        reader(world, &own, None);
        let (log, socket) = (world.log(), Rc::clone(&own));
        world.spawn("writer", move || {
            log.say(format!("{:?}", wait_writable(&*socket, None)))
        });
        world.turn();
        drop(other);
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        world.turn();
        assert_eq!(world.said(), "Ready Ok(Ready)");
    });
}

#[test]
fn deadline_and_cancellation_end_the_wait_and_nothing_stays_watched() {
    in_world(|world| {
        let reactor = Reactor::new().unwrap();
        let (own, _other) = pair();
        reader(world, &own, Some(5));
        let cancelled = reader(world, &own, None);
        world.turn();
        assert_eq!(format!("{reactor:?}"), "Reactor(1 watched)");
        cancelled.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "Cancelled Timeout");
        assert_eq!(format!("{reactor:?}"), "Reactor(0 watched)");
    });
}

#[test]
fn several_wait_for_one_descriptor_and_one_leaves() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, mut other) = pair();
        let [leaver, _, _] = [None; 3].map(|in_ms| reader(world, &own, in_ms));
        let (log, socket) = (world.log(), Rc::clone(&own));
        world.spawn("writer", move || {
            assert_eq!(wait_writable(&*socket, None).unwrap(), Wakeup::Ready);
            log.say("writable");
        });
        world.turn();
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        leaver.cancel();
        world.turn();
        assert_eq!(world.said(), "writable Cancelled");
        other.write_all(b"x").unwrap();
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        world.turn();
        assert_eq!(world.said(), "Ready Ready");
    });
}

/// Writes until there is no room.
fn fill(socket: &UnixStream) {
    let mut writer = socket;
    while writer.write(&[0; 4096]).is_ok() {}
}

#[test]
fn a_fiber_waits_for_room() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, mut other) = pair();
        fill(&own);
        let (log, socket) = (world.log(), Rc::clone(&own));
        world.spawn("writer", move || {
            log.say(format!("{:?}", wait_writable(&*socket, None)))
        });
        world.turn();
        assert_eq!(reactor.wait(NONE).unwrap(), 0);
        let mut bytes = vec![0; 1 << 20];
        assert!(other.read(&mut bytes).unwrap() > 0);
        // More edges may be needed before the kernel calls it room.
        other.set_nonblocking(true).unwrap();
        while other.read(&mut bytes).is_ok_and(|len| len > 0) {}
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        world.turn();
        assert_eq!(world.said(), "Ok(Ready)");
    });
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    in_world(|world| {
        let _reactor = Reactor::new().unwrap();
        let file = File::open("Cargo.toml").unwrap();
        let log = world.log();
        world.spawn("reader", move || {
            log.say(format!(
                "{:?}",
                wait_readable(&file, None).unwrap_err().kind()
            ));
        });
        world.turn();
        if cfg!(target_os = "linux") {
            assert_eq!(world.said(), format!("{:?}", ErrorKind::PermissionDenied));
        }
    });
}

#[test]
fn without_a_reactor_it_is_an_error() {
    in_world(|world| {
        drop(Reactor::new().unwrap());
        let (own, _other) = pair();
        let log = world.log();
        world.spawn("reader", move || {
            log.say(wait_readable(&*own, None).unwrap_err())
        });
        world.turn();
        assert_eq!(world.said(), "this thread has no reactor");
    });
}

#[test]
fn more_events_than_fit_come_with_the_next_wait() {
    in_world(|world| {
        let mut reactor = Reactor::new().unwrap();
        let (own, mut other) = pair();
        other.write_all(b"x").unwrap();
        let readers_count = EVENTS_PER_WAIT_COUNT + 1;
        for _ in 0..readers_count {
            let clone = Rc::new(own.try_clone().unwrap());
            reader(world, &clone, None);
        }
        world.turn();
        assert_eq!(reactor.wait(LONG).unwrap(), EVENTS_PER_WAIT_COUNT);
        assert_eq!(reactor.wait(LONG).unwrap(), 1);
        assert_eq!(world.turn().ran, readers_count);
    });
}
