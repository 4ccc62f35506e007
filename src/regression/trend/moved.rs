//! What else changed where a level did: host, environment, program, and the native figures beside it.

use super::lines::Trend;
use crate::measure::metric::{self, Family};
use crate::regression::history::{ASKED, Description, PLACES, SLOWED};

/// Something recorded that changed: name, before, after.
pub(super) type Move = (String, String, String);

/// What one run of a line was made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct MadeOf<'a> {
    pub host: Option<&'a Description>,
    pub environment: Option<&'a Description>,
    pub program: Option<&'a str>,
}

/// The places at which it is not as in the run before.
pub(super) fn places(all: &[MadeOf<'_>]) -> Vec<(usize, Vec<Move>)> {
    let pairs = all.windows(2).zip(1..).map(|(pair, place)| (place, between(&pair[0], &pair[1])));
    pairs.filter(|(_, moves)| !moves.is_empty()).collect()
}

/// What differs. What one of the two does not know is not known to differ.
pub(super) fn between(before: &MadeOf<'_>, after: &MadeOf<'_>) -> Vec<Move> {
    let facts = |pair: (Option<&Description>, Option<&Description>)| match pair {
        (Some(before), Some(after)) if before.fingerprint != after.fingerprint => before.differences(after),
        _ => Vec::new(),
    };
    let mut moves = facts((before.host, after.host));
    moves.extend(facts((before.environment, after.environment)).into_iter().filter(is_known));
    match (before.program, after.program) {
        (Some(a), Some(b)) if a != b => moves.push(("program".to_owned(), short(a), short(b))),
        _ => {}
    }
    moves
}

/// An older version did not take down what was asked for, and took down what a run called its image.
fn is_known((name, before, after): &Move) -> bool {
    let asked = ASKED.contains(&name.as_str()) || name == SLOWED;
    !PLACES.contains(&name.as_str()) && !(asked && (before.is_empty() || after.is_empty()))
}

/// A hash as people read it.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// Two changes within so many runs are called one.
pub(super) const NEAR: usize = 3;

/// Names, for each change of a line, the native lines of the same family and machine that moved near it.
pub(super) fn controls(lines: &mut [Trend]) {
    let family = |line: &Trend| metric::find(&line.key.metric).map(|metric| metric.family);
    let native: Vec<(String, Option<Family>, super::Machine, Vec<String>)> = lines
        .iter()
        .filter(|line| line.key.environment == "native")
        .map(|line| {
            let runs = line.changes.iter().filter_map(|told| line.points.get(told.change.at));
            (
                line.name(),
                family(line),
                line.machine.clone(),
                runs.map(|point| point.run_id.clone()).collect(),
            )
        })
        .collect();
    for line in lines.iter_mut().filter(|line| line.key.environment != "native") {
        let own = family(line);
        let Trend { points, changes, machine, .. } = line;
        for told in changes.iter_mut() {
            let from = told.change.at.saturating_sub(NEAR);
            let near = &points[from..points.len().min(told.change.at + NEAR + 1)];
            let moved = native.iter().filter(|(_, family, where_, runs)| {
                own.is_some()
                    && *family == own
                    && where_ == machine
                    && runs.iter().any(|run| near.iter().any(|point| point.run_id == *run))
            });
            told.control = moved.map(|(name, ..)| name.clone()).collect();
        }
    }
}
