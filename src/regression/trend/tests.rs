#![allow(clippy::unwrap_used)]

use jiff::Timestamp;

use super::*;
use crate::measure::metric::Direction;
use crate::regression::ci::Outcome;
use crate::regression::formats::Source;
use crate::regression::history::{
    ASKED, Description, Entry, History, Measured, Place, SLOWED, Selection, SeriesKey,
};

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

/// Of sixty runs one: from run 40 on a container starts 20 % slower, with another engine; its image grows with run 50; from
/// run 20 on the kernel is another one.
fn build(i: usize) -> Entry {
    let slower = if i < 40 { 1.0 } else { 1.2 };
    let engine = if i < 40 { "20.10" } else { "26.1" };
    let mut host = description("kernel", if i < 20 { "6.1" } else { "6.12" });
    host.facts.insert("cpu".into(), "Xeon".into());
    Entry {
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
    }
}

fn history(dir: &tempfile::TempDir, runs: usize) -> History {
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    for i in 0..runs {
        history.add(&build(i)).unwrap();
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
fn names_of_others_stay_in_their_line_and_steer_nothing() {
    let mut trends = all(60);
    let evil = "\u{1b}[2J\n::stop-commands::x";
    for line in &mut trends.lines {
        line.key.workload = evil.into();
        line.points.iter_mut().for_each(|point| point.commit = Some(evil.into()));
        line.changes.iter_mut().flat_map(|told| &mut told.moved).for_each(|moved| moved.1 = evil.into());
    }
    let text = trends.text();
    assert!(text.contains("::stop-commands::x"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
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

/// A run of these figures, and nothing beside them.
fn run_of(i: usize, measured: Vec<Measured>) -> Entry {
    Entry {
        run_id: format!("r{i}"),
        digest: "d".into(),
        origin: "isocost".into(),
        started_at: Timestamp::from_second(1_700_000_000 + 3600 * i as i64).unwrap(),
        ending: Some("complete".into()),
        suite: None,
        version: None,
        program: None,
        source: Source::default(),
        host: Some(description("cpu", "Xeon")),
        measured,
    }
}

fn of(history: &mut History) -> Trends {
    trends(history, &Selection::default(), &TrendSettings::default()).unwrap()
}

#[test]
fn among_250_lines_a_step_is_found_and_the_steady_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    for i in 0..60 {
        let one = |line: usize| {
            let level = if line == 7 && i >= 30 { 120.0 } else { 100.0 };
            measured(&format!("e{line:03}"), "startup.ready", level * noise(i + 10_000 * line), "20.10")
        };
        history.add(&run_of(i, (0..250).map(one).collect())).unwrap();
    }
    let trends = of(&mut history);
    assert_eq!(trends.lines.len(), 250);
    assert!((trends.alpha - 0.01).abs() < 1e-9);
    for line in &trends.lines {
        let expected: &[usize] = if line.key.environment == "e007" { &[30] } else { &[] };
        let looking_back: Vec<_> = line.changes.iter().map(|told| told.change.at).collect();
        let arriving: Vec<_> = line.alarms.iter().map(|(_, change)| change.at).collect();
        assert_eq!((&looking_back[..], &arriving[..]), (expected, expected), "{}", line.key);
    }
}

#[test]
fn what_the_newest_run_does_not_say_is_no_pass() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    assert_eq!(of(&mut history).newest, None);
    let ready = |environment: &str, i: usize| measured(environment, "startup.ready", 100.0 * noise(i), "1");
    for i in 0..12 {
        history.add(&run_of(i, vec![ready("docker", i), ready("native", i + 500)])).unwrap();
    }
    let young = of(&mut history);
    assert_eq!(
        (young.verdict(), young.findings().cases.len()),
        (Verdict::Undecided, 0),
        "12 runs are too few"
    );
    assert!(young.findings().answer.starts_with("UNDECIDED"), "{:?}", young.findings());
    for i in 12..30 {
        history.add(&run_of(i, vec![ready("docker", i), ready("native", i + 500)])).unwrap();
    }
    assert_eq!(of(&mut history).verdict(), Verdict::Passed);
    // All samples failed; then some; then the environment is not there at all; then that is how it is.
    let failed = Measured { value: None, interval: None, n: Some(0), failed: 10, ..ready("docker", 0) };
    history.add(&run_of(30, vec![failed, ready("native", 530)])).unwrap();
    assert_eq!(of(&mut history).verdict(), Verdict::Undecided);
    let answer = of(&mut history).findings();
    assert!(
        !answer.fails && answer.answer.starts_with("UNDECIDED: the newest run cannot be judged in 1 of 2")
    );
    assert!(answer.cases[0].line().contains("10 samples failed"), "{}", answer.cases[0].line());
    let partly = Measured { failed: 2, ..ready("docker", 31) };
    history.add(&run_of(31, vec![partly, ready("native", 531)])).unwrap();
    assert_eq!(of(&mut history).verdict(), Verdict::Undecided);
    history.add(&run_of(32, vec![ready("native", 532)])).unwrap();
    assert_eq!(of(&mut history).verdict(), Verdict::Undecided);
    history.add(&run_of(33, vec![ready("native", 533)])).unwrap();
    assert_eq!(of(&mut history).verdict(), Verdict::Passed);
    let mut cut = run_of(34, vec![ready("native", 534)]);
    cut.ending = Some("unfinished".into());
    history.add(&cut).unwrap();
    assert_eq!(of(&mut history).verdict(), Verdict::Undecided);
}

#[test]
fn an_alarm_of_a_line_that_the_newest_run_lacks_is_old_news() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = history(&dir, 43);
    assert_eq!(of(&mut history).verdict(), Verdict::Regressed);
    // Another runner's build, with lines of its own: the first one's alarm is none of its business.
    for i in 43..80 {
        let mut other = run_of(i, vec![measured("docker", "startup.ready", 50.0 * noise(i), "1")]);
        other.source.machine = Some("runner-2".into());
        history.add(&other).unwrap();
        let trends = of(&mut history);
        let own = trends.lines.iter().find(|line| line.machine.0.starts_with("runner-2"));
        let watched = own.is_some_and(|line| line.points.len() >= line.watched_from);
        assert_eq!(trends.verdict(), if watched { Verdict::Passed } else { Verdict::Undecided }, "{i}");
        assert!(watched || i < 62, "{i}");
    }
}

#[test]
fn a_run_that_another_runners_run_overtook_is_judged_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    // The third bad build began before another runner's build of the same branch, and came into the history after it.
    let mut history = history(&dir, 42);
    let mut other = run_of(60, vec![measured("docker", "startup.ready", 50.0, "1")]);
    other.source.machine = Some("runner-2".into());
    history.add(&other).unwrap();
    let third = build(42);
    history.add(&third).unwrap();
    let newest = of(&mut history);
    assert_ne!(newest.verdict(), Verdict::Regressed);
    assert_eq!(newest.overtaken.as_deref(), Some(&*third.run_id));
    let said = newest.findings().notes;
    assert!(said.iter().any(|note| note.contains(&format!("--run {}", third.run_id))), "{said:?}");
    let settings = TrendSettings { as_of: Some(third.run_id.clone()), ..TrendSettings::default() };
    let named = trends(&mut history, &Selection::default(), &settings).unwrap();
    assert_eq!((named.verdict(), named.runs, named.overtaken.clone()), (Verdict::Regressed, 43, None));
    assert_eq!(named.newest.unwrap().run_id, third.run_id);
}

/// A figure of a run that was asked for with so many CPUs; `None`: of a history that does not say how many.
fn limited(value: f64, cpus: Option<u32>, slowed: Option<&str>) -> Measured {
    let mut facts = description("engine", "20.10").facts;
    facts.extend(cpus.map(|cpus| (ASKED[0].to_owned(), cpus.to_string())));
    facts.extend(slowed.map(|by| (SLOWED.to_owned(), by.to_owned())));
    Measured { environment: Some(Description::of(facts)), ..measured("docker", "startup.ready", value, "") }
}

#[test]
fn runs_of_other_limits_are_a_line_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    let ready = |i: usize, cpus| limited(100.0 / f64::from(cpus) * noise(i), Some(cpus), None);
    let native = |i: usize| measured("native", "startup.ready", 2.0 * noise(i + 500), "");
    for i in 0..30 {
        history.add(&run_of(i, vec![ready(i, 2), native(i)])).unwrap();
    }
    for i in 30..33 {
        history.add(&run_of(i, vec![ready(i, 1), native(i)])).unwrap();
    }
    let few = of(&mut history);
    assert_eq!((few.lines.len(), few.short, few.anew.len()), (2, 1, 1));
    assert!(few.lines.iter().all(|line| line.changes.is_empty() && line.alarms.is_empty()), "{}", few.text());
    assert_eq!(line(&few, "docker", "startup.ready").latest, Latest::Elsewhere, "it is no gap");
    let anew = "1 of these begin anew, for something else is asked for than before \
                (startup.ready of docker/start: limit of CPUs: 2 → 1)";
    assert!(few.text().contains(anew), "{}", few.text());
    assert_eq!(few.verdict(), Verdict::Passed, "of what can be judged");
    assert!(few.findings().notes.iter().any(|note| note == anew), "{:?}", few.findings().notes);
    for i in 33..50 {
        history.add(&run_of(i, vec![ready(i, 1), native(i)])).unwrap();
    }
    let many = of(&mut history);
    let names: Vec<String> = many.lines.iter().map(Trend::name).collect();
    let expected = [
        "startup.ready of docker/start [limit of CPUs 1]",
        "startup.ready of docker/start [limit of CPUs 2]",
        "startup.ready of native/start",
    ];
    assert_eq!((&names[..], many.anew.len()), (&expected.map(str::to_owned)[..], 0));
    assert!(many.lines.iter().all(|line| line.changes.is_empty()), "{}", many.text());
}

#[test]
fn a_history_that_does_not_say_what_was_asked_for_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("h.db"))).unwrap();
    for i in 0..40 {
        let (cpus, slowed) = if i < 20 { (None, None) } else { (Some(2), Some("0 %")) };
        let slower = if i < 30 { (1.0, slowed) } else { (1.2, Some("20 %")) };
        let mut one = limited(100.0 * slower.0 * noise(i), cpus, slower.1);
        // Older versions took down the name that each run gives to its image.
        let facts = one.environment.map(|made_of| made_of.facts).into_iter().flatten();
        let named = (i < 25).then(|| ("image".to_owned(), format!("isocost:r{i}")));
        one.environment = Some(Description::of(facts.chain(named).collect()));
        history.add(&run_of(i, vec![one])).unwrap();
    }
    let trends = of(&mut history);
    let [one] = &trends.lines[..] else { panic!("{:?}", trends.lines) };
    assert_eq!((one.points.len(), one.name().as_str()), (40, "startup.ready of docker/start"));
    // What was not known did not change; that work was slowed on purpose is told beside the change.
    assert_eq!(one.moves.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [30]);
    let [told] = &one.changes[..] else { panic!("{:?}", one.changes) };
    assert_eq!(told.change.at, 30);
    assert_eq!(told.moved, [(SLOWED.to_owned(), "0 %".to_owned(), "20 %".to_owned())]);
}
