//! What is measured, and how.
//!
//! In: accounts, counters, stamps, what the host says of itself. Out: [`sample::Sample`]s, or failures by name. It knows
//! no environment, no suite and no plan, and not what becomes of a sample afterwards.

pub mod accounting;
pub mod clock;
pub mod counters;
pub mod disturbance;
pub mod equality;
pub mod host;
pub mod metric;
pub mod name;
pub mod sample;
pub mod sense;
#[cfg(test)]
mod shell;
pub mod span;
pub mod timeline;
