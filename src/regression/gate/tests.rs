#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::compare::{Options, Refusal};
use crate::analysis::example::{failed, run, sample};
use crate::journal::Run;
use crate::journal::record::Ending;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{FailureName, Outcome as SampleOutcome};
use crate::suite::{GateSpec, LimitSpec};

const READY: &str = "startup.ready";

/// Twelve blocks of `docker` at `level` with a wobble of some per cent, beside a native control that stays.
fn session(level: f64, seed: u32) -> Run {
    let mut run = run(12);
    run.record.run_id = format!("r{seed}");
    for block in 2..14 {
        let wobble = 1.0 + f64::from((block * 5 + seed * 7) % 12) / 200.0;
        run.samples.push(sample(block, "native", READY, 10.0 * wobble));
        run.samples.push(sample(block, "docker", READY, level * wobble));
    }
    run
}

/// Five sessions that differ by some tenths of a per cent.
fn baseline() -> Vec<Run> {
    (0..5).map(|i| session(100.0 * (1.0 + 0.002 * (f64::from(i * 3 % 5) - 2.0)), i)).collect()
}

fn refs(runs: &[Run]) -> Vec<&Run> {
    runs.iter().collect()
}

fn only(limit: f64) -> GateSpec {
    let limits = vec![LimitSpec {
        environment: "docker".into(),
        metric: READY.into(),
        limit,
        because: Some("test".into()),
    }];
    GateSpec { limits, ..GateSpec::default() }
}

fn gate_of(new: &Run) -> Result<Gate, GateError> {
    decide(&refs(&baseline()), &[new], &GateSpec::default(), &Options::default())
}

fn answer_of(new: &Run) -> Answer {
    gate_of(new).unwrap().answer
}

#[test]
fn slower_by_more_than_the_limit_is_a_regression_and_the_same_passes() {
    assert_eq!(answer_of(&session(100.1, 9)), Answer::Pass);
    assert_eq!(answer_of(&session(104.0, 9)), Answer::Pass, "4 % are within the limit of 10 %");
    let gate = gate_of(&session(125.0, 9)).unwrap();
    assert_eq!(gate.answer, Answer::Regression);
    assert_eq!((gate.findings.len(), gate.sessions), (1, (5, 1)));
    assert!(gate.line().starts_with("REGRESSION: 1 of 1 gated figure, one finding"), "{}", gate.line());
}

#[test]
fn near_the_limit_it_is_undecided() {
    assert_eq!(answer_of(&session(110.0, 9)), Answer::Undecided(Reason::Inconclusive));
}

/// What would be a regression by itself is none among a hundred figures.
#[test]
fn beyond_the_limit_and_too_weak_for_the_family_says_so() {
    let with = |level: f64, seed: u32| {
        let mut run = session(level, seed);
        for (i, block) in (0..100).flat_map(|i| (2..14).map(move |block| (i, block))) {
            let wobble = 1.0 + f64::from((block * 5 + seed * 7 + i) % 12) / 200.0;
            let mut one = sample(block, "docker", READY, 100.0 * wobble);
            one.workload = format!("start{i}").into();
            run.samples.push(one);
        }
        run
    };
    let alone = decide(&[&session(100.0, 0)], &[&session(118.0, 1)], &only(0.02), &Options::default());
    assert_eq!(alone.unwrap().answer, Answer::Regression);
    let gate = decide(&[&with(100.0, 0)], &[&with(118.0, 1)], &only(0.02), &Options::default());
    let gate = gate.unwrap();
    let one = gate.judged.iter().find(|one| one.change.workload == "start").unwrap();
    assert_eq!(one.answer, Answer::Undecided(Reason::TooMany), "{}", gate.text());
    assert!(gate.text().contains("gate fewer, or measure more"), "{}", gate.text());
}

#[test]
fn an_improvement_is_told_and_passes() {
    let gate = gate_of(&session(70.0, 9)).unwrap();
    assert_eq!(gate.answer, Answer::Pass);
    assert!(gate.text().contains("better"), "{}", gate.text());
}

#[test]
fn the_suites_limit_decides_and_a_wider_one_says_what_it_no_longer_sees() {
    let base = baseline();
    let gate = |limit, level| {
        decide(&refs(&base), &[&session(level, 9)], &only(limit), &Options::default()).unwrap()
    };
    assert_eq!(gate(0.02, 108.0).answer, Answer::Regression);
    let wide = gate(0.5, 125.0);
    assert_eq!(wide.answer, Answer::Pass);
    assert!(
        wide.findings().cases[0]
            .line()
            .contains("changes from 10 % to 50 % are no longer seen, because: test")
    );
}

/// The ways in which gates have passed on nothing.
#[test]
fn it_does_not_pass_on_nothing() {
    let void = |run: &Run, what: Void| match gate_of(run) {
        Err(GateError::Void { what: found, run: id }) => assert_eq!((found, id.as_str()), (what, "r9")),
        other => panic!("{other:?}"),
    };
    let mut empty = session(100.0, 9);
    empty.samples.clear();
    void(&empty, Void::Empty);
    let mut warm_up_only = session(100.0, 9);
    warm_up_only.samples.iter_mut().for_each(|sample| sample.warm_up = true);
    void(&warm_up_only, Void::Empty);
    let mut all_failed = session(100.0, 9);
    for one in &mut all_failed.samples {
        one.outcome = failed(2, "docker", READY, FailureName::NeverReady).outcome;
    }
    void(&all_failed, Void::Empty);
    let mut killed = session(100.0, 9);
    killed.complete = false;
    void(&killed, Void::Unfinished);
    let mut running = session(100.0, 9);
    running.record.ending = Ending::Unfinished;
    void(&running, Void::Unfinished);
    let mut stopped = session(100.0, 9);
    stopped.record.ending = Ending::Interrupted;
    void(&stopped, Void::Interrupted);
    let mut backwards = session(100.0, 9);
    backwards.record.started_at = jiff::Timestamp::from_second(1000).unwrap();
    void(&backwards, Void::ClockWentBack);
    let mut stepped = session(100.0, 9);
    let times = (0..).map(|second| jiff::Timestamp::from_second(second).unwrap());
    stepped.samples.iter_mut().zip(times).for_each(|(sample, time)| sample.started_at = time);
    assert!(gate_of(&stepped).is_ok());
    stepped.samples[12].started_at = jiff::Timestamp::from_second(5).unwrap();
    void(&stepped, Void::ClockWentBack);
    let mut ended_before = session(100.0, 9);
    ended_before.record.ended_at = Some(jiff::Timestamp::from_second(-1).unwrap());
    void(&ended_before, Void::ClockWentBack);
    // The baseline is held to the same.
    let error =
        decide(&[&empty], &[&session(100.0, 8)], &GateSpec::default(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("r9 holds no value"));
    assert!(decide(&[], &[&session(100.0, 8)], &GateSpec::default(), &Options::default()).is_err());
}

/// A container that never comes up has no image, and a limit that finds no figure is undecided.
#[test]
fn a_limit_without_a_figure_never_passes() {
    let limit = |environment: &str, metric: &str| LimitSpec {
        environment: environment.into(),
        metric: metric.into(),
        limit: 0.5,
        because: Some("test".into()),
    };
    let gate = |limits: Vec<LimitSpec>, base: &[Run], new: &Run| {
        let spec = GateSpec { limits, ..GateSpec::default() };
        decide(&refs(base), &[new], &spec, &Options::default()).unwrap()
    };
    let ready = || limit("native", READY);
    let limits = || vec![ready(), limit("docker", "disk.image")];
    let mut base = baseline();
    assert_eq!(gate(vec![ready()], &base, &session(100.0, 9)).answer, Answer::Pass);
    // Of neither side, although every container has one.
    let neither = gate(limits(), &base, &session(100.0, 9));
    assert_eq!(neither.answer, Answer::Undecided(Reason::NotMeasured));
    let text = neither.text();
    assert!(
        text.starts_with("UNDECIDED: 1 of 2") && text.contains("disk.image of docker: limit 50 %"),
        "{text}"
    );
    // Of the baseline alone.
    for run in &mut base {
        run.samples.extend((2..14).map(|block| sample(block, "docker", "disk.image", 1e6)));
    }
    let gone = gate(limits(), &base, &session(100.0, 9));
    assert_eq!((gone.answer, gone.missing.len()), (Answer::Undecided(Reason::NotInNew), 0));
    // An environment that the candidate's suite has no more.
    let mut fewer = session(100.0, 9);
    fewer.record.plan.suite.environments.truncate(1);
    fewer.samples.retain(|sample| sample.environment == "native");
    assert_eq!(gate(limits(), &base, &fewer).answer, Answer::Undecided(Reason::NotInNew));
    // What no plan has gates nothing, and is said.
    let idle =
        gate(vec![ready(), limit("*", "disk.sync.rate"), limit("qemu", READY)], &base, &session(100.0, 9));
    assert_eq!(idle.answer, Answer::Pass);
    assert!(idle.text().contains("gate nothing: */disk.sync.rate, qemu/startup.ready"), "{}", idle.text());
}

/// By the default limits too: what the candidate does not measure any more would pass unseen.
#[test]
fn a_candidate_that_measures_less_than_the_baseline_never_passes() {
    let idle = |run: &mut Run, environment: &str| {
        let more = (2..14).map(|block| sample(block, environment, "disk.image", 1e6));
        run.samples.extend(more);
    };
    let mut base = baseline();
    base.iter_mut().for_each(|run| {
        let spec = run.record.plan.suite.environments[1].clone();
        run.record.plan.suite.environments.push(crate::suite::EnvironmentSpec { id: "other".into(), ..spec });
        let other = crate::journal::record::EnvironmentRecord {
            id: "other".into(),
            ..run.record.environments[1].clone()
        };
        run.record.environments.push(other);
        idle(run, "other");
    });
    let gate =
        |new: &Run, options: &Options| decide(&refs(&base), &[new], &GateSpec::default(), options).unwrap();
    let fewer = gate(&session(100.0, 9), &Options::default());
    assert_eq!(fewer.answer, Answer::Undecided(Reason::NotPlanned));
    let text = fewer.text();
    assert!(text.contains("disk.image of other/") && text.contains("plan leaves it out"), "{text}");
    // Asked for less, it answers for less; and what only the candidate has is new.
    let only = crate::analysis::compare::Only { environments: vec!["docker".into()], ..Default::default() };
    let asked = gate(&session(100.0, 9), &Options { only, ..Options::default() });
    assert_eq!(asked.answer, Answer::Pass);
    let (old, new) = (baseline(), base[0].clone());
    let more = decide(&refs(&old), &[&new], &GateSpec::default(), &Options::default()).unwrap();
    assert_eq!(more.answer, Answer::Pass, "{}", more.text());
}

#[test]
fn names_from_a_run_folder_steer_nothing() {
    let mut new = session(130.0, 9);
    let name = "::stop-commands::x\n\u{1b}[2J##[error]";
    new.record.plan.suite.environments.push(crate::suite::EnvironmentSpec {
        id: name.into(),
        ..new.record.plan.suite.environments[1].clone()
    });
    let text = gate_of(&new).unwrap().text();
    assert!(text.contains("stop-commands") && !text.contains("##[") && !text.contains('\u{1b}'), "{text}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
}

#[test]
fn failed_samples_never_pass() {
    let mut some_failed = session(100.0, 9);
    some_failed.samples.push(failed(13, "docker", READY, FailureName::NeverReady));
    assert_eq!(answer_of(&some_failed), Answer::Undecided(Reason::Failed));
    let mut slower_too = session(130.0, 9);
    slower_too.samples.push(failed(13, "docker", READY, FailureName::ClockVoid));
    assert_eq!(answer_of(&slower_too), Answer::Regression);
}

#[test]
fn too_few_samples_never_pass() {
    let mut few = session(100.0, 9);
    few.samples.retain(|sample| sample.block < 6);
    assert_eq!(answer_of(&few), Answer::Undecided(Reason::TooFew));
    let mut none = session(100.0, 9);
    none.samples.retain(|sample| sample.environment == "native");
    assert!(matches!(
        gate_of(&none),
        Ok(Gate { answer: Answer::Undecided(Reason::NotInNew), .. }) | Err(GateError::NothingGated { .. })
    ));
}

#[test]
fn values_that_are_no_numbers_never_pass() {
    for odd in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let mut run = session(100.0, 9);
        for one in run.samples.iter_mut().filter(|sample| sample.environment == "docker") {
            one.outcome = SampleOutcome::Value(odd);
        }
        let gate = gate_of(&run);
        assert!(!matches!(gate, Ok(Gate { answer: Answer::Pass, .. })), "{odd}: {gate:?}");
    }
}

#[test]
fn another_host_and_another_accelerator_are_refused_and_another_program_is_named() {
    let mut elsewhere = session(100.0, 9);
    elsewhere.record.host.cpu_model = Some("another".into());
    assert!(matches!(gate_of(&elsewhere), Err(GateError::Refused(Refusal::Different(_)))));
    let mut emulated = session(100.0, 9);
    emulated.record.environments[1].accelerator = Accelerator::Tcg;
    for one in emulated.samples.iter_mut().filter(|sample| sample.environment == "docker") {
        one.accelerator = Accelerator::Tcg;
    }
    assert!(!matches!(gate_of(&emulated), Ok(Gate { answer: Answer::Pass, .. })));
    let mut program = session(100.0, 9);
    program.record.agent_sha256 = "another".into();
    let gate = gate_of(&program).unwrap();
    assert_eq!(gate.answer, Answer::Pass, "a program is what a gate is about");
    assert_eq!(gate.moved.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(), ["agent"]);
    assert!(gate.text().contains("not as in the baseline: agent"), "{}", gate.text());
}

#[test]
fn a_baseline_without_spread_never_passes_and_a_byte_more_is_a_fact() {
    let flat = |seed: u32, value: f64| {
        let mut run = session(value, seed);
        for one in run.samples.iter_mut().filter(|sample| sample.environment == "docker") {
            one.outcome = SampleOutcome::Value(value);
        }
        run
    };
    let base: Vec<Run> = (0..5).map(|i| flat(i, 100.0)).collect();
    let gate =
        |new: &Run| decide(&refs(&base), &[new], &GateSpec::default(), &Options::default()).unwrap().answer;
    assert_eq!(gate(&flat(9, 100.0)), Answer::Undecided(Reason::NoSpread));
    assert_ne!(gate(&flat(9, 120.0)), Answer::Pass);
    let image = |seed: u32, bytes: f64| {
        let mut run = run(12);
        run.record.run_id = format!("r{seed}");
        run.samples.push(sample(2, "docker", "disk.image", bytes));
        run
    };
    let base: Vec<Run> = (0..5).map(|i| image(i, 4096.0)).collect();
    let gate = |bytes| {
        decide(&refs(&base), &[&image(9, bytes)], &GateSpec::default(), &Options::default()).unwrap().answer
    };
    assert_eq!((gate(4096.0), gate(4097.0), gate(4095.0)), (Answer::Pass, Answer::Regression, Answer::Pass));
}

#[test]
fn one_session_of_a_baseline_is_advisory_and_says_so() {
    let gate =
        decide(&[&session(100.0, 1)], &[&session(150.0, 2)], &GateSpec::default(), &Options::default())
            .unwrap();
    assert_eq!(gate.answer, Answer::Regression);
    assert!(gate.text().contains("advisory: 1 session of the base"), "{}", gate.text());
}

#[test]
fn it_says_what_moved() {
    let mut base = baseline();
    base.iter_mut()
        .for_each(|run| run.record.environments[1].prepared.facts = vec![("engine".into(), "20.10".into())]);
    let mut new = session(130.0, 9);
    new.record.environments[1].prepared.facts = vec![("engine".into(), "26.1".into())];
    let gate = decide(&refs(&base), &[&new], &GateSpec::default(), &Options::default()).unwrap();
    let text = gate.text();
    assert!(text.contains("not as in the baseline: engine of docker, 20.10 → 26.1"), "{text}");
    assert!(text.contains("changed with it: engine"), "{text}");
    let same = gate_of(&session(130.0, 9)).unwrap().text();
    assert!(same.contains("the host moved, not the program"), "{same}");
}

#[test]
fn figures_that_moved_together_are_one_finding() {
    let both = |level: f64, seed: u32| {
        let mut run = session(level, seed);
        let more: Vec<_> = run.samples.iter().filter(|one| one.environment == "docker").cloned().collect();
        for mut one in more {
            one.metric = "startup.phase.engine".into();
            run.samples.push(one);
        }
        run
    };
    let base: Vec<Run> = (0..5).map(|i| both(100.0 * (1.0 + 0.002 * f64::from(i % 3)), i)).collect();
    let limits =
        vec![LimitSpec { environment: "*".into(), metric: "startup.*".into(), limit: 0.05, because: None }];
    let spec = GateSpec { limits, ..GateSpec::default() };
    let gate = decide(&refs(&base), &[&both(130.0, 9)], &spec, &Options::default()).unwrap();
    assert_eq!(gate.count(|answer| *answer == Answer::Regression), 2);
    assert_eq!(gate.findings.len(), 1);
    assert_eq!(gate.judged[gate.findings[0][0]].change.metric, READY);
    assert!(gate.text().contains("one finding with startup.ready of docker/start"), "{}", gate.text());
}

/// What [`drive`] did with these further sessions.
fn driven(first: Run, mut further: Vec<Run>) -> (Gate, Vec<Need>) {
    let base = baseline();
    let mut sessions = vec![first];
    let mut asked = Vec::new();
    further.reverse();
    let gate = drive::<std::convert::Infallible>(
        &|new| decide(&refs(&base), new, &GateSpec::default(), &Options::default()),
        &mut sessions,
        &mut |need| {
            asked.push(need);
            Ok(further.pop())
        },
    );
    (gate.unwrap(), asked)
}

#[test]
fn a_failure_is_confirmed_in_a_fresh_session_first() {
    let (gate, asked) = driven(session(130.0, 9), vec![session(131.0, 10)]);
    assert_eq!((gate.answer, &asked[..]), (Answer::Regression, &[Need::Confirmation][..]));
    assert!(gate.text().contains("confirmed in a fresh session"));
    let (gate, asked) = driven(session(130.0, 9), vec![session(100.0, 10)]);
    assert_eq!((gate.answer, asked[0]), (Answer::Undecided(Reason::NotConfirmed), Need::Confirmation));
    let (gate, _) = driven(session(130.0, 9), Vec::new());
    assert_eq!(gate.answer, Answer::Regression);
    assert!(gate.text().contains("not confirmed in a fresh session"), "{}", gate.text());
}

/// Of two figures that moved together one is seen again: it is still a finding.
#[test]
fn a_neighbour_that_is_not_confirmed_takes_no_finding_away() {
    let both = |ready: f64, engine: f64, seed: u32| {
        let mut run = session(ready, seed);
        let more: Vec<_> = run.samples.iter().filter(|one| one.environment == "docker").cloned().collect();
        for mut one in more {
            one.metric = "startup.phase.engine".into();
            one.outcome = SampleOutcome::Value(one.value().unwrap() * engine / ready);
            run.samples.push(one);
        }
        run
    };
    let base: Vec<Run> =
        (0..5).map(|i| both(100.0 + f64::from(i % 3) / 5.0, 80.0 + f64::from(i % 3) / 5.0, i)).collect();
    let limits =
        vec![LimitSpec { environment: "*".into(), metric: "startup.*".into(), limit: 0.05, because: None }];
    let spec = GateSpec { limits, ..GateSpec::default() };
    let mut further = vec![both(130.0, 80.0, 10)];
    let gate = drive::<std::convert::Infallible>(
        &|new| decide(&refs(&base), new, &spec, &Options::default()),
        &mut vec![both(130.0, 104.0, 9)],
        &mut |_| Ok(further.pop()),
    );
    let gate = gate.unwrap();
    assert_eq!((gate.answer, gate.count(|one| *one == Answer::Regression)), (Answer::Regression, 1));
    assert!(gate.line().ends_with("1 of 2 gated figures, one finding"), "{}", gate.line());
}

/// What a fresh session refuted stays so, whatever is measured after it for another figure.
#[test]
fn a_refuted_regression_is_not_told_by_a_later_session() {
    let with = |ready: f64, idle: f64, seed: u32| {
        let mut run = session(ready, seed);
        let more = (2..14).map(|block| {
            let wobble = 1.0 + f64::from((block * 5 + seed * 7) % 12) / 200.0;
            sample(block, "docker", "startup.cold.ready", idle * wobble)
        });
        run.samples.extend(more);
        run
    };
    let base: Vec<Run> =
        (0..5).map(|i| with(100.0 + f64::from(i % 3) / 5.0, 100.0 + 2.0 * f64::from(i), i)).collect();
    let limits =
        vec![LimitSpec { environment: "*".into(), metric: "startup.*".into(), limit: 0.10, because: None }];
    let spec = GateSpec { limits, ..GateSpec::default() };
    let mut asked = Vec::new();
    let mut further = vec![with(130.0, 108.0, 11), with(109.0, 108.0, 10)];
    let gate = drive::<std::convert::Infallible>(
        &|new| decide(&refs(&base), new, &spec, &Options::default()),
        &mut vec![with(150.0, 109.0, 9)],
        &mut |need| {
            asked.push(need);
            Ok(further.pop())
        },
    );
    let gate = gate.unwrap();
    assert_eq!(asked[..2], [Need::Confirmation, Need::Precision], "{}", gate.text());
    let ready = gate.judged.iter().find(|one| one.change.metric == READY).unwrap();
    assert_eq!(ready.answer, Answer::Undecided(Reason::NotConfirmed), "{}", gate.text());
}

#[test]
fn an_undecided_gate_measures_on_as_long_as_there_is_budget() {
    let further = vec![session(107.0, 10), session(106.0, 11), session(106.0, 12)];
    let (gate, asked) = driven(session(108.0, 9), further);
    assert!(!asked.is_empty() && asked.iter().all(|need| *need == Need::Precision), "{asked:?}");
    assert_eq!(gate.answer, Answer::Pass);
    let (gate, asked) = driven(session(100.0, 9), vec![session(100.0, 10)]);
    assert_eq!((gate.answer, asked.len()), (Answer::Pass, 0));
    let mut failing = session(100.0, 9);
    failing.samples.push(failed(13, "docker", READY, FailureName::NeverReady));
    assert_eq!(driven(failing, vec![session(100.0, 10)]).1, [], "more samples do not undo a failure");
}

/// A session in whose blocks `docker` and `docker-base` were measured.
fn both(base: f64, new: f64, seed: u32) -> Run {
    let mut run = session(new, seed);
    run.record.plan.suite.environments.push(crate::suite::EnvironmentSpec {
        id: "docker-base".into(),
        ..run.record.plan.suite.environments[1].clone()
    });
    let mut record = run.record.environments[1].clone();
    record.id = "docker-base".into();
    run.record.environments.push(record);
    for block in 2..14 {
        let wobble = 1.0 + f64::from((block * 7 + seed * 5) % 12) / 200.0;
        run.samples.push(sample(block, "docker-base", READY, base * wobble));
    }
    run
}

#[test]
fn base_and_candidate_in_the_same_blocks() {
    let pairs = [("docker-base".to_owned(), "docker".to_owned())];
    let gate = |runs: &[Run]| decide_inside(&refs(runs), &pairs, &only(0.1), &Options::default()).unwrap();
    assert_eq!(gate(&[both(100.0, 100.0, 1)]).answer, Answer::Pass);
    let slower = gate(&[both(100.0, 125.0, 1)]);
    assert_eq!((slower.answer, slower.judged[0].change.environment.as_str()), (Answer::Regression, "docker"));
    // Two sessions are one comparison of twice as many blocks.
    let two = gate(&[both(100.0, 125.0, 1), both(90.0, 112.5, 2)]);
    assert_eq!((two.answer, two.judged[0].change.new.n), (Answer::Regression, 24));
    assert_eq!(two.sessions, (2, 2));
    // What is too few for all rows of a pair is none of the gate's business.
    let mut short = both(100.0, 100.0, 1);
    short.samples.retain(|sample| sample.block < 9);
    assert_eq!(gate(&[short]).warnings, Vec::<String>::new());
    // What was changed is named, and so is an agent that is another one.
    let mut other = both(100.0, 100.0, 1);
    other.record.environments[1].prepared.image_bytes = Some(1);
    if let Some(seen) = &mut other.record.environments[1].inspection {
        seen.agent_sha256 = "f".repeat(64);
    }
    let gate = gate(&[other]);
    let moved: Vec<_> = gate.moved.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(moved, ["agent", "image bytes"]);
    let unknown = decide_inside(&[&session(1.0, 1)], &pairs, &only(0.1), &Options::default());
    assert!(matches!(unknown, Err(GateError::Refused(Refusal::NoEnvironment { .. }))));
}
