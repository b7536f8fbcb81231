//! The queue by itself: who has room, who waits, who is woken; and that it never stands still.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const MAX: usize = 100;

/// Some connections, each with a body, and the worker's books.
struct Table {
    bodies: Bodies,
    standings: Vec<Standing>,
    has: Vec<usize>,
    /// Who was told to ask again.
    woken: VecDeque<ConnToken>,
}

impl Table {
    fn new(count: usize) -> Self {
        Self {
            bodies: Bodies::default(),
            standings: (0..count).map(|_| Standing::default()).collect(),
            has: vec![0; count],
            woken: VecDeque::new(),
        }
    }

    /// Asks for room for more of a body, and takes it in if there is.
    fn ask(&mut self, who: usize, wants: usize) -> bool {
        let token = ConnToken::new(who, 0);
        let sizes = (self.has[who], wants);
        let has_room = self.bodies.ask(token, &mut self.standings[who], sizes, MAX);
        if has_room {
            self.bodies.take_in(wants);
            self.has[who] += wants;
        }
        has_room
    }

    fn complete(&mut self, who: usize) {
        self.bodies.leave(&mut self.standings[who]);
    }

    /// Its memory comes back.
    fn free(&mut self, who: usize) {
        self.bodies.let_go(std::mem::take(&mut self.has[who]));
    }

    fn woken(&mut self) -> Vec<usize> {
        self.bodies.wake(MAX, &mut self.woken);
        self.woken.drain(..).map(ConnToken::index).collect()
    }
}

#[test]
fn the_first_goes_beyond_and_the_others_wait_in_their_order() {
    let mut table = Table::new(4);
    assert!(table.ask(0, 60) && table.ask(1, 40));
    assert!(table.ask(2, 1), "the first without room");
    assert!(!table.ask(3, 1));
    assert!(!table.ask(0, 1), "begun, but not first");
    assert_eq!(table.woken(), []);
    assert!(table.ask(2, 50), "as much as it has");
    table.complete(2);
    assert_eq!(table.woken(), [3], "it is first now");
    assert!(!table.ask(3, 1), "and another one is beyond still");
    table.free(2);
    table.free(1);
    assert_eq!(table.woken(), [3, 0]);
    assert!(table.ask(3, 1) && table.ask(0, 1));
    assert_eq!(table.woken(), []);
}

#[test]
fn who_has_begun_may_overtake_and_who_has_not_may_not() {
    let mut table = Table::new(4);
    assert!(table.ask(0, 50) && table.ask(1, 51));
    assert!(!table.ask(2, 90));
    table.free(0);
    assert!(!table.ask(3, 1), "there is room, but another waits");
    table.has[0] = 1;
    table.bodies.take_in(1);
    assert!(table.ask(0, 10));
    assert_eq!(table.woken(), []);
}

#[test]
fn as_many_are_woken_as_fit() {
    let mut table = Table::new(6);
    assert!(table.ask(0, 100) && table.ask(1, 1));
    for who in 2..6 {
        assert!(!table.ask(who, 40));
    }
    table.free(0);
    assert_eq!(table.woken(), [2, 3], "the other two would not fit");
    assert_eq!(table.woken(), [], "told once");
}

#[test]
fn so_many_are_looked_at() {
    let count = BODIES_WOKEN_COUNT + 9;
    let mut table = Table::new(count);
    assert!(table.ask(0, 100) && table.ask(1, 1));
    for who in 2..count {
        assert!(!table.ask(who, 1));
    }
    table.free(0);
    // The one that goes beyond stands among them.
    assert_eq!(table.woken().len(), BODIES_WOKEN_COUNT - 1);
}

proptest! {
    /// Whoever waits comes to its end, whatever the order: the bodies of all together are never
    /// more than the bound and one beyond, and nobody has to be woken who is not.
    #[test]
    fn nobody_waits_for_ever(
        lengths in proptest::collection::vec(1_usize..=MAX, 1..20),
        steps in proptest::collection::vec((any::<proptest::sample::Index>(), 1_usize..40), 0..200),
    ) {
        let mut table = Table::new(lengths.len());
        let mut done = vec![false; lengths.len()];
        // What it was refused last; it does not ask again before it is woken.
        let mut waits = vec![false; lengths.len()];
        type Flags = Vec<bool>;
        let turn = |table: &mut Table, done: &mut Flags, waits: &mut Flags, who: usize, count| {
            if done[who] || waits[who] {
                return;
            }
            let wants = usize::min(count, lengths[who] - table.has[who]);
            waits[who] = !table.ask(who, wants);
            if table.has[who] == lengths[who] {
                done[who] = true;
                table.complete(who);
            }
            assert!(table.bodies.bytes() <= 2 * MAX);
            for woken in table.woken() {
                waits[woken] = false;
            }
        };
        for (who, count) in steps {
            turn(&mut table, &mut done, &mut waits, who.index(lengths.len()), count);
        }
        // Clients send on; nothing that is complete goes away.
        for round in 0.. {
            prop_assert!(round < 10_000, "it stands still: {table:?}", table = table.bodies);
            for who in 0..lengths.len() {
                turn(&mut table, &mut done, &mut waits, who, 7);
                if done[who] && table.has[who] > 0 && table.bodies.bytes() > MAX {
                    table.free(who);
                    for woken in table.woken() {
                        waits[woken] = false;
                    }
                }
            }
            if done.iter().all(|&done| done) {
                break;
            }
        }
        for who in 0..lengths.len() {
            table.free(who);
        }
        prop_assert_eq!(table.bodies.bytes(), 0);
        prop_assert_eq!((table.bodies.queue.len(), table.bodies.waiting_count), (0, 0));
    }
}
