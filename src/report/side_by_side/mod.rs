//! Several runs beside each other: theirs and yours, yesterday's and today's.
//!
//! A row is one environment *under one accelerator*, one workload and one metric, so KVM and TCG never meet in a row, and no
//! number is ever formed of both. On one host medians are held against each other, on different hosts only ratios to native. It
//! shows; it does not judge: a gate needs several sessions, and is elsewhere.

use std::collections::BTreeMap;
use std::io::Write;

use crate::analysis::{Row, Summary};
use crate::journal::Run;
use crate::journal::record::RunRecord;
use crate::measure::sample::Accelerator;
use crate::report::clean::{clean, clean_to};
use crate::report::csv::{Line, accelerator, ratio_status};

mod against;
mod page;
mod text;

use against::Against;

/// Columns of `side-by-side.csv`.
pub const COLUMNS: [&str; 17] = [
    "run",
    "environment",
    "accelerator",
    "workload",
    "metric",
    "unit",
    "n",
    "failed",
    "median",
    "low",
    "high",
    "ratio_to_native",
    "ratio_low",
    "ratio_high",
    "ratio_status",
    "against_first",
    "factor_to_first",
];

/// Several runs, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct SideBySide {
    /// In the order given; the others are held against the first.
    runs: Vec<RunHead>,
    /// What must be known before any row is believed.
    cautions: Vec<String>,
    rows: Vec<SideRow>,
}

#[derive(Debug, Clone, PartialEq)]
struct RunHead {
    id: String,
    began: String,
    host: String,
    /// What it does not have alike with the first: what, there, here.
    differences: Vec<[String; 3]>,
    /// Medians may be held against the first's.
    same_host: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct SideRow {
    environment: String,
    accelerator: Accelerator,
    workload: String,
    metric: String,
    unit: String,
    /// One for each run; `None` where it has no such row.
    cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Cell {
    row: Row,
    against: Against,
}

/// Puts runs beside each other, the others against the first.
#[must_use]
pub fn side_by_side(runs: &[(&Run, &Summary)]) -> SideBySide {
    let Some((first, _)) = runs.first() else {
        return SideBySide { runs: Vec::new(), cautions: Vec::new(), rows: Vec::new() };
    };
    let heads: Vec<RunHead> = runs.iter().map(|(run, _)| head(&first.record, &run.record)).collect();
    SideBySide { cautions: cautions(runs, &heads), rows: rows(runs, &heads), runs: heads }
}

fn head(first: &RunRecord, record: &RunRecord) -> RunHead {
    let differences = differences(first, record);
    RunHead {
        id: clean(&record.run_id).into_owned(),
        began: record.started_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        host: clean_to(record.host.cpu_model.as_deref().unwrap_or("unknown CPU"), 60).into_owned(),
        same_host: !differences.iter().any(|[what, ..]| HOST.contains(&what.as_str())),
        differences,
    }
}

/// What makes two hosts two.
const HOST: [&str; 7] = [
    "CPU model",
    "microcode",
    "host's kernel",
    "cgroup version",
    "virtualised",
    "CPUs online",
    "clock source",
];

/// What two runs do not have alike, host first.
fn differences(a: &RunRecord, b: &RunRecord) -> Vec<[String; 3]> {
    let words = |record: &RunRecord| {
        let host = &record.host;
        let unknown = || "unknown".to_owned();
        let limits = &record.plan.suite.limits;
        [
            host.cpu_model.clone().unwrap_or_else(unknown),
            host.microcode.clone().unwrap_or_else(unknown),
            host.kernel_release.clone(),
            host.cgroup.clone(),
            host.virtualised.map_or_else(unknown, |yes| yes.to_string()),
            host.online_cpus.to_string(),
            host.clock_source.clone().unwrap_or_else(unknown),
            record.isocost_version.clone(),
            record.agent_sha256.clone(),
            record.plan.suite.name.clone(),
            format!("{} CPUs, {} bytes", limits.cpus, limits.memory_bytes),
            record.plan.seed.to_string(),
        ]
    };
    let rest = ["Isocost", "agent", "suite", "limits", "seed"];
    let names = HOST.into_iter().chain(rest).map(str::to_owned);
    let mut all: Vec<[String; 3]> =
        names.zip(words(a).into_iter().zip(words(b))).map(|(what, (a, b))| [what, a, b]).collect();
    all.extend(facts(a, b));
    all.retain(|[_, a, b]| a != b);
    all.into_iter().map(|texts| texts.map(|text| clean_to(&text, 100).into_owned())).collect()
}

/// Versions and hashes of environments that both runs have.
fn facts(a: &RunRecord, b: &RunRecord) -> Vec<[String; 3]> {
    let mut all = Vec::new();
    for one in &a.environments {
        let Some(other) = b.environments.iter().find(|other| other.id == one.id) else { continue };
        for (name, value) in &one.prepared.facts {
            // Paths and whole command lines differ from run to run and say nothing.
            let telling = !name.contains("path") && !name.contains("arguments") && value.len() < 100;
            let theirs = other.prepared.facts.iter().find(|(theirs, _)| theirs == name);
            if let Some((_, theirs)) = theirs.filter(|_| telling) {
                all.push([format!("{}: {name}", one.id), value.clone(), theirs.clone()]);
            }
        }
    }
    all
}

fn cautions(runs: &[(&Run, &Summary)], heads: &[RunHead]) -> Vec<String> {
    let mut all = accelerators(runs);
    for head in heads.iter().filter(|head| !head.same_host) {
        all.push(format!(
            "Run {} is of another host than the first: medians are not held against each other, only ratios to native.",
            head.id
        ));
    }
    if let Some((first, _)) = runs.first() {
        let other = |(run, _): &&(&Run, &Summary)| run.record.agent_sha256 != first.record.agent_sha256;
        for (run, _) in runs.iter().filter(other) {
            let id = clean(&run.record.run_id);
            all.push(format!("Run {id} had another agent than the first: it did not do the same work."));
        }
    }
    for (run, _) in runs.iter().filter(|(run, _)| !run.complete || run.dropped_tail) {
        all.push(format!(
            "Run {} did not end by itself: its figures are of the samples it has.",
            clean(&run.record.run_id)
        ));
    }
    all
}

/// Environments of one name under different accelerators.
fn accelerators(runs: &[(&Run, &Summary)]) -> Vec<String> {
    let mut seen: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for (_, summary) in runs {
        for row in &summary.rows {
            let all = seen.entry(&row.environment).or_default();
            let name = accelerator(row.accelerator);
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    let several = seen.into_iter().filter(|(_, all)| all.len() > 1);
    let said = several.map(|(id, all)| {
        format!(
            "{} ran under {} in different runs: these are kept apart, and no ratio of them is formed.",
            clean(id),
            all.join(" and ")
        )
    });
    said.collect()
}

type Key<'a> = (&'a str, Accelerator, &'a str, &'a str);

fn rows(runs: &[(&Run, &Summary)], heads: &[RunHead]) -> Vec<SideRow> {
    let mut order: Vec<Key<'_>> = Vec::new();
    let mut found: BTreeMap<Key<'_>, Vec<Option<&Row>>> = BTreeMap::new();
    for (which, (_, summary)) in runs.iter().enumerate() {
        for row in &summary.rows {
            let key = (row.environment.as_str(), row.accelerator, row.workload.as_str(), row.metric.as_str());
            let cells = found.entry(key).or_insert_with(|| {
                order.push(key);
                vec![None; runs.len()]
            });
            cells[which] = Some(row);
        }
    }
    order.into_iter().filter_map(|key| side_row(key, found.get(&key)?, heads)).collect()
}

fn side_row(
    (environment, accelerator, workload, metric): Key<'_>,
    rows: &[Option<&Row>],
    heads: &[RunHead],
) -> Option<SideRow> {
    let unit = rows.iter().flatten().next()?.unit.clone();
    let first = rows.first().copied().flatten();
    let cell = |(which, row): (usize, &Option<&Row>)| {
        let row = (*row)?;
        let same_host = heads.get(which).is_some_and(|head| head.same_host);
        let against = if which == 0 { Against::First } else { Against::of(first, row, same_host) };
        Some(Cell { row: row.clone(), against })
    };
    Some(SideRow {
        environment: clean_to(environment, 60).into_owned(),
        accelerator,
        workload: clean_to(workload, 60).into_owned(),
        metric: clean_to(metric, 60).into_owned(),
        unit,
        cells: rows.iter().enumerate().map(cell).collect(),
    })
}

impl SideBySide {
    /// The rows tidily: one for each run that has it.
    ///
    /// # Errors
    /// What the writer says.
    pub fn csv(&self, to: impl Write) -> csv::Result<()> {
        let mut file = csv::Writer::from_writer(to);
        file.write_record(COLUMNS)?;
        let mut line = Line::new(&mut file);
        for row in &self.rows {
            for (head, cell) in self.runs.iter().zip(&row.cells) {
                let Some(cell) = cell else { continue };
                for text in [
                    &head.id,
                    &row.environment,
                    accelerator(row.accelerator),
                    &row.workload,
                    &row.metric,
                    &row.unit,
                ] {
                    line.text(text)?;
                }
                line.number(cell.row.n)?;
                line.number(cell.row.failures())?;
                for estimate in [cell.row.median, cell.row.ratio.stated()] {
                    let interval = estimate.and_then(|estimate| estimate.interval);
                    line.figure(estimate.map(|estimate| estimate.value))?;
                    line.figure(interval.map(|interval| interval.low))?;
                    line.figure(interval.map(|interval| interval.high))?;
                }
                line.text(ratio_status(&cell.row.ratio))?;
                line.text(cell.against.word())?;
                line.figure(cell.against.factor())?;
                line.end()?;
            }
        }
        file.flush()?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
