//! An interval for a median from one value a block.
//!
//! The interval between two order statistics covers the median with a probability that depends on n alone, whatever
//! the distribution. Between the two that lie closest around the confidence asked for, Hettmansperger and Sheather
//! (1986) interpolate. The bootstrap's own distribution of a median is also known in closed form, and its
//! percentiles fall on the order statistics, so that what they cover jumps with n (docs/statistics.md): this takes its place.

use super::normal::binomial_cdf;

/// The interval for the median of values in rising order; `None` where even their whole range covers less.
#[must_use]
pub fn interval(sorted: &[f64], confidence: f64) -> Option<(f64, f64)> {
    let n = sorted.len();
    let depth = depth(n, confidence)?;
    let (outer, inner) = (coverage(n, depth), coverage(n, depth + 1));
    let share = if outer > inner { (outer - confidence) / (outer - inner) } else { 0.0 };
    let weight = (n - depth) as f64 * share / (depth as f64 + (n - 2 * depth) as f64 * share);
    let between = |from: usize, to: usize| sorted[from] + (sorted[to] - sorted[from]) * weight;
    // For the deepest pair of an odd n both ends meet in the middle.
    Some((between(depth - 1, depth.min(n - 1)), between(n - depth, (n - depth).saturating_sub(1))))
}

/// Coverage of the interval between the `depth`-th smallest and the `depth`-th largest.
fn coverage(n: usize, depth: usize) -> f64 {
    if 2 * depth > n {
        return 0.0;
    }
    1.0 - 2.0 * binomial_cdf(depth as u64 - 1, n as u64, 0.5)
}

/// The largest depth whose interval still covers `confidence`.
fn depth(n: usize, confidence: f64) -> Option<usize> {
    let enough = |depth: usize| coverage(n, depth) >= confidence;
    if n == 0 || !enough(1) {
        return None;
    }
    let (mut low, mut high) = (1, n / 2 + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn six_values_are_the_fewest_for_95_per_cent() {
        assert_eq!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), None);
        assert_eq!(interval(&[], 0.95), None);
        let (low, high) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95).unwrap();
        // Depth 1 covers 0.96875, depth 2 0.78125: share 0.1, weight 0.5 / 1.4.
        assert!((low - (1.0 + 0.5 / 1.4)).abs() < 1e-9 && (high - (6.0 - 0.5 / 1.4)).abs() < 1e-9);
    }

    #[test]
    fn depths_are_those_of_the_sign_test() {
        // Conover's table of binomial quantiles: depths of 95 % intervals.
        for (n, expected) in [(6, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18)]
        {
            assert_eq!(depth(n, 0.95), Some(expected), "n = {n}");
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_median_and_widens_with_confidence(
            values in proptest::collection::vec(-1e6..1e6f64, 1..200),
        ) {
            let sorted = crate::analysis::statistics::order::sorted(&values);
            let median = crate::analysis::statistics::order::median(&sorted).unwrap();
            let mut widest = f64::INFINITY;
            for confidence in [0.999, 0.99, 0.95, 0.8, 0.5] {
                let Some((low, high)) = interval(&sorted, confidence) else { continue };
                prop_assert!(low <= median + 1e-6 && median <= high + 1e-6, "{low} {median} {high}");
                prop_assert!(high - low <= widest + 1e-6);
                widest = high - low;
            }
        }
    }
}
