//! The table is the law: printed whole, and nothing outside it moves.

use super::{EVENTS, IllegalMove, MOVES, STATUSES, advance};

#[test]
fn the_table_is_exactly_this() {
    let mut text = String::new();
    for from in STATUSES {
        for event in EVENTS {
            if let Ok(to) = advance(from, event) {
                text += &format!("{from:?} --{event:?}--> {to:?}\n");
            }
        }
    }
    let expected = "\
Runnable --Resume--> Running
Running --Yield--> Runnable
Running --Park--> Parked
Running --End--> Dead
Parked --Wake--> Runnable
";
    assert_eq!(text, expected);
}

#[test]
fn every_other_move_is_an_error_that_names_itself() {
    let mut illegal_count = 0;
    for from in STATUSES {
        for event in EVENTS {
            if !MOVES.iter().any(|(f, e, _)| (*f, *e) == (from, event)) {
                assert_eq!(advance(from, event), Err(IllegalMove { from, event }));
                illegal_count += 1;
            }
        }
    }
    assert_eq!(illegal_count, STATUSES.len() * EVENTS.len() - MOVES.len());
}

#[test]
fn positions_follow_the_declaration() {
    assert!(
        STATUSES
            .iter()
            .enumerate()
            .all(|(at, status)| *status as usize == at)
    );
    assert!(
        EVENTS
            .iter()
            .enumerate()
            .all(|(at, event)| *event as usize == at)
    );
}
