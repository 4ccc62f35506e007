//! Where a stretch may split: every place whose rank statistic exceeds what the largest one of shuffled builds reaches.
//!
//! Intervals: the seeded ones of Kovács, Bühlmann, Li and Munk (Biometrika 110, 2023), so that a change is also seen
//! between two others. Statistic: the standardised difference of mean ranks, at each split of each interval. Its
//! largest value over all of them is compared with the largest value after shuffling, so the search itself is part
//! of what chance is given credit for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::LEAST_ALPHA;
use super::robust::ranks;

/// The shortest stretch on either side of a split.
pub(super) const SHORTEST: usize = 4;

/// The most shuffles that are made only for a chance near `alpha` to be told finely.
const FINE_SHUFFLES: f64 = 9_999.0;

/// A place that chance does not explain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// The index of the first value after it.
    pub at: usize,
    /// The statistic.
    pub statistic: f64,
    /// How often shuffled builds reach as much anywhere, the search counted in.
    pub chance: f64,
}

/// The splits of `values` that chance explains with at most `alpha`, strongest first, none within [`SHORTEST`] of a
/// stronger one. Where builds are exchangeable there is none, but for `alpha` of all such series.
pub(super) fn splits(values: &[f64], alpha: f64) -> Vec<Split> {
    let alpha = alpha.max(LEAST_ALPHA);
    let intervals = intervals(values.len());
    let mut ranks = ranks(values);
    let mut found: Vec<(usize, f64)> = strongest_each(&ranks, &intervals);
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let Some(&(_, largest)) = found.first() else { return Vec::new() };
    let Some(shuffled) = shuffled_maxima(&mut ranks, &intervals, largest, alpha) else { return Vec::new() };
    let chance = |z: f64| {
        let reached = shuffled.len() - shuffled.partition_point(|&other| other < z);
        (reached + 1) as f64 / (shuffled.len() + 1) as f64
    };
    let mut splits: Vec<Split> = Vec::new();
    for (at, statistic) in found {
        let near = splits.iter().any(|other| other.at.abs_diff(at) < SHORTEST);
        let split = Split { at, statistic, chance: chance(statistic) };
        if !near && split.chance <= alpha {
            splits.push(split);
        }
    }
    splits
}

/// Stretches whose lengths fall by √2, the ends of each length spread evenly.
fn intervals(n: usize) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for depth in 0.. {
        let shrink = std::f64::consts::SQRT_2.powi(depth);
        let length = (n as f64 / shrink).round() as usize;
        if length < 2 * SHORTEST {
            break;
        }
        let count = 2 * shrink.ceil() as usize - 1;
        let step = (n - length) as f64 / (count.max(2) - 1) as f64;
        all.extend((0..count).map(|i| (i as f64 * step).round() as usize).map(|from| (from, from + length)));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Running sums of ranks and of their squares.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn of(ranks: &[f64]) -> Self {
        let mut sums = Vec::with_capacity(ranks.len() + 1);
        let mut last = (0.0, 0.0);
        sums.push(last);
        for rank in ranks {
            last = (last.0 + rank, last.1 + rank * rank);
            sums.push(last);
        }
        Self(sums)
    }

    /// The split of an interval with the largest statistic; `None` where all ranks are equal.
    fn strongest(&self, (from, to): (usize, usize)) -> Option<(usize, f64)> {
        let n = (to - from) as f64;
        let sum = self.0[to].0 - self.0[from].0;
        let variance = (self.0[to].1 - self.0[from].1 - sum * sum / n) / (n - 1.0);
        if variance <= 1e-9 {
            return None;
        }
        let mut best = (from, 0.0);
        for at in from + SHORTEST..=to - SHORTEST {
            let (left, right) = ((at - from) as f64, (to - at) as f64);
            let below = self.0[at].0 - self.0[from].0;
            let distance = (below / left - (sum - below) / right).abs();
            let squared = distance * distance * left * right;
            if squared > best.1 {
                best = (at, squared);
            }
        }
        Some((best.0, (best.1 / (n * variance)).sqrt()))
    }
}

fn strongest_each(ranks: &[f64], intervals: &[(usize, usize)]) -> Vec<(usize, f64)> {
    let sums = Sums::of(ranks);
    intervals.iter().filter_map(|&interval| sums.strongest(interval)).collect()
}

/// The largest statistic of each shuffle, rising; `None` as soon as `largest` is reached too often for `alpha`.
fn shuffled_maxima(
    ranks: &mut [f64],
    intervals: &[(usize, usize)],
    largest: f64,
    alpha: f64,
) -> Option<Vec<f64>> {
    let shuffles = shuffles(alpha);
    let mut source = ChaCha8Rng::seed_from_u64(0);
    let mut maxima = Vec::with_capacity(shuffles);
    let mut reached = 0;
    for _ in 0..shuffles {
        shuffle(ranks, &mut source);
        let sums = Sums::of(ranks);
        let each = intervals.iter().filter_map(|&interval| sums.strongest(interval));
        let most = each.map(|(_, z)| z).fold(0.0, f64::max);
        reached += usize::from(most >= largest);
        if (reached + 1) as f64 > alpha * (shuffles + 1) as f64 {
            return None;
        }
        maxima.push(most);
    }
    maxima.sort_unstable_by(f64::total_cmp);
    Some(maxima)
}

/// As many as can show a chance of `alpha`, or nothing would ever be found; ten times as many where that is cheap.
/// Where nothing is, the first few say so and the rest is not made.
fn shuffles(alpha: f64) -> usize {
    let fine = ((10.0 / alpha).ceil() - 1.0).clamp(19.0, FINE_SHUFFLES);
    (1.0 / alpha).ceil().max(fine) as usize
}

/// Fisher and Yates; the tiny unevenness of the multiplication is far below what shuffles can resolve.
fn shuffle(ranks: &mut [f64], source: &mut ChaCha8Rng) {
    for last in (1..ranks.len()).rev() {
        let other = (u64::from(source.next_u32()) * (last as u64 + 1)) >> 32;
        ranks.swap(last, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_cover_all_lengths_and_stay_inside() {
        for n in [0, 7, 8, 27, 500] {
            let all = intervals(n);
            assert!(all.iter().all(|&(from, to)| from < to && to <= n && to - from >= 2 * SHORTEST));
            assert_eq!(all.contains(&(0, n)), n >= 8);
        }
    }

    #[test]
    fn a_step_is_found_where_it_is_and_equal_values_have_none() {
        let step: Vec<f64> = (0..40).map(|i| f64::from(i % 3) + if i < 25 { 0.0 } else { 9.0 }).collect();
        let found = splits(&step, 0.01);
        assert_eq!(found[0].at, 25);
        assert!(found[0].chance <= 0.01);
        assert_eq!(splits(&[1.0; 40], 0.01), []);
        assert_eq!(splits(&step[..7], 0.01), []);
    }

    /// However many series share the chance, a split that no shuffle reaches is one.
    #[test]
    fn a_clear_step_is_found_at_any_share_of_the_chance() {
        let step: Vec<f64> = (0..120).map(|i| f64::from(i % 3) + if i < 60 { 0.0 } else { 9.0 }).collect();
        for series in [1.0, 100.0, 101.0, 218.0, 250.0, 1000.0, 5000.0] {
            let alpha = 0.01 / series;
            assert!((shuffles(alpha) + 1) as f64 * alpha >= 1.0, "{series}");
            let found = splits(&step, alpha);
            assert_eq!(found[0].at, 60, "{series}");
        }
    }

    #[test]
    fn four_against_four_are_too_few_to_exclude_chance() {
        assert_eq!(splits(&[1.0, 2.0, 3.0, 4.0, 15.0, 16.0, 17.0, 18.0], 0.01), []);
    }
}
