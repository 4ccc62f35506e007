//! Doing what was planned: environments made ready, cells in their order, samples in the journal.
//!
//! In: a [`Plan`](crate::plan::Plan) and [`RunOptions`]. Out: a run folder and a [`RunOutcome`]; on the way
//! [`Event`]s. It must never know how a report looks or what a terminal is.

mod event;
mod outcome;

pub use event::Event;
pub use outcome::{RunError, RunOptions, RunOutcome, Unavailable};
mod log;
mod memory;
mod start;
mod work;
