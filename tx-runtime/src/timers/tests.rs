//! The heap against a plain sorted list.

use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Place, Sleeper, Timers};

struct Dummy {
    name: usize,
    place: Place,
}

impl Sleeper for Rc<Dummy> {
    fn place(&self) -> &Place {
        &self.place
    }
}

fn dummies(count: usize) -> Vec<Rc<Dummy>> {
    (0..count)
        .map(|name| {
            Rc::new(Dummy {
                name,
                place: Place::nowhere(),
            })
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Operation {
    Arm { who: usize, at_ms: u64 },
    Disarm { who: usize },
    Fire { until_ms: u64 },
}

const SLEEPERS: usize = 40;

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (0..SLEEPERS, 0..50_u64).prop_map(|(who, at_ms)| Operation::Arm { who, at_ms }),
        2 => (0..SLEEPERS).prop_map(|who| Operation::Disarm { who }),
        1 => (0..50_u64).prop_map(|until_ms| Operation::Fire { until_ms }),
    ]
}

proptest! {
    #[test]
    fn fires_what_a_sorted_list_fires(operations in prop::collection::vec(operation(), 0..200)) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let sleepers = dummies(SLEEPERS);
        let mut timers = Timers::new();
        // Stable: equal deadlines stay in the order of arming.
        let mut model: Vec<(u64, usize)> = Vec::new();
        for operation in operations {
            match operation {
                Operation::Arm { who, at_ms } if !sleepers[who].place.is_armed() => {
                    timers.arm(at(at_ms), Rc::clone(&sleepers[who]));
                    model.push((at_ms, who));
                }
                Operation::Arm { .. } => {}
                Operation::Disarm { who } => {
                    timers.disarm(&sleepers[who]);
                    model.retain(|entry| entry.1 != who);
                }
                Operation::Fire { until_ms } => {
                    while let Some(due) = timers.pop_due(at(until_ms)) {
                        let first = model.iter().copied().min_by_key(|entry| entry.0);
                        let first = first.unwrap();
                        prop_assert!(first.0 <= until_ms);
                        prop_assert_eq!(due.name, first.1);
                        model.retain(|entry| *entry != first);
                    }
                }
            }
            prop_assert_eq!(timers.len(), model.len());
            let next_ms = model.iter().map(|entry| entry.0).min();
            prop_assert_eq!(timers.next_deadline(), next_ms.map(at));
            for sleeper in &sleepers {
                let is_armed = model.iter().any(|entry| entry.1 == sleeper.name);
                prop_assert_eq!(sleeper.place.is_armed(), is_armed);
            }
        }
    }
}

#[test]
fn a_disarmed_timer_leaves_nothing_behind() {
    let start = Instant::now();
    let mut timers = Timers::new();
    let [sleeper] = &dummies(1)[..] else {
        unreachable!()
    };
    for round in 0..10_000 {
        timers.arm(start + Duration::from_secs(round), Rc::clone(sleeper));
        timers.disarm(sleeper);
    }
    assert_eq!(timers.len(), 0);
    assert_eq!(Rc::strong_count(sleeper), 1);
}

#[test]
#[should_panic(expected = "a sleeper has one timer")]
fn a_second_timer_of_one_sleeper_is_a_mistake() {
    let mut timers = Timers::new();
    let sleepers = dummies(1);
    timers.arm(Instant::now(), Rc::clone(&sleepers[0]));
    timers.arm(Instant::now(), Rc::clone(&sleepers[0]));
}
