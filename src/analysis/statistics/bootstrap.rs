//! Resampling of whole blocks, for what has no closed form: a quantile of several values a block, pooled.
//!
//! Values inside a block share its host state, so blocks are drawn, not values. For each block it is counted how many
//! of its values are at most each point of a grid; a resample's quantile is then found by bisection over the grid.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{normal, order};

/// Blocks are few; more than this are joined to so many runs of neighbours, which are then what is drawn.
const MOST_BLOCKS: usize = 256;

/// Points of a grid made of values: so many are a quantile's place to one part in four thousand.
const MOST_POINTS: usize = 4096;

/// Fewer blocks say too little about how blocks differ.
pub const FEWEST_BLOCKS: usize = 6;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// How often.
    pub resamples: u32,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// The seed, and which of its streams: the same two give the same interval everywhere.
    pub seed: u64,
    /// See [`Resampling::seed`].
    pub stream: u64,
}

/// Blocks as counts over a grid.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// Rising.
    grid: Vec<f64>,
    /// How many blocks there are, neighbours joined.
    blocks: usize,
    /// For each point of the grid one number a block: its values at most that. Whole numbers, which add up exactly
    /// below 2⁵³; a point's are together in memory, for a resample asks for one point of all blocks at once.
    at_most: Vec<f64>,
}

impl Blocks {
    /// Of blocks in order, each with the `values` it holds, counted over the rising `grid`.
    #[must_use]
    pub fn new<'a, B, V>(grid: Vec<f64>, all: &'a [B], values: impl Fn(&'a B) -> V) -> Self
    where
        V: IntoIterator<Item = f64>,
    {
        let each = all.len().div_ceil(MOST_BLOCKS).max(1);
        let blocks = all.len().div_ceil(each);
        let mut at_most = vec![0.0; grid.len() * blocks];
        for (block, joined) in all.chunks(each).enumerate() {
            let values: Vec<f64> = joined.iter().flat_map(&values).collect();
            for (point, count) in up_to(&grid, &order::sorted(&values)).enumerate() {
                at_most[point * blocks + block] = count as f64;
            }
        }
        Self { grid, blocks, at_most }
    }

    /// Of the values themselves; the grid is all that occur, or evenly spaced ones among very many.
    #[must_use]
    pub fn of_values(blocks: &[Vec<f64>]) -> Self {
        let mut grid = order::sorted(&blocks.concat());
        grid.dedup();
        let step = grid.len().div_ceil(MOST_POINTS).max(1);
        let grid: Vec<f64> = grid.iter().rev().step_by(step).rev().copied().collect();
        Self::new(grid, blocks, |block| block.iter().copied())
    }

    /// The quantile of all blocks together: the smallest point that at least that share does not exceed.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        self.grid.get(self.place(&vec![1.0; self.blocks], quantile, 0)?).copied()
    }

    /// Where on the grid the quantile is of a resample in which each block stands `times` times; looked for in widening
    /// steps from where it is thought to be, for resamples are much alike.
    fn place(&self, times: &[f64], quantile: f64, near: usize) -> Option<usize> {
        let at_most =
            |point: usize| sum_of_products(&self.at_most[point * self.blocks..][..self.blocks], times);
        let last = self.grid.len().checked_sub(1)?;
        let rank = (quantile * at_most(last) - 1e-9).ceil().max(1.0);
        let reached = |point: usize| at_most(point) >= rank;
        let (mut low, mut high, mut step) = (0, last, 1);
        if reached(near) {
            high = near;
            while low < high {
                let Some(before) = high.checked_sub(step).filter(|before| *before >= low) else { break };
                if reached(before) {
                    high = before
                } else {
                    low = before + 1
                }
                step *= 2;
            }
        } else {
            low = near + 1;
            while low < high {
                let Some(after) = Some(low + step - 1).filter(|after| *after < high) else { break };
                if reached(after) {
                    high = after
                } else {
                    low = after + 1
                }
                step *= 2;
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if reached(middle) { high = middle } else { low = middle + 1 }
        }
        Some(low)
    }

    /// The bootstrap interval of several quantiles; `None` for fewer than [`FEWEST_BLOCKS`].
    ///
    /// Percentiles, moved outward as far as Student's t is wider than the normal distribution ('expanded', Hesterberg
    /// 2015): plain ones are too narrow by that much for few blocks.
    #[must_use]
    pub fn intervals(&self, quantiles: &[f64], how: &Resampling) -> Option<Vec<(f64, f64)>> {
        let blocks = self.blocks;
        if blocks < FEWEST_BLOCKS {
            return None;
        }
        let mut source = source(how);
        let mut found = vec![Vec::with_capacity(how.resamples as usize); quantiles.len()];
        let mut times = vec![1.0; blocks];
        let places: Vec<usize> =
            quantiles.iter().map(|&quantile| self.place(&times, quantile, 0)).collect::<Option<_>>()?;
        for _ in 0..how.resamples {
            draw(&mut times, &mut source);
            for ((list, place), &quantile) in found.iter_mut().zip(&places).zip(quantiles) {
                list.extend(self.place(&times, quantile, *place).and_then(|at| self.grid.get(at)));
            }
        }
        let tail = expanded_tail(blocks, how.confidence)?;
        let ends = |list: Vec<f64>| {
            let sorted = order::sorted(&list);
            Some((order::quantile(&sorted, tail)?, order::quantile(&sorted, 1.0 - tail)?))
        };
        found.into_iter().map(ends).collect()
    }
}

/// For each point of a rising grid: how many of the values in rising order are at most that. One pass over both.
fn up_to<'a>(grid: &'a [f64], sorted: &'a [f64]) -> impl Iterator<Item = usize> + 'a {
    let mut count = 0;
    grid.iter().map(move |point| {
        count += sorted[count..].iter().take_while(|value| *value <= point).count();
        count
    })
}

/// The percentile that takes the place of (1 − confidence) / 2.
fn expanded_tail(blocks: usize, confidence: f64) -> Option<f64> {
    let n = blocks as f64;
    let t = normal::t_quantile((1.0 - confidence) / 2.0, n - 1.0)?;
    Some(normal::cdf(t * (n / (n - 1.0)).sqrt()))
}

fn source(how: &Resampling) -> ChaCha8Rng {
    let mut source = ChaCha8Rng::seed_from_u64(how.seed);
    source.set_stream(how.stream);
    source
}

/// Draws as many blocks as there are, with replacement: how often each was.
fn draw(times: &mut [f64], source: &mut ChaCha8Rng) {
    times.fill(0.0);
    for _ in 0..times.len() {
        times[below(times.len() as u64, source) as usize] += 1.0;
    }
}

/// In eight sums side by side, so that the processor need not wait for one addition before the next.
fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f64>()
}

/// A number below `bound`, by multiplication: the favour some get is under `bound` / 2⁶⁴.
fn below(bound: u64, source: &mut ChaCha8Rng) -> u64 {
    ((u128::from(source.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOW: Resampling = Resampling { resamples: 10_000, confidence: 0.95, seed: 1, stream: 0 };

    #[test]
    fn few_blocks_give_no_interval() {
        let blocks = Blocks::of_values(&[vec![1.0, 2.0], vec![3.0]]);
        assert_eq!(blocks.quantile(0.5), Some(2.0));
        assert_eq!(blocks.intervals(&[0.5], &HOW), None);
        assert_eq!(Blocks::of_values(&[]).quantile(0.5), None);
    }

    #[test]
    fn what_is_drawn_is_blocks() {
        // Ten blocks of a thousand equal values each: as many values as one likes say no more than ten.
        let blocks: Vec<Vec<f64>> = (0..10).map(|block| vec![f64::from(block); 1000]).collect();
        let found = Blocks::of_values(&blocks).intervals(&[0.5], &HOW).unwrap();
        let (low, high) = found[0];
        assert!(low <= 2.0 && high >= 6.0, "{low} {high}");
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let blocks: Vec<Vec<f64>> =
            (0..8).map(|b| (0..5).map(|i| f64::from((b * 7 + i * 3) % 11)).collect()).collect();
        let blocks = Blocks::of_values(&blocks);
        let with =
            |seed, stream| blocks.intervals(&[0.9], &Resampling { seed, stream, resamples: 50, ..HOW });
        assert_eq!(with(1, 2), with(1, 2));
        assert!((0..20).any(|seed| with(seed, 2) != with(1, 2)));
    }

    #[test]
    fn one_value_a_block_is_the_known_distribution() {
        // P(bootstrap median ≤ k-th of 9) = P(Bin(9, k/9) ≥ 5): the resamples must have these shares.
        let values: Vec<Vec<f64>> = (1..=9).map(|value| vec![f64::from(value)]).collect();
        let blocks = Blocks::of_values(&values);
        let mut source = source(&HOW);
        let medians: Vec<f64> = (0..20_000)
            .map(|_| {
                let mut times = [0.0; 9];
                draw(&mut times, &mut source);
                blocks.grid[blocks.place(&times, 0.5, 4).unwrap()]
            })
            .collect();
        for k in 1..9 {
            let found = medians.iter().filter(|&&m| m <= f64::from(k)).count() as f64 / 20_000.0;
            let expected = 1.0 - normal::binomial_cdf(4, 9, f64::from(k) / 9.0);
            assert!((found - expected).abs() < 0.015, "{k}: {found} {expected}");
        }
    }

    #[test]
    fn many_blocks_are_joined_and_many_values_thinned() {
        let blocks: Vec<Vec<f64>> = (0..1000).map(|b| vec![f64::from(b), f64::from(b) + 0.5, 7.0]).collect();
        let joined = Blocks::of_values(&blocks);
        assert!(joined.blocks <= MOST_BLOCKS && joined.grid.len() <= MOST_POINTS);
        let long: Vec<f64> = (0..100_000).map(f64::from).collect();
        let thin = Blocks::of_values(&[long]);
        assert!(thin.grid.len() <= MOST_POINTS && thin.grid.last() == Some(&99_999.0));
        assert!((thin.quantile(0.5).unwrap() - 50_000.0).abs() < 50.0);
    }

    proptest! {
        #[test]
        fn the_pool_has_the_quantile_of_its_values(
            blocks in proptest::collection::vec(proptest::collection::vec(-50i16..50, 1..9), 1..9),
            quantile in 0.01..1.0f64,
        ) {
            let blocks: Vec<Vec<f64>> =
                blocks.into_iter().map(|block| block.into_iter().map(f64::from).collect()).collect();
            let all = order::sorted(&blocks.concat());
            let rank = (quantile * all.len() as f64 - 1e-9).ceil().max(1.0) as usize;
            let counted = Blocks::of_values(&blocks);
            prop_assert_eq!(counted.quantile(quantile), Some(all[rank - 1]));
            let place = counted.place(&vec![1.0; blocks.len()], quantile, 0);
            for near in 0..counted.grid.len() {
                prop_assert_eq!(counted.place(&vec![1.0; blocks.len()], quantile, near), place);
            }
        }
    }
}
