#![allow(clippy::unwrap_used)]

use super::*;
use crate::regression::formats::{Results, bencher, otava};

fn file(dir: &tempfile::TempDir) -> Place {
    Place::File(dir.path().join("sub/history.db"))
}

fn results() -> Vec<Results> {
    let text = "time,commit,startup: ready,size\n2024-03-01,a,10,7\n2024-03-02,b,,7\n2024-03-03,c,12,8\n";
    otava::read(text).unwrap().results
}

#[test]
fn what_others_measured_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    for entry in entries(&results(), "otava") {
        assert_eq!(history.add(&entry).unwrap(), Added::New);
    }
    for entry in entries(&results(), "otava") {
        assert_eq!(history.add(&entry).unwrap(), Added::Known);
    }
    let mut expected = results();
    for run in &mut expected {
        run.figures.sort_by(|a, b| a.benchmark.cmp(&b.benchmark));
    }
    assert_eq!(history.results(&Selection::default()).unwrap(), expected);
    let newest = Selection { newest: Some(1), ..Selection::default() };
    assert_eq!(history.results(&newest).unwrap(), expected[2..]);
}

#[test]
fn there_is_no_history_until_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = History::open_existing(&file(&dir)).unwrap_err();
    assert!(matches!(error, HistoryError::Missing { .. }));
    assert!(error.to_string().contains("isocost history import DIR"));
    History::open(&file(&dir)).unwrap();
    History::open_existing(&file(&dir)).unwrap();
    let below = Place::File(dir.path().join("sub/history.db/x.db"));
    assert!(matches!(History::open(&below), Err(HistoryError::Unreachable { .. })));
}

#[test]
fn figures_that_are_not_finite_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let mut entry = entries(&results(), "otava").remove(0);
    entry.measured[0].interval = Some((1.0, f64::INFINITY));
    assert!(matches!(history.add(&entry), Err(HistoryError::NotFinite { .. })));
    assert_eq!(history.runs(&Selection::default()).unwrap(), []);
}

#[test]
fn bencher_has_neither_time_nor_commit_so_the_caller_says_both() {
    let figures =
        bencher::read(r#"{"b": {"latency": {"value": 3, "lower_value": 2, "upper_value": 4}}}"#).unwrap();
    let results = Results { at: jiff::Timestamp::UNIX_EPOCH, source: Default::default(), figures };
    let entry = entries(&[results], "bencher").remove(0);
    assert_eq!(entry.measured[0].interval, Some((2.0, 4.0)));
    assert!(entry.run_id.starts_with("bencher-"));
}
