//! Walsh averages (dᵢ + dⱼ) / 2, i ≤ j: their order statistics are the Hodges-Lehmann estimate and the ends of the
//! signed-rank interval (Hodges and Lehmann 1963; Walsh 1949).
//!
//! There are n(n+1)/2 of them. They are never made: how many are at most t is counted in one pass over the sorted
//! values, and two such counts close in on the k-th until what is between them is few enough to be made.

use super::order;

/// The Walsh averages of some values.
#[derive(Debug, Clone)]
pub struct Walsh {
    sorted: Vec<f64>,
}

impl Walsh {
    /// Of these finite values.
    #[must_use]
    pub fn new(values: &[f64]) -> Self {
        Self { sorted: order::sorted(values) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let n = self.sorted.len() as u64;
        n * (n + 1) / 2
    }

    /// The `rank`-th smallest, from 1.
    #[must_use]
    pub fn nth(&self, rank: u64) -> Option<f64> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let (first, last) = (self.sorted.first()?, self.sorted.last()?);
        // The sum looked for is above `low` and at most `high`; so many sums are at most each.
        let (mut low, mut high) = ((2.0 * first).next_down(), 2.0 * last);
        let (mut below, mut up_to) = (0, self.count());
        let few = self.sorted.len() as u64;
        for pass in 0.. {
            if up_to - below <= few {
                return Some(self.sums_between(low, high, rank - below)? / 2.0);
            }
            // Where it would be were they spread evenly, and every other time in the middle, for they are not.
            let share = (rank - below) as f64 / (up_to - below) as f64;
            let even = low + (high - low) * share;
            let Some(middle) = order::midway(low, high) else { break };
            let at = if pass % 2 == 0 && low < even && even < high { even } else { middle };
            match self.sums_up_to(at) {
                count if count >= rank => (high, up_to) = (at, count),
                count => (low, below) = (at, count),
            }
        }
        // No number is between them: many sums are the same.
        Some(high / 2.0)
    }

    /// The `rank`-th smallest of the sums above `low` and at most `high`, which are few.
    fn sums_between(&self, low: f64, high: f64, rank: u64) -> Option<f64> {
        let mut sums = Vec::new();
        let mut end = self.sorted.len();
        for (at, value) in self.sorted.iter().enumerate() {
            while end > at && value + self.sorted[end - 1] > high {
                end -= 1;
            }
            let from_last = self.sorted[at..end.max(at)].iter().rev().map(|other| value + other);
            sums.extend(from_last.take_while(|sum| *sum > low));
        }
        let rank = usize::try_from(rank).ok()?.checked_sub(1)?;
        (rank < sums.len()).then(|| *sums.select_nth_unstable_by(rank, f64::total_cmp).1)
    }

    /// The Hodges-Lehmann estimate: their median.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let count = self.count();
        let upper = self.nth(count / 2 + 1)?;
        if count % 2 == 1 { Some(upper) } else { Some(f64::midpoint(self.nth(count / 2)?, upper)) }
    }

    /// Pairs whose sum is at most `most`.
    fn sums_up_to(&self, most: f64) -> u64 {
        let mut count = 0;
        let mut end = self.sorted.len();
        for (at, value) in self.sorted.iter().enumerate() {
            while end > at && value + self.sorted[end - 1] > most {
                end -= 1;
            }
            if end <= at {
                break;
            }
            count += (end - at) as u64;
        }
        count
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(values: &[f64]) -> Vec<f64> {
        let pairs =
            values.iter().enumerate().flat_map(|(i, a)| values[i..].iter().map(move |b| (a + b) / 2.0));
        order::sorted(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn the_estimate_of_few() {
        assert_eq!(Walsh::new(&[]).median(), None);
        assert_eq!(Walsh::new(&[7.0]).median(), Some(7.0));
        // 1, 1.5, 2, 3, 3.5, 5
        assert_eq!(Walsh::new(&[1.0, 2.0, 5.0]).median(), Some(2.5));
        assert_eq!(Walsh::new(&[1.0]).nth(2), None);
    }

    proptest! {
        #[test]
        fn each_is_the_one_that_sorting_finds(
            values in proptest::collection::vec(prop_oneof![-1e3..1e3f64, Just(0.0), Just(-0.0), (-3i8..3).prop_map(f64::from)], 1..25),
        ) {
            let walsh = Walsh::new(&values);
            let all = all(&values);
            prop_assert_eq!(walsh.count() as usize, all.len());
            for (rank, expected) in (1..).zip(&all) {
                prop_assert_eq!(walsh.nth(rank).unwrap(), *expected);
            }
            prop_assert_eq!(walsh.median(), order::median(&all));
        }
    }
}
