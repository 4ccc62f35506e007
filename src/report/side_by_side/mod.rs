//! Several runs beside each other: theirs and yours, yesterday's and today's.
//!
//! A row is one environment *under one accelerator*, one workload and one metric, so KVM and TCG never meet in a row, and no
//! number is ever formed of both. On one host medians are held against each other, on different hosts only ratios to native. It
//! shows; it does not judge: a gate needs several sessions, and is elsewhere.

use std::collections::BTreeMap;
use std::io::Write;

use crate::analysis::compare::fingerprint::{self, Mismatch};
use crate::analysis::{Row, Summary};
use crate::journal::Run;
use crate::journal::record::RunRecord;
use crate::measure::sample::Accelerator;
use crate::report::clean::{clean, clean_to};
use crate::report::csv::{Line, accelerator, ratio_status};

mod against;
mod page;
mod text;
mod unlike;

use against::Against;
use unlike::Unlike;

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
    /// What of it is of other work or size than the first's.
    unlike: Unlike,
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
    RunHead {
        id: clean(&record.run_id).into_owned(),
        began: record.started_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        host: clean_to(record.host.cpu_model.as_deref().unwrap_or("unknown CPU"), 60).into_owned(),
        same_host: fingerprint::same_host(&first.host, &record.host),
        differences: differences(first, record),
        unlike: Unlike::of(&first.plan.suite, &record.plan.suite),
    }
}

/// What two runs do not have alike, host first.
fn differences(a: &RunRecord, b: &RunRecord) -> Vec<[String; 3]> {
    let named = |one: Mismatch| {
        let what = one.environment.map_or(one.what.clone(), |id| format!("{id}: {}", one.what));
        [what, one.base, one.new]
    };
    let mut all: Vec<[String; 3]> = fingerprint::mismatches(a, b).into_iter().map(named).collect();
    let known = |[what, ..]: &[String; 3], all: &[[String; 3]]| all.iter().any(|[other, ..]| other == what);
    let own = [
        ["Isocost".to_owned(), a.isocost_version.clone(), b.isocost_version.clone()],
        ["seed".to_owned(), a.plan.seed.to_string(), b.plan.seed.to_string()],
    ];
    for one in own.into_iter().chain(facts(a, b)).filter(|[_, a, b]| a != b) {
        if !known(&one, &all) {
            all.push(one);
        }
    }
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
    if let Some((first, _)) = runs.first() {
        for ((run, _), head) in runs.iter().zip(heads) {
            all.extend(other_host(&first.record, &run.record, head));
            all.extend(unlike::cautions(&first.record, &run.record));
        }
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

fn other_host(first: &RunRecord, record: &RunRecord, head: &RunHead) -> Option<String> {
    let whats: Vec<String> =
        fingerprint::hosts(&first.host, &record.host).into_iter().map(|one| one.what).collect();
    (!whats.is_empty()).then(|| {
        format!(
            "Run {} is of another host than the first, or of one set otherwise ({}): medians are not held against each \
             other, only ratios to native.",
            head.id,
            whats.join(", ")
        )
    })
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
        let head = heads.get(which)?;
        let against = match which {
            0 => Against::First,
            _ if head.unlike.touches(row, !head.same_host) => Against::Unknown,
            _ => Against::of(first, row, head.same_host),
        };
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
