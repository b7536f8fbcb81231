//! Which files have nothing precompressed beside them. Remembered for a moment, so that not each
//! request for a file looks for three others that are not there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http_proto::content::Coding;

use crate::limits::{FOLDER_RECHECK_MS, LONE_FILES_COUNT};

const RECHECK: Duration = Duration::from_millis(FOLDER_RECHECK_MS);

/// What was looked for in vain in one folder.
#[derive(Debug, Default)]
pub(super) struct Lone(HashMap<Vec<u8>, Missing>);

/// What is not beside a file.
#[derive(Debug)]
struct Missing {
    /// A bit for each coding.
    codings: u8,
    /// When the first of them was looked for.
    since: Instant,
}

fn bit(coding: Coding) -> u8 {
    1 << coding as u8
}

impl Lone {
    /// Whether the file of this name lacked a sibling in that coding a moment ago.
    pub(super) fn lacks(&self, name: &[u8], coding: Coding, now: Instant) -> bool {
        self.0.get(name).is_some_and(|missing| {
            missing.codings & bit(coding) != 0 && now < missing.since + RECHECK
        })
    }

    /// It was looked for in vain.
    pub(super) fn note(&mut self, name: &[u8], coding: Coding, now: Instant) {
        if let Some(missing) = self.0.get_mut(name) {
            if now >= missing.since + RECHECK {
                missing.since = now;
                missing.codings = 0;
            }
            missing.codings |= bit(coding);
            return;
        }
        if self.0.len() >= LONE_FILES_COUNT {
            self.0.clear();
        }
        let codings = bit(coding);
        let missing = Missing {
            codings,
            since: now,
        };
        self.0.insert(name.to_owned(), missing);
    }

    /// Another folder has taken the place of this one.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_is_remembered_for_a_moment() {
        let (mut lone, now) = (Lone::default(), Instant::now());
        let late = now + RECHECK;
        let before = late - Duration::from_millis(1);
        lone.note(b"a", Coding::Gzip, now);
        assert!(lone.lacks(b"a", Coding::Gzip, before));
        assert!(!lone.lacks(b"a", Coding::Gzip, late));
        assert!(!lone.lacks(b"a", Coding::Brotli, now));
        assert!(!lone.lacks(b"b", Coding::Gzip, now));
        // What was noted first is the first to be looked for again, and all else with it.
        lone.note(b"a", Coding::Brotli, before);
        assert!(!lone.lacks(b"a", Coding::Brotli, late));
        lone.note(b"a", Coding::Brotli, late);
        assert!(!lone.lacks(b"a", Coding::Gzip, late));
        assert!(lone.lacks(b"a", Coding::Brotli, late));
        lone.forget();
        assert!(!lone.lacks(b"a", Coding::Brotli, late));
    }

    #[test]
    fn so_many_are_remembered() {
        let (mut lone, now) = (Lone::default(), Instant::now());
        let name = |number: usize| number.to_string().into_bytes();
        for number in 0..LONE_FILES_COUNT {
            lone.note(&name(number), Coding::Gzip, now);
        }
        assert!(lone.lacks(b"0", Coding::Gzip, now));
        lone.note(&name(LONE_FILES_COUNT), Coding::Gzip, now);
        assert_eq!(lone.0.len(), 1);
    }
}
