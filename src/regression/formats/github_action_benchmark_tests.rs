#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::regression::formats::examples;

/// The rules of the action's reader for custom results: an array, not empty, of objects whose `name` and `unit` are
/// strings and whose `value` is a number.
fn the_action_takes(text: &str) -> bool {
    let Ok(Value::Array(entries)) = serde_json::from_str(text) else { return false };
    let taken = |entry: &Value| {
        entry["name"].is_string()
            && entry["unit"].is_string()
            && entry["value"].is_number()
            && (entry["range"].is_string() || entry.get("range").is_none())
            && (entry["extra"].is_string() || entry.get("extra").is_none())
    };
    !entries.is_empty() && entries.iter().all(taken)
}

#[test]
fn each_direction_is_a_file_of_its_own() {
    let smaller = custom(&examples::results(), Direction::Smaller).unwrap();
    let bigger = custom(&examples::results(), Direction::Bigger).unwrap();
    assert!(the_action_takes(&smaller) && the_action_takes(&bigger));
    insta::assert_snapshot!(format!("{smaller}\n{bigger}"));
}

#[test]
fn an_empty_file_is_an_error_here_as_it_is_there() {
    let mut results = examples::results();
    results.figures.retain(|figure| figure.direction == Some(Direction::Smaller));
    let error = custom(&results, Direction::Bigger).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no figure to write as customBiggerIsBetter: no figure has that direction"
    );
    results.figures[0].value = f64::INFINITY;
    assert!(matches!(custom(&results, Direction::Smaller), Err(FormatError::NotFinite { .. })));
}

const DATA: &str = r#"window.BENCHMARK_DATA = {
  "lastUpdate": 1717508107200,
  "repoUrl": "https://github.com/o/r",
  "entries": {
    "Latency": [
      {
        "commit": {"author": {"name": "a"}, "id": "9bdb", "message": "m", "timestamp": "2024-06-03T15:50:15+01:00"},
        "date": 1717508107125,
        "tool": "customSmallerIsBetter",
        "benches": [
          {"name": "docker/start: startup.ready", "value": 139, "unit": "ms", "range": "± 4", "extra": "n=30"},
          {"name": "old", "value": "0.5", "unit": "s", "range": "±0.87"},
          {"name": "gone", "value": null, "unit": "s"}
        ]
      },
      {"commit": {"id": "c2", "timestamp": "2024-06-04T00:00:00Z"}, "tool": "pytest",
       "benches": [{"name": "x", "value": 10, "unit": "iter/sec", "range": "stddev: 0.1"}]}
    ]
  }
}
"#;

#[test]
fn a_history_is_read_with_what_it_lacks_named() {
    let imported = read(DATA).unwrap();
    assert_eq!(imported.left_out, ["run 0 of Latency: the value of gone is no number"]);
    let [first, second] = &imported.results[..] else { panic!("{imported:?}") };
    assert_eq!(first.at.to_string(), "2024-06-04T13:35:07.125Z");
    assert_eq!(first.suite.as_deref(), Some("Latency"));
    assert_eq!(first.source.commit.as_deref(), Some("9bdb"));
    assert_eq!(first.source.repository.as_deref(), Some("https://github.com/o/r"));
    let ready = &first.figures[0];
    assert_eq!((ready.benchmark.as_str(), ready.measure.as_str()), ("Latency/docker/start", "startup.ready"));
    assert_eq!((ready.low, ready.high, ready.n), (Some(135.0), Some(143.0), Some(30)));
    assert_eq!(first.figures[1].value, 0.5);
    assert_eq!(second.at.to_string(), "2024-06-04T00:00:00Z");
    let ops = &second.figures[0];
    assert_eq!((ops.direction, ops.measure.as_str(), ops.low), (Some(Direction::Bigger), "value", None));
}

#[test]
fn what_is_no_history_is_refused() {
    for bad in ["", "window.BENCHMARK_DATA", "window.BENCHMARK_DATA = 3", "{}", "{\"entries\": []}"] {
        assert!(matches!(read(bad), Err(FormatError::Malformed { .. })), "{bad}");
    }
    let undated = r#"{"entries": {"s": [{"commit": {"id": "c"}, "tool": "go", "benches": []}]}}"#;
    assert_eq!(read(undated).unwrap().left_out.len(), 1);
}

proptest! {
    #[test]
    fn whatever_is_written_is_taken(results in examples::any_results()) {
        for direction in [Direction::Smaller, Direction::Bigger] {
            if let Ok(text) = custom(&results, direction) {
                prop_assert!(the_action_takes(&text));
            }
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in ".{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("{PREFIX} = {text}"));
    }
}
