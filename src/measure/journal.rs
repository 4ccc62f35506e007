//! `journal.jsonl`: one JSON record a line, each on disk the moment it is known.
//!
//! A line that was cut short by a crash is the last one and is dropped on reading; anything else that cannot be
//! read is an error with its line number.

use serde::{Deserialize, Serialize};

use super::sample::Sample;
use super::span::Span;
use crate::environment::Accelerator;

mod folder;
mod parse;
mod read;
mod write;

pub use folder::{JOURNAL_FILE, RUN_FILE, write_run};
pub use read::{JournalError, Run, read};
pub use write::{WriteError, Writer};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first line: which run this is.
    Header {
        /// [`super::record::SCHEMA`] of the writer.
        schema: u32,
        /// The run's id.
        run_id: String,
    },
    /// A sample.
    Sample(Sample),
    /// The whole tree of a start, of which the samples `startup.*` are the lengths.
    Start(StartRecord),
    /// Memory over time in one cell.
    Timeline(Timeline),
    /// The run ended by itself.
    End,
}

/// The spans of one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartRecord {
    /// Block of the cell.
    pub block: u32,
    /// Position in it.
    pub position: u32,
    /// Environment.
    pub environment: String,
    /// Accelerator.
    pub accelerator: Accelerator,
    /// The spans.
    pub span: Span,
    /// Other marks on the same clock that are not parts of the sum (`start-returned`), nanoseconds after the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(String, u64)>,
}

/// Memory of one cell over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Block of the cell.
    pub block: u32,
    /// Environment.
    pub environment: String,
    /// Accelerator.
    pub accelerator: Accelerator,
    /// Points in order.
    pub points: Vec<TimelinePoint>,
}

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimelinePoint {
    /// Milliseconds since the instance was asked for.
    pub at_ms: f64,
    /// Resident bytes of the instance's and the engine's share's processes (sysinfo); shared pages are in each.
    pub resident_bytes: u64,
    /// PSS of the same, where it was read at this point.
    pub pss_bytes: Option<u64>,
    /// CPU used since the reading before, in CPUs.
    pub cpu: f64,
}
