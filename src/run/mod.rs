//! Doing what was planned: environments made ready, cells in their order, samples in the journal.
//!
//! In: a [`Plan`](crate::plan::Plan) and [`RunOptions`]. Out: a run folder and a [`RunOutcome`]; on the way
//! [`Event`]s. It must never know how a report looks or what a terminal is.

mod cache;
mod cached_work;
mod cell;
mod engine;
mod event;
mod inside_clock;
mod log;
mod memory;
mod outcome;
mod prepare;
mod repeats;
mod resume;
mod seen;
mod start;
mod surroundings;
mod work;

pub mod clean;
pub mod signal;
pub mod state;

pub use engine::{Build, can_go_on, execute, execute_with, resume, resume_with};
pub use event::Event;
pub use outcome::{Other, Output, RunError, RunOptions, RunOutcome, Unavailable};

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
