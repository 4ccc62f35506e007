//! Nyrkiö's JSON: an array of runs with their metrics and the commit as attributes.

use serde::{Deserialize, Serialize};

use super::names::{joined, split};
use super::results::one_machine;
use super::{Figure, FormatError, Imported, Results, Source};
use crate::measure::metric::Direction;

const FORMAT: &str = "Nyrkiö JSON";

#[derive(Serialize, Deserialize)]
struct Run {
    /// Seconds since 1970.
    timestamp: f64,
    metrics: Vec<Metric>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Serialize, Deserialize)]
struct Metric {
    name: String,
    #[serde(default)]
    unit: String,
    value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git_repo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git_commit: Option<String>,
}

/// The runs' figures.
///
/// # Errors
/// A figure that is not finite, or none at all.
pub fn write(runs: &[Results]) -> Result<String, FormatError> {
    runs.iter().try_for_each(|run| run.check(FORMAT))?;
    one_machine(runs, FORMAT)?;
    if runs.iter().all(|run| run.figures.is_empty()) {
        return Err(FormatError::Empty { format: FORMAT, hint: None });
    }
    let file: Vec<Run> = runs.iter().map(run).collect();
    serde_json::to_string_pretty(&file).map_err(|e| malformed(&e))
}

fn malformed(error: &serde_json::Error) -> FormatError {
    FormatError::Malformed { format: FORMAT, detail: error.to_string() }
}

fn run(results: &Results) -> Run {
    let metric = |figure: &Figure| Metric {
        name: joined(figure),
        unit: figure.unit.clone(),
        value: Some(figure.value),
        direction: figure.direction.map(|direction| match direction {
            Direction::Smaller => "lower_is_better".to_owned(),
            Direction::Bigger => "higher_is_better".to_owned(),
        }),
    };
    let source = results.source.clone();
    Run {
        timestamp: results.at.as_second() as f64,
        metrics: results.figures.iter().map(metric).collect(),
        attributes: Attributes {
            git_repo: source.repository,
            branch: source.branch,
            git_commit: source.commit,
        },
    }
}

/// The runs of a file.
///
/// # Errors
/// It is not this format.
pub fn read(text: &str) -> Result<Imported, FormatError> {
    let file: Vec<Run> = serde_json::from_str(text).map_err(|e| malformed(&e))?;
    let mut imported = Imported::default();
    for (index, run) in file.into_iter().enumerate() {
        let Some(at) = super::time::of_seconds(run.timestamp) else {
            imported.left_out.push(format!("run {index}: its timestamp {} is none", run.timestamp));
            continue;
        };
        let source = Source {
            commit: run.attributes.git_commit,
            branch: run.attributes.branch,
            repository: run.attributes.git_repo,
            machine: None,
        };
        let empty = run.metrics.iter().filter(|metric| metric.value.is_none());
        imported.left_out.extend(empty.map(|metric| format!("run {index}: {} has no value", metric.name)));
        imported.results.push(Results {
            at,
            source,
            figures: run.metrics.into_iter().filter_map(figure).collect(),
            ..Results::default()
        });
    }
    Ok(imported)
}

fn figure(metric: Metric) -> Option<Figure> {
    let (benchmark, measure) = split(&metric.name);
    let direction = match metric.direction.as_deref() {
        Some("lower_is_better") => Some(Direction::Smaller),
        Some("higher_is_better") => Some(Direction::Bigger),
        _ => None,
    };
    let value = metric.value?;
    Some(Figure { benchmark, measure, unit: metric.unit, direction, value, low: None, high: None, n: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn runs_are_written_with_their_attributes() {
        insta::assert_snapshot!(write(&examples::history()).unwrap());
        assert!(matches!(write(&[]), Err(FormatError::Empty { .. })));
        assert!(matches!(write(&examples::two_machines()), Err(FormatError::Machines { .. })));
    }

    #[test]
    fn the_documented_example_is_read() {
        let text = r#"[{
            "timestamp": 1706220908,
            "metrics": [
                {"name": "p50", "unit": "us", "value": 56, "direction": "lower_is_better"},
                {"name": "rate", "unit": "1/s", "value": null}
            ],
            "attributes": {"git_repo": "https://github.com/o/r", "branch": "main", "git_commit": "6995", "more": 1},
            "extra_info": {"any": ["thing"]}
        }]"#;
        let imported = read(text).unwrap();
        assert_eq!(imported.left_out, ["run 0: rate has no value"]);
        let run = &imported.results[0];
        assert_eq!(run.at.to_string(), "2024-01-25T22:15:08Z");
        assert_eq!(run.source.branch.as_deref(), Some("main"));
        assert_eq!((run.figures[0].value, run.figures[0].direction), (56.0, Some(Direction::Smaller)));
        for bad in ["", "{}", "[{}]", "[{\"timestamp\": \"x\", \"metrics\": []}]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("[{\"timestamp\": 1e300, \"metrics\": []}]").unwrap().left_out.len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(mut results in examples::any_results()) {
            let text = write(std::slice::from_ref(&results)).unwrap();
            for figure in &mut results.figures {
                (figure.low, figure.high, figure.n) = (None, None, None);
            }
            prop_assert_eq!(read(&text).unwrap().results, [results]);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = read(&text);
        }
    }
}
