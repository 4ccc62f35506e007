//! Signals, kills and crashes in the middle of a run of the real program, with a real engine and a real QEMU: no sample
//! that was taken is lost, nothing stays behind, and nothing else is touched.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, ListContainersOptions, RemoveContainerOptions,
    RemoveImageOptions,
};
use futures_util::StreamExt as _;
use isocost::journal::record::Ending;
use isocost::journal::{self, Run};
use isocost::measure::sample::{FailureName, Outcome};
use rustix::process::{Pid, Signal, kill_process};

#[path = "support/live.rs"]
mod live;
#[path = "support/own_engine.rs"]
mod own_engine;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use live::{Place, all_here, ask, counted, left, nothing_is_left};

/// All three, each long enough at work to be hurt there.
fn suite(blocks: u32, work: &str) -> String {
    format!(
        r#"
schema = 1
[limits]
cpus = 1
memory = "128MiB"
[blocks]
count = {blocks}
warm_up = 0
cold = 0
[deadlines]
start = "120s"
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "docker"
kind = "docker"
[[environment]]
id = "qemu"
kind = "qemu"
accelerator = "tcg"
[[workload]]
id = "cpu-integer"
duration = "{work}"
"#
    )
}

/// The run can be read and reported, with at least the samples there were before.
fn nothing_is_lost(place: &Place, folder: &Path, before: &Run) -> Run {
    let after = journal::read(folder).unwrap();
    assert!(after.samples.len() >= before.samples.len() && !before.samples.is_empty());
    assert_eq!(after.samples[..before.samples.len()], before.samples[..]);
    let report = place.isocost().arg("report").arg(folder).output().unwrap();
    assert_eq!(report.status.code(), Some(0), "{report:?}");
    assert!(folder.join("report.html").exists());
    after
}

#[test]
fn the_first_signal_ends_a_run_in_an_orderly_way_wherever_it_is() {
    if !all_here("the_first_signal_ends_a_run_in_an_orderly_way_wherever_it_is") {
        return;
    }
    let place = Place::new();
    for (environment, signal, code) in
        [("native", Signal::HUP, 129), ("docker", Signal::INT, 130), ("qemu", Signal::TERM, 143)]
    {
        let mut live = place.begin(&suite(50, "60s"), &["--env", environment]);
        let before = live.wait_for_work(environment, 1);
        let (run_id, engine, folder) = (&before.record.run_id, live.engine().to_owned(), live.run.clone());
        live.signal(signal);
        let (ended, said) = live.end();
        assert_eq!(ended, Some(code), "{environment}: {said}");
        assert!(said.contains("stopping: what runs is removed first"), "{said}");
        assert_eq!(left(run_id, &engine), Vec::<String>::new());
        assert_eq!(place.states(), 0);
        let after = nothing_is_lost(&place, &folder, &before);
        assert!(after.complete && after.record.ending == Ending::Interrupted);
    }
}

#[test]
fn a_cache_with_a_longer_path_than_a_sockets_serves_and_is_cleaned_as_any_other() {
    if !all_here("a_cache_with_a_longer_path_than_a_sockets_serves_and_is_cleaned_as_any_other") {
        return;
    }
    let place = Place::deep();
    let live = place.begin(&suite(1, "20ms"), &["--accel", "auto"]);
    let (folder, engine) = (live.run.clone(), live.engine().to_owned());
    let (ended, said) = live.end();
    assert_eq!(ended, Some(0), "{said}");
    let run = journal::read(&folder).unwrap();
    for id in ["native", "docker", "qemu"] {
        assert!(matches!(counted(&run, id), (1.., 0)), "{id}: {said}");
    }
    nothing_is_left(&run.record.run_id, &engine);
    assert_eq!(place.states(), 0);

    let mut live = place.begin(&suite(50, "60s"), &["--env", "qemu"]);
    let run = live.wait_for_work("qemu", 1);
    live.signal(Signal::KILL);
    live.end();
    place.clean();
    nothing_is_left(&run.record.run_id, &engine);
    assert_eq!(place.states(), 0);
}

/// The command with a `qemu-img` of ours before the real one: it makes no disk for as long as it is let.
fn with_slow_qemu_img(place: &Place) -> Command {
    let programs = place.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let slow = programs.join("qemu-img");
    std::fs::write(&slow, "#!/bin/sh\n[ \"$1\" = create ] || exit 1\nsleep 1000 &\nwait\n").unwrap();
    std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = place.isocost();
    command.env("PATH", format!("{}:{path}", programs.display()));
    command
}

/// As a terminal's Ctrl-C does it: the whole foreground group gets the signal.
#[test]
fn a_signal_to_the_whole_group_is_heeded_by_isocost_alone_and_a_killed_one_leaves_no_helper() {
    if !all_here("a_signal_to_the_whole_group_is_heeded_by_isocost_alone_and_a_killed_one_leaves_no_helper") {
        return;
    }
    for signal in [Signal::INT, Signal::KILL] {
        let place = Place::new();
        let mut command = with_slow_qemu_img(&place);
        command.process_group(0);
        let mut live = place.begin_with(command, &suite(2, "20ms"), &["--env", "qemu"]);
        let run_id = live.wait_until("its folder", |_| true).record.run_id;
        live.wait_until("a slow helper", |_| !live::processes_named(&run_id, "sleep").is_empty());
        live.signal_group(signal);
        let (engine, folder) = (live.engine().to_owned(), live.run.clone());
        let (ended, said) = live.end();
        assert_eq!(ended, (signal == Signal::INT).then_some(130), "{said}");
        if signal == Signal::INT {
            let run = journal::read(&folder).unwrap();
            let outcomes = run.samples.iter().map(|sample| &sample.outcome);
            let interrupted = |outcome: &Outcome| matches!(outcome, Outcome::Failed(why) if why.name == FailureName::Interrupted);
            assert!(!run.samples.is_empty() && outcomes.clone().all(interrupted), "{:?}", run.samples);
        } else {
            let cleaned = place.clean();
            assert!(cleaned.contains("(sleep)"), "{cleaned}");
        }
        nothing_is_left(&run_id, &engine);
        assert_eq!(place.states(), 0);
    }
}

#[test]
fn a_signal_ends_the_wait_for_another_run_that_prepares_the_same() {
    if !all_here("a_signal_ends_the_wait_for_another_run_that_prepares_the_same") {
        return;
    }
    let place = Place::new();
    // Of its own: other tests need the common one.
    let kernels = place.cache().join("kernels-1");
    std::fs::remove_file(&kernels).unwrap();
    std::fs::create_dir(&kernels).unwrap();
    let held = std::fs::File::create(kernels.join(".lock")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::fs::write(place.path().join("suite.toml"), suite(2, "20ms")).unwrap();
    let mut command = place.isocost();
    command.args(["run", "./suite.toml", "--env", "qemu", "-o", "run"]);
    let mut waiting = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(waiting.stderr.take().unwrap());
    while !said.contains("waiting for another isocost") {
        assert_ne!(std::io::BufRead::read_line(&mut lines, &mut said).unwrap(), 0, "{said}");
    }
    kill_process(Pid::from_child(&waiting), Signal::TERM).unwrap();
    std::io::Read::read_to_string(&mut lines, &mut said).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(143), "{said}");
    assert_eq!(place.states(), 0);
}

#[test]
fn the_second_signal_ends_it_at_once_and_clean_removes_the_rest() {
    if !all_here("the_second_signal_ends_it_at_once_and_clean_removes_the_rest") {
        return;
    }
    let place = Place::new();
    let mut live = place.begin(&suite(50, "60s"), &["--env", "docker"]);
    let before = live.wait_for_work("docker", 1);
    let (run_id, engine, folder) = (&before.record.run_id, live.engine().to_owned(), live.run.clone());
    // Both wait for it when it goes on: between them it can remove nothing.
    live.signal(Signal::STOP);
    live.signal(Signal::TERM);
    live.signal(Signal::INT);
    live.signal(Signal::CONT);
    let (ended, said) = live.end();
    assert!(matches!(ended, Some(130 | 143)), "{ended:?}: {said}");
    assert!(said.contains("left at once"), "{said}");
    nothing_is_lost(&place, &folder, &before);
    let cleaned = place.clean();
    assert!(cleaned.contains(run_id) && cleaned.contains("removed container"), "{cleaned}");
    nothing_is_left(run_id, &engine);
    assert_eq!(place.states(), 0);
}

/// What looks like a run's and is not.
struct Decoys {
    process: Child,
    run_id: String,
    image: String,
    container: String,
    engine: String,
}

impl Decoys {
    fn make(run_id: &str, engine: &str) -> Self {
        let other = format!("{run_id}-other");
        let process = Command::new("cat").env("ISOCOST_RUN", &other).stdin(Stdio::piped()).spawn().unwrap();
        let image = format!("isocost-decoy-{run_id}");
        let container = ask(engine, async |docker| {
            let options = CreateImageOptions {
                from_src: Some("-".into()),
                repo: Some(image.clone()),
                changes: vec![format!("LABEL isocost.run={other}")],
                ..Default::default()
            };
            let tar = tar::Builder::new(Vec::new()).into_inner().unwrap();
            let mut made = docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
            while let Some(line) = made.next().await {
                line.unwrap();
            }
            drop(made);
            let body = ContainerCreateBody {
                image: Some(image.clone()),
                cmd: Some(vec!["/none".into()]),
                labels: Some(HashMap::from([("isocost.run".to_owned(), other.clone())])),
                ..Default::default()
            };
            docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id
        });
        Self { process, run_id: other, image, container, engine: engine.to_owned() }
    }

    /// They are all there; then they go.
    fn are_untouched(mut self) {
        assert!(self.process.try_wait().unwrap().is_none(), "a process of another run was killed");
        assert_eq!(left(&self.run_id, &self.engine).len(), 3);
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        ask(&self.engine, async |docker| {
            docker.remove_container(&self.container, None::<RemoveContainerOptions>).await.unwrap();
            docker.remove_image(&self.image, None::<RemoveImageOptions>, None).await.unwrap();
        });
    }
}

#[test]
fn what_kill_9_leaves_is_removed_by_clean_or_the_next_run_and_nothing_else_is() {
    if !all_here("what_kill_9_leaves_is_removed_by_clean_or_the_next_run_and_nothing_else_is") {
        return;
    }
    let place = Place::new();
    for environment in ["native", "docker", "qemu"] {
        let mut live = place.begin(&suite(50, "60s"), &["--env", environment]);
        let before = live.wait_for_work(environment, 1);
        let (run_id, engine, folder) = (&before.record.run_id, live.engine().to_owned(), live.run.clone());
        let decoys = Decoys::make(run_id, &engine);
        live.signal(Signal::KILL);
        assert_eq!(live.end().0, None);
        let after = nothing_is_lost(&place, &folder, &before);
        assert!(!after.complete && after.record.ending == Ending::Unfinished);
        assert_eq!(
            left(run_id, &engine).iter().any(|what| what.starts_with("container")),
            environment == "docker"
        );
        if environment == "qemu" {
            let mut next = place.isocost();
            next.args([
                "run",
                "./suite.toml",
                "--env",
                "native",
                "--blocks",
                "1",
                "--budget",
                "1ms",
                "-o",
                "next",
            ]);
            let next = next.output().unwrap();
            let said = String::from_utf8_lossy(&next.stderr).into_owned();
            assert_eq!(next.status.code(), Some(0), "{said}");
            assert!(said.contains(&format!("removed of the run {run_id}")), "{said}");
        } else {
            let cleaned = place.clean();
            assert!(cleaned.contains(run_id), "{cleaned}");
            assert!(environment != "docker" || cleaned.contains("removed image"), "{cleaned}");
        }
        nothing_is_left(run_id, &engine);
        assert_eq!(place.states(), 0);
        decoys.are_untouched();
    }
    assert!(place.clean().starts_with("nothing to remove"));
}

/// The engine makes an image in steps, and goes on with the one it is at when nobody waits for it any more.
#[test]
fn a_signal_while_an_image_is_built_leaves_none() {
    if !all_here("a_signal_while_an_image_is_built_leaves_none") {
        return;
    }
    let place = Place::new();
    let mut caught = 0;
    for (signal, tenths) in
        [Signal::TERM, Signal::KILL].into_iter().flat_map(|it| (1..9).map(move |i| (it, i)))
    {
        let live = place.begin(&suite(50, "60s"), &["--env", "docker"]);
        std::thread::sleep(Duration::from_millis(120 * tenths));
        let states = std::fs::read_dir(place.cache().join("runs")).into_iter().flatten().flatten();
        let names: Vec<String> = states.map(|one| one.file_name().to_string_lossy().into_owned()).collect();
        caught += u32::from(!names.is_empty() && journal::read(&live.run).is_err());
        let engine = live.engine().to_owned();
        live.signal(signal);
        live.end();
        if signal == Signal::KILL {
            place.clean();
        }
        for run_id in names.iter().filter(|name| !name.contains('.')) {
            // What is made a moment later counts too.
            std::thread::sleep(Duration::from_millis(500));
            assert_eq!(left(run_id, &engine), Vec::<String>::new(), "{signal:?} after {tenths} tenths");
        }
        assert_eq!(place.states(), 0);
    }
    assert!(caught > 2, "of sixteen signals {caught} came while it was being prepared");
}

#[test]
fn a_run_that_nobody_keeps_is_found_as_well() {
    if !all_here("a_run_that_nobody_keeps_is_found_as_well") {
        return;
    }
    let place = Place::new();
    let pilot = ["plan", "./suite.toml", "--pilot", "6", "--env", "docker"];
    let trials: [(&[&str], &str); 3] =
        [(&pilot, "docker"), (&["doctor", "--noise", "10min"], "a"), (&["selfcheck"], "")];
    for (arguments, environment) in trials {
        for signal in [Signal::TERM, Signal::KILL] {
            let mut live = place.begin_trial(&suite(6, "60s"), arguments);
            let at_work = |run: &Run| {
                run.samples.iter().any(|one| one.environment == environment || environment.is_empty())
            };
            let run_id = live.wait_until("it is at work", at_work).record.run_id;
            let engine = live.engine().to_owned();
            live.signal(signal);
            let (ended, said) = live.end();
            assert_eq!(ended, (signal == Signal::TERM).then_some(143), "{arguments:?}: {said}");
            if signal == Signal::KILL {
                // Its folder and the run's own, each by its lock.
                assert_eq!(place.states(), 4, "{arguments:?}");
                let cleaned = place.clean();
                assert!(cleaned.contains(&run_id), "{cleaned}");
                assert!(environment != "docker" || cleaned.contains("removed image"), "{cleaned}");
            }
            nothing_is_left(&run_id, &engine);
            assert_eq!(place.states(), 0, "{arguments:?}");
        }
    }
}

/// The pid on the host of the container of that run.
fn pid_in_container(run_id: &str, engine: &str) -> Pid {
    let pid = ask(engine, async |docker| {
        let filters = Some(HashMap::from([("label".to_owned(), vec![format!("isocost.run={run_id}")])]));
        let options = ListContainersOptions { filters, ..Default::default() };
        let all = docker.list_containers(Some(options)).await.unwrap();
        let inspected = docker.inspect_container(all[0].id.as_ref().unwrap(), None).await.unwrap();
        inspected.state.unwrap().pid.unwrap()
    });
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

fn only(mut pids: Vec<Pid>) -> Pid {
    assert_eq!(pids.len(), 1, "{pids:?}");
    pids.remove(0)
}

/// `kill -9` of what runs in, or as, an instance: one cell fails by name, the next one of its kind is well.
#[test]
fn an_agent_or_a_qemu_that_is_killed_fails_its_cell_and_the_run_goes_on() {
    if !all_here("an_agent_or_a_qemu_that_is_killed_fails_its_cell_and_the_run_goes_on") {
        return;
    }
    let place = Place::new();
    let mut live = place.begin(&suite(2, "4s"), &[]);
    let engine = live.engine().to_owned();
    let mut before = None;
    for _ in ["native", "docker", "qemu"] {
        let seen = live.wait_until("any first cell", |run| {
            ["native", "docker", "qemu"].iter().any(|id| {
                let its = |metric: &str| {
                    run.samples
                        .iter()
                        .any(|one| one.environment == *id && one.metric == metric && one.block == 0)
                };
                its("memory.total.idle") && !its("cpu.integer.rate")
            })
        });
        let run_id = seen.record.run_id.clone();
        let last = seen.samples.iter().rev().find(|one| one.metric == "memory.total.idle").unwrap();
        let victim = match last.environment.as_str() {
            "native" => only(live::processes_named(&run_id, "isocost-agent")),
            "docker" => pid_in_container(&run_id, &engine),
            _ => only(live::processes_named(&run_id, "qemu-system")),
        };
        kill_process(victim, Signal::KILL).unwrap();
        let id = last.environment.clone();
        live.wait_until("the failure", |run| {
            run.samples.iter().any(|one| one.environment == id && one.metric == "cpu.integer.rate")
        });
        before = Some(seen);
    }
    let folder = live.run.clone();
    let (ended, said) = live.end();
    assert_eq!(ended, Some(4), "{said}");
    let after = nothing_is_lost(&place, &folder, &before.unwrap());
    assert!(after.complete && after.record.ending == Ending::Complete);
    for environment in ["native", "docker", "qemu"] {
        let its = |block: u32| {
            let of_work =
                after.samples.iter().filter(|one| one.metric == "cpu.integer.rate" && one.block == block);
            of_work
                .filter(|one| one.environment == environment)
                .map(|one| one.outcome.clone())
                .collect::<Vec<_>>()
        };
        let [Outcome::Failed(failure)] = &its(0)[..] else { panic!("{environment}: {:?}", its(0)) };
        assert_eq!(failure.name, FailureName::ExitedEarly, "{environment}: {failure:?}");
        assert!(matches!(its(1)[..], [Outcome::Value(_)]), "{environment}: {:?}", its(1));
    }
    nothing_is_left(&after.record.run_id, &engine);
    assert_eq!(place.states(), 0);
}

#[test]
fn an_engine_that_is_killed_in_mid_run_costs_its_own_samples_only() {
    let mut engine = match own_engine::OwnEngine::start() {
        Ok(engine) => engine,
        Err(why) => {
            return skip("an_engine_that_is_killed_in_mid_run_costs_its_own_samples_only", why);
        }
    };
    let place = Place::with_engine(&engine.address());
    let mut live = place.begin(&suite(3, "2s"), &["--env", "native,docker"]);
    let before = live.wait_for_work("docker", 1);
    let (run_id, folder) = (before.record.run_id.clone(), live.run.clone());
    engine.kill();
    let (ended, said) = live.end();
    assert_eq!(ended, Some(4), "{said}");
    let after = nothing_is_lost(&place, &folder, &before);
    assert!(after.complete);
    assert_eq!(counted(&after, "native").1, 0, "native has nothing to do with it");
    assert!(counted(&after, "docker").1 > 0);
    engine.again().unwrap();
    place.clean();
    nothing_is_left(&run_id, &engine.address());
    assert_eq!(place.states(), 0);
}

/// A full disk in mid-run: what was taken is kept, and the message says where.
#[test]
fn a_disk_that_fills_up_ends_the_run_and_keeps_its_samples() {
    let place = Place::new();
    let small = place.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    if let Err(why) = rustix::mount::mount("tmpfs", &small, "tmpfs", flags, Some(c"size=24m")) {
        return skip("a_disk_that_fills_up_ends_the_run_and_keeps_its_samples", why);
    }
    let mut live = place.begin_in(&small.join("run"), &suite(500, "20ms"), &["--env", "native"]);
    let before = live.wait_until("some samples", |run| run.samples.len() > 20);
    let filler = std::fs::File::create(small.join("filler")).unwrap();
    // All that is left, to the last block.
    while std::io::Write::write_all(&mut &filler, &[0; 4096]).is_ok() {}
    let (code, said) = live.end();
    drop(filler);
    let after = journal::read(&small.join("run"));
    std::fs::remove_file(small.join("filler")).unwrap();
    let report = place.isocost().args(["report", "small/run"]).output();
    rustix::mount::unmount(&small, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no space left for") && said.contains("samples before it are kept"), "{said}");
    assert!(after.unwrap().samples.len() >= before.samples.len());
    assert_eq!(report.unwrap().status.code(), Some(0));
    nothing_is_left(&before.record.run_id, "unix:///var/run/docker.sock");
    assert_eq!(place.states(), 0);
}
