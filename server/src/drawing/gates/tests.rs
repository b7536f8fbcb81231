//! Gates follow from a sequence of marks.

use http_proto::drawing::{Mark, Member};

use super::{Shore, gates, shore_of};

fn show(marks: &[Mark], shore: Shore) -> Vec<String> {
    let show = |gate: super::Gate| {
        let side = if gate.after { "after" } else { "before" };
        format!(
            "{side} {:?}#{} until {:?}#{}",
            gate.at, gate.nth, gate.until, gate.times
        )
    };
    gates(marks, shore).into_iter().map(show).collect()
}

#[test]
fn one_side_alone_is_never_held() {
    let marks = [Mark::AllocateShuttle, Mark::PackRequest, Mark::SendRequest];
    assert!(show(&marks, Shore::Worker).is_empty());
    assert!(show(&marks, Shore::Tx).is_empty());
}

#[test]
fn a_change_of_sides_holds_the_one_that_comes_next() {
    use Mark::{CallWrite, ResponseToClient, SendContinue, SendResponse, UsefulWork, WriteSleeps};
    let marks = [
        SendResponse,
        UsefulWork,
        ResponseToClient,
        CallWrite,
        WriteSleeps,
        SendContinue,
    ];
    assert_eq!(
        show(&marks, Shore::Tx),
        ["after UsefulWork#1 until ResponseToClient#1"],
        "the fiber works while the worker sends"
    );
    assert_eq!(
        show(&marks, Shore::Worker),
        [
            "before ResponseToClient#1 until UsefulWork#1",
            "after ResponseToClient#1 until WriteSleeps#1"
        ]
    );
}

/// Two threads that obey the gates and otherwise run as unluckily as a seed wants: they must
/// reach the end, and the order must be the member's.
#[test]
fn the_gates_of_every_member_allow_its_order_and_no_other() {
    for member in Member::ALL {
        let marks = member.marks();
        for seed in 0..50_u64 {
            assert_eq!(run(&marks, seed), marks, "{member:?} with seed {seed}");
        }
    }
}

fn run(marks: &[Mark], mut seed: u64) -> Vec<Mark> {
    let own = |shore| {
        marks
            .iter()
            .copied()
            .filter(move |mark| shore_of(*mark) == shore)
    };
    let todo = [
        own(Shore::Worker).collect::<Vec<_>>(),
        own(Shore::Tx).collect(),
    ];
    let all_gates = [gates(marks, Shore::Worker), gates(marks, Shore::Tx)];
    let (mut at, mut seen) = ([0, 0], Vec::new());
    while seen.len() < marks.len() {
        let can_go = |side: usize| {
            let next = todo[side].get(at[side]);
            next.is_some_and(|mark| {
                all_gates[side].iter().all(|gate| {
                    let done = super::count(&todo[side][..at[side]], gate.at);
                    let held = if gate.after {
                        done >= gate.nth
                    } else {
                        *mark == gate.at && done + 1 == gate.nth
                    };
                    !held || super::count(&seen, gate.until) >= gate.times
                })
            })
        };
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let first = usize::from(seed >> 40 & 1 == 1);
        let side = if can_go(first) { first } else { 1 - first };
        assert!(can_go(side), "both sides are held after {seen:?}");
        seen.push(todo[side][at[side]]);
        at[side] += 1;
    }
    seen
}
