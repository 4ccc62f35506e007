//! Why a command did not do what it was asked for: one text for the user, one exit code for the caller.

use super::exit::Exit;
use crate::journal::{JournalError, WriteError};
use crate::plan::UnknownId;
use crate::report::ReportError;
use crate::run::RunError;
use crate::suite::SuiteError;

/// What the user is told, and how the command ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Never [`Exit::Done`].
    pub(super) exit: Exit,
    /// What, where, and what to type next; a line for each thing.
    pub(super) text: String,
}

impl Refusal {
    /// Something that was typed, or a place that was named, cannot be used.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }
}

impl From<SuiteError> for Refusal {
    fn from(error: SuiteError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<UnknownId> for Refusal {
    fn from(error: UnknownId) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ReportError> for Refusal {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Png(_) | ReportError::Page(_) => Self { exit: Exit::Fault, text: error.to_string() },
            ReportError::Full { .. } | ReportError::NotWritable { .. } | ReportError::Io { .. } => {
                Self::usage(error.to_string())
            }
        }
    }
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Output(_)
            | RunError::BadPlan { .. }
            | RunError::State { .. }
            | RunError::Resume { .. }
            | RunError::Journal(_) => Self::usage(error.to_string()),
            RunError::Unavailable(_) => Self {
                exit: Exit::Unavailable,
                text: format!(
                    "{error}\n`isocost doctor` says what this host lacks; `--env` leaves an environment out"
                ),
            },
            // The caller knows which signal it was.
            RunError::Interrupted => Self { exit: Exit::Signal(0), text: error.to_string() },
        }
    }
}
