//! Runs against runs.

use super::between::ENOUGH_SESSIONS;
use super::change::{Basis, Change, Comparison, Design, Verdict};
use super::error::Refusal;
use super::fingerprint::{self, Mismatch};
use super::options::Options;
use super::sides::Sides;
use super::{finding, judge};
use crate::journal::Run;

/// Compares `new` with `base`. Each run is one session.
///
/// # Errors
/// A side without runs; runs that may not be compared by their values where `across` is not set, or have no native control
/// where it is; runs with nothing in common.
pub fn runs(base: &[&Run], new: &[&Run], options: &Options) -> Result<Comparison, Refusal> {
    let (Some(first), false) = (base.first(), new.is_empty()) else { return Err(Refusal::NoRuns) };
    let mismatches = all_mismatches(first, base.iter().skip(1).chain(new));
    let (forbidding, named): (Vec<_>, Vec<_>) = mismatches
        .into_iter()
        .partition(|one| one.forbids && !(options.programs && one.what == fingerprint::AGENT));
    if !forbidding.is_empty() && !options.across {
        return Err(Refusal::Different(forbidding));
    }
    let sides = Sides::of(base, new, options)?;
    let mut warnings = sides.accelerators();
    let rows = sides.rows(options);
    if rows.is_empty() {
        return Err(Refusal::NothingInCommon);
    }
    warnings.extend(sides.lonely(&rows, options));
    let rows = judge::all(rows, options);
    let count = |runs: &[&Run]| u32::try_from(runs.len()).unwrap_or(u32::MAX);
    Ok(Comparison {
        basis: if options.across { Basis::RatiosToNative } else { Basis::Values },
        design: Design::Sessions { base: count(base), new: count(new) },
        advisory: advisory(base.len(), options.across).or_else(|| few(&rows)),
        alpha: options.alpha,
        power: options.power,
        family: judge::family(&rows),
        findings: finding::of(&rows),
        rows: hints(rows, &forbidding.iter().chain(&named).collect::<Vec<_>>()),
        differences: forbidding.into_iter().chain(named).collect(),
        warnings,
    })
}

/// What differs from the first run in any other, each once.
fn all_mismatches<'a>(first: &Run, others: impl Iterator<Item = &'a &'a Run>) -> Vec<Mismatch> {
    let mut all: Vec<Mismatch> = Vec::new();
    for other in others {
        for one in fingerprint::mismatches(&first.record, &other.record) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

fn advisory(sessions: usize, across: bool) -> Option<String> {
    if across {
        return Some(
            "runs that need not be of one host, kernel and suite: what is compared is their ratios to native"
                .to_owned(),
        );
    }
    (sessions < ENOUGH_SESSIONS).then(|| {
        format!(
            "{sessions} {} of the base; how much sessions differ is known from {ENOUGH_SESSIONS} on, and assumed until then",
            if sessions == 1 { "session" } else { "sessions" }
        )
    })
}

/// There are enough runs, and no row has enough of them.
fn few(rows: &[Change]) -> Option<String> {
    let mut tested = rows.iter().filter(|row| row.p.is_some()).peekable();
    tested.peek()?;
    tested.all(|row| row.advisory).then(|| {
        format!("no row has {ENOUGH_SESSIONS} sessions of the base with enough blocks: how much sessions differ is assumed")
    })
}

/// A shift of an environment of which nothing changed is the host's, or chance.
fn hints(mut rows: Vec<Change>, known: &[&Mismatch]) -> Vec<Change> {
    for row in &mut rows {
        if !matches!(row.verdict, Verdict::Better | Verdict::Worse) || row.exact {
            continue;
        }
        let changed: Vec<&str> = known
            .iter()
            .filter(|one| one.environment.as_ref().is_none_or(|id| *id == row.environment))
            .map(|one| one.what.as_str())
            .collect();
        row.notes.push(match &changed[..] {
            [] => "nothing that is recorded of it changed: the host moved, not the program, or something nobody records".to_owned(),
            some => format!("changed with it: {}", some.join(", ")),
        });
    }
    rows
}
