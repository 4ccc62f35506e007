//! The agent in a real container, through the library and a real engine.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveContainerOptions};
use isocost::environment::Environment;
use isocost::environment::docker::{DockerEnvironment, LABEL, address};
use isocost::measure::accounting::{Accounts, Cgroup};
use isocost::measure::accounting::{Bill, cgroup, cpu_ns};
use isocost::measure::equality;
use isocost::measure::sample::FailureName;
use isocost::suite::DockerSpec;
use isocost_agent::protocol::WorkOrder;

#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use scene::{DEADLINE, Scene, boot, integers, names, written};

const NOTHING: Vec<PathBuf> = Vec::new();

fn spec(runtime: &str) -> DockerSpec {
    DockerSpec { runtime: runtime.into(), network: false }
}

fn docker(scene: &Scene) -> Option<DockerEnvironment> {
    let mut docker = DockerEnvironment::new("docker", &spec("runc"), scene.context.clone());
    match docker.prepare() {
        Ok(prepared) => {
            assert!(prepared.image_bytes.is_some_and(|bytes| bytes >= scene.context.agent.len() as u64));
            Some(docker)
        }
        Err(error) => {
            skip("docker", error);
            None
        }
    }
}

/// Asks the engine itself.
fn ask<T>(question: impl AsyncFnOnce(Docker) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_host(&address()).unwrap().negotiate_version().await.unwrap();
        question(docker).await
    })
}

fn labelled(run_id: &str) -> Option<HashMap<String, Vec<String>>> {
    Some(HashMap::from([("label".to_owned(), vec![format!("{LABEL}={run_id}")])]))
}

fn containers(run_id: &str) -> Vec<ContainerSummary> {
    let options = ListContainersOptions { all: true, filters: labelled(run_id), ..Default::default() };
    ask(async |docker| docker.list_containers(Some(options)).await.unwrap())
}

fn images(run_id: &str) -> usize {
    let options = ListImagesOptions { all: true, filters: labelled(run_id), ..Default::default() };
    ask(async |docker| docker.list_images(Some(options)).await.unwrap().len())
}

fn nothing_is_left(scene: &Scene) {
    assert!(containers(&scene.context.run_id).is_empty());
    assert_eq!(images(&scene.context.run_id), 0);
    assert_eq!(scene.left(), NOTHING);
}

fn name_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned()
}

fn payers_are_right(accounts: &Accounts) {
    assert_eq!(name_of(accounts.instance.roots[0]), "agent");
    assert!(name_of(accounts.engine.roots[0]).starts_with("containerd-shim"));
    let standing: Vec<_> = accounts.standing.roots.iter().map(|pid| name_of(*pid)).collect();
    assert!(
        standing.contains(&"dockerd".to_owned()) && standing.contains(&"containerd".to_owned()),
        "{standing:?}"
    );
    let group = accounts.instance.cgroup.as_ref().unwrap();
    assert!(cgroup::memory_now(group).unwrap().value > 0);
    let bill = Bill::read(accounts);
    for (whose, reading) in
        [("instance", &bill.instance), ("shim", &bill.engine), ("standing", &bill.standing)]
    {
        let bytes = reading.clone().unwrap().unwrap().value;
        println!("{whose}: {bytes} bytes");
        assert!(bytes > 50_000, "{whose}: {bytes}");
    }
}

#[test]
fn it_starts_within_its_limits_works_and_leaves_nothing() {
    let scene = Scene::new("docker");
    let Some(mut docker) = docker(&scene) else { return };
    let mut instance = boot(&mut docker);
    assert_eq!(names(&*instance), ["create", "engine", "agent"]);
    assert_eq!(instance.start().check(), Ok(()));
    println!("{:?} {:?}", instance.start(), instance.marks());
    let returned = &instance.marks()[0];
    assert!(returned.0 == "start-returned" && returned.1 > instance.start().children[0].end);

    let seen = instance.inspect(DEADLINE).unwrap();
    assert_eq!(seen.agent_sha256, scene.context.agent_sha256);
    assert_eq!(equality::comparable(&seen, &seen, &scene.context.limits), [], "{seen:?}");
    assert_eq!((seen.affinity_cpus, seen.quota_cpus), (Some(2), Some(2.0)));
    assert_eq!(seen.cgroup_memory_limit_bytes, Some(256 << 20));
    assert_eq!(seen.layer_file_system.as_deref(), Some("overlay"));

    let accounts = instance.accounts();
    payers_are_right(&accounts);
    let before = cpu_ns(&accounts).unwrap().value;
    instance.prepare_work(&integers(), DEADLINE).unwrap();
    assert!(instance.run_work(DEADLINE).unwrap().done.units > 0);
    assert!(cpu_ns(&accounts).unwrap().value > before);

    let added = instance.added_bytes().unwrap();
    println!("added by an idle container: {added} bytes in {:?}", instance.layer());
    instance.prepare_work(&written(), DEADLINE).unwrap();
    instance.run_work(DEADLINE).unwrap();
    assert!(instance.added_bytes().unwrap() >= added + (1 << 20));

    let pid = accounts.instance.roots[0];
    let end = instance.stop().unwrap();
    println!("{end:?}");
    assert_eq!(end.check(), Ok(()));
    let parts: Vec<_> = end.children.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(parts, ["stop", "remove"]);
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    if let Some(Cgroup::V1 { memory: Some(folder), .. } | Cgroup::V2(folder)) = accounts.instance.cgroup {
        assert!(!folder.exists());
    }
    assert!(containers(&scene.context.run_id).is_empty());
    docker.dispose().unwrap();
    nothing_is_left(&scene);
}

#[test]
fn what_carries_another_label_stays() {
    let (scene, other) = (Scene::new("ours"), Scene::new("other"));
    let Some(mut docker) = docker(&scene) else { return };
    let mut theirs = DockerEnvironment::new("docker", &spec("runc"), other.context.clone());
    theirs.prepare().unwrap();
    let (ours, decoy) = (boot(&mut docker), boot(&mut theirs));
    drop(ours);
    docker.dispose().unwrap();
    nothing_is_left(&scene);
    let left = (containers(&other.context.run_id).len(), images(&other.context.run_id) > 0);
    assert_eq!(left, (1, true));
    decoy.stop().unwrap();
    drop(theirs);
    nothing_is_left(&other);
}

#[test]
fn the_image_of_the_same_agent_has_the_same_layers() {
    let scenes = [Scene::new("first"), Scene::new("second")];
    let mut layers = Vec::new();
    for scene in &scenes {
        let mut docker = DockerEnvironment::new("docker", &spec("runc"), scene.context.clone());
        let Ok(prepared) = docker.prepare() else {
            return skip("the_image_of_the_same_agent_has_the_same_layers", "no engine");
        };
        layers.extend(prepared.facts.into_iter().find(|(name, _)| name == "image.layers"));
    }
    assert!(layers.len() == 2 && layers[0] == layers[1] && layers[0].1.starts_with("sha256:"), "{layers:?}");
}

#[test]
fn a_runtime_that_is_not_registered_is_refused_with_those_that_are() {
    let scene = Scene::new("runtime");
    if docker(&scene).is_none() {
        return;
    }
    let mut docker = DockerEnvironment::new("docker", &spec("no-such-runtime"), scene.context.clone());
    let failure = docker.prepare().unwrap_err().failure;
    assert_eq!(failure.name, FailureName::NotStarted);
    assert!(
        failure.detail.contains("no-such-runtime") && failure.detail.contains("runc"),
        "{}",
        failure.detail
    );
    drop(docker);
    nothing_is_left(&scene);
}

#[test]
fn no_engine_and_one_elsewhere_say_what_to_type() {
    let scene = Scene::new("absent");
    for (address, word) in
        [("unix:///nonexistent/docker.sock", "setup/host.sh"), ("tcp://192.0.2.1:2375", "unset DOCKER_HOST")]
    {
        let mut docker = DockerEnvironment::at(address, "docker", &spec("runc"), scene.context.clone());
        let failure = docker.prepare().unwrap_err().failure;
        assert!(failure.detail.contains(address) && failure.detail.contains(word), "{}", failure.detail);
    }
}

#[test]
fn one_killed_from_outside_in_the_middle_of_work_is_named_and_removed() {
    let scene = Scene::new("killed");
    let Some(mut docker) = docker(&scene) else { return };
    let mut instance = boot(&mut docker);
    let order = WorkOrder { duration_ns: 60_000_000_000, ..integers() };
    instance.prepare_work(&order, DEADLINE).unwrap();
    let run_id = scene.context.run_id.clone();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let id = containers(&run_id)[0].id.clone().unwrap();
        ask(async |docker| docker.kill_container(&id, None).await.unwrap());
    });
    let failure = instance.run_work(DEADLINE).unwrap_err();
    killer.join().unwrap();
    assert_eq!(failure.name, FailureName::ExitedEarly);
    assert!(failure.detail.contains("ended with status 137"), "{}", failure.detail);
    let _ = instance.stop();
    docker.dispose().unwrap();
    nothing_is_left(&scene);
}

#[test]
fn one_removed_from_outside_is_no_error_of_ours() {
    let scene = Scene::new("removed");
    let Some(mut docker) = docker(&scene) else { return };
    let mut instance = boot(&mut docker);
    let id = containers(&scene.context.run_id)[0].id.clone().unwrap();
    let force = RemoveContainerOptions { force: true, ..Default::default() };
    ask(async |docker| docker.remove_container(&id, Some(force)).await.unwrap());
    assert_eq!(instance.inspect(DEADLINE).unwrap_err().name, FailureName::ExitedEarly);
    drop(instance);
    docker.dispose().unwrap();
    nothing_is_left(&scene);
}

#[test]
fn an_agent_that_is_no_program_fails_by_name_and_leaves_nothing() {
    let mut scene = Scene::new("no-program");
    scene.context.agent = std::sync::Arc::from(&b"this is no program"[..]);
    let mut docker = DockerEnvironment::new("docker", &spec("runc"), scene.context.clone());
    if let Err(error) = docker.prepare() {
        return skip("an_agent_that_is_no_program_fails_by_name_and_leaves_nothing", error);
    }
    let failure = docker.boot().err().unwrap().failure;
    // Some versions of runc see it before they say that the container has started, some after.
    let names = [FailureName::Engine, FailureName::ExitedEarly];
    assert!(names.contains(&failure.name) && failure.detail.contains("exec format error"), "{failure:?}");
    assert!(containers(&scene.context.run_id).is_empty());
    drop(docker);
    nothing_is_left(&scene);
}

#[test]
fn a_stop_ends_a_boot_and_leaves_nothing() {
    let scene = Scene::new("stopped");
    let Some(mut docker) = docker(&scene) else { return };
    let stop = scene.context.stop.clone();
    let raiser = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        stop.raise();
    });
    let failure = docker.boot().err().map(|error| error.failure.name);
    raiser.join().unwrap();
    // An engine that starts a container within 20 ms would be a surprise.
    assert_eq!(failure, Some(FailureName::Interrupted));
    docker.dispose().unwrap();
    nothing_is_left(&scene);
}

#[test]
fn a_deadline_that_passes_is_never_ready_and_leaves_nothing() {
    let mut scene = Scene::new("late");
    scene.context.start_deadline = Duration::from_millis(10);
    let Some(mut docker) = docker(&scene) else { return };
    let failure = docker.boot().err().unwrap().failure;
    assert_eq!(failure.name, FailureName::NeverReady, "{}", failure.detail);
    docker.dispose().unwrap();
    nothing_is_left(&scene);
}
