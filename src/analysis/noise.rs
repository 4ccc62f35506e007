//! What a run of one environment under two names says about its host: how far equal things seem apart.

use serde::Serialize;

use super::group::{Groups, Series, group};
use super::pair::{Pair, pairs};
use super::statistics::detectable::{self, Sureness};
use super::statistics::{order, robust, signed_rank, walsh::Walsh};
use super::summary::{Estimate, Interval};
use crate::journal::Run;

/// Numbers of blocks that the answer is given for: those at which a run may stop on precision.
pub const BLOCKS: [u32; 3] = [10, 20, 40];

/// How much one metric wavers here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wavering {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Blocks with a value under both names.
    pub blocks: u32,
    /// Median of all values.
    pub median: Option<f64>,
    /// Robust standard deviation of ln(b / a) inside blocks: about the fraction by which equal things differ. `None`: one
    /// block alone has none.
    pub spread: Option<f64>,
    /// b against a: 1 is the truth. With the interval that leaves the truth out in one run of a hundred.
    pub ratio: Option<Estimate>,
    /// The smallest change seen with 95 % power at 1 % false alarms, as a fraction; one for each of [`BLOCKS`].
    /// `None`: too few blocks to say.
    pub detectable: Vec<Option<f64>>,
}

impl Wavering {
    /// Equal things were told apart: an alarm that is false.
    #[must_use]
    pub fn false_alarm(&self) -> bool {
        let interval = self.ratio.and_then(|ratio| ratio.interval);
        interval.is_some_and(|interval| interval.low > 1.0 || interval.high < 1.0)
    }
}

/// How much `metric` wavers between the environments `a` and `b`, which are one; `None` where the run does not have it.
#[must_use]
pub fn wavering(run: &Run, metric: &str, (a, b): (&str, &str), seed: u64) -> Option<Wavering> {
    let Groups { series, .. } = group(run);
    let of = |id: &str| series.iter().find(|one| one.key.metric == metric && one.key.environment == id);
    let (a, b) = (of(a)?, of(b)?);
    let pairs: Vec<Pair> =
        pairs(b, a).into_iter().filter(|pair| pair.value > 0.0 && pair.control > 0.0).collect();
    let logs: Vec<f64> = pairs.iter().map(Pair::log_ratio).collect();
    let smallest = |&n: &u32| detectable::smallest(&logs, n as usize, Sureness::USUAL, seed).map(f64::exp_m1);
    Some(Wavering {
        metric: metric.to_owned(),
        unit: a.metric.map_or_else(String::new, |metric| metric.unit.to_owned()),
        blocks: u32::try_from(logs.len()).unwrap_or(u32::MAX),
        median: order::median_of(&[values(a), values(b)].concat()),
        spread: spread(&logs),
        ratio: ratio(&logs),
        detectable: BLOCKS.iter().map(smallest).collect(),
    })
}

fn values(series: &Series<'_>) -> Vec<f64> {
    series.taken.iter().map(|one| one.value).collect()
}

fn spread(logs: &[f64]) -> Option<f64> {
    let scale = robust::Scale::of(&order::sorted(logs), 0.0);
    scale.filter(|_| logs.len() > 1).map(|scale| scale.deviation)
}

fn ratio(logs: &[f64]) -> Option<Estimate> {
    let walsh = Walsh::new(logs);
    let depth = signed_rank::depth(logs.len(), 1.0 - Sureness::USUAL.false_alarms);
    let interval = signed_rank::interval(&walsh, depth);
    let interval = interval.map(|(low, high)| Interval { low: low.exp(), high: high.exp() });
    Some(Estimate { value: walsh.median()?.exp(), interval })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::example;
    use super::*;

    const METRIC: &str = "cpu.integer.rate";

    /// `docker` wavers about `native` by up to ± 2 %, and is `times` as fast.
    fn run(blocks: u32, times: f64) -> Run {
        let mut run = example::run(blocks);
        for block in 2..blocks + 2 {
            let waver = 1.0 + f64::from(block * 7 % 5) / 100.0 - 0.02;
            run.samples.push(example::sample(block, "native", METRIC, 100.0));
            run.samples.push(example::sample(block, "docker", METRIC, 100.0 * waver * times));
        }
        run
    }

    #[test]
    fn what_is_equal_has_a_ratio_of_one_and_more_blocks_see_less() {
        let found = wavering(&run(40, 1.0), METRIC, ("native", "docker"), 1).unwrap();
        assert_eq!((found.blocks, found.median), (40, Some(100.0)));
        assert!(!found.false_alarm());
        assert!((0.005..0.03).contains(&found.spread.unwrap()), "{found:?}");
        let seen: Vec<f64> = found.detectable.iter().map(|one| one.unwrap()).collect();
        assert!(seen[0] > seen[1] && seen[1] > seen[2] && seen[2] > 0.005 && seen[0] < 0.05, "{seen:?}");
    }

    #[test]
    fn equal_things_that_are_told_apart_are_a_false_alarm() {
        assert!(wavering(&run(20, 1.1), METRIC, ("native", "docker"), 1).unwrap().false_alarm());
    }

    #[test]
    fn few_blocks_say_nothing_and_a_metric_that_is_not_there_is_none() {
        let found = wavering(&run(5, 1.0), METRIC, ("native", "docker"), 1).unwrap();
        assert_eq!(found.detectable, [None; 3]);
        assert_eq!(found.ratio.unwrap().interval, None);
        let spread = |blocks| wavering(&run(blocks, 1.0), METRIC, ("native", "docker"), 1).unwrap().spread;
        assert!(spread(1).is_none() && spread(2).is_some());
        assert_eq!(wavering(&run(5, 1.0), "cpu.float.rate", ("native", "docker"), 1), None);
    }
}
