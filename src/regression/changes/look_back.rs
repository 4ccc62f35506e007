//! Looking back over a whole history: where did its level change, and stay changed?
//!
//! Three things must hold of a change, and the largest that has all three splits its stretch, until none is left:
//! 1. chance does not explain it, the search counted in ([`super::search`]);
//! 2. it is at least [`Settings::smallest`];
//! 3. it stands clear of how this history wanders: the difference of the medians beside it exceeds Tukey's far fence
//!    of the same difference at every other place, widened for how few independent places there were and for how
//!    much one build says about the next. Drift, two modes and spikes are in that fence, whatever made them.
//!
//! Medians of 3 to 30 builds a side are tried, so that both a large change that soon ends and a small one that lasts
//! are seen. The place is then the one that leaves the least absolute deviation from the two medians beside it.

use std::collections::HashMap;

use super::robust::{fence, independent, level, persistence, prediction, running_medians};
use super::scale::Scaled;
use super::search::{SHORTEST, Split, splits};
use super::{Change, Evidence, SeriesError, Settings, recurring};

/// Builds a side over which medians are compared.
const WIDTHS: [usize; 6] = [3, 5, 8, 12, 20, 30];

/// Below this many places a fence says nothing, and that of the next smaller width is used.
const FEWEST_PLACES: usize = 8;

/// The change must still be there over this many builds a side.
const LASTING: usize = 12;

/// The standard normal quantile at which the fence is widened for the few places it was estimated from. Lower than
/// that of the watch, because the shuffles bound the chance of a finding already.
const TAIL: f64 = 2.0;

/// How far the place is moved, and over how many builds a side it is judged.
const MOVE: usize = 12;
const BESIDE: usize = 25;

/// All changes of level in `values`, oldest first.
///
/// # Errors
/// A value that is not a number.
pub fn look_back(values: &[f64], settings: &Settings) -> Result<Vec<Change>, SeriesError> {
    let scaled = Scaled::of(values)?;
    let y = &scaled.y;
    let smallest = scaled.difference(settings.smallest);
    let mut bounds = Bounds::new(y);
    while let Some(split) = bounds.largest(smallest, settings.alpha) {
        bounds.insert(split);
    }
    bounds.settle(smallest);
    let mut changes: Vec<Change> = bounds.places().map(|i| bounds.change(i, values, &scaled)).collect();
    recurring::mark(&mut changes, settings.smallest);
    Ok(changes)
}

/// The stretches so far, as the indices at which they begin; the first is 0 and the last the number of values.
struct Bounds<'a> {
    y: &'a [f64],
    at: Vec<usize>,
    chances: Vec<f64>,
    /// What the search found in a stretch: it is the same each time, and shuffling is dear.
    searched: HashMap<(usize, usize), Vec<Split>>,
}

impl<'a> Bounds<'a> {
    fn new(y: &'a [f64]) -> Self {
        Self { y, at: vec![0, y.len()], chances: vec![1.0, 1.0], searched: HashMap::new() }
    }

    fn places(&self) -> std::ops::Range<usize> {
        1..self.at.len() - 1
    }

    fn insert(&mut self, split: Split) {
        let place = self.at.partition_point(|&at| at < split.at);
        self.at.insert(place, split.at);
        self.chances.insert(place, split.chance);
    }

    /// The acceptable split that exceeds its limit by the largest factor.
    fn largest(&mut self, smallest: f64, alpha: f64) -> Option<Split> {
        let mut candidates = Vec::new();
        for pair in self.at.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let search = || splits(&self.y[from..to], alpha);
            let inside = self.searched.entry((from, to)).or_insert_with(search);
            candidates.extend(inside.iter().take(10).map(|&split| (from, to, split)));
        }
        let judged = candidates.into_iter().filter_map(|(from, to, split)| {
            let at = best_place(self.y, from, to, from + split.at);
            let factor = self.factor(from, at, to, smallest);
            (factor >= 1.0).then_some((factor, Split { at, ..split }))
        });
        judged.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, split)| split)
    }

    /// By how much the change at `at` exceeds its limit, over the widths at which it can be judged.
    fn factor(&self, from: usize, at: usize, to: usize, smallest: f64) -> f64 {
        let mut bounds = self.at.clone();
        bounds.insert(bounds.partition_point(|&other| other < at), at);
        let fences = fences(self.y, &bounds);
        let factors = WIDTHS.iter().zip(0..).filter_map(|(&width, index)| {
            let (left, right) = beside(self.y, from, at, to, width);
            let shorter = left.len().min(right.len());
            let fitting = WIDTHS.iter().rposition(|&width| width <= shorter)?;
            Some((level(right) - level(left)).abs() / fences[fitting.min(index)].max(smallest))
        });
        factors.fold(0.0, f64::max)
    }

    /// Each place once more between its final neighbours; what does not last goes.
    fn settle(&mut self, smallest: f64) {
        for i in self.places() {
            self.at[i] = best_place(self.y, self.at[i - 1], self.at[i + 1], self.at[i]);
        }
        loop {
            let sizes = self.places().map(|i| (i, self.size(i, LASTING).abs()));
            match sizes.min_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((i, size)) if size < smallest => {
                    self.at.remove(i);
                    self.chances.remove(i);
                }
                _ => break,
            }
        }
    }

    fn sides(&self, i: usize, width: usize) -> (&'a [f64], &'a [f64]) {
        beside(self.y, self.at[i - 1], self.at[i], self.at[i + 1], width)
    }

    fn size(&self, i: usize, width: usize) -> f64 {
        let (left, right) = self.sides(i, width);
        level(right) - level(left)
    }

    fn change(&self, i: usize, values: &[f64], scaled: &Scaled) -> Change {
        let widest = WIDTHS[WIDTHS.len() - 1];
        let (before, after) = beside(values, self.at[i - 1], self.at[i], self.at[i + 1], widest);
        Change {
            at: self.at[i],
            range: place_range(self.y, self.at[i - 1], self.at[i + 1], self.at[i]),
            before: level(before),
            after: level(after),
            relative: scaled.relative(self.size(i, widest)),
            evidence: Evidence::Chance(self.chances[i]),
            recurring: false,
        }
    }
}

/// At most `width` values on either side of `at`, inside `from..to`.
fn beside<T>(y: &[T], from: usize, at: usize, to: usize, width: usize) -> (&[T], &[T]) {
    (&y[from.max(at.saturating_sub(width))..at], &y[at..to.min(at + width)])
}

/// For each width the least difference that is not how this history wanders, the levels of its stretches taken out.
fn fences(y: &[f64], bounds: &[usize]) -> Vec<f64> {
    let stretches = bounds.windows(2).map(|pair| &y[pair[0]..pair[1]]);
    let rest: Vec<f64> = stretches
        .flat_map(|stretch| {
            let level = level(stretch);
            stretch.iter().map(move |value| value - level)
        })
        .collect();
    let persistence = persistence(&rest);
    let mut last = 0.0;
    let widths = WIDTHS.iter().map(|&width| {
        let medians = running_medians(&rest, width);
        let pairs = medians.iter().zip(medians.iter().skip(width));
        let sizes: Vec<f64> = pairs.map(|(left, right)| (right - left).abs()).collect();
        if sizes.len() >= FEWEST_PLACES {
            last = fence(&sizes) * prediction(TAIL, independent(rest.len(), width, persistence));
        }
        last
    });
    widths.collect()
}

/// Sum of the absolute deviations from the medians on either side of `at`.
fn deviation(y: &[f64], from: usize, at: usize, to: usize) -> f64 {
    let side = |values: &[f64]| {
        let level = level(values);
        values.iter().map(|value| (value - level).abs()).sum::<f64>()
    };
    side(&y[from..at]) + side(&y[at..to])
}

fn places_near(from: usize, to: usize, at: usize) -> (usize, usize, std::ops::RangeInclusive<usize>) {
    let (low, high) = (from.max(at.saturating_sub(BESIDE)), to.min(at + BESIDE));
    let first = (low + SHORTEST).max(at.saturating_sub(MOVE));
    let last = high.saturating_sub(SHORTEST).min(at + MOVE);
    (low, high, first..=last)
}

/// The place near `at` that leaves the least absolute deviation; the first of equals.
fn best_place(y: &[f64], from: usize, to: usize, at: usize) -> usize {
    let (low, high, places) = places_near(from, to, at);
    let scored = places.map(|place| (deviation(y, low, place, high), place));
    scored.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map_or(at, |(_, place)| place)
}

/// The first and the last place that are not clearly worse: their deviation is larger by less than three mean
/// absolute ones, which with Laplace noise is a likelihood 20 times smaller.
fn place_range(y: &[f64], from: usize, to: usize, at: usize) -> (usize, usize) {
    let (low, high, places) = places_near(from, to, at);
    let least = deviation(y, low, at, high);
    let mean = least / (high - low) as f64;
    let near = |place: &usize| deviation(y, low, *place, high) <= least + 3.0 * mean;
    let first = places.clone().filter(|place| *place <= at).rev().take_while(near).last();
    let last = places.filter(|place| *place >= at).take_while(near).last();
    (first.unwrap_or(at), last.unwrap_or(at))
}

#[cfg(test)]
#[path = "look_back_tests.rs"]
mod tests;
