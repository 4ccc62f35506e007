//! Latencies of single operations, merged over the samples of a series.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use isocost_agent::protocol::MAX_LATENCIES;

use super::group::{Key, Series};
use super::settings::Settings;
use super::statistics::bootstrap::{Blocks, Resampling};
use super::summary::{Estimate, Interval, Latency, QuantilePoint};
use crate::measure::metric;

/// Three digits: a quantile is right to one part in a thousand.
const DIGITS: u8 = 3;

/// Points of the distribution for each halving of what remains above.
const POINTS_A_HALVING: u32 = 20;

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// The latencies of a series; `None` where none were recorded.
pub(super) fn of(
    series: &Series<'_>,
    rates: Option<&Series<'_>>,
    duration: Duration,
    settings: &Settings,
    stream: u64,
) -> Option<Latency> {
    let merged = merged(series)?;
    let key = series.key;
    let [p50, p90, p99] = quantiles(&merged, series, settings, stream);
    Some(Latency {
        environment: key.environment.to_owned(),
        kind: series.kind,
        accelerator: key.accelerator,
        workload: key.workload.to_owned(),
        metric: key.metric.rsplit_once(".p").map_or(key.metric, |(name, _)| name).to_owned(),
        unit: "ns".to_owned(),
        samples: u32::try_from(series.latencies.len()).unwrap_or(u32::MAX),
        operations: merged.len(),
        kept_one_in: kept(series, rates, duration),
        p50,
        p90,
        p99,
        max: merged.max() as f64,
        points: points(&merged),
    })
}

/// Of how many operations the agent kept one, at the least and at the most in a block: it keeps all while they are few, then
/// one in 2, 4, 8, …, and how many there were follows from their rate. `None` where that is not known.
fn kept(series: &Series<'_>, rates: Option<&Series<'_>>, duration: Duration) -> Option<(u64, u64)> {
    let of_list = |(block, list): &(u32, &[u32])| {
        if list.len() < MAX_LATENCIES / 2 {
            return Some(1);
        }
        let rate = rates?.taken.iter().find(|one| one.block == *block)?.value;
        let halvings = (rate * duration.as_secs_f64() / list.len() as f64).log2().round();
        (0.0..64.0).contains(&halvings).then(|| 1 << halvings as u32)
    };
    let all: Vec<u64> = series.latencies.iter().map(of_list).collect::<Option<_>>()?;
    Some((*all.iter().min()?, *all.iter().max()?))
}

/// All of them in one histogram, which grows with what it is given.
fn merged(series: &Series<'_>) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new(DIGITS).ok()?;
    for ns in series.latencies.iter().flat_map(|(_, list)| *list) {
        histogram.record(u64::from(*ns)).ok()?;
    }
    (!histogram.is_empty()).then_some(histogram)
}

fn quantiles(
    merged: &Histogram<u64>,
    series: &Series<'_>,
    settings: &Settings,
    stream: u64,
) -> [Option<Estimate>; 3] {
    let Settings { seed, confidence, resamples } = *settings;
    let how = Resampling { resamples, confidence, seed, stream };
    let intervals = counts(merged, series).intervals(&QUANTILES, &how);
    let mut index = 0;
    QUANTILES.map(|quantile| {
        let interval = intervals.as_ref().map(|all| Interval { low: all[index].0, high: all[index].1 });
        index += 1;
        let value = merged.value_at_quantile(quantile) as f64;
        enough(merged.len(), quantile, confidence).then_some(Estimate { value, interval })
    })
}

/// Can so many operations bound the quantile from above at all? Their largest must exceed it surely enough.
fn enough(operations: u64, quantile: f64, confidence: f64) -> bool {
    (operations as f64 * quantile.ln()).exp() <= (1.0 - confidence) / 2.0
}

/// The fewest operations for which [`enough`] holds.
fn least(quantile: f64, confidence: f64) -> u64 {
    (((1.0 - confidence) / 2.0).ln() / quantile.ln()).ceil() as u64
}

/// Which quantile of single operations a metric is in each block, and the metric whose samples have the operations.
fn quantile(metric: &str) -> Option<(f64, &'static str)> {
    let (name, quantile) = metric.rsplit_once(".p")?;
    let quantile = [("50", 0.5), ("99", 0.99)].iter().find(|(digits, _)| *digits == quantile)?.1;
    let with_operations = metric::find(&format!("{name}.p50"))?;
    Some((quantile, with_operations.name))
}

/// Where the series is a quantile of single operations and blocks have too few of them; `find` finds the series that has them.
pub(super) fn few_of<'s>(
    series: &Series<'_>,
    find: impl FnOnce(&Key<'_>) -> Option<&'s Series<'s>>,
    confidence: f64,
) -> Option<Few> {
    let (quantile, metric) = quantile(series.key.metric)?;
    too_few(series, find(&Key { metric, ..series.key })?, quantile, confidence)
}

/// Of too few operations even the largest may lie below a quantile: how many the blocks with a value have at the least and at
/// the most, and how many it takes. `None` where all have enough, or no block says how many it has.
fn too_few(series: &Series<'_>, operations: &Series<'_>, quantile: f64, confidence: f64) -> Option<Few> {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for (block, list) in &operations.latencies {
        *counts.entry(*block).or_default() += list.len() as u64;
    }
    let of_values = series.taken.iter().filter_map(|one| counts.get(&one.block).copied());
    let (fewest, most) = of_values.fold((u64::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
    let few = fewest != u64::MAX && !enough(fewest, quantile, confidence);
    few.then(|| Few {
        fewest,
        most,
        least: least(quantile, confidence),
        all: !enough(most, quantile, confidence),
    })
}

/// Blocks with too few operations for a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Few {
    fewest: u64,
    most: u64,
    least: u64,
    /// No block has enough.
    pub all: bool,
}

impl std::fmt::Display for Few {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fewest, most, least, .. } = self;
        if fewest == most {
            write!(f, "a block has {fewest} operations, and this quantile takes {least}")
        } else {
            write!(f, "blocks have {fewest} to {most} operations, and this quantile takes {least}")
        }
    }
}

/// Each block's counts over the merged histogram's buckets, for resampling.
fn counts(merged: &Histogram<u64>, series: &Series<'_>) -> Blocks {
    let grid: Vec<f64> = merged.iter_recorded().map(|step| step.value_iterated_to() as f64).collect();
    let mut lists = series.latencies.clone();
    lists.sort_by_key(|(block, _)| *block);
    let blocks: Vec<&[(u32, &[u32])]> = lists.chunk_by(|a, b| a.0 == b.0).collect();
    Blocks::new(grid, &blocks, |block| block.iter().flat_map(|(_, list)| *list).map(|&ns| f64::from(ns)))
}

fn points(merged: &Histogram<u64>) -> Vec<QuantilePoint> {
    let steps = merged.iter_quantiles(POINTS_A_HALVING);
    let mut points: Vec<QuantilePoint> = steps
        .map(|step| QuantilePoint { quantile: step.quantile(), value: step.value_iterated_to() as f64 })
        .filter(|point| point.quantile > 0.0)
        .collect();
    // The same value at several shares: the last is the one that its definition means.
    points.reverse();
    points.dedup_by(|a, b| a.value == b.value);
    points.reverse();
    points
}
