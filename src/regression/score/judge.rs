//! Changes against labels.

use serde::Serialize;

use super::read::Labelled;
use crate::regression::changes::{Change, SeriesError, Settings, Watch, look_back};

/// A regression counts as found within this many builds of the last good one.
pub const NEAR: usize = 3;

/// How all histories were judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Each history.
    pub series: Vec<SeriesScore>,
}

/// How one history was judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesScore {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub kind: String,
    /// Builds.
    pub builds: usize,
    /// Was a regression labelled?
    pub labelled: bool,
    /// Looking back.
    pub look_back: Counts,
    /// As each build arrives.
    pub arriving: Counts,
}

/// Changes of one history against its label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The labelled regression was found: its place within 3 builds, and, as builds arrive, by the third bad one.
    pub found: bool,
    /// As builds arrive: at the right place, but later than that.
    pub late: bool,
    /// Regressions told where none is labelled: false alarms.
    pub false_alarms: usize,
    /// Improvements told. Nobody labelled these, true or not; they never fail a build.
    pub improvements: usize,
    /// Moves to and fro between two levels that were told as a habit, not as alarms.
    pub recurring: usize,
}

/// Judges every history, looking back and as each build arrives.
///
/// # Errors
/// A value that is not a number.
pub fn score(histories: &[Labelled], settings: &Settings) -> Result<Score, SeriesError> {
    let series = histories.iter().map(|history| {
        let first_bad = history.last_good.map(|last| last + 1);
        let back = look_back(&history.values, settings)?.into_iter().map(|change| (change.at, change));
        Ok(SeriesScore {
            name: history.name.clone(),
            kind: history.kind.clone(),
            builds: history.values.len(),
            labelled: first_bad.is_some(),
            look_back: count(back, first_bad),
            arriving: count(arriving(&history.values, settings)?.into_iter(), first_bad),
        })
    });
    Ok(Score { series: series.collect::<Result<_, _>>()? })
}

/// Each alarm with the build that raised it.
fn arriving(values: &[f64], settings: &Settings) -> Result<Vec<(usize, Change)>, SeriesError> {
    let mut watch = Watch::new(*settings);
    let told = values.iter().zip(0..).map(|(&value, build)| Ok((build, watch.push(value)?)));
    let told: Vec<(usize, Option<Change>)> = told.collect::<Result<_, _>>()?;
    Ok(told.into_iter().filter_map(|(build, change)| Some((build, change?))).collect())
}

/// `told`: for each change the build by which it was known; looking back that is its own place.
fn count(told: impl Iterator<Item = (usize, Change)>, first_bad: Option<usize>) -> Counts {
    let mut counts = Counts::default();
    for (known, change) in told {
        if change.recurring {
            counts.recurring += 1;
        } else if change.relative < 0.0 {
            counts.improvements += 1;
        } else if first_bad.is_none_or(|first| change.at.abs_diff(first) > NEAR) {
            counts.false_alarms += 1;
        } else if first_bad.is_some_and(|first| known < first + NEAR) {
            counts.found = true;
        } else {
            counts.late = true;
        }
    }
    counts
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
