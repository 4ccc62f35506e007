//! What is measured and how it is kept.
//!
//! In: instances and their accounts. Out: [`sample::Sample`]s in a [`journal`]. It must never know how an
//! environment boots, nor what becomes of a sample afterwards.

pub mod accounting;
pub mod clock;
pub mod counters;
pub mod disturbance;
pub mod equality;
pub mod host;
pub mod journal;
pub mod metric;
pub mod name;
pub mod record;
pub mod sample;
pub mod sense;
#[cfg(test)]
mod shell;
pub mod span;
pub mod timeline;
