//! The life of a fiber, as a table: every legal move is one row, anything else is an error that
//! changes nothing.

/// Where a fiber is in its life.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum Status {
    /// In the run queue: new, woken, timed out, cancelled or yielded.
    Runnable,
    /// It executes now, or waits inside [`crate::FiberRef::run_now`] for the one that does.
    Running,
    /// Suspended until somebody wakes it, its deadline passes or it is cancelled.
    Parked,
    /// Its function returned or panicked. Final.
    Dead,
}

/// What may happen to a fiber.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub(crate) enum Event {
    /// The scheduler takes it from the run queue.
    Resume,
    /// It gives way and goes to the end of the run queue.
    Yield,
    /// It suspends itself.
    Park,
    /// A wake-up, a timeout or a cancellation reaches it while it is suspended.
    Wake,
    /// Its function ended.
    End,
}

/// A move that the table does not have.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct IllegalMove {
    /// Where the fiber was, and still is.
    pub(crate) from: Status,
    /// What was tried.
    pub(crate) event: Event,
}

const STATUSES: [Status; 4] = [
    Status::Runnable,
    Status::Running,
    Status::Parked,
    Status::Dead,
];
const EVENTS: [Event; 5] = [
    Event::Resume,
    Event::Yield,
    Event::Park,
    Event::Wake,
    Event::End,
];

/// Every legal move.
pub(crate) const MOVES: [(Status, Event, Status); 5] = [
    (Status::Runnable, Event::Resume, Status::Running),
    (Status::Running, Event::Yield, Status::Runnable),
    (Status::Running, Event::Park, Status::Parked),
    (Status::Running, Event::End, Status::Dead),
    (Status::Parked, Event::Wake, Status::Runnable),
];

/// The same rows by position, so that a move is one load.
const NEXT: [[Option<Status>; EVENTS.len()]; STATUSES.len()] = index_moves();

const fn index_moves() -> [[Option<Status>; EVENTS.len()]; STATUSES.len()] {
    let mut next = [[None; EVENTS.len()]; STATUSES.len()];
    let mut row = 0;
    while row < MOVES.len() {
        let (from, event, to) = MOVES[row];
        next[from as usize][event as usize] = Some(to);
        row += 1;
    }
    next
}

/// Where `event` leads from `from`.
pub(crate) const fn advance(from: Status, event: Event) -> Result<Status, IllegalMove> {
    match NEXT[from as usize][event as usize] {
        Some(to) => Ok(to),
        None => Err(IllegalMove { from, event }),
    }
}

#[cfg(test)]
mod tests;
