//! Runs that no answer can rest on, by name.

use serde::Serialize;

use crate::analysis::compare::Refusal;
use crate::journal::Run;
use crate::journal::record::Ending;

/// Why a run says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// It holds no value at all.
    Empty,
    /// It was killed, or it runs still.
    Unfinished,
    /// A signal stopped it before its plan was done: whoever sent it may have seen enough to like it.
    Interrupted,
    /// It ended before it began, or a sample was taken before the run, or a cell before the one it came after.
    ClockWentBack,
}

impl Void {
    fn words(self) -> &'static str {
        match self {
            Self::Empty => {
                "holds no value: every sample failed, or none was taken; `isocost report` on it says which"
            }
            Self::Unfinished => {
                "has no end: it was killed or runs still; let it end with: isocost run --resume FOLDER"
            }
            Self::Interrupted => {
                "was stopped by a signal before its plan was done; let it end with: isocost run --resume FOLDER"
            }
            Self::ClockWentBack => {
                "has times that run backwards: the host's clock was set while it ran; measure it again"
            }
        }
    }
}

/// Why there is no answer at all. Each is exit code 2, never a pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A run that says nothing.
    #[error("{run} {}", what.words())]
    Void {
        /// Which.
        run: String,
        /// Why.
        what: Void,
    },
    /// The two sides may not be compared: another host, accelerator, suite or agent, or nothing in common.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nothing on both sides has a limit.
    #[error("nothing that both sides have is gated; the suite's [gate.limits] name {}, and `isocost list metrics` shows all", named.join(", "))]
    NothingGated {
        /// What the suite gates.
        named: Vec<String>,
    },
}

/// Is there anything in it that an answer can rest on?
///
/// # Errors
/// Why not.
pub fn check(run: &Run) -> Result<(), GateError> {
    let void = |what| Err(GateError::Void { run: run.record.run_id.clone(), what });
    let record = &run.record;
    if record.ended_at.is_some_and(|end| end < record.started_at)
        || run.samples.iter().any(|sample| sample.started_at < record.started_at)
        || stepped_back(run)
    {
        return void(Void::ClockWentBack);
    }
    if !run.complete || record.ending == Ending::Unfinished {
        return void(Void::Unfinished);
    }
    if record.ending == Ending::Interrupted {
        return void(Void::Interrupted);
    }
    if !run.samples.iter().any(|sample| !sample.warm_up && sample.value().is_some()) {
        return void(Void::Empty);
    }
    Ok(())
}

/// What a clock may be put right by without a word: a time service slews smaller errors away, and steps larger ones.
const SLEW: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// Cells are one after the other, and so are their times. Inside of one, samples are written as they become known.
fn stepped_back(run: &Run) -> bool {
    let (mut before, mut own) = (jiff::Timestamp::MIN, jiff::Timestamp::MIN);
    let mut cell = None;
    for sample in &run.samples {
        let its = (sample.block, sample.position, &sample.environment);
        if cell != Some(its) {
            before = before.max(own);
            (cell, own) = (Some(its), sample.started_at);
        }
        own = own.max(sample.started_at);
        if before.duration_since(sample.started_at) > SLEW {
            return true;
        }
    }
    false
}
