//! How to summarise.

use crate::journal::Run;

/// Of each interval of a summary, and of a quantile that so few operations may miss.
pub(super) const CONFIDENCE: f64 = 0.95;

/// What a summary depends on beside the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The seed of everything that is resampled.
    pub seed: u64,
    /// Confidence of each interval, as a fraction between 0 and 1.
    pub confidence: f64,
    /// How often blocks are resampled.
    pub resamples: u32,
}

impl Settings {
    /// 95 %, ten thousand resamples, and the seed of the run's own plan: the same report from anyone's copy of it.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self { seed: run.record.plan.seed, confidence: CONFIDENCE, resamples: 10_000 }
    }
}
