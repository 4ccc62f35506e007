//! Where a history's level changed: looking back over all of it, and as each build arrives.
//!
//! In: one figure a build, oldest first. Out: [`Change`]s. Pure: the same figures give the same changes. It must never
//! know what the figures measure, nor whether more is worse.
//!
//! Real histories drift, have spikes, two modes and builds that resemble their neighbours; a test that assumes
//! independent normal noise finds changes in all of these. So chance is excluded by shuffling and by exact ranks, and
//! beside that a change must stand clear of how this very history has wandered. docs/history.md has the method, the
//! rates measured with it, and the same data under other tools' rules.

mod exact;
mod look_back;
mod rank_sum;
mod recurring;
mod robust;
mod scale;
mod search;
mod watch;

pub use exact::exact;
pub use look_back::look_back;
pub use watch::{Watch, fewest_watched};

/// The least chance that shuffling can show at a cost that anyone would wait for: a smaller [`Settings::alpha`] is
/// taken as this.
pub const LEAST_ALPHA: f64 = 1e-5;

/// What counts as a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The least relative change that is told: 0.02 is 2 %.
    pub smallest: f64,
    /// Looking back: the chance that a stretch of exchangeable builds is split at all. For several series at once
    /// divide it by their number.
    pub alpha: f64,
    /// As builds arrive: exchangeable builds raise at most `spend`·ln(n/12) false alarms in a direction. For several
    /// series at once divide it by their number.
    pub spend: f64,
}

impl Settings {
    /// For each of so many series, so that all together are allowed no more than one of them would be; of more than
    /// `alpha` / [`LEAST_ALPHA`] series each is allowed [`LEAST_ALPHA`].
    #[must_use]
    pub fn shared(&self, series: usize) -> Self {
        let series = series.max(1) as f64;
        Self { alpha: (self.alpha / series).max(LEAST_ALPHA), spend: self.spend / series, ..*self }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { smallest: 0.02, alpha: 0.01, spend: 0.1 }
    }
}

/// A change of level.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The index of the first value at the new level.
    pub at: usize,
    /// The first and last index it may have begun with.
    pub range: (usize, usize),
    /// Median before, of up to 30 values, in the values' unit.
    pub before: f64,
    /// Median after.
    pub after: f64,
    /// The change: 0.05 is 5 % more. Where values are not all above zero, in units of their median size.
    pub relative: f64,
    /// Why it is believed.
    pub evidence: Evidence,
    /// At least the fourth move to and fro between the same two levels: how the history is, not news.
    pub recurring: bool,
}

/// Why a change is believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence {
    /// The metric has no noise.
    Fact,
    /// Exchangeable builds show as much with this probability, the search counted in.
    Chance(f64),
    /// The exact rank test of the newest builds among those before them has this p, at this one look. That there
    /// are many looks is in what it was allowed ([`Settings::spend`]), not in p.
    Ranks(f64),
}

/// Why a series cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// Not a number.
    #[error("value {index} (from 0) is not a finite number; leave such builds out before judging the others")]
    NotFinite {
        /// Its place, from 0.
        index: usize,
    },
}
