//! What a client may do that costs us something and brings nothing: counted, and when it is spent
//! the connection ends with ENHANCE_YOUR_CALM.
//!
//! The engine acts on frames without telling; so their heads are read here, on the way to it. Each
//! kind has a price. Answers and their bytes earn something back, and so does time: a client that
//! is served may go on for ever, one that only keeps us busy may not.

use std::time::Instant;

use http_proto::h2::PREFACE;

use crate::limits::{
    HTTP2_BUDGET_COUNT, HTTP2_BUDGET_PER_SECOND_COUNT, HTTP2_EARN_ANSWER_COUNT, HTTP2_EARN_BYTES,
    HTTP2_TINY_DATA_BYTES,
};

/// Length, kind, flags, stream: RFC 9113 section 4.1.
const HEAD_BYTES: usize = 9;
const END_STREAM: u8 = 1;
/// What a stream costs that came to nothing.
const RESET: i64 = 4;

#[derive(Debug)]
pub(super) struct Budget {
    /// What is left. Below zero: spent.
    left: i64,
    /// Until when time was paid for.
    paid_until: Instant,
    /// It was said that it is spent.
    is_told: bool,
    /// The head of a frame, of which so many bytes are here.
    head: [u8; HEAD_BYTES],
    have: usize,
    /// Bytes until the next head.
    skip: usize,
    /// Bytes sent for which nothing was earned yet.
    unpaid_bytes: usize,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: HTTP2_BUDGET_COUNT,
            paid_until: now,
            is_told: false,
            head: [0; HEAD_BYTES],
            have: 0,
            skip: PREFACE.len(),
            unpaid_bytes: 0,
        }
    }

    /// Reads the next bytes from the client.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let here = bytes.len().min(HEAD_BYTES - self.have);
            self.head[self.have..self.have + here].copy_from_slice(&bytes[..here]);
            self.have += here;
            bytes = &bytes[here..];
            if self.have == HEAD_BYTES {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.left -= price(kind, flags, self.skip);
            }
        }
    }

    /// A stream was reset because its client kept us waiting.
    pub(super) fn pay_reset(&mut self) {
        self.left -= RESET;
    }

    /// A request was answered.
    pub(super) fn earn_answer(&mut self) {
        self.earn(HTTP2_EARN_ANSWER_COUNT);
    }

    /// So many bytes of answers were given.
    pub(super) fn earn_bytes(&mut self, count: usize) {
        self.unpaid_bytes += count;
        let earned = self.unpaid_bytes / HTTP2_EARN_BYTES;
        self.unpaid_bytes %= HTTP2_EARN_BYTES;
        self.earn(i64::try_from(earned).unwrap_or(HTTP2_BUDGET_COUNT));
    }

    /// Whether it is spent; told once.
    pub(super) fn is_spent(&mut self, now: Instant) -> bool {
        if self.left >= 0 {
            return false;
        }
        let passed = now.saturating_duration_since(self.paid_until);
        let seconds = i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
        if seconds > 0 {
            self.paid_until = now;
            self.earn(seconds.saturating_mul(HTTP2_BUDGET_PER_SECOND_COUNT));
        }
        self.left < 0 && !std::mem::replace(&mut self.is_told, true)
    }

    fn earn(&mut self, count: i64) {
        self.left = self.left.saturating_add(count).min(HTTP2_BUDGET_COUNT);
    }
}

/// What a frame costs, RFC 9113 section 6. What the engine bounds itself has no price here:
/// CONTINUATION, and heads, which are paid for by their answers. The last DATA of a stream is paid
/// for by its answer too.
fn price(kind: u8, flags: u8, len: usize) -> i64 {
    match kind {
        // DATA without data, nor end.
        0 if len == 0 && flags & END_STREAM == 0 => 4,
        0 if len < HTTP2_TINY_DATA_BYTES && flags & END_STREAM == 0 => 1,
        // HEADERS, CONTINUATION.
        0 | 1 | 9 => 0,
        // RST_STREAM: what was asked is thrown away.
        3 => RESET,
        // SETTINGS and PING are answered.
        4 | 6 => 4,
        // PRIORITY, WINDOW_UPDATE, GOAWAY, and what we do not know.
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0, (len >> 8) as u8, len as u8, kind, 0, 0, 0, 0, 0];
        bytes.resize(HEAD_BYTES + len, kind);
        bytes
    }

    /// The same at any split.
    #[test]
    fn frames_are_counted_however_they_come() {
        let mut input = PREFACE.to_vec();
        let tiny = HTTP2_TINY_DATA_BYTES - 1;
        for (kind, len) in [
            (4, 6),
            (1, 300),
            (6, 8),
            (0, 0),
            (77, 1),
            (0, tiny),
            (0, tiny + 1),
            (3, 4),
        ] {
            input.extend(frame(kind, len));
        }
        for size in 1..input.len() {
            let mut budget = Budget::new(Instant::now());
            for piece in input.chunks(size) {
                budget.scan(piece);
            }
            assert_eq!(budget.left, HTTP2_BUDGET_COUNT - 4 - 4 - 4 - 1 - 1 - 4);
        }
    }

    #[test]
    fn it_is_spent_at_the_bound_and_told_once() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        budget.skip = 0;
        for _ in 0..HTTP2_BUDGET_COUNT {
            budget.scan(&frame(8, 4));
        }
        assert!(!budget.is_spent(now));
        budget.scan(&frame(8, 4));
        assert!(budget.is_spent(now));
        assert!(!budget.is_spent(now));
    }

    #[test]
    fn answers_bytes_and_time_earn() {
        let now = Instant::now();
        let spent = |earn: &dyn Fn(&mut Budget)| {
            let mut budget = Budget::new(now);
            budget.left = -1;
            earn(&mut budget);
            budget.is_spent(now)
        };
        assert!(spent(&|_| ()));
        assert!(!spent(&Budget::earn_answer));
        assert!(!spent(&|budget| {
            budget.earn_bytes(1);
            budget.earn_bytes(HTTP2_EARN_BYTES - 1);
        }));
        let mut budget = Budget::new(now);
        budget.left = -1;
        assert!(!budget.is_spent(now + Duration::from_secs(1)));
        budget.earn_bytes(usize::MAX / 2);
        assert_eq!(budget.left, HTTP2_BUDGET_COUNT);
    }
}
