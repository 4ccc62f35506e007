#![allow(clippy::unwrap_used)]

use super::*;
use crate::regression::formats::{
    Figure, Imported, Results, Source, bencher, github_action_benchmark, lnt, nyrkio, otava,
};
use crate::regression::trend::{Latest, TrendSettings, trends};

fn file(dir: &tempfile::TempDir) -> Place {
    Place::File(dir.path().join("sub/history.db"))
}

fn imported() -> Imported {
    let text = "time,commit,startup: ready,size\n2024-03-01,a,10,7\n2024-03-02,b,,7\n2024-03-03,c,12,8\n";
    otava::read(text).unwrap()
}

/// What was done with each result of an Otava file.
fn otava_file(history: &mut History, text: &str) -> Vec<Added> {
    history.add_file(&otava::read(text).unwrap(), "otava").unwrap()
}

/// All values there are, run by run.
fn values(history: &mut History) -> Vec<Vec<f64>> {
    let all = history.results(&Selection::default()).unwrap();
    all.iter().map(|run| run.figures.iter().map(|figure| figure.value).collect()).collect()
}

#[test]
fn what_others_measured_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    for added in [Added::New, Added::Known] {
        assert_eq!(history.add_file(&imported(), "otava").unwrap(), [added; 3]);
    }
    let mut expected = imported().results;
    let runs = history.runs(&Selection::default()).unwrap();
    for (run, row) in expected.iter_mut().zip(runs) {
        run.run = Some(row.run_id);
        run.figures.sort_by(|a, b| a.benchmark.cmp(&b.benchmark));
    }
    assert_eq!(history.results(&Selection::default()).unwrap(), expected);
    let newest = Selection { newest: Some(1), ..Selection::default() };
    assert_eq!(history.results(&newest).unwrap(), expected[2..]);
}

/// A branch that is named at another import of the same file is the branch of what is there.
#[test]
fn what_a_file_does_not_say_is_said_for_it_and_never_doubles_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let said = |commit: Option<&str>, branch: &str| Source {
        commit: commit.map(str::to_owned),
        branch: Some(branch.to_owned()),
        ..Source::default()
    };
    let main = imported().said(&said(Some("z"), "main"));
    let commits: Vec<_> = main.results.iter().map(|one| one.source.commit.as_deref()).collect();
    assert_eq!(commits, [Some("a"), Some("b"), Some("c")]);
    let mut add = |imported: &Imported| history.add_file(imported, "otava").unwrap();
    assert_eq!(add(&imported()), [Added::New; 3]);
    assert_eq!(add(&main), [Added::Known; 3]);
    assert_eq!(add(&imported()), [Added::Known; 3]);
    assert_eq!(add(&imported().said(&said(None, "topic"))), [Added::New; 3]);
    let both = "time,commit,branch,size\n2024-04-01,a,main,7\n2024-04-01,a,,7\n";
    for added in [Added::New, Added::Known] {
        assert_eq!(add(&otava::read(both).unwrap()), [added; 2]);
    }
    let of = |branch: &str| Selection { branch: Some(branch.to_owned()), ..Selection::default() };
    assert_eq!(history.runs(&of("main")).unwrap().len(), 4);
    assert_eq!(history.runs(&of("topic")).unwrap().len(), 3);
    assert_eq!(history.runs(&Selection::default()).unwrap().len(), 8);
}

#[test]
fn what_is_exported_names_the_machine_as_lines_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let facts = [("cpu", "Xeon"), ("cpus", "4"), ("kernel", "6.1")];
    let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut entry = super::foreign::entries(&imported(), "isocost").remove(0);
    entry.source.machine = Some("ci-1".into());
    entry.host = Some(Description::of(facts.into()));
    history.add(&entry).unwrap();
    let exported = history.results(&Selection::default()).unwrap().remove(0);
    assert_eq!(exported.source.machine.as_deref(), Some("ci-1, Xeon, 4"));
    let trends = trends(&mut history, &Selection::default(), &TrendSettings::default()).unwrap();
    assert!(trends.lines.iter().all(|line| Some(&line.machine.0) == exported.source.machine.as_ref()));
}

/// What one suite has is no gap of another in the same file; an older version kept none of their names.
#[test]
fn the_suites_of_a_file_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let run = |date: u64, name: &str| {
        format!(
            r#"{{"commit": {{"id": "c{date}"}}, "date": {date}, "tool": "go", "benches": [{{"name": "{name}", "value": 1}}]}}"#
        )
    };
    let text = format!(
        r#"{{"entries": {{"a": [{}], "b": [{}]}}}}"#,
        run(1_709_287_200_000, "x"),
        run(1_709_287_300_000, "y")
    );
    let imported = github_action_benchmark::read(&text).unwrap();
    let mut older = imported.clone();
    older.results.iter_mut().for_each(|one| one.suite = None);
    let format = "github-action-benchmark";
    assert_eq!(history.add_file(&older, format).unwrap(), [Added::New; 2]);
    assert_eq!(history.add_file(&imported, format).unwrap(), [Added::Known; 2]);
    let suites: Vec<_> =
        history.runs(&Selection::default()).unwrap().into_iter().filter_map(|run| run.suite).collect();
    assert_eq!(suites, ["a", "b"]);
    let trends = trends(&mut history, &Selection::default(), &TrendSettings::default()).unwrap();
    assert_eq!(trends.lines.iter().filter(|line| line.latest == Latest::Gone).count(), 0);
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
    let mut imported = imported();
    let last = imported.results.last_mut().unwrap();
    (last.figures[0].low, last.figures[0].high) = (Some(1.0), Some(f64::INFINITY));
    let refused = history.add_file(&imported, "otava");
    assert!(matches!(refused, Err(HistoryError::NotFinite { .. })));
    assert_eq!(history.runs(&Selection::default()).unwrap(), []);
}

#[test]
fn two_results_of_one_time_and_commit_are_both_kept_and_never_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    // Three of one time and commit, two of which are equal in all they have.
    let text = "time,commit,size\n2024-03-01,a,7\n2024-03-01,a,8\n2024-03-01,a,7\n2024-03-01,b,7\n";
    assert_eq!(otava_file(&mut history, text), [Added::New; 4]);
    let sorted = |history: &mut History| {
        let mut all = values(history);
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all
    };
    assert_eq!(sorted(&mut history), [[7.0], [7.0], [7.0], [8.0]]);
    assert_eq!(otava_file(&mut history, text), [Added::Known; 4]);
    // In another order, and with one more in front.
    let text =
        "time,commit,size\n2024-03-01,a,9\n2024-03-01,a,8\n2024-03-01,a,7\n2024-03-01,b,7\n2024-03-01,a,7\n";
    assert_eq!(
        otava_file(&mut history, text),
        [Added::New, Added::Known, Added::Known, Added::Known, Added::Known]
    );
    // Another file that has the same time and commit.
    assert_eq!(otava_file(&mut history, "time,commit,size\n2024-03-01,a,10\n"), [Added::New]);
    assert_eq!(sorted(&mut history), [[7.0], [7.0], [7.0], [8.0], [9.0], [10.0]]);
    let nyrkio = |value: u32| {
        format!(r#"{{"timestamp": 1, "metrics": [{{"name": "p50", "value": {value}}}], "attributes": {{}}}}"#)
    };
    let two = nyrkio::read(&format!("[{}, {}]", nyrkio(1), nyrkio(2))).unwrap();
    assert_eq!(history.add_file(&two, "nyrkio").unwrap(), [Added::New; 2]);
    assert_eq!(history.add_file(&two, "nyrkio").unwrap(), [Added::Known; 2]);
}

#[test]
fn a_result_that_grew_is_the_same_one_and_an_older_copy_of_the_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let before = "time,commit,size\n2024-03-01,a,7\n2024-03-02,b,8\n";
    let after = "time,commit,size,ready\n2024-03-01,a,7,\n2024-03-02,b,8,20\n2024-03-03,c,8,21\n";
    otava_file(&mut history, before);
    assert_eq!(otava_file(&mut history, after), [Added::Known, Added::Replaced, Added::New]);
    assert_eq!(otava_file(&mut history, before), [Added::Known, Added::Shorter]);
    assert_eq!(otava_file(&mut history, after), [Added::Known; 3]);
    assert_eq!(values(&mut history), [vec![7.0], vec![20.0, 8.0], vec![21.0, 8.0]]);
}

/// Ids were made another way once: by time and commit, and with the file's time for the content's.
#[test]
fn what_an_older_version_took_in_is_not_taken_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    for (entry, number) in super::foreign::entries(&imported(), "otava").into_iter().zip(0..) {
        history.add(&Entry { run_id: format!("otava-{number}"), ..entry }).unwrap();
    }
    assert_eq!(history.add_file(&imported(), "otava").unwrap(), [Added::Known; 3]);
}

fn undated(second: i64, commit: &str, value: u32) -> Imported {
    let figures: Vec<Figure> = bencher::read(&format!(
        r#"{{"b": {{"latency": {{"value": {value}, "lower_value": 1, "upper_value": 9}}}}}}"#
    ))
    .unwrap();
    let source = Source { commit: Some(commit.into()), ..Source::default() };
    let at = jiff::Timestamp::from_second(second).unwrap();
    Imported {
        results: vec![Results { at, source, figures, ..Results::default() }],
        undated: true,
        ..Imported::default()
    }
}

#[test]
fn a_file_without_a_time_that_was_touched_or_copied_is_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&file(&dir)).unwrap();
    let mut add = |imported: &Imported, format| history.add_file(imported, format).unwrap().remove(0);
    assert_eq!(add(&undated(10, "a", 3), "bencher"), Added::New);
    assert_eq!(add(&undated(20, "a", 3), "bencher"), Added::Known);
    assert_eq!(add(&undated(20, "a", 4), "bencher"), Added::New, "measured again");
    assert_eq!(add(&undated(30, "b", 3), "bencher"), Added::New, "of another commit");
    let untimed = r#"{"format_version": "2", "machine": {"name": "m"}, "run": {}, "tests": [{"name": "t", "execution_time": 1.5}]}"#;
    let read = |second| lnt::read(untimed, jiff::Timestamp::from_second(second).unwrap()).unwrap();
    assert_eq!(add(&read(10), "lnt"), Added::New);
    assert_eq!(add(&read(20), "lnt"), Added::Known);
    let times: Vec<_> =
        history.runs(&Selection::default()).unwrap().iter().map(|run| run.started_at.as_second()).collect();
    assert_eq!(times, [10, 10, 20, 30], "the time is that of the first import");
    let found = history.points(&Selection::default()).unwrap();
    assert_eq!(found.iter().filter(|point| point.interval == Some((1.0, 9.0))).count(), 3);
}

#[test]
fn a_figure_that_a_run_has_twice_is_named() {
    let text = "time,size,size\n2024-03-01,7,8\n";
    let imported = otava::read(text).unwrap().each_figure_once();
    assert_eq!(imported.results[0].figures.len(), 1);
    let expected = ["the run of 2024-03-01T00:00:00Z has size more than once: the first is taken"];
    assert_eq!(imported.left_out, expected);
}
