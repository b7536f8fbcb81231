//! The invariants of the protocol page, one by one: that breaking each is noticed. What the types
//! do not let anybody break is broken here from inside.

use std::sync::Arc;

use super::shores;
use crate::NoBell;
use crate::chunk::Position;
use crate::link::harbour;
use crate::quay::Quay;
use crate::ring::{Ring, Writer};
use crate::shuttle::{Tx, Worker};
use crate::slot::Slots;
use crate::state::State;

#[test]
#[should_panic(expected = "a shuttle arrived that belongs to the other side")]
fn invariant_1_one_owner_seen_at_arrival() {
    let (harbour, free) = harbour::<u8>(1, Arc::new(NoBell), Arc::new(NoBell));
    let worker = Quay::<Worker, u8>::new(Arc::clone(&harbour), free);
    let tx = Quay::<Tx, u8>::new(harbour, Vec::new());
    let (berth, _) = worker.board().unwrap();
    worker.push(berth);
    let _ = tx.recv();
}

#[test]
#[should_panic(expected = "the worker sent what it does not own")]
fn invariant_1_one_owner_seen_at_the_workers_send() {
    let state = State::new();
    state.board();
    let _ = state.hand_to_tx();
    let _ = state.hand_to_tx();
}

#[test]
#[should_panic(expected = "the worker continued what it does not own")]
fn invariant_1_one_owner_seen_at_continue() {
    let _ = State::new().continue_to_tx(Position::default);
}

#[test]
#[should_panic(expected = "TX sent what it does not own")]
fn invariant_1_one_owner_seen_at_the_send_of_tx() {
    let state = State::new();
    state.board();
    let _ = state.hand_to_worker();
}

#[test]
#[should_panic(expected = "a free berth is boarded already")]
fn invariant_1_a_berth_is_boarded_once() {
    let state = State::new();
    state.board();
    state.board();
}

#[test]
#[should_panic(expected = "a shuttle was freed twice")]
fn invariant_2_freed_exactly_once_r1() {
    let state = State::new();
    state.board();
    state.free();
    state.free();
}

#[test]
#[should_panic(expected = "a free shuttle was abandoned")]
fn invariant_2_nothing_about_a_freed_shuttle() {
    let _ = State::new().abandon();
}

#[test]
#[should_panic(expected = "a shuttle was freed while bytes were lent by it")]
fn invariant_3_no_pin_at_release_r12() {
    let (mut worker, mut tx) = shores::<u8>(1);
    let shuttle = worker.board().unwrap();
    worker.send(shuttle);
    let mut shuttle = tx.recv().unwrap();
    shuttle.lend_static(b"bytes");
    tx.send(shuttle);
    let shuttle = worker.recv().unwrap();
    worker.release(shuttle);
}

#[test]
fn invariant_6_a_stale_id_stays_so_until_the_generation_has_gone_round_r11() {
    let state = State::new();
    let first = state.board();
    state.free();
    assert!(state.is_client_gone(first));
    assert_eq!(state.board(), first + 1);
    assert!(state.is_client_gone(first));
}

#[test]
#[should_panic(expected = "a ring with a slot for every berth is full")]
fn invariant_7_a_ring_is_never_full_r17() {
    let (_slots, berths) = Slots::<u8>::new(2);
    let (ring, writer) = (Ring::new(1), Writer::default());
    berths
        .into_iter()
        .for_each(|berth| ring.push(&writer, berth));
}

#[test]
#[should_panic(expected = "a link needs a berth")]
fn a_link_without_berths_is_refused() {
    let _ = shores::<u8>(0);
}

#[test]
#[should_panic(expected = "a shuttle of another link")]
fn a_shuttle_cannot_land_on_another_link() {
    let (mut one, _tx) = shores::<u8>(1);
    let (mut other, _other_tx) = shores::<u8>(1);
    let shuttle = one.board().unwrap();
    other.send(shuttle);
}

/// The tenth: whatever happened, in the end no shuttle is alive and every cargo was dropped.
#[test]
fn invariant_10_nothing_is_left_behind() {
    let cargo = Arc::new(());
    let (mut worker, mut tx) = shores::<Option<Arc<()>>>(4);
    for _ in 0..4 {
        let mut shuttle = worker.board().unwrap();
        *shuttle = Some(Arc::clone(&cargo));
        worker.send(shuttle);
    }
    drop(tx.recv().unwrap());
    let held = tx.recv().unwrap();
    drop(worker);
    drop(tx);
    drop(held);
    assert_eq!(Arc::strong_count(&cargo), 1);
}
