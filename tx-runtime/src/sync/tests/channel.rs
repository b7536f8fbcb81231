//! Channels: nothing lost, nothing twice, in order.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use crate::FiberRef;
use crate::sync::{Channel, GetError, PutError, TryPutError};
use crate::test_world::{World, in_world};

type Numbers = Rc<Channel<u32>>;

fn channel(capacity_count: usize) -> Numbers {
    Rc::new(Channel::new(capacity_count))
}

fn getter(world: &World, channel: &Numbers, name: &'static str, in_ms: Option<u64>) -> FiberRef {
    let (log, channel) = (world.log(), Rc::clone(channel));
    let deadline = in_ms.and_then(|ms| world.in_ms(ms));
    world.spawn(name, move || {
        log.say(format!("{name}:{:?}", channel.get(deadline)))
    })
}

fn putter(world: &World, channel: &Numbers, value: u32, in_ms: Option<u64>) -> FiberRef {
    let (log, channel) = (world.log(), Rc::clone(channel));
    let deadline = in_ms.and_then(|ms| world.in_ms(ms));
    world.spawn("putter", move || match channel.put(value, deadline) {
        Ok(()) => log.say(format!("put {value}")),
        Err(error) => log.say(format!("{error:?} {}", error.into_value())),
    })
}

#[test]
fn values_wait_up_to_the_capacity_and_come_out_in_order() {
    in_world(|world| {
        let channel = channel(2);
        assert!(channel.is_empty() && !channel.is_full());
        for value in [1, 2, 3, 4] {
            putter(world, &channel, value, None);
        }
        world.turn();
        assert_eq!(world.said(), "put 1 put 2");
        assert!(channel.is_full() && channel.has_writers() && !channel.has_readers());
        assert_eq!((channel.count(), channel.capacity_count()), (2, 2));
        assert_eq!(channel.try_put(5), Err(TryPutError::Full(5)));
        assert_eq!(channel.try_get(), Some(1));
        assert_eq!(channel.count(), 2, "the third came in");
        world.turn();
        assert_eq!(world.said(), "put 3");
        let got: Vec<_> = std::iter::from_fn(|| channel.try_get()).collect();
        assert_eq!(got, [2, 3, 4]);
        world.turn();
        assert_eq!(world.said(), "put 4");
    });
}

#[test]
fn without_capacity_values_are_handed_over() {
    in_world(|world| {
        let channel = channel(0);
        putter(world, &channel, 1, None);
        world.turn();
        assert_eq!((world.said().as_str(), channel.count()), ("", 0));
        getter(world, &channel, "a", None);
        world.turn();
        assert_eq!(world.said(), "a:Ok(1) put 1");
        getter(world, &channel, "b", None);
        world.turn();
        assert!(channel.has_readers());
        assert_eq!(channel.try_put(2), Ok(()));
        assert_eq!(channel.try_put(3), Err(TryPutError::Full(3)));
        world.turn();
        assert_eq!(world.said(), "b:Ok(2)");
    });
}

#[test]
fn getters_get_in_the_order_of_asking() {
    in_world(|world| {
        let channel = channel(5);
        for name in ["a", "b", "c"] {
            getter(world, &channel, name, None);
        }
        world.turn();
        for value in 1..=4 {
            assert_eq!(channel.try_put(value), Ok(()));
        }
        assert_eq!(channel.try_get(), Some(4), "the others are promised");
        world.turn();
        assert_eq!(world.said(), "a:Ok(1) b:Ok(2) c:Ok(3)");
    });
}

#[test]
fn a_wake_up_from_elsewhere_changes_no_order() {
    in_world(|world| {
        let channel = channel(5);
        let [_, b] = ["a", "b"].map(|name| getter(world, &channel, name, None));
        world.turn();
        assert!(b.wake());
        for value in 1..=2 {
            assert_eq!(channel.try_put(value), Ok(()));
        }
        world.turn();
        // It runs first, and still gets what it was promised.
        assert_eq!(world.said(), "b:Ok(2) a:Ok(1)");
    });
}

#[test]
fn a_value_survives_the_cancellation_of_its_getter() {
    in_world(|world| {
        let channel = channel(1);
        let fiber = getter(world, &channel, "a", Some(5));
        world.turn();
        assert_eq!(channel.try_put(1), Ok(()));
        fiber.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "a:Ok(1)");
    });
}

#[test]
fn r18_each_freed_place_lets_one_putter_in() {
    in_world(|world| {
        let channel = channel(1);
        (1..=5).for_each(|value| drop(putter(world, &channel, value, None)));
        world.turn();
        assert_eq!(world.said(), "put 1");
        for value in 1..=5 {
            assert_eq!(channel.try_get(), Some(value));
            world.turn();
            let put = format!("put {}", value + 1);
            assert_eq!(world.said(), if value < 5 { put.as_str() } else { "" });
        }
    });
}

#[test]
fn a_value_whose_putter_gave_up_is_skipped() {
    in_world(|world| {
        let channel = channel(0);
        putter(world, &channel, 1, Some(5));
        let cancelled = putter(world, &channel, 2, None);
        putter(world, &channel, 3, None);
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        let expected = "PutError(the fiber is cancelled) 2 PutError(timed out) 1";
        assert_eq!(world.said(), expected);
        assert_eq!(channel.try_get(), Some(3));
    });
}

#[test]
fn waits_end_by_deadline_and_cancellation() {
    in_world(|world| {
        let channel = channel(0);
        getter(world, &channel, "late", Some(5));
        let cancelled = getter(world, &channel, "cancelled", None);
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        assert_eq!(world.said(), "cancelled:Err(Cancelled) late:Err(Timeout)");
        assert!(!channel.has_readers());
        putter(world, &channel, 1, Some(5));
        let cancelled = putter(world, &channel, 2, None);
        world.turn();
        cancelled.cancel();
        world.pass_ms(5);
        let expected = "PutError(the fiber is cancelled) 2 PutError(timed out) 1";
        assert_eq!(world.said(), expected);
        assert!(!channel.has_writers());
    });
}

#[test]
fn a_value_taken_from_a_putter_that_timed_out_at_that_moment_was_put() {
    in_world(|world| {
        let channel = channel(0);
        putter(world, &channel, 1, Some(5));
        putter(world, &channel, 2, None);
        world.turn();
        let (own, log, deadline) = (Rc::clone(&channel), world.log(), world.in_ms(5));
        world.spawn("taker", move || {
            let _ = crate::park(deadline);
            log.say(format!("{:?}", own.try_get()));
        });
        world.turn();
        world.pass_ms(5);
        // The putter ran before the taker here; with the taker first it would have been put.
        assert_eq!(world.said(), "PutError(timed out) 1 Some(2) put 2");
        putter(world, &channel, 3, Some(5));
        world.turn();
        let late = crate::fibers().remove(0);
        assert!(late.cancel());
        assert_eq!(channel.try_get(), Some(3));
        world.turn();
        assert_eq!(world.said(), "put 3");
    });
}

#[test]
fn a_closed_channel_gives_what_is_in_and_tells_everybody() {
    in_world(|world| {
        let channel = channel(1);
        (1..=2).for_each(|value| drop(putter(world, &channel, value, None)));
        world.turn();
        assert_eq!(world.said(), "put 1");
        channel.close();
        channel.close();
        assert!(channel.is_closed());
        world.turn();
        assert_eq!(world.said(), "PutError(the channel is closed) 2");
        assert_eq!(channel.try_put(3), Err(TryPutError::Closed(3)));
        putter(world, &channel, 4, None);
        for name in ["a", "b"] {
            getter(world, &channel, name, None);
        }
        world.turn();
        let expected = "PutError(the channel is closed) 4 a:Ok(1) b:Err(Closed)";
        assert_eq!(world.said(), expected);
    });
}

#[test]
fn a_close_tells_getters_but_keeps_promises() {
    in_world(|world| {
        let channel = channel(1);
        for name in ["a", "b"] {
            getter(world, &channel, name, None);
        }
        world.turn();
        assert_eq!(channel.try_put(1), Ok(()));
        channel.close();
        world.turn();
        assert_eq!(world.said(), "a:Ok(1) b:Err(Closed)");
    });
}

#[test]
fn clear_drops_what_can_be_taken() {
    in_world(|world| {
        let channel = channel(2);
        (1..=3).for_each(|value| drop(putter(world, &channel, value, None)));
        world.turn();
        assert_eq!(channel.clear(), 3);
        world.turn();
        assert_eq!(
            (world.said().as_str(), channel.count()),
            ("put 1 put 2 put 3", 0)
        );
    });
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(GetError::Timeout.to_string(), "timed out");
    assert_eq!(GetError::Closed.to_string(), "the channel is closed");
    assert_eq!(
        format!("{:?}", TryPutError::Full(1)),
        "TryPutError(the channel is full)"
    );
    assert_eq!(TryPutError::Closed(7).into_value(), 7);
    assert_eq!(PutError::Timeout(7).into_value(), 7);
}

#[derive(Clone, Debug)]
enum Step {
    Put { in_ms: Option<u64> },
    Get { in_ms: Option<u64> },
    Cancel { who: usize },
    Wake { who: usize },
    Pass { ms: u64 },
    TryGet,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop::option::of(0..5_u64);
    prop_oneof![
        6 => wait.clone().prop_map(|in_ms| Step::Put { in_ms }),
        6 => wait.prop_map(|in_ms| Step::Get { in_ms }),
        2 => (0..60_usize).prop_map(|who| Step::Cancel { who }),
        2 => (0..60_usize).prop_map(|who| Step::Wake { who }),
        4 => (0..3_u64).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::TryGet),
        1 => Just(Step::Close),
    ]
}

#[derive(Default)]
struct Books {
    put: Vec<u32>,
    returned: Vec<u32>,
    got: Vec<u32>,
}

fn play(world: &mut World, capacity_count: usize, steps: Vec<Step>) {
    let channel = channel(capacity_count);
    let books = Rc::new(RefCell::new(Books::default()));
    let mut fibers = Vec::new();
    let mut next_value = 0;
    for step in steps {
        let (own, entries) = (Rc::clone(&channel), Rc::clone(&books));
        match step {
            Step::Put { in_ms } => {
                next_value += 1;
                let (value, deadline) = (next_value, in_ms.and_then(|ms| world.in_ms(ms)));
                fibers.push(world.spawn("put", move || match own.put(value, deadline) {
                    Ok(()) => entries.borrow_mut().put.push(value),
                    Err(error) => entries.borrow_mut().returned.push(error.into_value()),
                }));
            }
            Step::Get { in_ms } => {
                let deadline = in_ms.and_then(|ms| world.in_ms(ms));
                fibers.push(world.spawn("get", move || {
                    let got = own.get(deadline).ok();
                    entries.borrow_mut().got.extend(got);
                }));
            }
            Step::Cancel { who } => drop(fibers.get(who).map(FiberRef::cancel)),
            Step::Wake { who } => drop(fibers.get(who).map(FiberRef::wake)),
            Step::Pass { ms } => drop(world.pass_ms(ms)),
            Step::TryGet => books.borrow_mut().got.extend(channel.try_get()),
            Step::Close => channel.close(),
        }
        assert!(channel.count() <= capacity_count);
    }
    channel.close();
    world.pass_ms(10);
    let mut books = books.take();
    books.got.extend(std::iter::from_fn(|| channel.try_get()));
    books.put.sort_unstable();
    let mut got = books.got.clone();
    got.sort_unstable();
    assert_eq!(books.put, got, "what was put was got, once");
    let mut all: Vec<_> = got.into_iter().chain(books.returned).collect();
    all.sort_unstable();
    assert_eq!(
        all,
        (1..=next_value).collect::<Vec<_>>(),
        "and the rest came back"
    );
    assert_eq!(
        (
            crate::stats().panics_total,
            crate::stats().fibers_alive_count
        ),
        (0, 0)
    );
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        capacity_count in 0..4_usize,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        in_world(move |world| play(world, capacity_count, steps));
    }
}
