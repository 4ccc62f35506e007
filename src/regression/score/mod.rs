//! How well changes are found, on histories whose true regressions people have labelled.
//!
//! In: a folder in the format of the SAP HANA performance histories (docs/history.md). Out: [`Score`]. It must never
//! know how changes are found.

mod judge;
mod read;
mod table;

pub use judge::{Counts, NEAR, Score, SeriesScore, score};
pub use read::{Labelled, ScoreError, read};
