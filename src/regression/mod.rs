//! From many runs to an alarm: the history, its changes, and the gate.
//!
//! In: [`Summary`](crate::analysis::Summary)s of runs, and others' histories. Out: changes with their evidence, verdicts, and both in
//! the formats that continuous integration reads. It must never know how anything was measured.

pub mod changes;
pub mod ci;
pub mod formats;
pub mod gate;
pub mod history;
pub mod score;
pub mod trend;
