//! The board as data in, text out: steps of several Lua threads, and what each accepts from.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle_core::Doorbell;

use super::{Board, Parting, Ports, Stand};

/// Counts how often it was rung.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Doorbell for Counter {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Three Lua threads, and the sockets of each at its addresses, which are called by letters.
struct World {
    stands: Vec<Stand>,
    bells: Vec<Arc<Counter>>,
    addrs: HashMap<char, SocketAddr>,
    own: HashMap<(u16, char), Vec<TcpListener>>,
}

impl World {
    fn new() -> Self {
        let ports = Ports::default();
        let bells: Vec<Arc<Counter>> = (0..3).map(|_| Arc::default()).collect();
        let stand = |tx: usize| ports.stand(tx as u16 + 1, Arc::clone(&bells[tx]) as _);
        Self {
            stands: (0..3).map(stand).collect(),
            bells: bells.clone(),
            addrs: HashMap::new(),
            own: HashMap::new(),
        }
    }

    fn step(&mut self, step: &str) -> String {
        let [verb, tx, place]: [char; 3] = step.chars().collect::<Vec<_>>().try_into().unwrap();
        let tx = tx.to_digit(10).unwrap() as u16;
        let stand = self.stands[usize::from(tx) - 1].clone();
        let mut board = stand.board();
        match verb {
            '+' => self.listen(&mut board, tx, place),
            '-' => {
                let sockets = self.own.remove(&(tx, place)).unwrap_or_default();
                match board.leave(self.addrs[&place], tx, sockets) {
                    Parting::Stays => "stays".to_owned(),
                    Parting::HandedOver => "handed over".to_owned(),
                    Parting::Last => "last".to_owned(),
                }
            }
            _ => panic!("{step}"),
        }
    }

    fn listen(&mut self, board: &mut Board, tx: u16, place: char) -> String {
        let fresh = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = *self
            .addrs
            .entry(place)
            .or_insert_with(|| fresh.local_addr().unwrap());
        let mut sockets = board.reclaim(addr, 1);
        let how = if sockets.is_empty() {
            "new"
        } else {
            "reclaimed"
        };
        if sockets.is_empty() {
            sockets.push(fresh);
        }
        board.hold(addr, addr, tx, &sockets[0]);
        self.own.entry((tx, place)).or_default().extend(sockets);
        how.to_owned()
    }

    /// What each accepts from: `own+left` for each address where that is anything.
    fn shares(&self) -> String {
        let mut text = Vec::new();
        let mut places: Vec<_> = self.addrs.iter().collect();
        places.sort();
        for (place, addr) in places {
            for stand in &self.stands {
                let own = self.own.get(&(stand.tx, *place)).map_or(0, Vec::len);
                let left = stand.board().left_to(stand.tx, *addr).unwrap().len();
                if own + left > 0 {
                    text.push(format!("{place}{}:{own}+{left}", stand.tx));
                }
            }
        }
        text.join(" ")
    }
}

/// Plays steps: `+1a` is that thread 1 listens at a, `-1a` that it does so no more.
fn check(steps: &str, expected: &str) {
    let mut world = World::new();
    let mut said = Vec::new();
    for step in steps.split(' ') {
        said.push(world.step(step));
    }
    let shown = format!("{} | {}", said.join(", "), world.shares());
    assert_eq!(shown, expected, "{steps}");
}

#[test]
fn who_leaves_hands_over_and_the_last_one_closes() {
    check("+1a +2a -1a", "new, new, handed over | a2:1+1");
    check("+1a +2a -1a -2a", "new, new, handed over, last | ");
    check("+1a +2b -1a", "new, new, last | b2:1+0");
}

#[test]
fn what_was_left_is_spread_and_goes_on_with_who_keeps_it() {
    check(
        "+1a +2a +3a -3a",
        "new, new, new, handed over | a1:1+1 a2:1+0",
    );
    check(
        "+1a +2a +3a -3a -1a",
        "new, new, new, handed over, handed over | a2:1+2",
    );
}

#[test]
fn who_comes_back_gets_as_many_as_the_others_have() {
    check(
        "+1a +2a -1a +1a",
        "new, new, handed over, reclaimed | a1:1+0 a2:1+0",
    );
}

#[test]
fn a_change_of_configuration_holds_twice() {
    check("+1a +1a -1a", "new, new, stays | ");
}

#[test]
fn a_keeper_is_told_once_for_each_change() {
    let mut world = World::new();
    for step in ["+1a", "+2a", "-1a"] {
        world.step(step);
    }
    let nudged: Vec<bool> = world.stands.iter().map(Stand::was_nudged).collect();
    assert_eq!(nudged, [false, true, false]);
    assert_eq!(world.bells[1].0.load(Ordering::SeqCst), 1);
    assert!(!world.stands[1].was_nudged());
    world.step("+1a");
    assert!(world.stands[1].was_nudged());
}

#[test]
fn one_wish_is_joined_once_by_each() {
    let ports = Ports::default();
    let stand = ports.stand(1, Arc::new(Counter::default()));
    let mut board = stand.board();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let wanted: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let addrs = sockets.each_ref().map(|s| s.local_addr().unwrap());
    for (addr, socket) in addrs.iter().zip(&sockets) {
        assert_eq!(board.joinable(wanted, 1), None);
        board.hold(wanted, *addr, 1, socket);
    }
    assert_eq!(board.joinable(addrs[1], 3), Some(addrs[1]), "by its port");
    for (addr, socket) in addrs.iter().zip(&sockets) {
        assert_eq!(board.joinable(wanted, 2), Some(*addr));
        board.hold(wanted, *addr, 2, socket);
    }
    assert_eq!(board.joinable(wanted, 2), None);
}

#[test]
fn a_wide_address_shadows_a_narrow_one() {
    let ports = Ports::default();
    let stand = ports.stand(1, Arc::new(Counter::default()));
    let mut board = stand.board();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    board.hold(addr, addr, 1, &socket);
    let wide = SocketAddr::new("0.0.0.0".parse().unwrap(), addr.port());
    let wide6 = SocketAddr::new("::".parse().unwrap(), addr.port());
    assert_eq!((board.shadows(wide), board.shadows(wide6)), (true, false));
}
