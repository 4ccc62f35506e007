//! The same program of the same size in all three environments, proved from inside each.
#![allow(clippy::unwrap_used, missing_docs)]

use isocost::environment::docker::DockerEnvironment;
use isocost::environment::native::NativeEnvironment;
use isocost::environment::qemu::QemuEnvironment;
use isocost::environment::{Environment, Kind};
use isocost::measure::equality;
use isocost::suite::{AcceleratorChoice, DiskFormat, DockerSpec, KernelChoice, Machine, QemuSpec};
use isocost_agent::protocol::Inspection;

#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use scene::{DEADLINE, Scene, boot, integers};

fn environments(scene: &Scene) -> Vec<Box<dyn Environment>> {
    let docker = DockerSpec { runtime: "runc".into(), network: false };
    let qemu = QemuSpec {
        machine: Machine::Microvm,
        accelerator: AcceleratorChoice::Tcg,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    vec![
        Box::new(NativeEnvironment::new("native", scene.context.clone())),
        Box::new(DockerEnvironment::new("docker", &docker, scene.context.clone())),
        Box::new(QemuEnvironment::new("qemu", &qemu, scene.context.clone())),
    ]
}

/// What is seen from inside, once it has done some work there.
fn seen(environment: &mut dyn Environment) -> Inspection {
    let mut instance = boot(environment);
    let seen = instance.inspect(DEADLINE).unwrap();
    instance.prepare_work(&integers(), DEADLINE).unwrap();
    assert!(instance.run_work(DEADLINE).unwrap().done.units > 0);
    instance.stop().unwrap();
    seen
}

#[test]
fn three_environments_are_alike_in_all_that_must_match() {
    let scene = Scene::new("same-size");
    let mut all = Vec::new();
    for mut environment in environments(&scene) {
        let prepared = match environment.prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                return skip("three_environments_are_alike_in_all_that_must_match", error);
            }
        };
        if environment.kind() == Kind::Native && !prepared.warnings.is_empty() {
            let why = prepared.warnings.join("; ");
            return skip("three_environments_are_alike_in_all_that_must_match", why);
        }
        all.push((environment.kind(), seen(&mut *environment)));
        environment.dispose().unwrap();
    }
    assert_eq!(all.len(), 3);
    for (kind, inspection) in &all {
        assert_eq!(inspection.agent_sha256, scene.context.agent_sha256, "{kind:?}");
        assert_eq!(equality::cpus(inspection), Some(2.0), "{kind:?}: {inspection:?}");
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let differences = equality::comparable(&all[a].1, &all[b].1, &scene.context.limits);
        println!("{:?} and {:?} differ in {differences:#?}", all[a].0, all[b].0);
        assert!(!differences.iter().any(|one| one.must_match), "{differences:#?}");
    }
    assert_eq!(scene.left(), Vec::<std::path::PathBuf>::new());
}

/// CPUs that the threads of a process may use, each list once.
fn allowed(pid: u32) -> std::collections::BTreeSet<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    let list = |task: std::path::PathBuf| {
        let status = std::fs::read_to_string(task.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_owned()
    };
    tasks.map(list).collect()
}

#[test]
fn instances_run_where_the_harness_does_not() {
    let placement = isocost::measure::host::CpuPlacement::here(1);
    if placement.shared {
        let why = format!("this host has one core: {placement:?}");
        return skip("instances_run_where_the_harness_does_not", why);
    }
    let mut one_cpu = Scene::new("one-cpu");
    one_cpu.context.limits.cpus = 1;
    one_cpu.context.cpus = placement.clone();
    for mut environment in environments(&one_cpu) {
        let kind = environment.kind();
        if let Err(error) = environment.prepare() {
            return skip("instances_run_where_the_harness_does_not", error);
        }
        let mut instance = boot(&mut *environment);
        let accounts = instance.accounts();
        // QEMU is the engine of its guest; that of a container runs where it likes.
        let account = if kind == Kind::Qemu { &accounts.engine } else { &accounts.instance };
        assert!(!account.roots.is_empty(), "{kind:?}");
        for pid in &account.roots {
            let expected = std::collections::BTreeSet::from([placement.instances.to_string()]);
            assert_eq!(allowed(*pid), expected, "{kind:?}");
        }
        assert_eq!(equality::cpus(&instance.inspect(DEADLINE).unwrap()), Some(1.0), "{kind:?}");
        instance.stop().unwrap();
        environment.dispose().unwrap();
    }
}
