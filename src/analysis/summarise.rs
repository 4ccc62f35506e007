//! A run's samples made into its summary, rows side by side on all CPUs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::group::{Groups, Key, Series, group, kind_of};
use super::settings::Settings;
use super::summary::{Comparability, Effect, Latency, Missing, Ratio, Row, Summary};
use super::{comparability, latency, pair, precision, row};
use crate::environment::Kind;
use crate::journal::Run;
use crate::journal::record::RunRecord;

/// All that can be said of a run. The same run and settings give the same summary on any number of CPUs.
#[must_use]
pub fn summarise(run: &Run, settings: &Settings) -> Summary {
    let control = control(&run.record);
    let comparability = comparability::of(&run.record, control);
    let Groups { series, blocks } = group(run);
    let index: HashMap<Key<'_>, &Series<'_>> = series.iter().map(|one| (one.key, one)).collect();
    let record = &run.record;
    let context = Context { record, control, comparability: &comparability, index: &index, settings };
    let (mut rows, latencies): (Vec<Row>, Vec<Option<Latency>>) =
        on_all_cpus(&series, |at, one| context.row(one, at as u64)).into_iter().unzip();
    note_accelerators(&mut rows);
    note_precision(&mut rows, run);
    Summary {
        rows,
        control: control.map(str::to_owned),
        latencies: latencies.into_iter().flatten().collect(),
        blocks,
        confidence: settings.confidence,
        comparability,
    }
}

/// The first native environment of the plan.
pub(super) fn control(record: &RunRecord) -> Option<&str> {
    let environments = record.plan.suite.environments.iter();
    environments.into_iter().find(|one| kind_of(&one.kind) == Kind::Native).map(|one| one.id.as_str())
}

/// What a row needs beside its series.
struct Context<'a> {
    record: &'a RunRecord,
    control: Option<&'a str>,
    comparability: &'a [Comparability],
    index: &'a HashMap<Key<'a>, &'a Series<'a>>,
    settings: &'a Settings,
}

impl Context<'_> {
    fn row(&self, series: &Series<'_>, at: u64) -> (Row, Option<Latency>) {
        let unlike = self.unlike(series);
        let (own, of_control) = self.too_few(series);
        let ratio = match &unlike {
            Some(_) => (Ratio::Missing(Missing::Unlike), None),
            None => self.ratio(series),
        };
        let ratio = match (ratio, own.or(of_control)) {
            ((Ratio::Stated { .. }, _), Some(_)) => (Ratio::Missing(Missing::FewOperations), None),
            (ratio, _) => ratio,
        };
        let mut row = row::row(series, ratio, self.settings, 2 * at);
        row.notes.extend(unlike.map(|why| format!("no ratio: {why}")));
        if own.is_some_and(|few| few.all) {
            (row.median, row.outliers) = (None, Vec::new());
        }
        row.notes.extend(own.map(|few| match few.all {
            true => format!("no value: {few}; of fewer even the largest may lie below it"),
            false => format!("no ratio: {few}; of fewer even the largest may lie below it"),
        }));
        if own.is_none() {
            row.notes.extend(of_control.map(|few| format!("no ratio: of the control {few}")));
        }
        (row, self.latency(series, 2 * at + 1))
    }

    fn latency(&self, series: &Series<'_>, stream: u64) -> Option<Latency> {
        let (work, _) = series.key.metric.split_once(".latency.").unwrap_or_default();
        let metric: &str = &format!("{work}.rate");
        let rates = self.index.get(&Key { metric, ..series.key }).copied();
        let mut workloads = self.record.plan.suite.workloads.iter();
        let workload = workloads.find(|one| one.id == series.key.workload);
        let duration = workload.map_or(Duration::ZERO, |one| one.duration);
        latency::of(series, rates, duration, self.settings, stream)
    }

    /// Where it is a quantile of single operations and blocks have too few of them: its own, and the control's.
    fn too_few(&self, series: &Series<'_>) -> (Option<latency::Few>, Option<latency::Few>) {
        let find = |key: &Key<'_>| self.index.get(key).copied();
        let few = |series: &Series<'_>| latency::few_of(series, find, self.settings.confidence);
        let control = self.control.filter(|control| *control != series.key.environment);
        (few(series), control.and_then(|control| few(self.of_control(series, control)?)))
    }

    /// Why it is not of the same as the control's.
    fn unlike(&self, series: &Series<'_>) -> Option<String> {
        let control = self.control.filter(|control| *control != series.key.environment)?;
        let of = |id| (self.record, id);
        comparability::unlike(series.key.metric, of(control), of(series.key.environment))
    }

    fn ratio(&self, series: &Series<'_>) -> (Ratio, Option<Effect>) {
        let Some(control) = self.control else { return (Ratio::Missing(Missing::NoControl), None) };
        if series.key.environment == control {
            return (Ratio::Control, None);
        }
        let withheld = self.comparability.iter().find(|one| one.environment == series.key.environment);
        if withheld.is_some_and(|one| one.withheld.is_some()) {
            return (Ratio::Missing(Missing::Withheld), None);
        }
        pair::ratio(series, self.of_control(series, control), self.settings)
    }

    /// The control's series of the same workload and metric; it runs on the host's own CPU.
    fn of_control(&self, series: &Series<'_>, control: &str) -> Option<&Series<'_>> {
        let accelerator = crate::measure::sample::Accelerator::None;
        self.index.get(&Key { environment: control, accelerator, ..series.key }).copied()
    }
}

/// A reader must not take two accelerators of one environment for one.
fn note_accelerators(rows: &mut [Row]) {
    let seen: Vec<_> = rows.iter().map(|row| (row.environment.clone(), row.accelerator)).collect();
    for row in rows {
        let other =
            seen.iter().find(|(id, accelerator)| *id == row.environment && *accelerator != row.accelerator);
        if other.is_some() {
            row.notes
                .push("this environment ran under two accelerators; their samples are kept apart".to_owned());
        }
    }
}

/// Where a precision was asked for, each headline metric says how near it came and what stopped it.
fn note_precision(rows: &mut [Row], run: &Run) {
    let Some(target) = run.record.conditions.precision else { return };
    for one in precision::precisions(run, Some(target)) {
        let row = rows.iter_mut().find(|row| {
            (&row.environment, row.accelerator, &row.workload, &row.metric)
                == (&one.environment, one.accelerator, &one.workload, &one.metric)
        });
        if let Some(row) = row {
            row.notes.push(one.sentence(target));
        }
    }
}

/// `work` on each item, in the items' order, by as many threads as there are CPUs.
fn on_all_cpus<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(at, item)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads.min(items.len())).map(|_| scope.spawn(take)).collect();
        running.into_iter().flat_map(joined).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

fn joined<R>(thread: std::thread::ScopedJoinHandle<'_, R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
