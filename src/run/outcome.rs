//! What a run is given beside its plan, and how it can end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::agent::StopSignal;
use crate::journal::record::{Code, RunRecord};
use crate::journal::{JournalError, WriteError};
use crate::measure::sample::Failure;

/// Where the run folder is: made where missing, refused where it holds a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// This one.
    Folder(PathBuf),
    /// A folder of this one that is named after the run's id.
    Below(PathBuf),
}

impl Output {
    /// The folder of the run with this id.
    #[must_use]
    pub fn folder(&self, run_id: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            Self::Below(folder) => folder.join(run_id),
        }
    }
}

impl From<PathBuf> for Output {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

/// What a run is given beside its plan.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where its results go.
    pub output: Output,
    /// Where kernels, decisions and the states of runs are kept.
    pub cache: PathBuf,
    /// The agent's bytes: the embedded ones, or those of `--agent PATH`.
    pub agent: Arc<[u8]>,
    /// Environments that are made of something else, by id: the other side of a comparison inside blocks.
    pub others: BTreeMap<String, Other>,
    /// No block begins after this long.
    pub budget: Option<Duration>,
    /// Stop at 10, 20, 40, … blocks where every headline metric is as precise as this: half its 95 % interval, as a
    /// fraction.
    pub precision: Option<f64>,
    /// Disturbed blocks that are measured again at the end, at most; `None`: a quarter of those measured.
    pub repeats: Option<u32>,
    /// Raised by a signal: the run then ends cleanly.
    pub stop: StopSignal,
    /// For the record.
    pub code: Option<Code>,
}

/// What one environment is made of instead.
#[derive(Debug, Clone, Default)]
pub struct Other {
    /// Another agent.
    pub agent: Option<Arc<[u8]>>,
    /// Another QEMU.
    pub qemu: Option<PathBuf>,
}

/// How a run ended that did begin to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    /// The run folder.
    pub folder: PathBuf,
    /// As it stands in `run.json`; its `ending` says why it ended.
    pub record: RunRecord,
    /// Samples with a value.
    pub measured: u64,
    /// Samples that are named failures: more than none is exit code 4.
    pub failed: u64,
    /// What could not be removed, each with what to type; nothing is lost by it.
    pub left_behind: Vec<String>,
}

/// An environment that was asked for and cannot run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Its id.
    pub environment: String,
    /// Why, and what to type.
    pub failure: Failure,
}

/// Why nothing was measured, or why measuring had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run folder or its journal cannot be written: exit code 2. Samples before it are kept and named in it.
    #[error(transparent)]
    Output(#[from] WriteError),
    /// Environments that were asked for cannot run here: exit code 3, before anything is measured.
    #[error("{}", unavailable(.0))]
    Unavailable(Vec<Unavailable>),
    /// The plan names an environment or a workload that its suite does not have: exit code 2.
    #[error("the plan names {what}, which its suite does not have; run the suite again instead of this plan")]
    BadPlan {
        /// Which.
        what: String,
    },
    /// A run that cannot be continued: exit code 2.
    #[error("{what}")]
    Resume {
        /// Which, why, and what to type instead.
        what: String,
    },
    /// A run folder that cannot be read: exit code 2.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A folder of the run's own could not be made: exit code 2.
    #[error("cannot use {}: {source}; name another cache with --cache DIR", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A signal came before anything was measured.
    #[error("stopped by a signal before anything was measured")]
    Interrupted,
}

fn unavailable(all: &[Unavailable]) -> String {
    let lines: Vec<_> = all
        .iter()
        .map(|one| format!("{} cannot run here: {}", one.environment, one.failure.detail))
        .collect();
    lines.join("\n")
}
