//! The agent as a real child process, through the library.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use isocost::environment::native::NativeEnvironment;
use isocost::environment::{Environment, Kind};
use isocost::measure::accounting::Cgroup;
use isocost::measure::accounting::{Bill, cgroup, cpu_ns};
use isocost::measure::counters::device::Device;
use isocost::measure::equality;
use isocost::measure::sample::FailureName;
use isocost_agent::protocol::WorkOrder;
use rustix::process::{Pid, Signal, kill_process};

#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use scene::{DEADLINE, Scene, boot, integers, names, written};

/// The environment, and whether this host let its memory be limited.
fn native(scene: &Scene) -> (NativeEnvironment, bool) {
    let mut native = NativeEnvironment::new("native", scene.context.clone());
    let prepared = native.prepare().unwrap();
    assert_eq!(prepared.image_bytes, Some(scene.context.agent.len() as u64));
    let limited = prepared.warnings.is_empty();
    if !limited {
        skip("the limits of native", prepared.warnings.join("; "));
    }
    (native, limited)
}

#[test]
fn it_starts_within_its_limits_works_and_leaves_nothing() {
    let scene = Scene::new("native");
    let (mut native, limited) = native(&scene);
    assert_eq!(native.kind(), Kind::Native);
    let mut instance = boot(&mut native);
    assert_eq!(names(&*instance), ["exec", "agent"]);
    assert_eq!(instance.start().check(), Ok(()));
    let returned = &instance.marks()[0];
    assert_eq!(returned.0, "start-returned");
    assert!(returned.1 > instance.start().start);

    let seen = instance.inspect(DEADLINE).unwrap();
    assert_eq!(seen.agent_sha256, scene.context.agent_sha256);
    if limited {
        assert_eq!(equality::comparable(&seen, &seen, &scene.context.limits), [], "{seen:?}");
        assert_eq!((seen.affinity_cpus, seen.quota_cpus), (Some(2), Some(2.0)));
        assert_eq!(seen.cgroup_memory_limit_bytes, Some(256 << 20));
    }

    let accounts = instance.accounts();
    let bill = Bill::read(&accounts);
    assert!(bill.instance.clone().unwrap().unwrap().value > 50_000, "{bill:?}");
    assert_eq!((bill.engine, bill.standing), (None, None), "a process has no engine");
    if limited {
        let group = accounts.instance.cgroup.clone().unwrap();
        assert!(cgroup::memory_now(&group).unwrap().value > 0);
    }

    let before = cpu_ns(&accounts).unwrap().value;
    instance.prepare_work(&integers(), DEADLINE).unwrap();
    let worked = instance.run_work(DEADLINE).unwrap();
    assert!(worked.done.units > 0);
    // On a busy host 20 ms pass with less than that of CPU time.
    assert!(cpu_ns(&accounts).unwrap().value > before);

    let added = instance.added_bytes().unwrap();
    instance.prepare_work(&written(), DEADLINE).unwrap();
    instance.run_work(DEADLINE).unwrap();
    assert!(instance.added_bytes().unwrap() >= added + (1 << 20));
    assert_eq!(instance.layer().driver, "directory");
    assert!(Device::behind(&instance.layer().host_path).is_ok() || !limited);

    let end = instance.stop().unwrap();
    assert_eq!(end.check(), Ok(()));
    let parts: Vec<_> = end.children.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(parts, ["stop", "remove"]);
    native.dispose().unwrap();
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn one_killed_from_outside_in_the_middle_of_work_is_named() {
    let scene = Scene::new("killed");
    let (mut native, _) = native(&scene);
    let mut instance = boot(&mut native);
    let order = WorkOrder { duration_ns: 60_000_000_000, ..integers() };
    instance.prepare_work(&order, DEADLINE).unwrap();
    let pid = Pid::from_raw(instance.accounts().instance.roots[0].cast_signed()).unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        kill_process(pid, Signal::KILL).unwrap();
    });
    let failure = instance.run_work(DEADLINE).unwrap_err();
    killer.join().unwrap();
    assert_eq!(failure.name, FailureName::ExitedEarly);
    assert!(failure.detail.contains("killed by signal 9"), "{}", failure.detail);
    drop(instance);
    native.dispose().unwrap();
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn more_memory_than_its_limit_ends_it_and_the_reason_is_told() {
    let mut scene = Scene::new("hog");
    // Keeps a line without an end.
    scene.context.agent = std::sync::Arc::from(&b"#!/bin/sh\nexec tail /dev/zero\n"[..]);
    scene.context.limits.memory_bytes = 64 << 20;
    let (mut native, limited) = native(&scene);
    if !limited {
        return;
    }
    let failure = native.boot().err().unwrap().failure;
    assert_eq!(failure.name, FailureName::ExitedEarly, "{}", failure.detail);
    assert!(failure.detail.contains("its memory was at the limit"), "{}", failure.detail);
    native.dispose().unwrap();
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_stop_ends_a_boot_and_a_drop_leaves_nothing() {
    let scene = Scene::new("stopped");
    let (mut native, _) = native(&scene);
    let instance = boot(&mut native);
    let group = instance.accounts().instance.cgroup.clone();
    drop(instance);
    if let Some(Cgroup::V1 { memory: Some(folder), .. } | Cgroup::V2(folder)) = group {
        assert!(!folder.exists());
    }
    scene.context.stop.raise();
    let failure = native.boot().err().map(|error| error.failure.name);
    // The agent may be quicker than the look at the signal.
    assert!(matches!(failure, None | Some(FailureName::Interrupted)), "{failure:?}");
    native.dispose().unwrap();
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}
