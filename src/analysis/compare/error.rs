//! Why runs are not compared.

use super::fingerprint::Mismatch;

/// Why there is no comparison.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A side without runs.
    #[error("there is nothing to compare: give a base and at least one other run")]
    NoRuns,
    /// They are not of one host, kernel, accelerator, suite or program.
    #[error(
        "these runs cannot be compared by their values: {}; --across compares their ratios to their own native control",
        told(.0)
    )]
    Different(Vec<Mismatch>),
    /// Ratios to native were asked for and there are none.
    #[error(
        "{run} has no native environment, so it has no ratios to compare across hosts; run a suite with a native one"
    )]
    NoControl {
        /// The run's id.
        run: String,
    },
    /// No environment, workload and metric is on both sides.
    #[error(
        "these runs have no environment, workload and metric in common; see `isocost report` on each for what it holds"
    )]
    NothingInCommon,
    /// No workload and metric is of both environments.
    #[error(
        "{run} has no workload and metric of both {base} and {new} among those asked for; see `isocost report` on it for what it holds"
    )]
    NothingOfBoth {
        /// The run's id.
        run: String,
        /// The one.
        base: String,
        /// The other.
        new: String,
    },
    /// An environment that is not in the run.
    #[error("{run} has no environment {id:?}; it has {}", .known.join(", "))]
    NoEnvironment {
        /// The run's id.
        run: String,
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two environments of one run that may not be held against each other.
    #[error("{base} and {new} cannot be compared: {why}")]
    NotAlike {
        /// The one.
        base: String,
        /// The other.
        new: String,
        /// In a clause.
        why: String,
    },
}

fn told(mismatches: &[Mismatch]) -> String {
    let clauses = mismatches
        .iter()
        .map(|one| format!("{} is {} in one and {} in another", one.what, one.base, one.new));
    clauses.collect::<Vec<_>>().join("; ")
}
