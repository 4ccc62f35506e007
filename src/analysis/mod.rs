//! From samples to statements: estimates with their intervals, ratios to the control, and what could not be said.
//!
//! In: a [`Run`](crate::measure::journal::Run) as read back from its journal. Out: a [`Summary`]. Pure: no file, no
//! clock, no terminal; the same run and seed give the same summary everywhere.

pub mod summary;

pub use summary::{
    Comparability, DifferenceSeen, Effect, Estimate, Interval, Latency, Missing, Outlier, OutlierClass,
    QuantilePoint, Ratio, Row, Summary,
};
