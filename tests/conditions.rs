//! What the host does to a run, through the real program: a stop on precision, blocks that a real program disturbed, and who
//! runs where.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use isocost::analysis::{Settings, precision, summarise};
use isocost::journal::record::Ending;
use isocost::journal::{self, Run};
use isocost::measure::disturbance::Ground;
use isocost::measure::host::CpuList;
use isocost::plan::Role;

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;
#[path = "support/skip.rs"]
mod skip;

use cli::{Ran, isocost, run};
use skip::skip;

const SUITE: &str = r#"
schema = 1
description = "a process, quickly"
[limits]
cpus = 1
memory = "64MiB"
[blocks]
count = 6
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
[[workload]]
id = "syscall"
duration = "5ms"
"#;

fn place() -> tempfile::TempDir {
    let place = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
    std::fs::write(place.path().join("s.toml"), SUITE).unwrap();
    place
}

/// Some figures of a process need root: then 4 is right where a user runs the tests.
fn went_well(ran: &Ran) {
    assert!(ran.code == 0 || ran.code == 4 && !rustix::process::geteuid().is_root(), "{ran:?}");
}

fn measured(run: &Run) -> u32 {
    let planned = run.samples.iter().map(|sample| sample.block).collect::<BTreeSet<u32>>();
    u32::try_from(planned.into_iter().filter(|block| run.role(*block, false) == Role::Measured).count())
        .unwrap()
}

/// What the notes of readiness say of precision.
fn said(run: &Run) -> String {
    let summary = summarise(run, &Settings::of(run));
    let row = summary.rows.into_iter().find(|row| row.metric == "startup.ready").unwrap();
    row.notes.into_iter().find(|note| note.contains("was asked")).unwrap()
}

#[test]
fn a_run_stops_on_precision_at_a_look_or_on_blocks_or_on_its_budget_and_says_which() {
    let place = place();
    let ran = |name: &str, flags: &[&str]| {
        let ran = run(place.path(), &[&["run", "./s.toml", "--repeats", "0", "-o", name], flags].concat());
        went_well(&ran);
        (journal::read(&place.path().join(name)).unwrap(), ran)
    };
    // A host on which half an interval is more than nine tenths of the median shows nothing at all.
    let (precise, told) = ran("a", &["--precision", "90%"]);
    assert_eq!(precise.record.ending, Ending::Precision, "{told:?}");
    assert_eq!(precise.record.plan.blocks.len(), 40);
    assert!(precision::is_look(measured(&precise)), "{}", measured(&precise));
    assert!(said(&precise).ends_with("90.0 % was asked; stopped by precision"), "{}", said(&precise));
    assert!(told.stderr.contains("stopping: it is as precise as was asked"), "{told:?}");
    assert!(told.stdout.contains("stopped when it was as precise as was asked"), "{told:?}");

    let (never, told) = ran("b", &["--precision", "0.00001%", "--blocks", "6"]);
    assert_eq!((never.record.ending, measured(&never)), (Ending::Complete, 6));
    assert!(said(&never).ends_with("stopped by blocks"), "{}", said(&never));
    assert!(told.stderr.contains("--precision changes nothing"), "{told:?}");

    let (spent, _) = ran("c", &["--precision", "0.00001%", "--budget", "1s"]);
    assert_eq!(spent.record.ending, Ending::Budget);
    assert!(
        (1..40).contains(&measured(&spent)) && said(&spent).ends_with("stopped by budget"),
        "{}",
        said(&spent)
    );
    // The same rule again, without saying so again.
    let again = run(place.path(), &["rerun", "a", "-o", "d", "--repeats", "0", "--quiet"]);
    went_well(&again);
    assert_eq!(journal::read(&place.path().join("d")).unwrap().record.ending, Ending::Precision);
}

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of another that uses all it gets of a CPU.
fn burner() -> Kill {
    let mut command = Command::new("sh");
    Kill(command.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap())
}

/// The journal of a run that goes on, once it says so.
fn wait_for(folder: &Path, what: impl Fn(&Run) -> bool) {
    let began = Instant::now();
    while !journal::read(folder).is_ok_and(|run| what(&run)) {
        assert!(began.elapsed() < Duration::from_secs(120), "{} never came so far", folder.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn blocks_that_a_program_of_another_disturbs_are_known_by_it_and_measured_again() {
    let place = place();
    let folder = place.path().join("run");
    let mut command = isocost(place.path());
    command.args(["--quiet", "run", "./s.toml", "--blocks", "16", "-o", "run"]).stdout(Stdio::null());
    let mut running = Kill(command.spawn().unwrap());
    wait_for(&folder, |run| run.samples.iter().any(|sample| sample.block == 1));
    let burning = burner();
    wait_for(&folder, |run| run.conditions.iter().any(|cell| cell.block == 2));
    drop(burning);
    assert!(running.0.wait().unwrap().code().is_some_and(|code| code == 0 || code == 4));

    let run = journal::read(&folder).unwrap();
    // Block 2 was burnt from end to end, whatever else this machine did meanwhile.
    let burnt = run.conditions.iter().find(|cell| cell.block == 2).unwrap();
    let by = |ground: &Ground| matches!(ground, Ground::Others { cpus, loudest: Some(_) } if *cpus > 0.3);
    assert!(burnt.disturbed.iter().any(by), "{burnt:?}");
    assert!(burnt.activity.pressure.cpu_some.is_none_or(|share| share >= 0.0), "{burnt:?}");

    // The record follows from the grounds in the journal.
    let disturbed: BTreeSet<u32> =
        run.conditions.iter().filter(|cell| !cell.disturbed.is_empty()).map(|cell| cell.block).collect();
    let conditions = &run.record.conditions;
    let of_plan = disturbed.iter().filter(|block| **block < 16).count();
    assert_eq!(conditions.disturbed as usize, of_plan);
    assert!(
        run.record
            .warnings
            .iter()
            .any(|text| text.starts_with(&format!("{of_plan} of 16 blocks were disturbed")))
    );
    if of_plan <= 8 {
        assert!(conditions.repeated > 0, "{conditions:?}");
    }
    assert_eq!(conditions.repeated as usize, run.repeats.len());
    assert!(run.set_aside.iter().all(|aside| disturbed.contains(&aside.block)));
    assert!(run.set_aside.iter().filter_map(|aside| aside.by).all(|block| !disturbed.contains(&block)));
    let replaced = run.set_aside.iter().filter(|aside| aside.by.is_some()).count();
    assert_eq!(conditions.replaced as usize, replaced);
    assert_eq!(measured(&run), 16);
    let csv = std::fs::read_to_string(folder.join("samples.csv")).unwrap();
    assert_eq!(csv.contains(",set-aside,"), !run.set_aside.is_empty());
}

/// CPUs that each thread of a process may use.
fn allowed(pid: u32) -> Vec<CpuList> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let list = |path: std::path::PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().parse().ok()
    };
    tasks.filter_map(|task| list(task.path())).collect()
}

#[test]
fn the_harness_leaves_the_cpus_of_its_instances() {
    let place = place();
    let folder = place.path().join("run");
    let mut command = isocost(place.path());
    command.args(["--quiet", "run", "./s.toml", "-o", "run"]).stdout(Stdio::null());
    let mut running = Kill(command.spawn().unwrap());
    wait_for(&folder, |run| run.samples.iter().any(|sample| sample.block == 1));
    let threads = allowed(running.0.id());
    let _ = running.0.wait();
    let record = journal::read(&folder).unwrap().record;
    let placement = record.conditions.placement.unwrap();
    assert_eq!(placement.instances.len(), 1);
    let seen = record.environments[0].inspection.as_ref().unwrap();
    assert_eq!(seen.affinity_cpus, Some(1), "seen from inside");
    let told = record.warnings.iter().any(|text| text.contains("too few cores"));
    assert_eq!(told, placement.shared);
    if placement.shared {
        return skip("the_harness_leaves_the_cpus_of_its_instances", "this host has one core");
    }
    assert_eq!(placement.harness.and(&placement.instances), CpuList::default());
    assert!(!threads.is_empty());
    // The thread that starts a process is where that is to be, for as long as that takes.
    let elsewhere = threads.iter().filter(|cpus| **cpus != placement.harness).count();
    assert!(elsewhere <= 1 && threads.len() > 2, "{threads:?}, {placement:?}");
}
