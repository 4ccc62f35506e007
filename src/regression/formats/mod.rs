//! Other tools' formats: their histories read, our results written so that they can read them.
//!
//! In: bytes of a file, or [`Results`]. Out: the other. Pure: no file, no clock, no network. It must never know where
//! results are kept. docs/formats.md says which format carries what, and what it cannot carry.
//!
//! Nothing is made up on the way: a value that a format lacks is `None`, one that is not finite is never written, and
//! what a file has but cannot be used is named in [`Imported::left_out`].

pub mod bencher;
pub mod github_action_benchmark;
pub mod lnt;
mod names;
pub mod nyrkio;
pub mod openmetrics;
pub mod otava;
pub mod parquet;
mod results;
pub mod table;
mod time;

pub use results::{Figure, FormatError, Imported, Results, Source};

#[cfg(test)]
mod examples;
