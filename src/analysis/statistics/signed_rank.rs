//! The signed-rank statistic of Wilcoxon (1945): its exact distribution, the interval that inverts its test, and the
//! test itself.

use super::{normal, walsh::Walsh};

/// Up to here the distribution is counted out; beyond, the normal approximation differs by less than 0.0002.
const MOST_EXACT: usize = 200;

/// P(W ≤ w) for all w, W being the sum of the positive ranks of `n` values symmetric about zero.
#[derive(Debug, Clone)]
pub struct Distribution {
    cumulative: Vec<f64>,
}

impl Distribution {
    /// For ranks 1 to `n`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self::of_ranks(&(1..=n).collect::<Vec<_>>())
    }

    /// For any ranks: each counts with probability ½. Adding one rank is adding a shifted half to a half.
    fn of_ranks(ranks: &[usize]) -> Self {
        let mut mass = vec![1.0];
        for &rank in ranks {
            let mut next = vec![0.0; mass.len() + rank];
            for (at, part) in mass.iter().enumerate() {
                next[at] += part / 2.0;
                next[at + rank] += part / 2.0;
            }
            mass = next;
        }
        let mut sum = 0.0;
        let cumulative = mass.iter().map(|part| {
            sum += part;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// P(W ≤ w).
    #[must_use]
    pub fn at_most(&self, w: usize) -> f64 {
        self.cumulative.get(w).copied().unwrap_or(1.0)
    }
}

/// How many Walsh averages lie outside the interval on each side; `None` where even the whole range covers less.
///
/// It is the largest k with P(W ≤ k − 1) ≤ (1 − confidence) / 2, and the interval is from the k-th smallest Walsh
/// average to the k-th largest. Six values are the fewest for 95 %, eight for 99 %.
#[must_use]
pub fn depth(n: usize, confidence: f64) -> Option<u64> {
    let tail = (1.0 - confidence) / 2.0;
    let depth = if n <= MOST_EXACT { exact_depth(n, tail) } else { normal_depth(n, tail) };
    (depth > 0).then_some(depth)
}

fn exact_depth(n: usize, tail: f64) -> u64 {
    let distribution = Distribution::new(n);
    // Rounding must not decide for a value that is exactly the tail.
    distribution.cumulative.iter().take_while(|&&mass| mass <= tail * (1.0 + 1e-12)).count() as u64
}

fn normal_depth(n: usize, tail: f64) -> u64 {
    let n = n as f64;
    let mean = n * (n + 1.0) / 4.0;
    let deviation = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    (mean + 0.5 + normal::quantile(tail) * deviation).floor().max(0.0) as u64
}

/// The exact interval for the centre of symmetry of what `values` were drawn from.
///
/// `None` where there are too few values. Ties and zeros make it cover more, never less.
#[must_use]
pub fn interval(walsh: &Walsh, depth: Option<u64>) -> Option<(f64, f64)> {
    let depth = depth?;
    Some((walsh.nth(depth)?, walsh.nth(walsh.count() + 1 - depth)?))
}

/// The probability of a sum of positive ranks as large as that of `values` − `shift`, were they symmetric about
/// `shift`: small where they lie above it.
///
/// Zeros are ranked and then left out (Pratt 1959); tied ones share their mean rank, and the distribution is that of
/// the ranks there are, so that the test stays exact. 1 for no values.
#[must_use]
pub fn p_above(values: &[f64], shift: f64) -> f64 {
    let mut differences: Vec<f64> = values.iter().map(|value| value - shift).collect();
    differences.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranked = doubled_ranks(&differences);
    let sum: usize = ranked.iter().filter(|(_, above)| *above).map(|(rank, _)| rank).sum();
    let ranks: Vec<usize> = ranked.iter().map(|(rank, _)| *rank).collect();
    if ranks.len() > MOST_EXACT {
        return normal_p(&ranks, sum);
    }
    if sum == 0 { 1.0 } else { 1.0 - Distribution::of_ranks(&ranks).at_most(sum - 1) }.clamp(0.0, 1.0)
}

/// The same for values below `shift`.
#[must_use]
pub fn p_below(values: &[f64], shift: f64) -> f64 {
    let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
    p_above(&mirrored, -shift)
}

/// Twice the mean rank of each value that is not zero, and whether it is positive; values by rising magnitude.
fn doubled_ranks(by_magnitude: &[f64]) -> Vec<(usize, bool)> {
    let mut ranked = Vec::with_capacity(by_magnitude.len());
    let mut before = 0;
    for tied in by_magnitude.chunk_by(|a, b| a.abs() == b.abs()) {
        let doubled = 2 * before + tied.len() + 1;
        ranked.extend(tied.iter().filter(|&&value| value != 0.0).map(|&value| (doubled, value > 0.0)));
        before += tied.len();
    }
    ranked
}

fn normal_p(ranks: &[usize], sum: usize) -> f64 {
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let variance = ranks.iter().map(|&rank| (rank as f64).powi(2)).sum::<f64>() / 4.0;
    // Half a step of the doubled ranks, which is one.
    normal::cdf(-(sum as f64 - 1.0 - mean) / variance.sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_in_the_tables() {
        // Largest w with P(W ≤ w) ≤ 0.025: Wilcoxon and Wilcox (1964), two-sided 5 %.
        let critical = [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (15, 25), (20, 52), (25, 89), (30, 137)];
        for (n, w) in critical {
            assert_eq!(depth(n, 0.95), Some(w + 1), "n = {n}");
        }
        // Two-sided 1 %.
        for (n, w) in [(8, 0), (9, 1), (10, 3), (15, 15), (20, 37), (30, 109)] {
            assert_eq!(depth(n, 0.99), Some(w + 1), "n = {n}");
        }
        assert_eq!((depth(5, 0.95), depth(7, 0.99), depth(0, 0.95)), (None, None, None));
    }

    #[test]
    fn the_approximation_takes_over_smoothly() {
        for confidence in [0.95, 0.99] {
            let tail = (1.0 - confidence) / 2.0;
            let (exact, normal) = (exact_depth(MOST_EXACT, tail), normal_depth(MOST_EXACT, tail));
            assert!(exact.abs_diff(normal) <= 6, "{exact} {normal}");
            let distribution = Distribution::new(MOST_EXACT);
            assert!((distribution.at_most(normal as usize - 1) - tail).abs() < 2e-4);
        }
    }

    #[test]
    fn darwins_plants() {
        // Darwin's maize (Fisher 1935; Hollander and Wolfe): differences in eighths of an inch.
        let plants =
            [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        // R: wilcox.test has V = 96 and p = 0.04126 for both sides.
        assert!((2.0 * p_above(&plants, 0.0) - 0.041_26).abs() < 1e-5, "{}", p_above(&plants, 0.0));
        let walsh = Walsh::new(&plants);
        let (low, high) = interval(&walsh, depth(15, 0.95)).unwrap();
        // Both sides' p is below 5 %, so zero is outside.
        assert!(low > 0.0 && high < 75.0, "{low} {high}");
    }

    #[test]
    fn ties_and_zeros() {
        assert_eq!(p_above(&[], 0.0), 1.0);
        assert_eq!(p_above(&[0.0; 10], 0.0), 1.0);
        // All tied and positive: only the one arrangement of 2^n is as large.
        assert!((p_above(&[1.0; 6], 0.0) - 1.0 / 64.0).abs() < 1e-12);
        assert!((p_below(&[1.0; 6], 1.5) - 1.0 / 64.0).abs() < 1e-12);
        let flat = Walsh::new(&[2.0; 8]);
        assert_eq!(interval(&flat, depth(8, 0.95)), Some((2.0, 2.0)));
    }

    #[test]
    fn many_values_by_the_approximation() {
        let many: Vec<f64> = (0..201).map(|i| f64::from(i) - 90.0).collect();
        let fewer = &many[..MOST_EXACT];
        let ranks = |values: &[f64]| {
            let mut sorted = values.to_vec();
            sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
            doubled_ranks(&sorted)
        };
        let ranked = ranks(fewer);
        let sum = ranked.iter().filter(|r| r.1).map(|r| r.0).sum();
        let of: Vec<usize> = ranked.iter().map(|r| r.0).collect();
        assert!((p_above(fewer, 0.0) - normal_p(&of, sum)).abs() < 2e-4);
        assert!(p_above(&many, 0.0) < p_above(&many, 5.0));
    }

    proptest! {
        #[test]
        fn the_exact_tail_is_the_share_of_sign_patterns(
            values in proptest::collection::vec((-4i8..5).prop_map(f64::from), 1..9),
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
            let ranked = doubled_ranks(&sorted);
            let seen: usize = ranked.iter().filter(|r| r.1).map(|r| r.0).sum();
            let patterns = 1u32 << ranked.len();
            let reach = (0..patterns).filter(|pattern| {
                let sum: usize = (0..ranked.len()).filter(|i| pattern >> i & 1 == 1).map(|i| ranked[i].0).sum();
                sum >= seen
            });
            let expected = reach.count() as f64 / f64::from(patterns);
            prop_assert!((p_above(&values, 0.0) - expected).abs() < 1e-12);
        }

        #[test]
        fn the_interval_is_what_the_test_does_not_refuse(
            values in proptest::collection::vec(-100.0..100.0f64, 6..20),
        ) {
            let walsh = Walsh::new(&values);
            let (low, high) = interval(&walsh, depth(values.len(), 0.95)).unwrap();
            let least = |shift: f64| p_above(&values, shift).min(p_below(&values, shift));
            prop_assert!(least(low - 1e-6) <= 0.025 + 1e-9 && least(high + 1e-6) <= 0.025 + 1e-9);
            if high - low > 1e-5 {
                prop_assert!(least(low + 1e-6) > 0.025 && least(high - 1e-6) > 0.025);
            }
        }
    }
}
