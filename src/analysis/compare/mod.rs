//! Has anything changed? Runs held against runs, or two environments of one run against each other.
//!
//! In: [`Run`](crate::journal::Run)s. Out: a [`Comparison`] with one [`Change`] for each environment, workload and metric, or a [`Refusal`].
//! Pure, as all of analysis. docs/statistics.md has each rule, why it is that one, and what it was shown to do.
//!
//! - [`inside`] compares what was measured in the same blocks: the exact signed-rank test on the ratios inside them.
//! - [`runs`] compares sessions. A run is one session and so is one value of each configuration, however many samples
//!   it has: what moves between sessions moves all of them together.

mod alarms;
mod between;
mod change;
mod control;
mod error;
mod evidence;
mod exact;
mod finding;
pub mod fingerprint;
mod inside;
mod judge;
mod options;
mod runs;
mod sides;

pub use alarms::{Alarms, alarms};
pub use change::{Basis, Change, Comparison, Design, Finding, Side, Verdict, Why};
pub use error::Refusal;
pub use inside::inside;
pub use options::{Only, Options};
pub use runs::runs;

#[cfg(test)]
mod tests;
