//! One session's value of a series: what all its blocks say together, and how surely.

use super::statistics::{normal, order, signed_rank, walsh::Walsh};

/// Location of ln(value) in one session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Session {
    /// The Hodges-Lehmann estimate of its centre.
    pub at: f64,
    /// Its standard error: the signed-rank interval of 95 % over twice Student's quantile.
    pub error: f64,
    /// Degrees of freedom of that error.
    pub freedom: f64,
}

impl Session {
    /// From one logarithm a block; `None` for fewer than the six that an interval of 95 % needs.
    pub(super) fn of(logs: &[f64]) -> Option<Self> {
        let walsh = Walsh::new(logs);
        let (low, high) = signed_rank::interval(&walsh, signed_rank::depth(logs.len(), 0.95))?;
        let freedom = logs.len() as f64 - 1.0;
        let t = normal::t_quantile(0.975, freedom)?;
        Some(Self { at: walsh.median()?, error: (high - low) / (2.0 * t), freedom })
    }
}

/// Mean of the sessions' values.
pub(super) fn mean(sessions: &[Session]) -> f64 {
    sessions.iter().map(|one| one.at).sum::<f64>() / sessions.len() as f64
}

/// Mean of the squares of their errors.
pub(super) fn error_squared(sessions: &[Session]) -> f64 {
    sessions.iter().map(|one| one.error * one.error).sum::<f64>() / sessions.len() as f64
}

/// Sum of the squares of their distances to their mean.
pub(super) fn squares(sessions: &[Session]) -> f64 {
    let mean = mean(sessions);
    sessions.iter().map(|one| (one.at - mean).powi(2)).sum()
}

/// The median of several values of a block stands for it.
pub(super) fn of_block(values: &[f64]) -> Option<f64> {
    order::median_of(values)
}
