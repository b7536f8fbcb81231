//! The marks, rendered, are the drawing.

use super::*;

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .collect()
}

#[test]
fn the_seed_is_drawn_line_by_line() {
    let seed = include_str!("../../../../docs/stage2-unlucky.txt");
    let member = Member::Stage2Unlucky;
    let ours = render(&member.title(), &member.marks());
    assert_eq!(lines(&ours), lines(seed));
}

#[test]
fn every_mark_is_drawn_by_some_member() {
    for mark in Mark::ALL {
        let drawn = Member::ALL
            .iter()
            .any(|member| member.marks().contains(mark));
        assert!(drawn, "{mark:?} is in no drawing");
    }
}

#[test]
fn names_lead_back_to_their_members() {
    for &member in Member::ALL {
        assert_eq!(Member::from_name(member.name()), Some(member));
    }
    assert_eq!(Member::from_name("stage 9"), None);
}
