//! One measured value, or the named failure to measure one.

use serde::{Deserialize, Serialize};

use super::name::Name;

/// One measured value with all that is needed to analyse it again. A failure is censored by name: it has no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Block, from 0; warm-up blocks count too (see [`Sample::warm_up`]).
    pub block: u32,
    /// Position of the cell inside its block, from 0.
    pub position: u32,
    /// The environment's id in the suite.
    pub environment: Name,
    /// What the environment's CPU was.
    pub accelerator: Accelerator,
    /// The workload's id in the suite; `start`, `idle`, `stop` and `image` for what is measured without one.
    pub workload: Name,
    /// The metric's name in [`super::metric::CATALOGUE`].
    pub metric: Name,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// When the measurement began: UTC, RFC 3339.
    pub started_at: jiff::Timestamp,
    /// Taken in a warm-up block: kept, shown, not analysed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// For latencies: the single operations, nanoseconds, of which `value` is one quantile's summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies_ns: Vec<u32>,
}

/// What executes the instance's instructions. Values of different accelerators are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// The host's CPU, directly.
    None,
    /// The host's CPU through KVM.
    Kvm,
    /// QEMU's software emulation.
    Tcg,
}

/// A value or a named failure, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The value, in the metric's unit; finite.
    Value(f64),
    /// Why there is none.
    Failed(Failure),
}

impl Sample {
    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Value(v) => Some(v),
            Outcome::Failed(_) => None,
        }
    }
}

/// A failure by name, with its detail for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, kebab-case: what is counted beside n.
    pub name: FailureName,
    /// What, on what.
    pub detail: String,
}

/// The names of failures. The serialised form is kebab-case and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureName {
    /// The environment could not be started at all.
    NotStarted,
    /// No Hello before the deadline.
    NeverReady,
    /// The instance ended before or while it was asked.
    ExitedEarly,
    /// A frame too large, too many bytes, or not the protocol.
    Garbage,
    /// Another protocol version or another program.
    WrongAgent,
    /// A request had no answer before its deadline.
    TimedOut,
    /// The agent said it could not do the work.
    WorkFailed,
    /// Spans or stamps out of order or not summing, or impossible durations.
    ClockVoid,
    /// The host's counters did not see the bytes or the flushes.
    UnseenWrites,
    /// The host's counters could not be read, so nothing vouches for the write.
    Unverified,
    /// A value that is not finite or below what is possible.
    Impossible,
    /// A figure's source could not be read on this host.
    Unreadable,
    /// The engine's API failed.
    Engine,
    /// The run was stopped while this was measured.
    Interrupted,
    /// It could not be stopped or removed as it should.
    NotRemoved,
}

impl std::fmt::Display for FailureName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_json() {
        let sample = Sample {
            block: 2,
            position: 1,
            environment: "qemu".into(),
            accelerator: Accelerator::Tcg,
            workload: "start".into(),
            metric: "startup.ready".into(),
            outcome: Outcome::Failed(Failure { name: FailureName::NeverReady, detail: "x".into() }),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            warm_up: false,
            latencies_ns: Vec::new(),
        };
        let line = serde_json::to_string(&sample).expect("json");
        assert!(line.contains(r#""failed":{"name":"never-ready""#), "{line}");
        assert_eq!(serde_json::from_str::<Sample>(&line).expect("back"), sample);
        assert_eq!(FailureName::NeverReady.to_string(), "never-ready");
    }
}
