//! Two sides of sessions, aligned: for each environment, accelerator, workload and metric what each session holds of it.

use std::collections::{HashMap, HashSet};

use super::between;
use super::change::Why;
use super::error::Refusal;
use super::judge::{Row, Weighed};
use super::options::Options;
use super::{control, exact};
use crate::analysis::comparability;
use crate::analysis::group::{COLD, Groups, Key, Series, WITHOUT_WORKLOAD, group};
use crate::analysis::latency::{self, Few};
use crate::analysis::pair;
use crate::analysis::session::{self, of_block};
use crate::analysis::settings::CONFIDENCE;
use crate::analysis::summarise::control;
use crate::journal::Run;
use crate::measure::metric::Family;
use crate::measure::sample::Accelerator;
use crate::suite::Suite;

/// One run, sorted.
struct Session<'a> {
    run: &'a Run,
    groups: Groups<'a>,
}

/// A series and the session it is of.
#[derive(Clone, Copy)]
struct Held<'s> {
    session: &'s Session<'s>,
    series: &'s Series<'s>,
}

type Index<'s> = HashMap<Key<'s>, Vec<Held<'s>>>;

/// Both sides, sorted.
pub(super) struct Sides<'a> {
    base: Vec<Session<'a>>,
    new: Vec<Session<'a>>,
}

impl<'a> Sides<'a> {
    /// # Errors
    /// A run without a control, where ratios to it are to be compared.
    pub(super) fn of(base: &[&'a Run], new: &[&'a Run], options: &Options) -> Result<Self, Refusal> {
        let sorted = |runs: &[&'a Run]| -> Vec<Session<'a>> {
            runs.iter().map(|run| Session { run, groups: group(run) }).collect()
        };
        let sides = Self { base: sorted(base), new: sorted(new) };
        let bare = sides.all().find(|one| options.across && control(&one.run.record).is_none());
        match bare {
            Some(one) => Err(Refusal::NoControl { run: one.run.record.run_id.clone() }),
            None => Ok(sides),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Session<'a>> {
        self.base.iter().chain(&self.new)
    }

    /// One for each key that a side has and the other was to have.
    pub(super) fn rows(&self, options: &Options) -> Vec<Row<'_>> {
        let (base, new) = (index(&self.base), index(&self.new));
        let control = self.base.first().and_then(|one| control(&one.run.record));
        let mut seen = HashSet::new();
        let keys = self.all().flat_map(|one| &one.groups.series).filter(|series| seen.insert(series.key));
        let mut rows = Vec::new();
        for series in keys {
            let key = series.key;
            if !options.only.holds(key.environment, key.workload, key.metric) {
                continue;
            }
            let (Some(ours), Some(theirs)) = (held(&base, &self.base, &key), held(&new, &self.new, &key))
            else {
                continue;
            };
            if options.across && control == Some(key.environment) {
                continue;
            }
            let mut notes = Vec::new();
            if !options.across && control != Some(key.environment) {
                notes.extend(host_moved(&key, control, (&base, &new), options));
            }
            let both = || ours.iter().chain(&theirs);
            let unlike = both().find_map(|one| unlike(&ours, one, options));
            let barred = barred(unlike, || both().find_map(|one| few_operations(one, options)));
            let weighed = match &barred {
                Some((why, _)) => Weighed::Not(*why),
                None => weigh(&ours, &theirs, options),
            };
            notes.extend(barred.map(|(_, told)| told));
            let compared = options.across && matches!(weighed, Weighed::Evidence(_));
            let compared = compared.then(|| compared_of(&ours, &theirs)).flatten();
            let Series { kind, metric, .. } = *series;
            rows.push(Row {
                key,
                kind,
                metric,
                base: series_of(&ours),
                new: series_of(&theirs),
                weighed,
                compared,
                notes,
            });
        }
        rows
    }

    /// An environment that ran under one accelerator here and under another there has no rows.
    pub(super) fn accelerators(&self) -> Vec<String> {
        let mut told = Vec::new();
        let all = || self.all().flat_map(|one| &one.run.record.environments);
        for one in self.base.iter().flat_map(|one| &one.run.record.environments) {
            let other = all().find(|other| other.id == one.id && other.accelerator != one.accelerator);
            let Some(other) = other else { continue };
            let text = format!(
                "{} ran under {} in one run and under {} in another: the two are never compared",
                one.id,
                name(one.accelerator),
                name(other.accelerator)
            );
            if !told.contains(&text) {
                told.push(text);
            }
        }
        told
    }

    /// Environments that have no row.
    pub(super) fn lonely(&self, rows: &[Row<'_>], options: &Options) -> Vec<String> {
        let compared: HashSet<&str> = rows.iter().map(|row| row.key.environment).collect();
        let mut told = Vec::new();
        for (side, word) in [(&self.base, "base"), (&self.new, "new run")] {
            let ids = side.iter().flat_map(|one| &one.run.record.plan.suite.environments).map(|one| &one.id);
            let missed = |id: &&String| {
                let control = self.base.first().and_then(|one| control(&one.run.record));
                let left_out = options.across && control == Some(id.as_str());
                !compared.contains(id.as_str()) && !left_out && options.only.has_environment(id)
            };
            for id in ids.filter(missed) {
                let text = format!("{id} of the {word} was not compared");
                if !told.contains(&text) {
                    told.push(text);
                }
            }
        }
        told
    }
}

pub(super) fn name(accelerator: Accelerator) -> String {
    format!("{accelerator:?}").to_lowercase()
}

fn index<'s>(sessions: &'s [Session<'s>]) -> Index<'s> {
    let mut index: Index<'s> = HashMap::new();
    for session in sessions {
        for series in &session.groups.series {
            index.entry(series.key).or_default().push(Held { session, series });
        }
    }
    index
}

/// What the sessions of a side hold of a key; `None` where the side was not asked to measure it, which is no failure of it.
fn held<'s>(index: &Index<'s>, side: &[Session<'_>], key: &Key<'_>) -> Option<Vec<Held<'s>>> {
    match index.get(key) {
        Some(held) => Some(held.clone()),
        None => side.iter().any(|one| planned(one.run, key)).then(Vec::new),
    }
}

fn series_of<'s>(held: &[Held<'s>]) -> Vec<&'s Series<'s>> {
    held.iter().map(|one| one.series).collect()
}

/// Was the run to measure it? A start, its end, its idle memory and its image are measured of every environment.
fn planned(run: &Run, key: &Key<'_>) -> bool {
    let record = &run.record;
    // An environment of which nothing is recorded may have been executed by anything.
    let recorded = record.environments.iter().find(|one| one.id == key.environment);
    planned_by(&record.plan.suite, key.environment, key)
        && recorded.is_none_or(|one| one.accelerator == key.accelerator)
}

/// Has the plan the key's workload and metric for that environment?
pub(super) fn planned_by(suite: &Suite, environment: &str, key: &Key<'_>) -> bool {
    let Some(spec) = suite.environments.iter().find(|one| one.id == environment) else { return false };
    if WITHOUT_WORKLOAD.contains(&key.workload) {
        return suite.blocks.cold > 0 || !key.metric.starts_with(COLD);
    }
    let own = spec.workloads.as_ref().is_none_or(|own| own.iter().any(|id| id == key.workload));
    own && suite.workloads.iter().any(|one| one.id == key.workload)
}

fn weigh(base: &[Held<'_>], new: &[Held<'_>], options: &Options) -> Weighed {
    let filled = |side: &[Held<'_>]| side.iter().any(|one| !one.series.taken.is_empty());
    let Some(first) = base.first().filter(|_| filled(base)) else { return Weighed::Not(Why::NotInBase) };
    if !filled(new) {
        return Weighed::Not(Why::NotInNew);
    }
    // A fact is one on any host.
    if first.series.exact() {
        return exact::weigh(&series_of(base), &series_of(new));
    }
    let by_burst = by_burst(base, new);
    let log = |one: &Held<'_>| if options.across { log_against(one, by_burst) } else { log_values(one) };
    let logs = |side: &[Held<'_>]| side.iter().filter(|one| !one.series.taken.is_empty()).map(log).collect();
    match (logs(base), logs(new)) {
        (Ok(of_base), Ok(of_new)) => between::weigh(&of_base, &of_new, floor(first.series), options),
        (Err(why), _) | (_, Err(why)) => Weighed::Not(why),
    }
}

/// Starts are held against a burst of them, where every session has one: one native start is too short to be steady.
fn by_burst(base: &[Held<'_>], new: &[Held<'_>]) -> bool {
    base.iter().chain(new).all(|one| burst(one).is_some())
}

/// The logarithm of what is compared across hosts, for each block.
fn log_against(held: &Held<'_>, by_burst: bool) -> Result<Vec<f64>, Why> {
    if by_burst { log_bursts(held) } else { log_ratios(held) }
}

/// The ratios that are compared across hosts: of each side, what its sessions say on average.
fn compared_of(base: &[Held<'_>], new: &[Held<'_>]) -> Option<(f64, f64)> {
    let by_burst = by_burst(base, new);
    let of = |side: &[Held<'_>]| {
        let logs = side.iter().filter_map(|one| log_against(one, by_burst).ok());
        let sessions: Vec<_> = logs.filter_map(|logs| session::Session::of(&logs)).collect();
        (!sessions.is_empty()).then(|| session::mean(&sessions).exp())
    };
    Some((of(base)?, of(new)?))
}

/// Why a session's row is not of the same as the first one's, or where ratios are compared as its own control's.
fn unlike(ours: &[Held<'_>], other: &Held<'_>, options: &Options) -> Option<String> {
    let Key { metric, environment: id, .. } = other.series.key;
    let record = &other.session.run.record;
    let first = ours.first().map_or(record, |one| &one.session.run.record);
    let control = control(record).filter(|_| options.across && !other.series.exact());
    let in_control =
        control.and_then(|control| comparability::unlike(metric, (record, control), (record, id)));
    in_control.or_else(|| comparability::unlike(metric, (first, id), (record, id)))
}

/// Why two sides that both have values are not held against each other, and what is to be said of it.
pub(super) fn barred(unlike: Option<String>, few: impl FnOnce() -> Option<Few>) -> Option<(Why, String)> {
    let few = || few().map(|few| (Why::FewOperations, few.to_string()));
    unlike.map(|why| (Why::Withheld, why)).or_else(few)
}

/// Where a quantile of single operations is of too few, the session's own or its control's, if ratios are compared.
fn few_operations(held: &Held<'_>, options: &Options) -> Option<Few> {
    let groups = &held.session.groups;
    let few = |series| latency::few_of(series, |key| groups.find(key), CONFIDENCE);
    few(held.series).or_else(|| few(of_control(held).filter(|_| options.across)?))
}

/// The same figure of the session's control.
fn of_control<'s>(held: &Held<'s>) -> Option<&'s Series<'s>> {
    let environment = control(&held.session.run.record)?;
    let key = Key { environment, accelerator: Accelerator::None, ..held.series.key };
    held.session.groups.find(&key)
}

/// ln(value) for each block.
fn log_values(held: &Held<'_>) -> Result<Vec<f64>, Why> {
    let blocks = held.series.blocks().into_iter();
    let values = blocks.filter_map(|(_, values)| of_block(&values));
    values.map(|value| if value > 0.0 { Ok(value.ln()) } else { Err(Why::Zero) }).collect()
}

/// The native burst of starts that a start is held against.
fn burst<'s>(held: &Held<'s>) -> Option<&'s Series<'s>> {
    let metric = control::fitting(held.series.key.metric).filter(|_| is_startup(held.series))?;
    let control = control(&held.session.run.record)?;
    let fits = |one: &&Series<'_>| {
        one.key.environment == control && one.key.metric == metric && !one.taken.is_empty()
    };
    held.session.groups.series.iter().find(fits)
}

fn is_startup(series: &Series<'_>) -> bool {
    series.metric.is_some_and(|metric| metric.family == Family::Startup)
}

/// ln(value · rate of the burst) for each block: how many native starts of a burst the start takes.
/// Values are in ms, rates for each second.
fn log_bursts(held: &Held<'_>) -> Result<Vec<f64>, Why> {
    may_state(held)?;
    let Some(burst) = burst(held) else { return Ok(Vec::new()) };
    let pairs = pair::pairs(held.series, burst);
    if pairs.iter().any(|pair| pair.value <= 0.0 || pair.control <= 0.0) {
        return Err(Why::Zero);
    }
    Ok(pairs.iter().map(|pair| pair.value.ln() + (pair.control / 1e3).ln()).collect())
}

/// May the session state ratios to its control?
fn may_state(held: &Held<'_>) -> Result<(), Why> {
    let record = &held.session.run.record;
    let control = control(record).ok_or(Why::Withheld)?;
    match comparability::pair(record, control, held.series.key.environment).withheld {
        None => Ok(()),
        Some(_) => Err(Why::Withheld),
    }
}

/// ln(value / control) for each block, where the session may state the ratio.
fn log_ratios(held: &Held<'_>) -> Result<Vec<f64>, Why> {
    may_state(held)?;
    let Some(control) = of_control(held) else { return Ok(Vec::new()) };
    let pairs = pair::pairs(held.series, control);
    if pairs.iter().any(|pair| pair.value <= 0.0 || pair.control <= 0.0) {
        return Err(Why::Zero);
    }
    Ok(pairs.iter().map(pair::Pair::log_ratio).collect())
}

/// The least that sessions can be known to differ by: standard deviation of rounding to the steps its source counts in.
fn floor(series: &Series<'_>) -> f64 {
    let values: Vec<f64> = series.taken.iter().map(|one| one.value).collect();
    let median = of_block(&values).unwrap_or(0.0);
    if median > 0.0 { series.resolution() / median / 12f64.sqrt() } else { 0.0 }
}

/// Did the native figure that shares the row's resource move?
fn host_moved(
    key: &Key<'_>,
    control: Option<&str>,
    (base, new): (&Index<'_>, &Index<'_>),
    options: &Options,
) -> Option<String> {
    let (control, metric) = (control?, control::fitting(key.metric)?);
    let fits = |other: &&Key<'_>| other.environment == control && other.metric == metric;
    let found = base.keys().filter(fits).min_by_key(|other| other.workload)?;
    let Weighed::Evidence(evidence) = weigh(base.get(found)?, new.get(found)?, options) else { return None };
    let percent = evidence.shift.exp_m1() * 100.0;
    let moved = evidence.p <= options.alpha;
    moved.then(|| format!("native {metric} moved too, by {percent:+.1} %: the host is not what it was"))
}
