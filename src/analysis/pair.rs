//! The ratio of a series to the control's, from the blocks that hold both.

use super::group::Series;
use super::settings::Settings;
use super::statistics::{order, signed_rank, walsh::Walsh};
use super::summary::{Effect, Estimate, Interval, Missing, Ratio};
use super::{effect, matters};

/// The values of one block in the two: of several, their median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub value: f64,
    pub control: f64,
}

impl Pair {
    /// ln value − ln control.
    pub(super) fn log_ratio(&self) -> f64 {
        self.value.ln() - self.control.ln()
    }
}

/// The ratio and its effect in words.
pub(super) fn ratio(
    series: &Series<'_>,
    control: Option<&Series<'_>>,
    settings: &Settings,
) -> (Ratio, Option<Effect>) {
    let mut pairs = control.map(|control| pairs(series, control)).unwrap_or_default();
    if pairs.is_empty() && series.exact() {
        pairs.extend(control.and_then(|control| facts(series, control)));
    }
    if pairs.is_empty() {
        return (Ratio::Missing(Missing::NoPair), None);
    }
    if pairs.iter().any(|pair| pair.value <= 0.0 || pair.control <= 0.0) {
        return (Ratio::Missing(Missing::Zero), None);
    }
    let estimate = if series.exact() { exact(&pairs) } else { location(&pairs, settings.confidence) };
    let Some(estimate) = estimate else { return (Ratio::Missing(Missing::NoPair), None) };
    let smallest = series.metric.map(matters::smallest);
    let effect = effect::of(
        &pairs,
        &estimate,
        effect::Grain { exact: series.exact(), resolution: series.resolution(), smallest },
    );
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    (Ratio::Stated { estimate, pairs: count }, Some(effect))
}

/// Blocks that hold both, rising.
pub(super) fn pairs(series: &Series<'_>, control: &Series<'_>) -> Vec<Pair> {
    let mut control = control.blocks().into_iter().peekable();
    let mut pairs = Vec::new();
    for (block, values) in series.blocks() {
        while control.next_if(|(other, _)| *other < block).is_some() {}
        let Some((_, others)) = control.next_if(|(other, _)| *other == block) else { continue };
        if let (Some(value), Some(control)) = (order::median_of(&values), order::median_of(&others)) {
            pairs.push(Pair { value, control });
        }
    }
    pairs
}

/// Is the mean difference below what the clock or counter can show?
pub(super) fn unresolved(pairs: &[Pair], resolution: f64) -> bool {
    let sum: f64 = pairs.iter().map(|pair| pair.value - pair.control).sum();
    sum.abs() / (pairs.len() as f64) < resolution
}

/// Facts hold in every block, in whichever they were taken.
fn facts(series: &Series<'_>, control: &Series<'_>) -> Option<Pair> {
    let only =
        |series: &Series<'_>| order::median_of(&series.taken.iter().map(|one| one.value).collect::<Vec<_>>());
    Some(Pair { value: only(series)?, control: only(control)? })
}

/// Hodges-Lehmann of the log ratios and their exact signed-rank interval.
fn location(pairs: &[Pair], confidence: f64) -> Option<Estimate> {
    let logs: Vec<f64> = pairs.iter().map(Pair::log_ratio).collect();
    let walsh = Walsh::new(&logs);
    let interval = signed_rank::interval(&walsh, signed_rank::depth(logs.len(), confidence));
    let interval = interval.map(|(low, high)| Interval { low: low.exp(), high: high.exp() });
    Some(Estimate { value: walsh.median()?.exp(), interval })
}

/// A ratio of facts has no interval.
fn exact(pairs: &[Pair]) -> Option<Estimate> {
    let ratios: Vec<f64> = pairs.iter().map(|pair| pair.value / pair.control).collect();
    Some(Estimate { value: order::median_of(&ratios)?, interval: None })
}
