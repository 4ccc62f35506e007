#![allow(clippy::unwrap_used)]

use jiff::Timestamp;

use super::*;
use crate::measure::metric::Direction;
use crate::regression::ci::Outcome;
use crate::regression::formats::Source;
use crate::regression::history::{Description, Entry, History, Measured, Place, Selection, SeriesKey};

fn description(name: &str, value: &str) -> Description {
    Description::of([(name.to_owned(), value.to_owned())].into())
}

fn measured(environment: &str, metric: &str, value: f64, engine: &str) -> Measured {
    Measured {
        key: SeriesKey {
            environment: environment.into(),
            accelerator: "none".into(),
            workload: "start".into(),
            metric: metric.into(),
            unit: "ms".into(),
        },
        direction: Some(Direction::Smaller),
        value: Some(value),
        interval: Some((value * 0.99, value * 1.01)),
        n: Some(10),
        failed: 0,
        ratio: None,
        ratio_interval: None,
        environment: Some(description("engine", engine)),
    }
}

/// A little noise that has no pattern.
fn noise(i: usize) -> f64 {
    let hashed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    1.0 + 0.01 * (f64::from((hashed >> 40) as u16) / 65536.0 - 0.5)
}

/// Sixty runs: from run 40 on a container starts 20 % slower, with another engine; its image grows with run 50; from
/// run 20 on the kernel is another one.
fn history(dir: &tempfile::TempDir, runs: usize) -> History {
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    for i in 0..runs {
        let slower = if i < 40 { 1.0 } else { 1.2 };
        let engine = if i < 40 { "20.10" } else { "26.1" };
        let mut host = description("kernel", if i < 20 { "6.1" } else { "6.12" });
        host.facts.insert("cpu".into(), "Xeon".into());
        let entry = Entry {
            run_id: format!("r{i}"),
            digest: "d".into(),
            origin: "isocost".into(),
            started_at: Timestamp::from_second(1_700_000_000 + 3600 * i as i64).unwrap(),
            ending: None,
            suite: None,
            version: None,
            program: Some("ab".into()),
            source: Source { commit: Some(format!("commit{i:02}")), ..Source::default() },
            host: Some(Description::of(host.facts)),
            measured: vec![
                measured("docker", "startup.ready", 100.0 * slower * noise(i), engine),
                measured("docker", "startup.phase.engine", 80.0 * slower * noise(i + 1000), engine),
                measured("docker", "disk.image", if i < 50 { 4096.0 } else { 4097.0 }, engine),
                measured("native", "startup.ready", 2.0 * noise(i + 2000), "none"),
            ],
        };
        history.add(&entry).unwrap();
    }
    history
}

fn all(runs: usize) -> Trends {
    let dir = tempfile::tempdir().unwrap();
    trends(&mut history(&dir, runs), &Selection::default(), &TrendSettings::default()).unwrap()
}

fn line<'a>(trends: &'a Trends, environment: &str, metric: &str) -> &'a Trend {
    trends.lines.iter().find(|one| one.key.environment == environment && one.key.metric == metric).unwrap()
}

#[test]
fn a_change_has_its_commits_and_what_changed_with_it() {
    let trends = all(60);
    assert_eq!((trends.lines.len(), trends.short), (4, 0));
    let ready = line(&trends, "docker", "startup.ready");
    let [told] = &ready.changes[..] else { panic!("{:?}", ready.changes) };
    assert_eq!((told.change.at, told.worse), (40, Some(true)));
    assert!(told.between.0 <= 39 && told.between.1 >= 40);
    assert_eq!(told.moved, [("engine".to_owned(), "20.10".to_owned(), "26.1".to_owned())]);
    assert_eq!(told.control, [] as [String; 0]);
    assert_eq!(ready.moves.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [20, 40]);
    let image = line(&trends, "docker", "disk.image");
    assert_eq!((image.exact, image.changes[0].change.at), (true, 50));
    assert!(line(&trends, "native", "startup.ready").changes.is_empty());
}

#[test]
fn what_moved_together_is_one_finding() {
    insta::assert_snapshot!(all(60).text());
}

#[test]
fn the_build_that_completes_the_evidence_fails_and_the_next_one_passes() {
    assert_eq!(all(42).newest_regressions(), 0, "two builds may be chance");
    let third = all(43);
    assert_eq!(third.newest_regressions(), 2);
    let findings = third.findings();
    assert!(findings.fails && findings.answer.starts_with("REGRESSION: 2 of 4"), "{}", findings.answer);
    let ready = findings.cases.iter().find(|case| case.name.starts_with("startup.ready of docker")).unwrap();
    assert_eq!(ready.outcome, Outcome::Regressed);
    assert!(ready.line().contains("after commit39, at the latest with commit40"), "{}", ready.line());
    assert!(!all(44).findings().fails);
    assert!(all(51).findings().fails, "a byte more is a fact at once");
}

#[test]
fn two_machines_are_two_lines_and_few_runs_say_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = history(&dir, 20);
    for i in 0..5 {
        let mut entry = Entry {
            run_id: format!("other{i}"),
            digest: "d".into(),
            origin: "isocost".into(),
            started_at: Timestamp::from_second(1_800_000_000 + i).unwrap(),
            ending: None,
            suite: None,
            version: None,
            program: None,
            source: Source::default(),
            host: Some(description("cpu", "EPYC")),
            measured: vec![measured("docker", "startup.ready", 500.0, "20.10")],
        };
        entry.source.machine = Some("runner-2".into());
        history.add(&entry).unwrap();
    }
    let trends = trends(&mut history, &Selection::default(), &TrendSettings::default()).unwrap();
    assert_eq!((trends.lines.len(), trends.short), (4, 1));
    assert!(trends.lines.iter().all(|line| line.machine == Machine("Xeon".into())));
}
