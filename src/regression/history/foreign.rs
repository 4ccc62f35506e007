//! Others' results as runs of this history, and its runs as results for others.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::entry::{Entry, Measured, SeriesKey, hex, machine};
use super::error::HistoryError;
use super::query::Selection;
use super::store::History;
use crate::regression::formats::{Figure, Imported, Results, Source};

/// Runs made of another tool's results. The id rests on what is in the file alone, and not on the file.
pub(super) fn entries(imported: &Imported, format: &str) -> Vec<Entry> {
    imported.results.iter().map(|one| entry(one, format, imported.undated)).collect()
}

fn entry(results: &Results, format: &str, undated: bool) -> Entry {
    let content: Vec<String> = results.figures.iter().map(|figure| format!("{figure:?}")).collect();
    let content = digest(content.iter().map(String::as_bytes));
    let at = if undated { String::new() } else { results.at.to_string() };
    let identity = [
        format,
        &at,
        results.source.commit.as_deref().unwrap_or_default(),
        results.source.branch.as_deref().unwrap_or_default(),
        results.source.machine.as_deref().unwrap_or_default(),
        &content,
    ];
    let run_id = format!("{format}-{}", &digest(identity.iter().map(|text| text.as_bytes()))[..16]);
    Entry {
        run_id,
        digest: content,
        origin: format.to_owned(),
        started_at: results.at,
        ending: None,
        suite: results.suite.clone(),
        version: None,
        program: None,
        source: results.source.clone(),
        host: None,
        measured: results.figures.iter().map(measured).collect(),
    }
}

fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

fn measured(figure: &Figure) -> Measured {
    Measured {
        key: SeriesKey {
            environment: figure.benchmark.clone(),
            accelerator: "unknown".into(),
            workload: String::new(),
            metric: figure.measure.clone(),
            unit: figure.unit.clone(),
        },
        direction: figure.direction,
        value: Some(figure.value),
        interval: figure.low.zip(figure.high),
        n: figure.n,
        failed: 0,
        ratio: None,
        ratio_interval: None,
        environment: None,
    }
}

impl History {
    /// The selected runs in the terms of other tools, oldest first, each with its machine as lines name it. A figure whose samples all failed is not among
    /// them: no format has a word for it.
    ///
    /// # Errors
    /// The database's.
    pub fn results(&mut self, selection: &Selection) -> Result<Vec<Results>, HistoryError> {
        let runs = self.runs(selection)?;
        let series: HashMap<i64, _> = self.series()?.into_iter().map(|one| (one.id, one)).collect();
        let descriptions = self.descriptions()?;
        let mut figures: HashMap<i64, Vec<(i64, Figure)>> = HashMap::new();
        for point in self.points(selection)? {
            let (Some(one), Some(value)) = (series.get(&point.series), point.value) else { continue };
            let (low, high) = point.interval.unzip();
            let figure = Figure {
                benchmark: benchmark(&one.key),
                measure: one.key.metric.clone(),
                unit: one.key.unit.clone(),
                direction: one.direction,
                value,
                low,
                high,
                n: point.n,
            };
            figures.entry(point.run).or_default().push((point.series, figure));
        }
        let results = runs.into_iter().map(|run| {
            let mut own = figures.remove(&run.id).unwrap_or_default();
            own.sort_by(|(_, a), (_, b)| (&a.benchmark, &a.measure).cmp(&(&b.benchmark, &b.measure)));
            let figures = own.into_iter().map(|(_, figure)| figure).collect();
            let host = run.host.as_ref().and_then(|host| descriptions.get(host));
            let machine = machine(run.source.machine.as_deref(), host);
            let source = Source { machine: Some(machine).filter(|name| !name.is_empty()), ..run.source };
            Results { run: Some(run.run_id), suite: run.suite, at: run.started_at, source, figures }
        });
        Ok(results.collect())
    }
}

/// `docker/start`; a virtual machine's says what executed it, because the two are never one line.
fn benchmark(key: &SeriesKey) -> String {
    let accelerator = match key.accelerator.as_str() {
        one @ ("kvm" | "tcg") => format!("-{one}"),
        _ => String::new(),
    };
    let workload = if key.workload.is_empty() { String::new() } else { format!("/{}", key.workload) };
    format!("{}{accelerator}{workload}", key.environment)
}
