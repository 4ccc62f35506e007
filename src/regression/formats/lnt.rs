//! LNT's report, format version 2: a machine, a run, and tests with lists of samples.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Figure, FormatError, Imported, Results, Source};
use crate::analysis::statistics::order::{median_of, sorted};
use crate::measure::metric::Direction;

const FORMAT: &str = "LNT report of format version 2";

/// Fields of a run that order it, in the order they are looked for.
const ORDERS: [&str; 4] = ["llvm_project_revision", "git_sha", "commit", "revision"];

#[derive(Deserialize)]
struct Report {
    format_version: Value,
    machine: BTreeMap<String, Value>,
    run: BTreeMap<String, Value>,
    tests: Vec<BTreeMap<String, Value>>,
}

/// The run of a file: each metric of a test as the median of its samples. `written` stands in where it has no time.
///
/// # Errors
/// It is not this format.
pub fn read(text: &str, written: Timestamp) -> Result<Imported, FormatError> {
    let malformed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let report: Report = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
    if !["2", "\"2\""].contains(&report.format_version.to_string().as_str()) {
        return Err(malformed(format!("its format_version is {}", report.format_version)));
    }
    let mut imported = Imported::default();
    let time =
        ["start_time", "end_time"].iter().find_map(|key| super::time::parse(report.run.get(*key)?.as_str()?));
    if time.is_none() {
        imported.undated = true;
        imported
            .left_out
            .push("the run has no time that can be read: the file's own stands for it".to_owned());
    }
    let source = Source {
        commit: ORDERS.iter().find_map(|key| text_of(report.run.get(*key)?)),
        machine: report.machine.get("name").and_then(text_of),
        ..Source::default()
    };
    let mut figures = Vec::new();
    for (index, test) in report.tests.iter().enumerate() {
        let name = test
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| malformed(format!("test {index} has no name")))?;
        for (metric, data) in test.iter().filter(|(key, _)| *key != "name") {
            match figure(name, metric, data) {
                Some(figure) => figures.push(figure),
                None if data.is_string() => {}
                None => imported.left_out.push(format!("{name}: {metric} has no samples that are numbers")),
            }
        }
    }
    imported.results.push(Results { at: time.unwrap_or(written), source, figures, ..Results::default() });
    Ok(imported)
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))
}

fn figure(test: &str, metric: &str, data: &Value) -> Option<Figure> {
    let samples: Vec<f64> = match data {
        Value::Array(all) => all.iter().map(Value::as_f64).collect::<Option<_>>()?,
        other => vec![other.as_f64()?],
    };
    let rising = sorted(&samples);
    let several = samples.len() > 1;
    let (unit, direction) = meaning(metric);
    Some(Figure {
        benchmark: test.to_owned(),
        measure: metric.to_owned(),
        unit: unit.to_owned(),
        direction,
        value: median_of(&samples)?,
        low: rising.first().copied().filter(|_| several),
        high: rising.last().copied().filter(|_| several),
        n: u32::try_from(samples.len()).ok(),
    })
}

/// The metrics of LNT's own test suites.
fn meaning(metric: &str) -> (&'static str, Option<Direction>) {
    match metric {
        "execution_time" | "compile_time" => ("s", Some(Direction::Smaller)),
        "code_size" | "mem_bytes" => ("bytes", Some(Direction::Smaller)),
        "score" => ("", Some(Direction::Bigger)),
        _ => ("", None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPORT: &str = r#"{
        "format_version": "2",
        "machine": {"name": "aarch64", "hardware": "HAL 9000"},
        "run": {"end_time": "2017-07-18T11:28:23.991076", "start_time": "2017-07-18T11:28:33.00000", "llvm_project_revision": "265649"},
        "tests": [
            {"name": "benchmark1", "execution_time": [0.1056, 0.1055, 0.2], "hash": "49333a87"},
            {"name": "benchmark2", "compile_time": 13.12, "code_size": 2042, "profile": null}
        ]
    }"#;

    #[test]
    fn the_documented_example_is_read() {
        let imported = read(REPORT, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(imported.left_out, ["benchmark2: profile has no samples that are numbers"]);
        let run = &imported.results[0];
        assert_eq!(run.at.to_string(), "2017-07-18T11:28:33Z");
        assert_eq!(run.source.commit.as_deref(), Some("265649"));
        assert_eq!(run.source.machine.as_deref(), Some("aarch64"));
        let seen: Vec<_> = run.figures.iter().map(|f| (f.measure.as_str(), f.value, f.low, f.n)).collect();
        let expected = [
            ("execution_time", 0.1056, Some(0.1055), Some(3)),
            ("code_size", 2042.0, None, Some(1)),
            ("compile_time", 13.12, None, Some(1)),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn version_one_and_what_has_no_time() {
        let old = REPORT.replace("\"2\"", "\"1\"");
        assert!(
            read(&old, Timestamp::UNIX_EPOCH).unwrap_err().to_string().contains("format_version is \"1\"")
        );
        let untimed = r#"{"format_version": "2", "machine": {"name": "m"}, "run": {}, "tests": []}"#;
        let imported = read(untimed, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((imported.results[0].at, imported.left_out.len()), (Timestamp::UNIX_EPOCH, 1));
        assert!(imported.undated && !read(REPORT, Timestamp::UNIX_EPOCH).unwrap().undated);
        let nameless = untimed.replace("[]", "[{}]");
        assert!(read(&nameless, Timestamp::UNIX_EPOCH).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = read(&text, Timestamp::UNIX_EPOCH);
        }
    }
}
