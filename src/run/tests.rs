#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use isocost_agent::protocol::Workload;

use super::engine::{execute_in, resume_in};
use super::fake::{Diary, Fake, Fault, Script};
use super::surroundings::Surroundings;
use super::*;
use crate::environment::agent::StopSignal;
use crate::environment::{Environment, EnvironmentError, RunContext};
use crate::journal::record::Ending;
use crate::journal::{self, Repeat, Run, SetAside};
use crate::measure::equality::Limits;
use crate::measure::host::pin::Pinned;
use crate::measure::host::{Activity, CpuPlacement, Look};
use crate::measure::sample::{FailureName, Outcome, Sample};
use crate::plan::{Block, Cell, Plan, Role};
use crate::suite::{Blocks, Deadlines, EnvironmentSpec, KindSpec, NativeSpec, Suite, WorkloadSpec};

fn plan(roles: &[Role]) -> Plan {
    let environment = |id: &str| EnvironmentSpec {
        id: id.into(),
        workloads: None,
        slower_permille: 0,
        kind: KindSpec::Native(NativeSpec {}),
    };
    let workload = |id: &str, run| WorkloadSpec {
        id: id.into(),
        run,
        duration: Duration::from_millis(1),
        bytes: 0,
        direct: false,
        threads: None,
    };
    let second = Duration::from_secs(1);
    let suite = Suite {
        name: "t".into(),
        description: String::new(),
        limits: Limits { cpus: 1, memory_bytes: 1 << 28 },
        blocks: Blocks { count: 1, warm_up: 0, cold: 0 },
        deadlines: Deadlines { start: second, work: second, stop: second },
        environments: vec![environment("a"), environment("b")],
        workloads: vec![workload("int", Workload::CpuInteger), workload("read", Workload::DiskRandomRead)],
        gate: crate::suite::GateSpec::default(),
    };
    let cell =
        |id: &str| Cell { environment: id.into(), workloads: vec!["read".to_owned(), "int".to_owned()] };
    // The order turns from block to block, as a drawn one would.
    let cells = |index: u32| {
        if index.is_multiple_of(2) { vec![cell("a"), cell("b")] } else { vec![cell("b"), cell("a")] }
    };
    let blocks = (0..).zip(roles).map(|(index, &role)| Block { index, role, cells: cells(index) }).collect();
    Plan { suite, seed: 40, blocks }
}

struct Ran {
    result: Result<RunOutcome, RunError>,
    diary: Vec<String>,
    events: Vec<Event>,
    folder: tempfile::TempDir,
}

impl Ran {
    fn read(&self) -> Run {
        journal::read(&self.folder.path().join("out")).unwrap()
    }

    /// Runs that `clean` comes back to.
    fn left_to_clean(&self) -> usize {
        state::stale(&self.folder.path().join("cache")).unwrap().len()
    }

    fn nothing_is_left(&self) {
        let runs = state::runs_folder(&self.folder.path().join("cache"));
        assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0);
    }
}

fn options(folder: &Path) -> RunOptions {
    RunOptions {
        output: folder.join("out").into(),
        cache: folder.join("cache"),
        agent: std::sync::Arc::from(&b"agent"[..]),
        others: Default::default(),
        budget: None,
        precision: None,
        repeats: None,
        stop: StopSignal::new().unwrap(),
        code: None,
    }
}

/// A host that is quiet but in these blocks, whatever this one does.
#[derive(Default)]
struct Scripted {
    loud: Vec<u32>,
    diary: Diary,
}

impl Surroundings for Scripted {
    fn placement(&self, count: u32) -> CpuPlacement {
        let instances = (0..count).collect();
        CpuPlacement { instances, harness: (count..count + 2).collect(), shared: false }
    }

    fn pin(&self, _placement: &CpuPlacement) -> std::io::Result<Option<Pinned>> {
        Ok(None)
    }

    fn drop_page_cache(&self) -> Result<(), String> {
        self.diary.lock().unwrap().push("cache dropped".to_owned());
        Ok(())
    }

    fn since(&self, _before: &Look, ours: &[u32], block: u32) -> Activity {
        assert!(ours.contains(&std::process::id()));
        let others_cpus = Some(if self.loud.contains(&block) { 64.0 } else { 0.0 });
        Activity { seconds: 1.0, others_cpus, ..Activity::default() }
    }
}

/// Faults are those of environment `b`; `a` is always well.
fn ran_with(plan: &Plan, faults: &[(u32, Fault)], change: impl Fn(&mut RunOptions)) -> Ran {
    ran_in(&Scripted::default(), plan, faults, change)
}

fn ran_in(
    surroundings: &Scripted,
    plan: &Plan,
    faults: &[(u32, Fault)],
    change: impl Fn(&mut RunOptions),
) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    change(&mut options);
    let script = Script { faults: faults.to_vec(), diary: surroundings.diary.clone() };
    let build = |spec: &EnvironmentSpec, context: &RunContext| {
        let mut script = script.clone();
        script.faults.retain(|_| spec.id == "b");
        Ok::<Box<dyn Environment>, EnvironmentError>(Box::new(Fake::new(&spec.id, context, script)))
    };
    let events = RefCell::new(Vec::new());
    let result = execute_in(surroundings, plan, &options, &build, &|event| events.borrow_mut().push(event));
    let diary = script.diary.lock().unwrap().clone();
    Ran { result, diary, events: events.into_inner(), folder }
}

/// An environment in which all goes well.
fn plain(spec: &EnvironmentSpec, context: &RunContext) -> Result<Box<dyn Environment>, EnvironmentError> {
    Ok(Box::new(Fake::new(&spec.id, context, Script::default())))
}

fn ran(roles: &[Role], faults: &[(u32, Fault)]) -> Ran {
    ran_with(&plan(roles), faults, |_| {})
}

fn failures(run: &Run) -> Vec<(&str, &str, FailureName)> {
    let failed = |sample: &'_ Sample| match &sample.outcome {
        Outcome::Failed(failure) => Some(failure.name),
        Outcome::Value(_) => None,
    };
    let all = run.samples.iter();
    all.filter_map(|sample| Some((&*sample.environment, &*sample.metric, failed(sample)?))).collect()
}

const ALL_OF_WORK: [&str; 6] = [
    "disk.random-read.rate",
    "disk.random-read.host-cpu",
    "disk.random-read.latency.p50",
    "disk.random-read.latency.p99",
    "cpu.integer.rate",
    "cpu.integer.host-cpu",
];

#[test]
fn cells_come_in_the_plans_order_and_all_is_in_the_journal() {
    let ran = ran(&[Role::Cold, Role::WarmUp, Role::Measured], &[]);
    let outcome = ran.result.as_ref().unwrap();
    assert_eq!((outcome.record.ending, outcome.failed), (Ending::Complete, 0));
    let work = |id: &str, seed: u32| {
        [
            "boot".to_owned(),
            format!("work DiskRandomRead seed {seed}"),
            format!("work CpuInteger seed {seed}"),
            "stop".to_owned(),
        ]
        .map(|what| format!("{id} {what}"))
        .to_vec()
    };
    let words = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let expected = [
        words(
            "a prepare,b prepare,a laid out,cache dropped,a boot,a stop,b laid out,cache dropped,b boot,b stop",
        ),
        [work("b", 41), work("a", 41), work("a", 42), work("b", 42)].concat(),
        words("a dispose,b dispose"),
    ];
    assert_eq!(ran.diary, expected.concat());
    let run = ran.read();
    assert!(run.complete && !run.dropped_tail);
    assert_eq!(run.samples.len() as u64, outcome.measured);
    assert!(run.samples.iter().all(|sample| sample.warm_up == (sample.block == 1)));
    assert_eq!(run.samples.iter().filter(|s| s.metric == "startup.cold.ready").count(), 2);
    assert_eq!(run.samples.iter().filter(|s| s.metric == "disk.image").count(), 2);
    assert_eq!((run.starts.len(), run.timelines.len()), (4, 4));
    assert!(run.record.environments.iter().all(|one| one.inspection.is_some()));
    assert!(run.record.sampler_cpu_share.is_some());
    assert!(run.record.warnings.contains(&"b: made up".to_owned()));
    ran.nothing_is_left();
}

#[test]
fn every_sample_has_a_metric_of_the_catalogue_and_is_told_of() {
    let ran = ran(&[Role::Measured], &[]);
    let run = ran.read();
    for sample in &run.samples {
        assert!(crate::measure::metric::find(&sample.metric).is_some(), "{}", sample.metric);
    }
    let told = ran.events.iter().filter(|event| matches!(event, Event::SampleTaken(_))).count();
    assert_eq!(told, run.samples.len());
    let progress = ran.events.iter().rev().find(|event| matches!(event, Event::Progress { .. }));
    assert_eq!(progress, Some(&Event::Progress { done: 2, of: 2, left: Some(Duration::ZERO) }));
}

#[test]
fn a_boot_that_fails_fails_its_cell_and_the_run_goes_on() {
    let ran = ran(&[Role::Measured, Role::Measured], &[(1, Fault::Boot(FailureName::NeverReady))]);
    assert_eq!(ran.result.as_ref().unwrap().failed, 11);
    let run = ran.read();
    let mut expected =
        vec!["startup.ready", "memory.total.idle", "memory.total.peak", "disk.added", "end.total"];
    expected.extend(ALL_OF_WORK);
    let expected: Vec<_> =
        expected.into_iter().map(|metric| ("b", metric, FailureName::NeverReady)).collect();
    assert_eq!(failures(&run), expected);
    assert!(run.samples.iter().any(|s| s.environment == "b" && s.block == 1 && s.value().is_some()));
}

#[test]
fn what_instances_before_had_is_counted_as_failed_of_one_that_does_not_start() {
    for fault in [Fault::Boot(FailureName::NeverReady), Fault::BackwardSpan] {
        let run = ran(&[Role::Measured, Role::Measured], &[(2, fault)]).read();
        let of_b = |block: u32| {
            let samples = run.samples.iter().filter(|s| s.environment == "b" && s.block == block);
            let all = samples.filter(|s| &*s.workload != "image");
            all.map(|s| (s.workload.to_string(), s.metric.to_string())).collect::<BTreeSet<_>>()
        };
        assert!(of_b(0).contains(&("start".to_owned(), "startup.phase.exec".to_owned())));
        assert_eq!(of_b(0), of_b(1), "{fault:?}");
    }
}

#[test]
fn an_agent_that_dies_fails_what_was_left_for_it() {
    for name in [FailureName::ExitedEarly, FailureName::Garbage, FailureName::TimedOut] {
        let ran = ran(&[Role::Measured], &[(1, Fault::Work(name))]);
        let expected = ALL_OF_WORK.map(|metric| ("b", metric, name));
        assert_eq!(failures(&ran.read()), expected);
        assert_eq!(ran.diary.iter().filter(|line| line.starts_with("b work")).count(), 1);
    }
}

#[test]
fn an_agent_that_cannot_be_looked_at_is_not_worked() {
    let ran = ran(&[Role::Measured], &[(1, Fault::Inspect(FailureName::Garbage))]);
    assert_eq!(failures(&ran.read()), ALL_OF_WORK.map(|metric| ("b", metric, FailureName::Garbage)));
    assert!(!ran.diary.iter().any(|line| line.starts_with("b work")));
}

#[test]
fn work_that_the_agent_refuses_fails_alone() {
    let ran = ran(&[Role::Measured], &[(1, Fault::Work(FailureName::WorkFailed))]);
    assert_eq!(ran.diary.iter().filter(|line| line.starts_with("b work")).count(), 2);
}

#[test]
fn another_agent_or_another_size_is_never_measured() {
    for fault in [Fault::OtherAgent, Fault::OtherSize] {
        let ran = ran(&[Role::Measured, Role::Measured], &[(2, fault)]);
        assert_eq!(failures(&ran.read()), ALL_OF_WORK.map(|metric| ("b", metric, FailureName::WrongAgent)));
    }
}

#[test]
fn a_start_whose_clock_runs_back_is_void() {
    let ran = ran(&[Role::Cold, Role::Measured], &[(1, Fault::BackwardSpan), (2, Fault::BackwardSpan)]);
    let expected = ["startup.cold.ready", "startup.ready"];
    assert_eq!(failures(&ran.read()), expected.map(|metric| ("b", metric, FailureName::ClockVoid)));
}

#[test]
fn what_a_wrong_clock_timed_is_void_and_the_run_says_so() {
    let ran = ran(&[Role::Measured, Role::Measured], &[(2, Fault::FastClock)]);
    assert_eq!(failures(&ran.read()), ALL_OF_WORK.map(|metric| ("b", metric, FailureName::ClockVoid)));
    let record = &ran.result.as_ref().unwrap().record;
    let clocks = &record.conditions.clocks;
    assert!(clocks["a"].shared && clocks["a"].checked == 0);
    assert_eq!((clocks["b"].checked, clocks["b"].wrong, clocks["b"].unknown), (2, 2, 0));
    assert!((clocks["b"].worst.unwrap().error - 0.01).abs() < 0.001, "{:?}", clocks["b"]);
    assert_eq!(record.warnings.iter().filter(|text| text.contains("clock-void")).count(), 1);
}

#[test]
fn what_is_not_removed_is_a_failure_and_named() {
    let ran = ran(&[Role::Measured], &[(1, Fault::Stop(FailureName::NotRemoved))]);
    assert_eq!(failures(&ran.read()), [("b", "end.total", FailureName::NotRemoved)]);
    assert_eq!(ran.left_to_clean(), 1);
    assert_eq!(ran.result.unwrap().left_behind.len(), 1);
}

#[test]
fn what_stays_is_left_to_clean_however_the_run_ends() {
    let whole = ran(&[Role::Measured], &[(9, Fault::Dispose)]);
    assert_eq!(whole.left_to_clean(), 1);
    assert_eq!(whole.result.unwrap().left_behind.len(), 1);

    let unavailable =
        ran(&[Role::Measured], &[(0, Fault::Prepare(FailureName::NotStarted)), (9, Fault::Dispose)]);
    assert!(matches!(unavailable.result, Err(RunError::Unavailable(_))));
    assert_eq!(unavailable.left_to_clean(), 1);
    let told = |event: &&Event| matches!(event, Event::Warning(text) if text.starts_with("not removed: b: "));
    assert_eq!(unavailable.events.iter().filter(told).count(), 1);
}

#[test]
fn a_stop_in_the_middle_keeps_all_samples_and_leaves_nothing() {
    let ran = ran(&[Role::Measured, Role::Measured], &[(1, Fault::StopInWork)]);
    let outcome = ran.result.as_ref().unwrap();
    assert_eq!(outcome.record.ending, Ending::Interrupted);
    let run = ran.read();
    assert!(run.complete);
    assert_eq!(
        run.samples.iter().filter(|s| s.environment == "a" && s.metric == "cpu.integer.rate").count(),
        1
    );
    assert!(failures(&run).iter().all(|(_, _, name)| *name == FailureName::Interrupted));
    let ends: Vec<_> = ran.diary.iter().rev().take(3).rev().collect();
    assert_eq!(ends, ["b stop", "a dispose", "b dispose"]);
    ran.nothing_is_left();
}

#[test]
fn what_fails_of_a_stop_is_interrupted_whatever_it_says_itself() {
    for (role, metric) in [(Role::Measured, "startup.ready"), (Role::Cold, "startup.cold.ready")] {
        let ran = ran(&[role], &[(1, Fault::StopInStart)]);
        assert_eq!(ran.result.as_ref().unwrap().record.ending, Ending::Interrupted);
        assert_eq!(failures(&ran.read()), [("b", metric, FailureName::Interrupted)]);
    }
    let ran = ran(&[Role::Measured], &[(0, Fault::StopInStart)]);
    assert!(matches!(ran.result, Err(RunError::Interrupted)));
}

#[test]
fn a_stop_as_the_last_environment_is_ready_leaves_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let stopping = |event: Event| {
        if matches!(event, Event::Prepared { environment, .. } if environment == "b") {
            options.stop.raise();
        }
    };
    let ran = execute_in(&Scripted::default(), &plan(&[Role::Measured]), &options, &plain, &stopping);
    assert!(matches!(ran, Err(RunError::Interrupted)));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_stop_before_the_first_cell_is_no_run() {
    let ran = ran_with(&plan(&[Role::Measured]), &[], |options| options.stop.raise());
    assert!(matches!(ran.result, Err(RunError::Interrupted)));
    assert!(!ran.folder.path().join("out").exists());
    ran.nothing_is_left();
}

#[test]
fn the_budget_ends_a_run_between_blocks() {
    let spent = |options: &mut RunOptions| options.budget = Some(Duration::from_millis(100));
    let ran = ran_with(&plan(&[Role::Measured, Role::Measured]), &[], spent);
    assert_eq!(ran.result.as_ref().unwrap().record.ending, Ending::Budget);
    assert!(ran.read().samples.iter().all(|sample| sample.block == 0));
    assert!(ran.events.iter().any(|event| matches!(event, Event::Stopping(_))));
}

#[test]
fn an_environment_that_cannot_run_here_is_told_before_anything_is_measured() {
    let ran = ran(&[Role::Measured], &[(0, Fault::Prepare(FailureName::Engine))]);
    match ran.result.as_ref().unwrap_err() {
        RunError::Unavailable(all) => assert_eq!(all[0].environment, "b"),
        other => panic!("{other}"),
    }
    assert_eq!(ran.diary, ["a prepare", "b prepare", "b dispose", "a dispose"]);
    assert!(!ran.folder.path().join("out").exists());
    ran.nothing_is_left();
}

#[test]
fn a_folder_that_was_there_before_stays_and_is_empty_again() {
    let ran = ran_with(&plan(&[Role::Measured]), &[(0, Fault::Prepare(FailureName::Engine))], |options| {
        std::fs::create_dir(options.output.folder("")).unwrap();
    });
    assert!(matches!(ran.result, Err(RunError::Unavailable(_))));
    assert_eq!(std::fs::read_dir(ran.folder.path().join("out")).unwrap().count(), 0);
}

#[test]
fn a_panic_leaves_samples_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let script = Script { faults: vec![(1, Fault::PanicInWork)], ..Script::default() };
    let diary = script.diary.clone();
    let build = |spec: &EnvironmentSpec, context: &RunContext| {
        Ok::<Box<dyn Environment>, EnvironmentError>(Box::new(Fake::new(&spec.id, context, script.clone())))
    };
    let plan = plan(&[Role::Measured]);
    let quiet = Scripted::default();
    let run = std::panic::AssertUnwindSafe(|| execute_in(&quiet, &plan, &options, &build, &|_| {}));
    assert!(std::panic::catch_unwind(run).is_err());
    let diary = diary.lock().unwrap().clone();
    assert!(diary.ends_with(&["a killed".into(), "a dispose".into(), "b dispose".into()]), "{diary:?}");
    let run = journal::read(&folder.path().join("out")).unwrap();
    assert!(!run.complete && run.samples.iter().any(|sample| sample.metric == "startup.ready"));
    assert_eq!(std::fs::read_dir(state::runs_folder(&folder.path().join("cache"))).unwrap().count(), 0);
}

#[test]
fn a_plan_that_names_what_its_suite_lacks_is_refused() {
    let mut plan = plan(&[Role::Measured]);
    plan.blocks[0].cells[0].workloads.push("nope".into());
    let ran = ran_with(&plan, &[], |_| {});
    assert!(matches!(ran.result, Err(RunError::BadPlan { .. })));
    assert!(ran.diary.is_empty());
}

#[test]
fn a_folder_that_cannot_hold_the_run_is_told_before_anything_boots() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ran =
        ran_with(&plan(&[Role::Measured]), &[], |options| options.output = file.path().to_owned().into());
    assert!(matches!(ran.result, Err(RunError::Output(_))));
    assert!(ran.diary.is_empty());
    ran.nothing_is_left();
}

#[test]
fn a_run_that_was_cut_off_goes_on_where_it_stopped() {
    let mut plan = plan(&[Role::WarmUp, Role::Measured, Role::Measured]);
    plan.suite.blocks.warm_up = 1;
    let ran = ran_with(&plan, &[(2, Fault::StopInWork)], |_| {});
    let before = ran.read();
    let folder = ran.folder.path().join("out");
    let again = |agent: &[u8]| {
        let options = RunOptions { agent: std::sync::Arc::from(agent), ..options(ran.folder.path()) };
        resume_in(&Scripted::default(), &folder, &options, &plain, &|_| {})
    };
    let refused = again(b"another").unwrap_err();
    assert!(matches!(&refused, RunError::Resume { what } if what.contains("with the agent")), "{refused}");
    assert_eq!(journal::read(&folder).unwrap(), before, "a refusal changes nothing");

    let outcome = again(b"agent").unwrap();
    assert_eq!(outcome.record.ending, Ending::Complete);
    let after = journal::read(&folder).unwrap();
    assert!(after.complete);
    assert_eq!(after.samples[..before.samples.len()], before.samples[..]);
    assert_eq!(after.record.run_id, before.record.run_id);
    // The block that was cut is 1: a warm-up and that block again have numbers of their own, then comes 2.
    let roles: Vec<_> = after.record.plan.blocks.iter().map(|block| (block.index, block.role)).collect();
    let expected = [Role::WarmUp, Role::Measured, Role::Measured, Role::WarmUp, Role::Measured];
    assert_eq!(roles, (0..).zip(expected).collect::<Vec<_>>());
    let mut order: Vec<u32> =
        after.samples[before.samples.len()..].iter().map(|sample| sample.block).collect();
    order.dedup();
    assert_eq!(order, [3, 4, 2]);
    let images = after.samples.iter().filter(|sample| &*sample.workload == "image").count();
    assert_eq!(images, 2, "an exact figure is taken once");
    assert_eq!(
        outcome.measured as usize,
        after.samples.iter().filter(|sample| sample.value().is_some()).count()
    );
    assert!(matches!(again(b"agent"), Err(RunError::Resume { .. })), "it is complete");
    ran.nothing_is_left();
}

#[test]
fn a_disturbed_block_is_measured_again_and_what_stands_for_it_counts() {
    // Blocks 1 to 8 are measured; two of them are loud, and the first repeat too.
    let roles = [&[Role::WarmUp][..], &[Role::Measured; 8]].concat();
    let loud = Scripted { loud: vec![0, 3, 6, 9], ..Scripted::default() };
    let ran = ran_in(&loud, &plan(&roles), &[], |_| {});
    let record = &ran.result.as_ref().unwrap().record;
    assert_eq!(record.ending, Ending::Complete);
    let conditions = &record.conditions;
    assert_eq!((conditions.disturbed, conditions.repeated, conditions.replaced), (2, 2, 1));
    let run = ran.read();
    assert_eq!(run.repeats, [Repeat { block: 9, of: 3 }, Repeat { block: 10, of: 3 }]);
    let aside = [SetAside { block: 9, by: None }, SetAside { block: 3, by: Some(10) }];
    assert_eq!(run.set_aside, aside);
    let counting: Vec<u32> =
        (0..11).filter(|block| run.role(*block, *block == 0) == Role::Measured).collect();
    assert_eq!(counting, [1, 2, 4, 5, 6, 7, 8, 10]);
    // Warm-ups are not watched; each other cell is, the repeats' too.
    assert_eq!(run.conditions.len(), 2 * 10);
    assert_eq!(run.conditions.iter().filter(|cell| !cell.disturbed.is_empty()).count(), 2 * 3);
    let told = record.warnings.iter().find(|text| text.contains("disturbed")).unwrap();
    assert!(told.starts_with("2 of 8 blocks") && told.contains("1 are in the figures as they are"), "{told}");
    let summary = crate::analysis::summarise(&run, &crate::analysis::Settings::of(&run));
    assert_eq!(summary.blocks, 8);
    let rate = summary.rows.iter().find(|row| row.environment == "b" && row.metric == "cpu.integer.rate");
    assert_eq!(rate.unwrap().n, 8);
}

#[test]
fn an_exact_figure_outlives_a_block_that_is_set_aside_and_a_start_that_fails() {
    let summary = |ran: &Ran| {
        let run = ran.read();
        crate::analysis::summarise(&run, &crate::analysis::Settings::of(&run))
    };
    let images = |ran: &Ran| -> Vec<(String, u32)> {
        let rows = summary(ran).rows.into_iter().filter(|row| row.metric == "disk.image");
        rows.map(|row| (row.environment, row.n)).collect()
    };
    let both = [("a".to_owned(), 1), ("b".to_owned(), 1)];
    // The first block is loud, and another stands for it.
    let ran =
        ran_in(&Scripted { loud: vec![0], ..Scripted::default() }, &plan(&[Role::Measured; 8]), &[], |_| {});
    assert_eq!(ran.read().set_aside, [SetAside { block: 0, by: Some(8) }]);
    assert_eq!((images(&ran), summary(&ran).blocks), (both.to_vec(), 8));
    // The first start fails: the next instance takes it, and the two are held against each other though in two blocks.
    let never = Fault::Boot(FailureName::NeverReady);
    let ran = ran_with(&plan(&[Role::Measured; 3]), &[(1, never)], |_| {});
    assert_eq!(images(&ran), both);
    let row = summary(&ran).rows.into_iter().find(|row| row.environment == "b" && row.metric == "disk.image");
    assert_eq!(row.unwrap().ratio.stated().map(|ratio| ratio.value), Some(1.0));
}

#[test]
fn a_run_that_is_mostly_disturbed_stays_as_it_is_and_says_so() {
    let loud = Scripted { loud: (0..9).collect(), ..Scripted::default() };
    let ran = ran_in(&loud, &plan(&[Role::Measured; 4]), &[], |_| {});
    let record = &ran.result.as_ref().unwrap().record;
    assert_eq!((record.conditions.disturbed, record.conditions.repeated), (4, 0));
    assert!(record.warnings.iter().any(|text| text.starts_with("4 of 4 blocks")));
    assert!(ran.events.iter().any(|event| matches!(event, Event::Disturbed { block: 0, .. })));
    assert!(ran.read().set_aside.is_empty());
}

#[test]
fn a_repeat_that_is_cut_short_does_not_count_and_neither_does_a_budget_that_is_spent() {
    let loud = Scripted { loud: vec![1], ..Scripted::default() };
    let blocks = [Role::Measured; 4];
    // The fifth boot of `b` is in the repeat.
    let ran = ran_in(&loud, &plan(&blocks), &[(5, Fault::StopInWork)], |_| {});
    assert_eq!(ran.result.as_ref().unwrap().record.ending, Ending::Interrupted);
    let run = ran.read();
    assert!(run.samples.iter().any(|sample| sample.block == 4) && run.set_aside.is_empty());
    let counting: Vec<u32> = (0..5).filter(|block| run.role(*block, false) == Role::Measured).collect();
    assert_eq!(counting, [0, 1, 2, 3]);
    let none = ran_in(&loud, &plan(&blocks), &[], |options| options.repeats = Some(0));
    assert_eq!(none.result.as_ref().unwrap().record.conditions.repeated, 0);
}

#[test]
fn a_run_that_is_continued_after_a_repeat_numbers_nothing_twice() {
    let loud = Scripted { loud: vec![1], ..Scripted::default() };
    let ran = ran_in(&loud, &plan(&[Role::Measured; 4]), &[(5, Fault::StopInWork)], |_| {});
    let folder = ran.folder.path().join("out");
    let again = resume_in(&Scripted::default(), &folder, &options(ran.folder.path()), &plain, &|_| {});
    assert_eq!(again.unwrap().record.ending, Ending::Complete);
    let run = journal::read(&folder).unwrap();
    let counting: Vec<u32> = (0..6).filter(|block| run.role(*block, false) == Role::Measured).collect();
    let taken: Vec<u32> = counting
        .into_iter()
        .filter(|block| run.samples.iter().any(|sample| sample.block == *block))
        .collect();
    assert_eq!(
        taken,
        [0, 2, 3, 5],
        "the repeat that was cut short stands for nothing, and another one for 1"
    );
}

/// What `kill -9` leaves of a run: the journal as far as it came, and `run.json` as it was when it began.
fn killed_after(folder: &Path, blocks: u32) {
    let text = std::fs::read_to_string(folder.join(journal::JOURNAL_FILE)).unwrap();
    let of_later = |line: &&str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["record"] == "end" || line["block"].as_u64().is_some_and(|block| block >= u64::from(blocks))
    };
    let kept: String =
        text.lines().take_while(|line| !of_later(line)).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(folder.join(journal::JOURNAL_FILE), kept).unwrap();
    let mut record = journal::read(folder).unwrap().record;
    record.ending = Ending::Unfinished;
    record.ended_at = None;
    record.conditions = Default::default();
    record.warnings.retain(|text| !text.contains("disturbed"));
    journal::write_run(folder, &record).unwrap();
}

#[test]
fn a_run_that_is_continued_knows_which_blocks_of_its_first_part_were_disturbed() {
    let loud = || Scripted { loud: vec![1, 5], ..Scripted::default() };
    let ran = ran_in(&loud(), &plan(&[Role::Measured; 12]), &[], |options| options.repeats = Some(0));
    let folder = ran.folder.path().join("out");
    killed_after(&folder, 4);
    let again = resume_in(&loud(), &folder, &options(ran.folder.path()), &plain, &|_| {}).unwrap();
    // One of each part is disturbed; block 3 was the last, and whole.
    let conditions = &again.record.conditions;
    assert_eq!((conditions.disturbed, conditions.repeated, conditions.replaced), (2, 2, 2));
    let run = journal::read(&folder).unwrap();
    assert_eq!(run.repeats, [Repeat { block: 12, of: 1 }, Repeat { block: 13, of: 5 }]);
    assert_eq!(run.role(1, false), Role::SetAside);
    let told: Vec<_> = again.record.warnings.iter().filter(|text| text.contains("disturbed")).collect();
    assert!(told.len() == 1 && told[0].contains("all of them were measured again"), "{told:?}");
}

/// What is known when a block begins is all that `kill -9` in it leaves.
#[test]
fn what_a_run_has_learned_is_on_disk_when_the_next_block_begins() {
    let folder = tempfile::tempdir().unwrap();
    let seen = RefCell::new(Vec::new());
    let look = |event| {
        if matches!(event, Event::BlockStarted { .. }) {
            let record = journal::read(&folder.path().join("out")).unwrap().record;
            let conditions = record.conditions;
            seen.borrow_mut().push((
                record.sampler_cpu_share.is_some(),
                conditions.clocks.len(),
                conditions.disturbed,
            ));
        }
    };
    let loud = Scripted { loud: vec![0], ..Scripted::default() };
    let plan = plan(&[Role::Measured; 4]);
    execute_in(&loud, &plan, &options(folder.path()), &plain, &look).unwrap();
    assert_eq!(seen.into_inner(), [(false, 0, 0), (true, 2, 1), (true, 2, 1), (true, 2, 1), (true, 2, 1)]);
}

#[test]
fn the_block_in_which_a_run_was_cut_off_is_set_aside_for_the_one_that_stands_for_it() {
    let build = |faults: &'static [(u32, Fault)]| {
        move |spec: &EnvironmentSpec, context: &RunContext| {
            let faults = if spec.id == "b" { faults.to_vec() } else { Vec::new() };
            let fake = Fake::new(&spec.id, context, Script { faults, ..Script::default() });
            Ok::<Box<dyn Environment>, EnvironmentError>(Box::new(fake))
        }
    };
    let ran = ran_with(&plan(&[Role::Measured; 4]), &[(2, Fault::StopInWork)], |_| {});
    let folder = ran.folder.path().join("out");
    let resumed = |faults| {
        let options = options(ran.folder.path());
        resume_in(&Scripted::default(), &folder, &options, &build(faults), &|_| {}).unwrap()
    };
    // Cut once more in the block that is to stand for it.
    assert_eq!(resumed(&[(1, Fault::StopInWork)]).record.ending, Ending::Interrupted);
    let whole = resumed(&[]);
    assert_eq!((whole.record.ending, whole.failed), (Ending::Complete, 0));
    assert_eq!((whole.record.conditions.repeated, whole.record.conditions.replaced), (0, 0));
    let run = journal::read(&folder).unwrap();
    assert_eq!(run.repeats, [Repeat { block: 4, of: 1 }, Repeat { block: 5, of: 1 }]);
    assert_eq!(run.set_aside, [SetAside { block: 1, by: Some(5) }]);
    let counting: Vec<u32> = (0..6).filter(|block| run.role(*block, false) == Role::Measured).collect();
    assert_eq!(counting, [0, 2, 3, 5]);
    let summary = crate::analysis::summarise(&run, &crate::analysis::Settings::of(&run));
    assert_eq!(summary.blocks, 4);
    assert!(summary.rows.iter().all(|row| row.failed.is_empty() && row.n <= 4), "{:?}", summary.rows);
}

#[test]
fn what_was_measured_again_before_a_run_was_cut_off_is_of_the_same_limit() {
    // Two of eight may be repeated; the first is settled, and the run is killed in the second.
    let loud = || Scripted { loud: vec![1, 3, 5], ..Scripted::default() };
    let ran = ran_in(&loud(), &plan(&[Role::Measured; 8]), &[], |_| {});
    let folder = ran.folder.path().join("out");
    killed_after(&folder, 9);
    let mut record = journal::read(&folder).unwrap().record;
    record.plan.suite.blocks.warm_up = 1;
    journal::write_run(&folder, &record).unwrap();
    let again = resume_in(&loud(), &folder, &options(ran.folder.path()), &plain, &|_| {}).unwrap();
    let conditions = &again.record.conditions;
    assert_eq!((conditions.disturbed, conditions.repeated, conditions.replaced), (3, 2, 2));
    let run = journal::read(&folder).unwrap();
    // It warms up before it goes on, also where nothing but repeats is left.
    let aside = [SetAside { block: 1, by: Some(8) }, SetAside { block: 3, by: Some(10) }];
    assert_eq!((run.role(9, true), &run.set_aside[..]), (Role::WarmUp, &aside[..]));
    assert!([9, 10].iter().all(|block| run.samples.iter().any(|sample| sample.block == *block)));
}

#[test]
fn who_runs_where_is_recorded() {
    let ran = ran(&[Role::Measured], &[]);
    let placement = ran.result.as_ref().unwrap().record.conditions.placement.clone().unwrap();
    assert_eq!((placement.instances.to_string(), placement.harness.to_string()), ("0".into(), "1-2".into()));
}

#[test]
fn a_run_stops_where_it_is_precise_enough_and_only_at_a_look() {
    let precise = ran_with(&plan(&[Role::Measured; 12]), &[], |options| options.precision = Some(1e9));
    let outcome = precise.result.as_ref().unwrap();
    assert_eq!(outcome.record.ending, Ending::Precision);
    let blocks = |ran: &Ran| ran.read().samples.iter().map(|sample| sample.block).max().unwrap() + 1;
    assert_eq!(blocks(&precise), 10);
    let never = ran_with(&plan(&[Role::Measured; 12]), &[], |options| options.precision = Some(-1.0));
    assert_eq!((never.result.as_ref().unwrap().record.ending, blocks(&never)), (Ending::Complete, 12));
}
