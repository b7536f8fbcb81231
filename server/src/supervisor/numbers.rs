//! Which end of a link belongs to whom, by its number: the Lua thread knows links, and the
//! supervisor workers.

/// The numbers of the ends that were ever handed out, from 0.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    total: u64,
    /// Those of the workers that serve, in their order.
    serving: Vec<u64>,
    /// Those of the workers that became too many last.
    pub(super) leaving: Vec<u64>,
}

impl Numbers {
    /// The first `kept` of those that serve go on, the others leave, and so many new ones follow.
    pub(super) fn replace(&mut self, kept: usize, new: usize) {
        self.leaving = self.serving.split_off(kept.min(self.serving.len()));
        self.serving.extend((self.total..).take(new));
        self.total += new as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn ends_are_counted_in_the_order_in_which_they_were_handed_out() {
        let mut numbers = Numbers::default();
        let mut seen = Vec::new();
        for (kept, new) in [(0, 3), (1, 0), (1, 2), (0, 1), (0, 2)] {
            numbers.replace(kept, new);
            seen.push(format!("{:?} {:?}", numbers.serving, numbers.leaving));
        }
        let wanted = [
            "[0, 1, 2] []",
            "[0] [1, 2]",
            "[0, 3, 4] []",
            "[5] [0, 3, 4]",
            "[6, 7] [5]",
        ];
        assert_eq!(seen, wanted);
    }
}
