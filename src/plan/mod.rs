//! The full matrix, seeded and ordered, printable before it runs.
//!
//! In: a [`Suite`] and the command line's choices. Out: a [`Plan`]: the order of every cell. Pure:
//! the same suite and seed give the same plan on every machine.

use serde::{Deserialize, Serialize};

use crate::suite::Suite;

mod draw;
mod estimate;
mod interleave;
mod narrow;

pub use draw::{block, make};
pub use estimate::{Estimate, estimate};
pub use interleave::{InterleaveError, interleave};
pub use narrow::{Narrowing, UnknownId, narrow};

/// Everything that will be done, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What was asked for, after the command line narrowed it.
    pub suite: Suite,
    /// The seed every order comes from.
    pub seed: u64,
    /// The blocks: cold ones, then warm-ups, then measured ones.
    pub blocks: Vec<Block>,
}

/// One block: every environment once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// From 0 over all blocks of the plan.
    pub index: u32,
    /// What it counts as.
    pub role: Role,
    /// The cells in their order.
    pub cells: Vec<Cell>,
}

/// What a block counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// First boots after the image was built: only the `startup.cold.*` metrics.
    Cold,
    /// Kept, not analysed.
    WarmUp,
    /// Counts.
    Measured,
    /// Measured, and not analysed, for another block stands for it. No plan has it.
    SetAside,
}

/// One environment's turn in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The environment's id.
    pub environment: String,
    /// Ids of its workloads in their order inside the cell (drawn from the seed, the same for every
    /// environment of the block, so that each pair is alike).
    pub workloads: Vec<String>,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::WarmUp => "warm-up",
            Self::Measured => "measured",
            Self::SetAside => "set-aside",
        })
    }
}
