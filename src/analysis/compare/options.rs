//! How to compare.

use std::collections::BTreeMap;

use crate::analysis::matters::{self, Smallest};
use crate::measure::metric::Metric;

/// What a comparison depends on beside the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The chance that any row of the family is called faster or slower and is not.
    pub alpha: f64,
    /// The chance with which a change of the smallest detectable size is seen.
    pub power: f64,
    /// Compare runs that are not of one host, kernel or suite, by their ratios to their own native control only.
    pub across: bool,
    /// Standard deviation of ln(value) between sessions of an unchanged configuration, for as long as there are too few
    /// sessions to measure it: 0.03 before this host was calibrated.
    pub between_sessions: f64,
    /// The smallest change that matters, as a fraction, by metric, where this host was calibrated.
    pub matters: BTreeMap<String, f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: 0.01, power: 0.95, across: false, between_sessions: 0.03, matters: BTreeMap::new() }
    }
}

impl Options {
    /// The smallest change of a metric that matters, as a fraction of `base`.
    #[must_use]
    pub fn smallest(&self, metric: Option<&Metric>, base: f64) -> f64 {
        let Some(metric) = metric else { return 0.0 };
        let usual = matters::smallest(metric);
        let relative = self.matters.get(metric.name).copied().unwrap_or(usual.relative);
        Smallest { relative, ..usual }.of(base)
    }

    /// Confidence of each row's interval.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        1.0 - self.alpha
    }
}
