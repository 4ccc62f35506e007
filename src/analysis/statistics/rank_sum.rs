//! Two samples that share no blocks: the rank-sum test of Wilcoxon, Mann and Whitney (1947), and the shift that inverts it.

use super::{normal, order};

/// Up to so many values in all the distribution is counted out, ties included.
const MOST_EXACT: usize = 40;

/// Two-sided: the probability of ranks as uneven as these, were both samples of one distribution. 1 where either is empty.
#[must_use]
pub fn p(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let (ranks, sum) = doubled_ranks(a, b);
    let tail = if ranks.len() <= MOST_EXACT {
        exact_tail(&ranks, a.len(), sum)
    } else {
        normal_tail(&ranks, a.len(), sum)
    };
    (2.0 * tail).min(1.0)
}

/// Twice the mean rank of all values, and the sum of those of `a`.
fn doubled_ranks(a: &[f64], b: &[f64]) -> (Vec<usize>, usize) {
    let mut all: Vec<(f64, bool)> = a.iter().map(|&value| (value, true)).collect();
    all.extend(b.iter().map(|&value| (value, false)));
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks, mut sum) = (Vec::with_capacity(all.len()), 0);
    for tied in all.chunk_by(|x, y| x.0 == y.0) {
        let doubled = 2 * ranks.len() + tied.len() + 1;
        sum += doubled * tied.iter().filter(|(_, of_a)| *of_a).count();
        ranks.resize(ranks.len() + tied.len(), doubled);
    }
    (ranks, sum)
}

/// The smaller tail of the sum of `size` of the ranks, all choices being equally likely.
fn exact_tail(ranks: &[usize], size: usize, sum: usize) -> f64 {
    let most: usize = ranks.iter().rev().take(size).sum();
    // ways[k][s]: choices of k ranks with sum s; below 2^40 choices, so exact.
    let mut ways = vec![vec![0.0; most + 1]; size + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for k in (1..=size).rev() {
            let (fewer, these) = ways.split_at_mut(k);
            let from = &fewer[k - 1];
            for (s, way) in these[0].iter_mut().enumerate().skip(rank) {
                *way += from[s - rank];
            }
        }
    }
    let all: f64 = ways[size].iter().sum();
    let below: f64 = ways[size].iter().take(sum + 1).sum();
    let above: f64 = ways[size].iter().skip(sum).sum();
    below.min(above) / all
}

fn normal_tail(ranks: &[usize], size: usize, sum: usize) -> f64 {
    let (total, size) = (ranks.len() as f64, size as f64);
    let mean = ranks.iter().sum::<usize>() as f64 / total;
    let squares: f64 = ranks.iter().map(|&rank| (rank as f64 - mean).powi(2)).sum();
    // Of a sum drawn without replacement.
    let variance = size * (total - size) / (total * (total - 1.0)) * squares;
    if variance <= 0.0 {
        return 0.5;
    }
    // The sum of doubled ranks moves in steps of two: half a step is one.
    let distance = ((sum as f64 - size * mean).abs() - 1.0).max(0.0);
    normal::cdf(-distance / variance.sqrt())
}

/// The Hodges-Lehmann shift from `base` to `new`, the median of all differences, and the interval that the test does not
/// refuse; `None` for an empty side, and no interval where there are too few values for it.
#[must_use]
pub fn shift(base: &[f64], new: &[f64], confidence: f64) -> Option<(f64, Option<(f64, f64)>)> {
    let differences = Differences { base: order::sorted(base), new: order::sorted(new) };
    let estimate = differences.median()?;
    let ends = depth(base.len(), new.len(), confidence)
        .and_then(|depth| Some((differences.nth(depth)?, differences.nth(differences.count() + 1 - depth)?)));
    Some((estimate, ends))
}

/// How many differences lie outside the interval on each side.
fn depth(m: usize, n: usize, confidence: f64) -> Option<u64> {
    let tail = (1.0 - confidence) / 2.0;
    let depth = if m + n <= MOST_EXACT { exact_depth(m, n, tail) } else { normal_depth(m, n, tail) };
    (depth > 0).then_some(depth)
}

/// The largest d with P(U ≤ d − 1) ≤ tail, U being the number of pairs in which the one is the smaller.
fn exact_depth(m: usize, n: usize, tail: f64) -> u64 {
    let mut ways = vec![0.0; m * n + 1];
    ways[0] = 1.0;
    // Coefficients of the Gaussian binomial: times (1 − q^(n+i)) / (1 − q^i) for each i up to m.
    for i in 1..=m {
        for s in (n + i..=m * n).rev() {
            ways[s] -= ways[s - n - i];
        }
        for s in i..=m * n {
            ways[s] += ways[s - i];
        }
    }
    let all: f64 = ways.iter().sum();
    let mut below = 0.0;
    let within = ways.iter().take_while(|way| {
        below += *way / all;
        below <= tail * (1.0 + 1e-12)
    });
    within.count() as u64
}

fn normal_depth(m: usize, n: usize, tail: f64) -> u64 {
    let (m, n) = (m as f64, n as f64);
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    (m * n / 2.0 + 0.5 + normal::quantile(tail) * deviation).floor().max(0.0) as u64
}

/// All differences new − base, never made: counted, and found by bisection over the representable numbers.
struct Differences {
    base: Vec<f64>,
    new: Vec<f64>,
}

impl Differences {
    fn count(&self) -> u64 {
        (self.base.len() * self.new.len()) as u64
    }

    fn median(&self) -> Option<f64> {
        let count = self.count();
        let upper = self.nth(count / 2 + 1)?;
        if count % 2 == 1 { Some(upper) } else { Some(f64::midpoint(self.nth(count / 2)?, upper)) }
    }

    fn nth(&self, rank: u64) -> Option<f64> {
        if rank == 0 || rank > self.count() {
            return None;
        }
        let low = self.new.first()? - self.base.last()?;
        let high = self.new.last()? - self.base.first()?;
        Some(order::bisect(low, high, |most| self.up_to(most) >= rank))
    }

    fn up_to(&self, most: f64) -> u64 {
        let mut end = 0;
        let pairs = self.base.iter().map(|base| {
            while self.new.get(end).is_some_and(|new| new - base <= most) {
                end += 1;
            }
            end as u64
        });
        pairs.sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_in_the_tables() {
        // Largest U with P(U ≤ u) ≤ 0.025 (Mann and Whitney; two-sided 5 %).
        for (m, n, u) in
            [(4, 4, 0), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (20, 20, 127), (5, 10, 8)]
        {
            assert_eq!(exact_depth(m, n, 0.025), u + 1, "{m} {n}");
        }
        assert_eq!(depth(3, 3, 0.95), None);
        // R: wilcox.test(c(1.1,2.2,3.3,4.4), c(5.5,6.6,7.7,8.8,9.9)) has p = 0.01587.
        let p = p(&[1.1, 2.2, 3.3, 4.4], &[5.5, 6.6, 7.7, 8.8, 9.9]);
        assert!((p - 2.0 / 126.0).abs() < 1e-12);
    }

    #[test]
    fn equal_values_and_empty_sides_say_nothing() {
        assert_eq!(p(&[], &[1.0]), 1.0);
        assert_eq!(p(&[1.0; 5], &[1.0; 5]), 1.0);
        assert_eq!(p(&[1.0; 50], &[1.0; 50]), 1.0);
        assert_eq!(shift(&[], &[1.0], 0.95), None);
        assert_eq!(shift(&[1.0; 8], &[3.0; 8], 0.95), Some((2.0, Some((2.0, 2.0)))));
    }

    #[test]
    fn the_approximation_takes_over_smoothly() {
        let a: Vec<f64> = (0..20).map(|i| f64::from(i) * 1.7).collect();
        let b: Vec<f64> = (0..20).map(|i| f64::from(i) * 1.7 + 9.1).collect();
        let (ranks, sum) = doubled_ranks(&a, &b);
        let (exact, normal) = (exact_tail(&ranks, 20, sum), normal_tail(&ranks, 20, sum));
        // The approximation errs to the safe side.
        assert!(exact <= normal && normal < 1.15 * exact, "{exact} {normal}");
        assert!(exact_depth(20, 20, 0.005).abs_diff(normal_depth(20, 20, 0.005)) <= 1);
    }

    proptest! {
        #[test]
        fn the_exact_tail_is_the_share_of_choices(
            values in proptest::collection::vec((0u8..6).prop_map(f64::from), 2..10),
            size in 1usize..9,
        ) {
            let size = size.min(values.len() - 1);
            let (a, b) = values.split_at(size);
            let (ranks, seen) = doubled_ranks(a, b);
            let sums: Vec<usize> = (0u32..1 << ranks.len())
                .filter(|choice| choice.count_ones() as usize == size)
                .map(|choice| (0..ranks.len()).filter(|i| choice >> i & 1 == 1).map(|i| ranks[i]).sum())
                .collect();
            let share = |in_tail: &dyn Fn(usize) -> bool| {
                sums.iter().filter(|&&sum| in_tail(sum)).count() as f64 / sums.len() as f64
            };
            let expected = share(&|sum| sum <= seen).min(share(&|sum| sum >= seen));
            prop_assert!((exact_tail(&ranks, size, seen) - expected).abs() < 1e-12);
        }

        #[test]
        fn the_shift_is_what_sorting_finds(
            base in proptest::collection::vec(-50.0..50.0f64, 1..15),
            new in proptest::collection::vec(-50.0..50.0f64, 1..15),
        ) {
            let all: Vec<f64> = new.iter().flat_map(|new| base.iter().map(move |base| new - base)).collect();
            let (estimate, ends) = shift(&base, &new, 0.95).unwrap();
            prop_assert_eq!(Some(estimate), order::median_of(&all));
            prop_assert!(ends.is_none_or(|(low, high)| low <= estimate && estimate <= high));
        }
    }
}
