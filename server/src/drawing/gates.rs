//! Gates that make two free-running threads follow one order: derived from the drawing itself.
//!
//! What each side does by itself, it must do in the drawing's order without help: no gate exists
//! between two marks of one side. Where the drawing changes sides, the side that comes next is
//! held until the mark before its own was seen.

use http_proto::drawing::{Mark, MarkKind, Participant};

/// Holds the side that it is given to, at its `nth` mark `at`, until `until` was seen `times`
/// times.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gate {
    /// Where this side is held.
    pub at: Mark,
    /// Which occurrence of it, counted from 1.
    pub nth: usize,
    /// Held after telling the mark rather than before.
    pub after: bool,
    /// What it waits for.
    pub until: Mark,
    /// How often that must have been seen.
    pub times: usize,
}

/// The two threads of a drawing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shore {
    /// The thread with the sockets.
    Worker,
    /// The thread of the fibers.
    Tx,
}

/// The thread that tells a mark.
pub fn shore_of(mark: Mark) -> Shore {
    match mark.kind().actor() {
        Participant::Worker | Participant::Client => Shore::Worker,
        Participant::Fiber | Participant::Tx => Shore::Tx,
    }
}

/// The gates for one shore that make `marks` the only possible order.
pub fn gates(marks: &[Mark], shore: Shore) -> Vec<Gate> {
    let mut gates = Vec::new();
    let mut last_own = None;
    for (index, mark) in marks.iter().copied().enumerate() {
        if shore_of(mark) != shore {
            continue;
        }
        let until = index.checked_sub(1).map(|before| marks[before]);
        if let Some(until) = until.filter(|until| shore_of(*until) != shore) {
            let times = count(&marks[..index], until);
            let held = last_own.filter(|own| can_hold_after(marks[*own]));
            let (at, place, after) =
                held.map_or((mark, index, false), |own| (marks[own], own, true));
            gates.push(Gate {
                at,
                nth: count(&marks[..=place], at),
                after,
                until,
                times,
            });
        }
        last_own = Some(index);
    }
    gates
}

/// Most marks are told before the thing they name is done, and the other side may depend on it:
/// an arrow to it, above all. Boxes and notes that only name a place may be held at right there,
/// so that nothing of what follows them is done too early either.
fn can_hold_after(mark: Mark) -> bool {
    match mark.kind() {
        MarkKind::Arrow { to, .. } => to == Participant::Client,
        MarkKind::Box { .. } | MarkKind::Note { .. } => true,
    }
}

fn count(marks: &[Mark], mark: Mark) -> usize {
    marks.iter().filter(|other| **other == mark).count()
}

#[cfg(test)]
mod tests;
