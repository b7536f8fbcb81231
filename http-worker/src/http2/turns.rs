//! Whose turn it is to give more of an answer to the engine: the more urgent first (RFC 9218
//! section 10). Among the equally urgent, those of use in parts share, and the others are sent one
//! after another.

use std::collections::VecDeque;

use http_proto::h2::Priority;

/// Streams with more to give than they had room or share for, the next one in front. Each is in it
/// once at most, so there are as many as streams.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Places and urgencies, these ascending.
    queue: VecDeque<(usize, u8)>,
}

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.queue.retain(|&(listed, _)| listed != place);
    }

    /// Whether a newcomer has to let others go first. One that is of use in parts begins at once
    /// among its like: many answers are not longer than a share.
    pub(super) fn go_before(&self, priority: Priority) -> bool {
        let first = self.queue.front().map(|&(_, urgency)| urgency);
        first.is_some_and(|first| first < priority.urgency)
            || (!priority.incremental && first == Some(priority.urgency))
    }

    /// Whether any of them is as urgent, or more so.
    pub(super) fn go_before_all_like(&self, priority: Priority) -> bool {
        let first = self.queue.front();
        first.is_some_and(|&(_, first)| first <= priority.urgency)
    }

    /// Puts a stream behind those that are as urgent; or before them, if it has begun and is of no
    /// use in parts.
    pub(super) fn put(&mut self, place: usize, priority: Priority, has_begun: bool) {
        let urgency = priority.urgency;
        let goes_on = has_begun && !priority.incremental;
        let ahead = |&(_, other): &(usize, u8)| other < urgency || (other == urgency && !goes_on);
        let at = self.queue.partition_point(ahead);
        self.queue.insert(at, (place, urgency));
    }

    /// The one whose turn it is.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.queue.pop_front().map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use http_proto::h2::Priority;

    use super::Turns;

    /// Streams with so many shares to give each, as they get their turns.
    fn check(streams: &[(&str, usize)], expected: &str) {
        let mut turns = Turns::default();
        let priority = |place: usize| Priority::read(streams[place].0.as_bytes());
        let mut left: Vec<_> = streams.iter().map(|&(_, shares)| shares).collect();
        for place in 0..streams.len() {
            turns.put(place, priority(place), false);
        }
        let mut order = String::new();
        while let Some(place) = turns.next() {
            order += &place.to_string();
            left[place] -= 1;
            if left[place] > 0 {
                turns.put(place, priority(place), true);
            }
        }
        assert_eq!(order, expected, "{streams:?}");
    }

    #[test]
    fn nobody_said_anything() {
        check(&[("", 0); 0], "");
        check(&[("?", 2), ("?", 3), ("?", 1)], "012011");
    }

    #[test]
    fn the_urgent_go_first() {
        check(&[("u=5", 2), ("?", 2), ("u=1", 2)], "221100");
        check(&[("u=7, i", 1), ("u=6, i", 1), ("u=0, i", 2)], "2210");
    }

    #[test]
    fn equally_urgent_share_or_follow_each_other() {
        check(&[("u=2", 3), ("u=2", 2)], "00011");
        check(&[("u=2, i", 3), ("u=2, i", 2)], "01010");
        check(&[("u=2, i", 2), ("u=2", 3), ("u=2, i", 1)], "011120");
    }

    #[test]
    fn newcomers() {
        let mut turns = Turns::default();
        let mut check = |value: &str, expected: bool| {
            let waits = turns.go_before(Priority::read(value.as_bytes()));
            assert_eq!(waits, expected, "{value:?}");
            turns.put(1, Priority::read(b"u=4"), false);
        };
        check("u=7", false);
        check("u=3", false);
        check("u=4", true);
        check("u=4, i", false);
        check("u=5, i", true);
        turns.remove(1);
        assert!(turns.is_empty());
    }
}
