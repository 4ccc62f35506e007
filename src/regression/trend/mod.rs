//! Each figure over all runs of one machine: its line, where its level changed, and what else changed there.
//!
//! In: a [`History`](super::history::History). Out: [`Trend`]s, and what is to be told of them. It must never know how a
//! history is stored, nor how a line is drawn.

mod judged;
mod lines;
mod moved;
mod page;
mod told;

pub use judged::Verdict;
pub use lines::{Anew, Asked, Latest, Machine, Newest, Point, Told, Trend, TrendSettings, Trends, trends};

#[cfg(test)]
mod tests;
