//! A run folder: what was measured, and what the run was.
//!
//! In: records as they become known. Out: a [`Run`], read back from anyone's folder, whole or as far as it came. It must
//! never know how anything was measured, nor what is made of it.
//!
//! `journal.jsonl` has one JSON record a line, each on disk the moment it is known; `run.json` is [`record::RunRecord`]. A line that was cut short by a crash is the last one and is dropped on reading; anything else that cannot be
//! read is an error with its line number.

use serde::{Deserialize, Serialize};

use crate::measure::disturbance::Ground;
use crate::measure::host::Activity;
use crate::measure::host::frequency::Frequency;
use crate::measure::sample::{Accelerator, Sample};
use crate::measure::span::Span;
use crate::measure::timeline::TimelinePoint;

mod belief;
mod folder;
mod parse;
mod read;
pub mod record;
mod write;

pub use folder::{JOURNAL_FILE, RUN_FILE, run_folders, write_run};
pub use read::{JournalError, Run, read};
pub use write::{WriteError, Writer, check_free};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first line: which run this is.
    Header {
        /// [`record::SCHEMA`] of the writer.
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
    /// What the host did while a cell was measured.
    Conditions(CellConditions),
    /// A block begins that is to stand for a disturbed one.
    Repeat(Repeat),
    /// A block is left out of the analysis.
    SetAside(SetAside),
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
    /// What taking them took of one core: 0 to 1.
    #[serde(default)]
    pub sampler_cpu_share: Option<f64>,
}

/// What the host did while a cell was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellConditions {
    /// Block of the cell.
    pub block: u32,
    /// Position in it.
    pub position: u32,
    /// Environment.
    pub environment: String,
    /// What the host did beside it.
    pub activity: Activity,
    /// Frequencies of its CPUs, where the host says so.
    #[serde(default)]
    pub frequency: Option<Frequency>,
    /// Why it counts as disturbed; none: it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbed: Vec<Ground>,
}

/// A block beyond the plan. It counts only once a [`SetAside`] says that it stands for another: a run that is cut short in
/// it has neither half of it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Its index.
    pub block: u32,
    /// The disturbed block it is to stand for.
    pub of: u32,
}

/// A block that is kept, shown and not analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its index.
    pub block: u32,
    /// The block that stands for it; `None`: it was to stand for another, and was disturbed too.
    pub by: Option<u32>,
}
