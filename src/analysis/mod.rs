//! From samples to statements: estimates with their intervals, ratios to the control, and what could not be said.
//!
//! In: a [`Run`](crate::journal::Run) as read back from its journal. Out: a [`Summary`]. Pure: no file, no
//! clock, no terminal; the same run and seed give the same summary everywhere.

pub mod audit;
pub mod calibrate;
mod comparability;
pub mod compare;
mod effect;
#[cfg(test)]
pub(crate) mod example;
mod group;
mod latency;
pub mod matters;
pub mod noise;
mod pair;
pub mod power;
pub mod precision;
mod row;
mod session;
mod settings;
pub mod statistics;
mod summarise;
pub mod summary;

pub use settings::Settings;
pub use summarise::summarise;
pub use summary::{
    Comparability, DifferenceSeen, Effect, Estimate, Interval, Latency, Missing, Outlier, OutlierClass,
    QuantilePoint, Ratio, Row, Summary,
};

/// A number for a sentence: four digits that count.
fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let whole = value.abs().log10().floor() as i32 + 1;
    let digits = usize::try_from(4 - whole).unwrap_or(0);
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests;
