//! From a comparison to answers.

use super::answer::{Answer, Gate, Judged, Reason, overall};
use super::limits::{self, Limit};
use super::missing::{self, Planned};
use super::void::{GateError, check};
use crate::analysis::compare::{self, Change, Comparison, Options, Verdict};
use crate::analysis::statistics::holm;
use crate::environment::Kind;
use crate::journal::Run;
use crate::measure::metric::{self, Direction};
use crate::measure::sample::Sample;
use crate::suite::{GateSpec, KindSpec};

/// Holds the candidate's sessions against the baseline's.
///
/// # Errors
/// A run that says nothing, sides that may not be compared, or nothing gated on both.
pub fn decide(base: &[&Run], new: &[&Run], spec: &GateSpec, options: &Options) -> Result<Gate, GateError> {
    base.iter().chain(new).try_for_each(|run| check(run))?;
    let options = Options { alpha: spec.alpha, programs: true, ..options.clone() };
    let comparison = compare::runs(base, new, &options)?;
    let control = new.first().and_then(|run| control(run));
    let same_all_through = |change: &Change| same_all_through(base, change);
    let planned = Planned { base: missing::environments(base), new: missing::environments(new) };
    let rows = comparison.rows.clone();
    let mut gate = gate(comparison, spec, control, &planned, (base.len(), new.len()), &same_all_through)?;
    let limit = |one: &Sample, value: f64| {
        limits::of(spec, control, &one.environment, &one.metric, value).map(|limit| limit.relative)
    };
    gate.missing.extend(missing::left_out(base, &rows, &gate.missing, &options.only, &limit));
    gate.answer = overall(&gate.judged, &gate.missing);
    Ok(gate)
}

/// A comparison against the suite's limits.
///
/// # Errors
/// Nothing is gated.
pub(super) fn gate(
    comparison: Comparison,
    spec: &GateSpec,
    control: Option<&str>,
    planned: &Planned<'_>,
    sessions: (usize, usize),
    same_all_through: &dyn Fn(&Change) -> bool,
) -> Result<Gate, GateError> {
    let (missing, idle) = missing::of(spec, control, &comparison.rows, planned);
    let gated: Vec<(Change, Limit)> = comparison
        .rows
        .into_iter()
        .filter_map(|row| {
            let limit =
                limits::of(spec, control, &row.environment, &row.metric, row.base.median.unwrap_or(0.0))?;
            Some((row, limit))
        })
        .collect();
    if gated.is_empty() {
        return Err(GateError::NothingGated { named: names(spec) });
    }
    // The family is what is gated: what nobody decides by does not make the others' evidence weaker.
    let p: Vec<f64> = gated.iter().filter_map(|(row, _)| row.p).collect();
    let mut adjusted = holm::adjusted(&p).into_iter();
    let judged: Vec<Judged> = gated
        .into_iter()
        .map(|(mut change, limit)| {
            change.p_adjusted = change.p.and_then(|_| adjusted.next());
            let spread = !same_all_through(&change);
            let answer = answer(&change, limit.relative, spec.alpha, spread);
            Judged { change, limit, answer, confirmed: None }
        })
        .collect();
    let mut warnings = comparison.warnings;
    if !idle.is_empty() {
        warnings
            .push(format!("limits of what these runs were not to measure gate nothing: {}", idle.join(", ")));
    }
    Ok(Gate {
        answer: overall(&judged, &missing),
        findings: findings(&judged),
        judged,
        missing,
        moved: comparison.differences,
        sessions,
        advisory: comparison.advisory,
        warnings,
    })
}

fn names(spec: &GateSpec) -> Vec<String> {
    if spec.limits.is_empty() {
        return vec!["nothing, so that the headline and the exact metrics are".to_owned()];
    }
    spec.limits.iter().map(|one| format!("{}/{}", one.environment, one.metric)).collect()
}

/// The native environment of the suite, by which the host is known.
pub(super) fn control(run: &Run) -> Option<&str> {
    let environments = run.record.plan.suite.environments.iter();
    environments.into_iter().find(|one| matches!(one.kind, KindSpec::Native(_))).map(|one| one.id.as_str())
}

/// Does nothing in the baseline say how much its values differ? Of an exact metric nothing has to.
fn same_all_through(base: &[&Run], change: &Change) -> bool {
    let own = base.iter().flat_map(|run| &run.samples).filter(|sample| {
        sample.environment == change.environment
            && sample.workload == change.workload
            && sample.metric == change.metric
    });
    let mut values = own.filter(|sample| !sample.warm_up).filter_map(|sample| sample.value());
    let Some(first) = values.next() else { return false };
    !change.exact && values.all(|value| value == first)
}

/// Worse is up on this scale, whichever way the metric goes: from and to, in logarithms.
fn worsening(change: &Change) -> Option<(f64, f64)> {
    let estimate = change.change?;
    let (low, high) = estimate.interval.map_or((estimate.value, estimate.value), |it| (it.low, it.high));
    match change.direction? {
        Direction::Smaller => Some((low.ln(), high.ln())),
        Direction::Bigger => Some((-high.ln(), -low.ln())),
    }
}

/// The three answers: worse by more than the limit, not worse by as much, or neither shown.
fn answer(change: &Change, limit: f64, alpha: f64, spread: bool) -> Answer {
    let limit = limit.ln_1p();
    let known = |answer| if change.new.failed > 0 { Answer::Undecided(Reason::Failed) } else { answer };
    if change.exact {
        return match (change.verdict, worsening(change)) {
            (Verdict::Same | Verdict::Better, _) => known(Answer::Pass),
            (Verdict::Worse, Some((by, _))) if by <= limit => known(Answer::Pass),
            (Verdict::Worse, _) => Answer::Regression,
            (Verdict::Undecided(why), _) => Answer::Undecided(why.into()),
            (Verdict::Changed | Verdict::NoDifference { .. }, _) => Answer::Undecided(Reason::NotExact),
        };
    }
    if let Verdict::Undecided(why) = change.verdict
        && Reason::from(why) != Reason::Inconclusive
    {
        return Answer::Undecided(why.into());
    }
    let interval = change.change.and_then(|estimate| estimate.interval);
    let (Some((low, high)), Some(_)) = (worsening(change), interval) else {
        return Answer::Undecided(Reason::TooFew);
    };
    if !(low.is_finite() && high.is_finite()) {
        return Answer::Undecided(Reason::TooFew);
    }
    if low > limit && change.p_adjusted.is_some_and(|p| p <= alpha) {
        return Answer::Regression;
    }
    if !spread {
        return Answer::Undecided(Reason::NoSpread);
    }
    match () {
        () if high < limit => known(Answer::Pass),
        () if low > limit => Answer::Undecided(Reason::TooMany),
        () => Answer::Undecided(Reason::Inconclusive),
    }
}

/// How far the estimate lies beyond nothing, towards worse, in logarithms.
pub(super) fn size(change: &Change) -> f64 {
    let value = change.change.map_or(1.0, |estimate| estimate.value).ln();
    if change.direction == Some(Direction::Bigger) { -value } else { value }
}

/// Regressions of one environment and family moved together: one finding, named by the headline or the largest.
pub(super) fn findings(judged: &[Judged]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    for (at, one) in judged.iter().enumerate().filter(|(_, one)| one.answer == Answer::Regression) {
        let family = |judged: &Judged| metric::find(&judged.change.metric).map(|metric| metric.family);
        let same = |places: &&mut Vec<usize>| {
            let first = &judged[places[0]];
            first.change.environment == one.change.environment && family(first) == family(one)
        };
        match all.iter_mut().find(same) {
            Some(places) => places.push(at),
            None => all.push(vec![at]),
        }
    }
    for places in &mut all {
        places.sort_by(|&a, &b| {
            let headline = |at: usize| !crate::analysis::matters::headline(&judged[at].change.metric);
            headline(a).cmp(&headline(b)).then(size(&judged[b].change).total_cmp(&size(&judged[a].change)))
        });
    }
    all
}

/// A virtual machine's figures say what executed it.
pub(super) fn figure(change: &Change) -> String {
    let accelerator = match change.kind {
        Kind::Qemu => format!(" ({:?})", change.accelerator).to_lowercase(),
        Kind::Native | Kind::Docker => String::new(),
    };
    format!("{} of {}/{}{accelerator}", change.metric, change.environment, change.workload)
}
