//! As each build arrives: has the level changed, by what is known now?
//!
//! The newest 3, 4, 5, 6, 8 and 12 builds are held against those before them in the same stretch. Five things must
//! hold, the cheap ones first:
//! 1. the medians differ by at least [`Settings::smallest`];
//! 2. the new builds agree with each other: all of three or four of them, four fifths of more, have moved at least
//!    half as far as their median. Spikes do not agree;
//! 3. it exceeds the far fence of how windows as wide have differed from what was before them, in the last 200
//!    builds, as a prediction limit: widened for how few independent windows that was;
//! 4. it exceeds the furthest of these by half: what came once and went away by itself is no news when it comes again;
//! 5. chance does not explain it. Mann and Whitney's exact test of the new builds among the last 60 is allowed
//!    [`Settings::spend`] / t at the t-th build of a stretch, half of it for three builds and the rest shared by the
//!    other widths. So few builds that even the furthest ranks could not show that little leave their share to the
//!    next width. Where builds are exchangeable, n of them raise at most `spend`·ln(n/12) false alarms in each
//!    direction: each doubling of a history costs the same, however often it is looked at.

use super::rank_sum::{chance, wins};
use super::robust::{fence, independent, level, persistence, prediction, running_medians};
use super::scale::Scaled;
use super::{Change, Evidence, SeriesError, Settings, recurring};

/// How many newest builds are judged together, and the share of the allowance that each may spend.
const WIDTHS: [(usize, f64); 6] = [(3, 0.5), (4, 0.1), (5, 0.1), (6, 0.1), (8, 0.1), (12, 0.1)];

/// Builds of a stretch before the first that is judged.
const FEWEST_BEFORE: usize = 10;

/// Builds that the new ones are ranked among.
const RANKED: usize = 60;

/// Builds whose median the new ones are held against: few, so that a drift is followed.
const LOCAL: usize = 20;

/// Builds from which the wander is learned, and the persistence.
const LEARNED: usize = 200;
const PERSISTED: usize = 100;

/// Windows without which nothing is known of the wander.
const FEWEST_WINDOWS: usize = 5;

/// The new ones exceed the furthest window before them by this.
const BEYOND_FURTHEST: f64 = 1.5;

/// The standard normal quantile of Tukey's far fence, at which it is widened.
const TAIL: f64 = 3.6;

/// Watches one series; each value that is pushed is judged with what came before it.
#[derive(Debug, Clone)]
pub struct Watch {
    settings: Settings,
    values: Vec<f64>,
    /// Where stretches begin.
    starts: Vec<usize>,
    alarms: Vec<Change>,
}

impl Watch {
    /// Nothing has been seen.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, values: Vec::new(), starts: vec![0], alarms: Vec::new() }
    }

    /// The change that this value completes the evidence for, if it does. Each change is told once; its `at` lies
    /// two builds back or more.
    ///
    /// # Errors
    /// The value is not a number; it is not taken in.
    pub fn push(&mut self, value: f64) -> Result<Option<Change>, SeriesError> {
        if !value.is_finite() {
            return Err(SeriesError::NotFinite { index: self.values.len() });
        }
        self.values.push(value);
        let scaled = Scaled::of(&self.values)?;
        let widths = widths(self.values.len() - self.stretch(), self.settings.spend);
        let judged = widths.into_iter().find_map(|(width, allowed)| self.judge(&scaled, width, allowed));
        let Some(change) = judged else { return Ok(None) };
        self.starts.push(change.at);
        self.alarms.push(change);
        recurring::mark(&mut self.alarms, self.settings.smallest);
        Ok(self.alarms.last().cloned())
    }

    /// Where the newest stretch begins.
    fn stretch(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    fn judge(&self, scaled: &Scaled, width: usize, allowed: f64) -> Option<Change> {
        let y = &scaled.y;
        let stretch = self.stretch();
        let at = y.len().checked_sub(width)?;
        let new = &y[at..];
        let local = &y[stretch.max(at.saturating_sub(LOCAL))..at];
        let size = level(new) - level(local);
        let enough =
            size.abs() >= scaled.difference(self.settings.smallest) && agree(new, level(local), size);
        if !enough || size.abs() < self.limit(y, stretch, at, width)? {
            return None;
        }
        let ranked = &y[stretch.max(at.saturating_sub(RANKED))..at];
        let p = chance(wins(new, ranked, size.signum()), width, ranked.len());
        (p <= allowed).then(|| self.change(at, stretch, size, p, scaled))
    }

    /// How far windows of this width lay from what was before them, in the stretches of the last builds.
    fn limit(&self, y: &[f64], stretch: usize, at: usize, width: usize) -> Option<f64> {
        let learned = at.saturating_sub(LEARNED);
        let ends = self.starts.iter().skip(1).copied().chain([at]);
        let stretches = self.starts.iter().copied().zip(ends).filter(|&(_, end)| end > learned);
        let sizes: Vec<f64> =
            stretches.flat_map(|(from, to)| differences(&y[from.max(learned)..to], width)).collect();
        if sizes.len() < FEWEST_WINDOWS {
            return None;
        }
        let persistence = persistence(&y[stretch.max(at.saturating_sub(PERSISTED))..at]);
        let far = fence(&sizes) * prediction(TAIL, independent(sizes.len(), width, persistence));
        let furthest = sizes.iter().copied().fold(0.0, f64::max);
        Some(far.max(BEYOND_FURTHEST * furthest))
    }

    fn change(&self, at: usize, stretch: usize, size: f64, p: f64, scaled: &Scaled) -> Change {
        let before = &self.values[stretch.max(at.saturating_sub(LOCAL))..at];
        Change {
            at,
            range: (at, at),
            before: level(before),
            after: level(&self.values[at..]),
            relative: scaled.relative(size),
            evidence: Evidence::Ranks(p),
            recurring: false,
        }
    }
}

/// The widths that can be judged at the t-th build of a stretch, each with the chance that it is allowed.
fn widths(t: usize, spend: f64) -> Vec<(usize, f64)> {
    let mut left = 0.0;
    let judged = WIDTHS.iter().filter_map(|&(width, share)| {
        let before = t.checked_sub(width).filter(|&before| before >= FEWEST_BEFORE)?;
        let allowed = spend * (share + left) / t as f64;
        let reached = least(width, before.min(RANKED)) <= allowed;
        left = if reached { 0.0 } else { left + share };
        reached.then_some((width, allowed))
    });
    judged.collect()
}

/// The chance of the furthest ranks: `new` builds all beyond all `old` ones.
fn least(new: usize, old: usize) -> f64 {
    (1..=new).map(|i| i as f64 / (old + i) as f64).product()
}

/// Builds of a series before which [`Watch`] can raise no alarm, whatever they are.
#[must_use]
pub fn fewest_watched(settings: &Settings) -> usize {
    let first = WIDTHS[0].0 + FEWEST_BEFORE;
    (first..10_000).find(|&t| !widths(t, settings.spend).is_empty()).unwrap_or(usize::MAX)
}

/// Have all but a fifth of `new` moved at least half of `size` from `level`?
fn agree(new: &[f64], level: f64, size: f64) -> bool {
    let moved = new.iter().filter(|&value| (value - level) * size.signum() >= size.abs() / 2.0).count();
    moved >= new.len() - new.len() / 5
}

/// Each window of a stretch against the median of up to 20 builds before it; of those after it where fewer than
/// eight are before.
fn differences(stretch: &[f64], width: usize) -> Vec<f64> {
    let reference = |at: usize| {
        let before = &stretch[at.saturating_sub(LOCAL)..at];
        let after = &stretch[at + width..stretch.len().min(at + width + LOCAL)];
        match (before.len() >= 8, after.len() >= 5) {
            (true, _) => Some(level(before)),
            (false, true) => Some(level(after)),
            (false, false) => None,
        }
    };
    let windows = running_medians(stretch, width).into_iter().zip(0..);
    windows.filter_map(|(median, at)| Some((median - reference(at)?).abs())).collect()
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
