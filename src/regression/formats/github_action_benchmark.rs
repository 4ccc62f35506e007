//! github-action-benchmark: its custom results written, its history (`data.js`) read.
//!
//! A custom file has one direction; an empty one is an error there, and a null would become 0.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::{joined, split};
use super::{Figure, FormatError, Imported, Results, Source};
use crate::measure::metric::Direction;

const FORMAT: &str = "github-action-benchmark data";
const PREFIX: &str = "window.BENCHMARK_DATA";

#[derive(Serialize)]
struct Entry {
    name: String,
    unit: String,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<String>,
}

/// `customSmallerIsBetter` or `customBiggerIsBetter`: the figures of that direction.
///
/// # Errors
/// There is none of that direction, or one that is not finite.
pub fn custom(results: &Results, direction: Direction) -> Result<String, FormatError> {
    let format = match direction {
        Direction::Smaller => "customSmallerIsBetter",
        Direction::Bigger => "customBiggerIsBetter",
    };
    results.check(format)?;
    let entries: Vec<Entry> =
        results.figures.iter().filter(|figure| figure.direction == Some(direction)).map(entry).collect();
    if entries.is_empty() {
        return Err(FormatError::Empty { format, hint: Some("no figure has that direction") });
    }
    let failed = |e: serde_json::Error| FormatError::Malformed { format, detail: e.to_string() };
    serde_json::to_string_pretty(&entries).map_err(failed)
}

fn entry(figure: &Figure) -> Entry {
    let halves = figure.low.zip(figure.high);
    Entry {
        name: joined(figure),
        unit: figure.unit.clone(),
        value: figure.value,
        range: halves.map(|(low, high)| format!("± {}", (high - figure.value).max(figure.value - low))),
        extra: figure.n.map(|n| format!("n={n}")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    repo_url: Option<String>,
    entries: std::collections::BTreeMap<String, Vec<Run>>,
}

#[derive(Deserialize)]
struct Run {
    commit: Commit,
    /// Milliseconds since 1970.
    date: Option<f64>,
    tool: String,
    benches: Vec<Bench>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Bench {
    name: String,
    value: Value,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    range: Option<Value>,
    #[serde(default)]
    extra: Option<String>,
}

/// The history in `data.js`: one result a run of each suite.
///
/// # Errors
/// It is not this format.
pub fn read(text: &str) -> Result<Imported, FormatError> {
    let malformed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let text = text.trim_start_matches('\u{feff}').trim();
    let json = match text.strip_prefix(PREFIX) {
        Some(rest) => {
            rest.trim_start().strip_prefix('=').ok_or_else(|| malformed(format!("no `=` after {PREFIX}")))?
        }
        None => text,
    };
    let json = json.trim().trim_end_matches(';');
    let data: Data = serde_json::from_str(json).map_err(|e| malformed(e.to_string()))?;
    let mut imported = Imported::default();
    for (suite, runs) in &data.entries {
        for (index, run) in runs.iter().enumerate() {
            let place = format!("run {index} of {suite}");
            match results(run, suite, data.repo_url.as_deref(), &place, &mut imported.left_out) {
                Some(results) => imported.results.push(results),
                None => imported
                    .left_out
                    .push(format!("{place}: neither its date nor its commit's time can be read")),
            }
        }
    }
    Ok(imported)
}

fn results(
    run: &Run,
    suite: &str,
    repository: Option<&str>,
    place: &str,
    left_out: &mut Vec<String>,
) -> Option<Results> {
    let committed = || super::time::parse(run.commit.timestamp.as_deref()?);
    let at = run.date.and_then(|ms| super::time::of_seconds(ms / 1000.0)).or_else(committed)?;
    let source = Source {
        commit: Some(run.commit.id.clone()),
        repository: repository.map(str::to_owned),
        ..Source::default()
    };
    let mut figures = Vec::new();
    for bench in &run.benches {
        match figure(bench, suite, &run.tool) {
            Some(figure) => figures.push(figure),
            None => left_out.push(format!("{place}: the value of {} is no number", bench.name)),
        }
    }
    Some(Results { run: None, suite: Some(suite.to_owned()), at, source, figures })
}

fn figure(bench: &Bench, suite: &str, tool: &str) -> Option<Figure> {
    let value = number(&bench.value)?;
    let half = bench.range.as_ref().and_then(half_width);
    let (benchmark, measure) = split(&bench.name);
    let n = bench.extra.as_deref().and_then(|extra| extra.strip_prefix("n=")?.lines().next()?.parse().ok());
    Some(Figure {
        benchmark: format!("{suite}/{benchmark}"),
        measure,
        unit: bench.unit.clone().unwrap_or_default(),
        direction: Some(direction(tool)),
        value,
        low: half.map(|half| value - half),
        high: half.map(|half| value + half),
        n,
    })
}

/// Some tools' values were stored as text.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

/// `± 4`, `+/- 4`, `±0.87`; a percentage is none.
fn half_width(range: &Value) -> Option<f64> {
    let text = range.as_str()?.trim();
    let digits = text.strip_prefix('±').or_else(|| text.strip_prefix("+/-"))?;
    let half: f64 = digits.trim().replace(',', "").parse().ok()?;
    (half.is_finite() && half >= 0.0).then_some(half)
}

/// As documented for each tool: these report operations per second, all others times or what was asked for.
fn direction(tool: &str) -> Direction {
    match tool {
        "benchmarkjs" | "pytest" | "customBiggerIsBetter" => Direction::Bigger,
        _ => Direction::Smaller,
    }
}

#[cfg(test)]
#[path = "github_action_benchmark_tests.rs"]
mod tests;
