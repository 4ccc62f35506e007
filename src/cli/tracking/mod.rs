//! Keeping track of many runs: `isocost gate`, `baseline` and `history`.

use super::refusal::Refusal;
use crate::regression::gate::GateError;
use crate::regression::history::{HistoryError, IngestError};

pub(super) mod args;
mod baseline;
mod exchange;
mod gate;
mod history;
mod interleave;
mod sessions;

pub(super) use baseline::baseline;
pub(super) use gate::gate;
pub(super) use history::history;

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<GateError> for Refusal {
    fn from(error: GateError) -> Self {
        Self::usage(error.to_string())
    }
}
