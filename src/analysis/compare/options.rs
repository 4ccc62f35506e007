//! How to compare.

use std::collections::BTreeMap;

use crate::analysis::calibrate::Calibration;
use crate::analysis::matters::{self, Smallest};
use crate::measure::metric::Metric;
use crate::suite::Filter;

/// Standard deviation of ln(value) between sessions where nothing is known of the host.
const USUAL_BETWEEN_SESSIONS: f64 = 0.03;

/// What a comparison depends on beside the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The chance that any row of the family is called faster or slower and is not.
    pub alpha: f64,
    /// The chance with which a change of the smallest detectable size is seen.
    pub power: f64,
    /// Compare runs that are not of one host, kernel or suite, by their ratios to their own native control only.
    pub across: bool,
    /// The program is what was changed: another agent is named, and does not forbid comparing. Else it does, because another
    /// agent may do other work.
    pub programs: bool,
    /// Standard deviation of ln(value) between sessions of an unchanged configuration, for as long as there are too few
    /// sessions to measure it: 0.03 before this host was calibrated.
    pub between_sessions: f64,
    /// The smallest change that matters, as a fraction, by metric, where this host was calibrated.
    pub matters: BTreeMap<String, f64>,
    /// What is compared at all: chosen before the figures are seen, it makes the family smaller.
    pub only: Only,
}

/// What is compared; `*` is allowed, and an empty list is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// Ids of environments.
    pub environments: Vec<String>,
    /// Ids of workloads.
    pub workloads: Vec<String>,
    /// Names of metrics.
    pub metrics: Vec<String>,
}

impl Only {
    pub(crate) fn holds(&self, environment: &str, workload: &str, metric: &str) -> bool {
        self.has_environment(environment) && meant(&self.workloads, workload) && meant(&self.metrics, metric)
    }

    pub(super) fn has_environment(&self, id: &str) -> bool {
        meant(&self.environments, id)
    }
}

fn meant(filters: &[String], name: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| Filter(filter).matches(name))
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            power: 0.95,
            across: false,
            programs: false,
            between_sessions: USUAL_BETWEEN_SESSIONS,
            matters: BTreeMap::new(),
            only: Only::default(),
        }
    }
}

impl Options {
    /// As a host was calibrated. From too few sessions it can only be made more careful.
    #[must_use]
    pub fn calibrated(mut self, known: &Calibration) -> Self {
        if let Some(seen) = known.between_sessions {
            self.between_sessions = if known.enough { seen } else { seen.max(self.between_sessions) };
        }
        self.matters.clone_from(&known.matters);
        self
    }

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
