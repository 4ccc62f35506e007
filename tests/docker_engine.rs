//! An engine that goes away in the middle of a run: nothing hangs, nothing taken is lost, and what remains is told and
//! removed later.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use isocost::environment::Environment;
use isocost::environment::docker::DockerEnvironment;
use isocost::journal;
use isocost::measure::sample::{FailureName, Outcome};
use isocost::suite::DockerSpec;
use isocost_agent::protocol::WorkOrder;

#[path = "support/own_engine.rs"]
mod own_engine;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use own_engine::OwnEngine;
use scene::{DEADLINE, Scene, boot, integers};

fn engine(test: &str) -> Option<OwnEngine> {
    OwnEngine::start().map_err(|why| skip(test, why)).ok()
}

fn docker(engine: &OwnEngine, scene: &Scene) -> DockerEnvironment {
    let spec = DockerSpec { runtime: "runc".into(), network: false };
    DockerEnvironment::at(&engine.address(), "docker", &spec, scene.context.clone())
}

/// What happens to an instance at work when its engine ends by `end`.
fn goes_away(mut engine: OwnEngine, end: fn(&mut OwnEngine)) {
    let scene = Scene::new("engine");
    let mut docker = docker(&engine, &scene);
    docker.prepare().unwrap();
    let mut instance = boot(&mut docker);
    let process = format!("/proc/{}", instance.accounts().instance.roots[0]);
    let order = WorkOrder { duration_ns: 300_000_000_000, ..integers() };
    instance.prepare_work(&order, DEADLINE).unwrap();
    let began = Instant::now();
    let ender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        end(&mut engine);
        engine
    });
    let failure = instance.run_work(Duration::from_secs(400)).unwrap_err();
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    println!("{failure:?}");
    assert!(matches!(failure.name, FailureName::Engine | FailureName::ExitedEarly), "{failure:?}");
    let mut engine = ender.join().unwrap();

    let left = instance.stop().err().unwrap().failure;
    assert_eq!(left.name, FailureName::NotRemoved);
    assert!(left.detail.contains("isocost clean"), "{}", left.detail);
    // It goes all the same, though nobody keeps the engine's books.
    let until = Instant::now() + Duration::from_secs(10);
    while Path::new(&process).exists() {
        assert!(Instant::now() < until, "{process} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    let next = docker.boot().err().unwrap().failure;
    assert_eq!(next.name, FailureName::Engine, "{}", next.detail);

    engine.again().unwrap();
    boot(&mut docker).stop().unwrap();
    docker.dispose().unwrap();
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_engine_that_is_stopped_ends_its_containers_cell_and_no_other() {
    let Some(engine) = engine("an_engine_that_is_stopped_ends_its_containers_cell_and_no_other") else {
        return;
    };
    goes_away(engine, OwnEngine::stop);
}

#[test]
fn an_engine_that_is_killed_leaves_no_container_at_work() {
    let Some(engine) = engine("an_engine_that_is_killed_leaves_no_container_at_work") else { return };
    goes_away(engine, OwnEngine::kill);
}

const SUITE: &str = r#"
schema = 1
description = "two environments, one of which goes away"
[limits]
cpus = 1
memory = "128MiB"
[blocks]
count = 30
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "docker"
kind = "docker"
runtime = "runc"
[[workload]]
id = "cpu-integer"
duration = "50ms"
"#;

fn isocost(engine: &OwnEngine, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isocost"));
    command.env("DOCKER_HOST", engine.address()).env("ISOCOST_CACHE", cache).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_run_goes_on_without_its_engine_and_clean_comes_back() {
    let Some(mut engine) = engine("a_run_goes_on_without_its_engine_and_clean_comes_back") else { return };
    let folder = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
    let (suite, run, cache) =
        (folder.path().join("s.toml"), folder.path().join("run"), folder.path().join("cache"));
    std::fs::write(&suite, SUITE).unwrap();
    let mut child = isocost(&engine, &cache);
    child.arg("run").arg(&suite).arg("-o").arg(&run).args(["--budget", "60s"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + DEADLINE;
    let started = |text: &str| text.contains(r#""environment":"docker""#) && text.contains("startup.ready");
    let journal_file = run.join(journal::JOURNAL_FILE);
    while !std::fs::read_to_string(&journal_file).is_ok_and(|text| started(&text)) {
        assert!(Instant::now() < until, "no container was measured");
        std::thread::sleep(Duration::from_millis(20));
    }
    engine.stop();
    let output = child.wait_with_output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("isocost clean"), "{text}");

    let read = journal::read(&run).unwrap();
    let of = |id: &str| read.samples.iter().filter(|sample| sample.environment == id).collect::<Vec<_>>();
    let failed = |sample: &&isocost::measure::sample::Sample| matches!(sample.outcome, Outcome::Failed(_));
    assert!(of("docker").iter().any(|sample| !failed(sample)), "what was taken before is there");
    assert!(of("docker").iter().any(failed), "what could not be is there by name");
    assert!(!of("native").iter().any(failed), "native ran on");

    engine.again().unwrap();
    let cleaned = isocost(&engine, &cache).arg("clean").output().unwrap();
    let text = said(&cleaned);
    assert!(cleaned.status.success() && text.contains("image "), "{text}");
    let again = said(&isocost(&engine, &cache).arg("clean").output().unwrap());
    assert!(!again.contains("image "), "{again}");
}
