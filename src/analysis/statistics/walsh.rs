//! Walsh averages (dᵢ + dⱼ) / 2, i ≤ j: their order statistics are the Hodges-Lehmann estimate and the ends of the
//! signed-rank interval (Hodges and Lehmann 1963; Walsh 1949).
//!
//! There are n(n+1)/2 of them. They are never made: how many are at most t is counted in one pass over the sorted
//! values, and the k-th is found by bisection over the representable numbers, in at most 64 passes.

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
        let sum = order::bisect(2.0 * first, 2.0 * last, |most| self.sums_up_to(most) >= rank);
        Some(sum / 2.0)
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
