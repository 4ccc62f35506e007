//! From evidence to verdicts, all rows of a comparison together.

use super::between::ENOUGH_SESSIONS;
use super::change::{Change, Side, Verdict, Why};
use super::evidence::Evidence;
use super::options::Options;
use crate::analysis::group::{Key, Series};
use crate::analysis::session::of_block;
use crate::analysis::statistics::{holm, order};
use crate::analysis::summary::{Estimate, Interval};
use crate::environment::Kind;
use crate::measure::metric::{Direction, Metric};

/// What is known of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Weighed {
    /// Nothing can be said.
    Not(Why),
    /// Two facts.
    Exact {
        /// In the base.
        base: f64,
        /// In the new run.
        new: f64,
    },
    /// Something with noise.
    Evidence(Evidence),
}

/// A row before it is judged.
pub(super) struct Row<'a> {
    pub key: Key<'a>,
    pub kind: Kind,
    pub metric: Option<&'static Metric>,
    pub base: Vec<&'a Series<'a>>,
    pub new: Vec<&'a Series<'a>>,
    pub weighed: Weighed,
    /// What was compared of either side, where that is not the value.
    pub compared: Option<(f64, f64)>,
    pub notes: Vec<String>,
}

/// Judges all rows as one family.
pub(super) fn all(rows: Vec<Row<'_>>, options: &Options) -> Vec<Change> {
    let p: Vec<f64> = rows.iter().filter_map(|row| evidence(row).map(|evidence| evidence.p)).collect();
    let mut adjusted = holm::adjusted(&p).into_iter();
    let level = options.alpha / p.len().max(1) as f64;
    let judged = rows.into_iter().map(|row| {
        let adjusted = evidence(&row).and_then(|_| adjusted.next());
        judge(row, adjusted, level, options)
    });
    judged.collect()
}

/// How many rows were tested.
pub(super) fn family(rows: &[Change]) -> u32 {
    u32::try_from(rows.iter().filter(|row| row.p.is_some()).count()).unwrap_or(u32::MAX)
}

fn evidence<'r>(row: &'r Row<'_>) -> Option<&'r Evidence> {
    match &row.weighed {
        Weighed::Evidence(evidence) => Some(evidence),
        _ => None,
    }
}

fn judge(row: Row<'_>, adjusted: Option<f64>, level: f64, options: &Options) -> Change {
    let base = side(&row.base);
    let matters = options.smallest(row.metric, base.median.unwrap_or(0.0));
    let direction = row.metric.map(|metric| metric.direction);
    let mut change = Change {
        environment: row.key.environment.to_owned(),
        kind: row.kind,
        accelerator: row.key.accelerator,
        workload: row.key.workload.to_owned(),
        metric: row.key.metric.to_owned(),
        unit: row.metric.map_or_else(String::new, |metric| metric.unit.to_owned()),
        direction,
        exact: row.metric.is_some_and(|metric| metric.exact),
        new: side(&row.new),
        base,
        change: None,
        p: None,
        p_adjusted: adjusted,
        matters,
        detectable: None,
        verdict: Verdict::Undecided(Why::TooFew),
        large: None,
        advisory: false,
        notes: row.notes,
    };
    if let Some((base, new)) = row.compared {
        (change.base.ratio, change.new.ratio) = (Some(base), Some(new));
    }
    failures(&mut change);
    match row.weighed {
        Weighed::Not(why) => change.verdict = Verdict::Undecided(why),
        Weighed::Exact { base, new } => facts(&mut change, base, new),
        Weighed::Evidence(evidence) => noisy(&mut change, &evidence, level, options),
    }
    change
}

fn facts(change: &mut Change, base: f64, new: f64) {
    change.detectable = Some(0.0);
    if base > 0.0 {
        change.change = Some(Estimate { value: new / base, interval: None });
    }
    change.large = Some(base != new);
    change.verdict = if base == new { Verdict::Same } else { moved(change.direction, new > base) };
}

fn noisy(change: &mut Change, evidence: &Evidence, level: f64, options: &Options) {
    if let Some((base, new)) = evidence.sessions {
        rests_on(change, base, new);
    }
    let interval = evidence.interval;
    change.change = Some(Estimate {
        value: evidence.shift.exp(),
        interval: interval.map(|(low, high)| Interval { low: low.exp(), high: high.exp() }),
    });
    change.p = Some(evidence.p);
    change.detectable = evidence.sight.smallest(level, options.power).map(f64::exp_m1);
    let limit = change.matters.ln_1p();
    change.large = interval.and_then(|(low, high)| match () {
        () if low > limit || high < -limit => Some(true),
        () if low > -limit && high < limit => Some(false),
        () => None,
    });
    change.verdict = match (change.p_adjusted, interval) {
        // With many ties the test can refuse where the estimate is nothing: then there is no way it moved.
        (Some(p), _) if p <= options.alpha && evidence.shift != 0.0 && !evidence.unresolved => {
            moved(change.direction, evidence.shift > 0.0)
        }
        (_, None) => Verdict::Undecided(Why::TooFew),
        (_, Some((low, high))) if change.large == Some(false) => {
            Verdict::NoDifference { most: high.exp_m1().abs().max(low.exp_m1().abs()) }
        }
        _ => Verdict::Undecided(Why::Inconclusive),
    };
    if evidence.unresolved {
        change.notes.push("the difference is below what its source can show".to_owned());
    }
}

/// What too few blocks were measured of is no session's value, and what fewer than five sessions hold is judged by what
/// sessions are assumed to do.
fn rests_on(change: &mut Change, base: usize, new: usize) {
    let (of_base, of_new) = (change.base.sessions, change.new.sessions);
    change.base.sessions = u32::try_from(base).unwrap_or(u32::MAX);
    change.new.sessions = u32::try_from(new).unwrap_or(u32::MAX);
    change.advisory = base < ENOUGH_SESSIONS;
    for (used, held, side) in [(base, of_base, "base"), (new, of_new, "new runs")] {
        if used < held as usize {
            change.notes.push(format!(
                "rests on {used} of {held} sessions of the {side}: the others hold too few blocks of it"
            ));
        }
    }
}

fn moved(direction: Option<Direction>, up: bool) -> Verdict {
    match (direction, up) {
        (None, _) => Verdict::Changed,
        (Some(Direction::Smaller), false) | (Some(Direction::Bigger), true) => Verdict::Better,
        _ => Verdict::Worse,
    }
}

/// Values of fewer starts than were tried are those of the ones that went well.
fn failures(change: &mut Change) {
    let told = |side: &Side| (side.failed, side.failed + side.n);
    let ((a, all_a), (b, all_b)) = (told(&change.base), told(&change.new));
    if a + b > 0 {
        change.notes.push(format!("{a} of {all_a} failed in the base, {b} of {all_b} in the new run"));
    }
}

fn side(sessions: &[&Series<'_>]) -> Side {
    let with_values = sessions.iter().filter(|one| !one.taken.is_empty());
    let medians: Vec<f64> = with_values
        .clone()
        .filter_map(|one| of_block(&one.taken.iter().map(|taken| taken.value).collect::<Vec<_>>()))
        .collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Side {
        sessions: count(with_values.count()),
        n: count(sessions.iter().map(|one| one.taken.len()).sum()),
        failed: sessions.iter().flat_map(|one| one.failed.values()).sum(),
        median: order::median_of(&medians),
        ratio: None,
    }
}
