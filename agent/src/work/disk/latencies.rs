//! Latencies of single operations: all of them while they are few, every second, fourth, … when they are many.

use crate::protocol::MAX_LATENCIES;

pub(super) struct Latencies {
    kept: Vec<u32>,
    /// Of so many operations one is kept: a power of two.
    every: u64,
    seen: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { kept: Vec::with_capacity(MAX_LATENCIES), every: 1, seen: 0 }
    }

    /// One that took longer than 4.29 s counts as that.
    pub(super) fn add(&mut self, ns: u64) {
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == MAX_LATENCIES {
                self.halve();
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(u32::try_from(ns).unwrap_or(u32::MAX));
            }
        }
        self.seen += 1;
    }

    fn halve(&mut self) {
        let mut index = 0;
        self.kept.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.every *= 2;
    }

    pub(super) fn take(&mut self) -> Vec<u32> {
        self.seen = 0;
        self.every = 1;
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64) -> Vec<u32> {
        let mut latencies = Latencies::new();
        (0..count).for_each(|ns| latencies.add(ns));
        latencies.take()
    }

    #[test]
    fn few_are_all_kept() {
        assert_eq!(of(3), [0, 1, 2]);
        assert_eq!(of(MAX_LATENCIES as u64).len(), MAX_LATENCIES);
    }

    #[test]
    fn many_are_thinned_evenly() {
        for count in [MAX_LATENCIES as u64 + 1, 50_000, 1_000_000] {
            let kept = of(count);
            assert!(kept.len() <= MAX_LATENCIES && kept.len() >= MAX_LATENCIES / 2, "{}", kept.len());
            let step = kept[1] - kept[0];
            assert!(kept.windows(2).all(|pair| pair[1] - pair[0] == step), "{count}");
            assert!(
                u64::from(kept[kept.len() - 1]) + u64::from(step) >= count,
                "{count}: the end is missing"
            );
        }
    }

    #[test]
    fn the_longest_that_fits_stands_for_longer_ones() {
        let mut latencies = Latencies::new();
        latencies.add(u64::MAX);
        assert_eq!(latencies.take(), [u32::MAX]);
    }
}
