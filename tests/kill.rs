//! Whatever is killed, no sample is lost and nothing stays: signals, `kill -9` of isocost, of the agent and of QEMU, with a
//! real engine and a real QEMU, through the binary. What else runs on the host stays as it is.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions};
use isocost::environment::qemu::version;
use isocost::measure::journal::Run;
use isocost::measure::sample::{FailureName, Outcome};
use isocost::run::state::runs_folder;
use rustix::process::{Pid, Signal, kill_process};

#[path = "support/victim.rs"]
mod victim;

use victim::{Victim, processes};

/// What the engine has of a run.
#[derive(Debug, Default, PartialEq)]
struct InEngine {
    /// Host pids of running containers; 0 for those that do not run.
    containers: Vec<i64>,
    images: usize,
}

fn in_engine(run_id: &str) -> Result<InEngine, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_unix_defaults().map_err(|e| e.to_string())?;
        let docker = docker.negotiate_version().await.map_err(|e| e.to_string())?;
        let filters = Some(HashMap::from([("label".to_owned(), vec![format!("isocost.run={run_id}")])]));
        let of_run = ListContainersOptions { all: true, filters: filters.clone(), ..Default::default() };
        let mut found = InEngine::default();
        for container in docker.list_containers(Some(of_run)).await.map_err(|e| e.to_string())? {
            let seen = docker.inspect_container(&container.id.unwrap_or_default(), None).await;
            found.containers.push(seen.ok().and_then(|seen| seen.state?.pid).unwrap_or(0));
        }
        let of_run = ListImagesOptions { all: true, filters, ..Default::default() };
        found.images = docker.list_images(Some(of_run)).await.map_err(|e| e.to_string())?.len();
        Ok(found)
    })
}

/// `false`, with a named skip, where the engine or QEMU is missing; in CI that is a failure.
fn can_run(test: &str) -> bool {
    let missing = in_engine("none").err().or(version::find().err().map(|e| e.to_string()));
    let Some(why) = missing else { return true };
    assert!(std::env::var_os("CI").is_none(), "CI is set, and {why}");
    println!("SKIPPED {test}: {why}");
    false
}

fn groups(run_id: &str) -> Vec<std::path::PathBuf> {
    fn walk(folder: &Path, name: &str, depth: u32, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with(name) {
                    found.push(entry.path());
                } else if depth > 0 {
                    walk(&entry.path(), name, depth - 1, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), &format!("isocost-{run_id}"), 6, &mut found);
    found
}

fn nothing_is_left(victim: &Victim, run_id: &str) {
    assert_eq!(processes(run_id, ""), [], "processes");
    assert_eq!(in_engine(run_id).unwrap(), InEngine::default());
    assert_eq!(groups(run_id), Vec::<std::path::PathBuf>::new());
    let runs = runs_folder(&victim.cache);
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 0, "{}", runs.display());
}

/// All that was on disk before is in the folder still, and a report is made of it.
fn nothing_is_lost(victim: &Victim, before: &Run) {
    let after = victim.read().unwrap();
    assert!(after.samples.starts_with(&before.samples), "{} samples", after.samples.len());
    let report = victim.isocost(&["report", victim.folder.to_str().unwrap()]);
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    assert!(victim.folder.join("report.html").is_file());
}

/// A stranger that looks much like the run's own.
struct Decoy(Child);

impl Decoy {
    fn of(run_id: &str) -> Self {
        let mut command = Command::new("cat");
        command.env("ISOCOST_RUN", format!("{run_id}-other")).stdin(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn lives(mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "a stranger was ended");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Every environment has been measured once, and the second block has begun.
fn second_block(run: &Run) -> bool {
    run.samples.iter().any(|sample| sample.block == 1)
}

fn a_signal_ends_it(signal: Signal, code: i32, twice: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(folder.path(), &[]);
    let before = victim.until(second_block);
    let run_id = before.record.run_id.clone();
    let decoy = Decoy::of(&run_id);
    victim.signal(signal);
    if twice {
        while !victim.said().contains("once more to leave at once") {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let _ = kill_process(Pid::from_child(&victim.child), signal);
    }
    assert_eq!(victim.wait(), Some(code), "{}", victim.said());
    nothing_is_lost(&victim, &before);
    if twice {
        assert!(victim.isocost(&["clean"]).status.success());
    }
    nothing_is_left(&victim, &run_id);
    decoy.lives();
}

#[test]
fn an_interrupt_ends_it_in_order() {
    if can_run("an_interrupt_ends_it_in_order") {
        a_signal_ends_it(Signal::INT, 130, false);
    }
}

#[test]
fn a_termination_ends_it_in_order() {
    if can_run("a_termination_ends_it_in_order") {
        a_signal_ends_it(Signal::TERM, 143, false);
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_clean_does_the_rest() {
    if can_run("a_second_signal_ends_it_at_once_and_clean_does_the_rest") {
        a_signal_ends_it(Signal::TERM, 143, true);
    }
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_clean_and_by_the_next_run() {
    if !can_run("what_a_killed_run_leaves_is_removed_by_clean_and_by_the_next_run") {
        return;
    }
    let next = ["run", "quick", "--env", "native", "--workload", "cpu-integer", "--blocks", "1", "-o"];
    for by_clean in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut victim = Victim::start(folder.path(), &["--env", "docker"]);
        let before = victim.until(|run| !run.samples.is_empty());
        let run_id = before.record.run_id.clone();
        let decoy = Decoy::of(&run_id);
        // In the middle of a cell: its container is there.
        let until = std::time::Instant::now() + victim::PATIENCE;
        while !in_engine(&run_id).unwrap().containers.iter().any(|pid| *pid > 0) {
            assert!(std::time::Instant::now() < until, "no container ever ran");
        }
        victim.signal(Signal::KILL);
        assert_eq!(victim.wait(), None);
        nothing_is_lost(&victim, &before);
        assert!(in_engine(&run_id).unwrap().images > 0, "there was nothing to clean");
        let other = folder.path().join("next");
        let words: Vec<&str> =
            if by_clean { vec!["clean"] } else { [&next[..], &[other.to_str().unwrap()]].concat() };
        let cleaned = victim.isocost(&words);
        assert!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
        nothing_is_left(&victim, &run_id);
        decoy.lives();
    }
}

/// Kills what `pids` finds, once the run is in its second block, and looks at what came of it.
fn one_that_dies(environment: &str, pids: impl Fn(&str) -> Vec<Pid>) {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(folder.path(), &["--env", environment]);
    let before = victim.until(second_block);
    let run_id = before.record.run_id.clone();
    let failed = |run: &Run| {
        let mut names = run.samples.iter().filter_map(|sample| match &sample.outcome {
            Outcome::Failed(failure) => Some(failure.name),
            Outcome::Value(_) => None,
        });
        names.any(|name| name == FailureName::ExitedEarly)
    };
    // It may be caught in its orderly end: then the next one is killed.
    let mut kills = 0;
    let after = loop {
        for pid in pids(&run_id) {
            kills += u32::from(kill_process(pid, Signal::KILL).is_ok());
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        let run = victim.read().unwrap();
        if kills > 0 && failed(&run) {
            break run;
        }
    };
    // The run goes on.
    let failures = after.samples.iter().filter(|sample| sample.value().is_none()).count();
    let measured = after.samples.len() - failures;
    victim.until(|run| run.samples.iter().filter(|one| one.value().is_some()).count() > measured + 5);
    victim.signal(Signal::INT);
    assert_eq!(victim.wait(), Some(130), "{}", victim.said());
    nothing_is_lost(&victim, &before);
    nothing_is_left(&victim, &run_id);
}

#[test]
fn an_agent_that_is_killed_fails_its_cell_and_the_run_goes_on() {
    if can_run("an_agent_that_is_killed_fails_its_cell_and_the_run_goes_on") {
        one_that_dies("native", |run_id| processes(run_id, "isocost-agent"));
    }
}

#[test]
fn an_agent_killed_in_its_container_fails_its_cell_and_the_run_goes_on() {
    if can_run("an_agent_killed_in_its_container_fails_its_cell_and_the_run_goes_on") {
        one_that_dies("docker", |run_id| {
            let pids = in_engine(run_id).unwrap().containers.into_iter();
            pids.filter(|pid| *pid > 0).filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
        });
    }
}

#[test]
fn a_qemu_that_is_killed_fails_its_cell_and_the_run_goes_on() {
    if can_run("a_qemu_that_is_killed_fails_its_cell_and_the_run_goes_on") {
        one_that_dies("qemu", |run_id| processes(run_id, "qemu-system"));
    }
}

/// A run with a failure, left alone to its end, says so by its exit code.
#[test]
fn a_run_with_failures_ends_with_4() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(folder.path(), &["--env", "native", "--blocks", "20"]);
    let run_id = victim.until(second_block).record.run_id;
    while victim.child.try_wait().unwrap().is_none() {
        for pid in processes(&run_id, "isocost-agent") {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    assert_eq!(victim.wait(), Some(4), "{}", victim.said());
    nothing_is_lost(&victim, &victim.read().unwrap());
}
