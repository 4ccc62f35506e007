//! What a run says while it goes on.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Prepared;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, Sample};
use crate::plan::Role;

/// One thing that happened. Sent from the thread that runs; whoever takes it must be quick.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something an earlier run left was removed; a sentence.
    Cleaned(String),
    /// The run has its folder and its first lines are on disk.
    Created {
        /// The run's id.
        run_id: String,
        /// The run folder.
        folder: PathBuf,
    },
    /// An environment is being made ready.
    Preparing {
        /// Its id.
        environment: String,
    },
    /// It is ready.
    Prepared {
        /// Its id.
        environment: String,
        /// What will execute it.
        accelerator: Accelerator,
        /// What it is made of, with its warnings.
        prepared: Prepared,
    },
    /// A block begins.
    BlockStarted {
        /// [`crate::plan::Block::index`].
        index: u32,
        /// Of how many.
        of: u32,
        /// What it counts as.
        role: Role,
    },
    /// A cell begins.
    CellStarted {
        /// Its block.
        block: u32,
        /// Its position in the block.
        position: u32,
        /// The environment.
        environment: String,
    },
    /// A workload begins in the cell.
    WorkStarted {
        /// The environment.
        environment: String,
        /// The workload's id.
        workload: String,
    },
    /// A sample, failed ones too, is on disk.
    SampleTaken(Box<Sample>),
    /// A whole cell came to nothing; its samples are failed ones.
    CellFailed {
        /// The environment.
        environment: String,
        /// Why.
        failure: Failure,
    },
    /// A cell ended.
    CellFinished {
        /// Its block.
        block: u32,
        /// The environment.
        environment: String,
    },
    /// A block was disturbed by what is not part of it. It may be measured again at the end.
    Disturbed {
        /// Its index.
        block: u32,
        /// By what, in a clause.
        why: String,
    },
    /// How far it is; sent after each cell.
    Progress {
        /// Cells done.
        done: u32,
        /// Cells planned.
        of: u32,
        /// Estimated from the cells so far; `None` until each environment had one.
        left: Option<Duration>,
    },
    /// Something a reader must know; also in `run.json`.
    Warning(String),
    /// The run stops before its plan's end: it is precise enough, the budget is spent or a signal came. What runs is
    /// removed now.
    Stopping(String),
}
