//! Containers of other runtimes than the usual one, and with a network, end to end: each registered in an engine of the test's own.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use isocost::environment::Environment;
use isocost::environment::docker::DockerEnvironment;
use isocost::journal::{self, Run};
use isocost::suite::DockerSpec;

#[path = "support/own_engine.rs"]
mod own_engine;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use own_engine::OwnEngine;
use scene::{Scene, boot};

const SUITE: &str = r#"
schema = 1
description = "other runtimes"
[limits]
cpus = 2
memory = "256MiB"
[blocks]
count = 1
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "shim"
kind = "docker"
runtime = "io.containerd.runc.v2"
[[environment]]
id = "crun"
kind = "docker"
runtime = "crun"
[[environment]]
id = "gvisor"
kind = "docker"
runtime = "gvisor"
[[environment]]
id = "shut"
kind = "docker"
runtime = "shut"
[[workload]]
id = "syscall"
duration = "50ms"
[[workload]]
id = "disk-sync"
duration = "100ms"
"#;

/// Debian's programs; without hardware of its own, gVisor traces what it runs. `shut` lets nobody reach a socket of the host.
const DAEMON: &str = r#"{"runtimes": {
    "crun": {"path": "/usr/bin/crun"},
    "gvisor": {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none", "--platform=ptrace", "--host-uds=open"]},
    "shut": {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none", "--platform=ptrace"]}
}}"#;

fn engine(test: &str) -> Option<OwnEngine> {
    if let Some(missing) =
        ["/usr/bin/crun", "/usr/bin/runsc"].into_iter().find(|path| !Path::new(path).exists())
    {
        skip(test, format!("there is no {missing}; mend: sh setup/host.sh test"));
        return None;
    }
    OwnEngine::with(DAEMON).map_err(|why| skip(test, why)).ok()
}

fn values<'a>(run: &'a Run, environment: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    let of = run.samples.iter().filter(move |sample| sample.environment == environment);
    of.filter_map(|sample| Some((sample.metric.as_str(), sample.value()?)))
}

#[test]
fn each_runtime_is_measured_and_one_that_shuts_the_agent_in_says_what_to_do() {
    let Some(engine) = engine("runtimes") else { return };
    let folder = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
    let (suite, out) = (folder.path().join("s.toml"), folder.path().join("run"));
    std::fs::write(&suite, SUITE).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_isocost"))
        .env("DOCKER_HOST", engine.address())
        .env("ISOCOST_CACHE", folder.path().join("cache"))
        .arg("run")
        .args([&suite, Path::new("-o"), &out])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("--host-uds=open"), "{text}");

    let run = journal::read(&out).unwrap();
    let metrics = |environment| values(&run, environment).map(|(metric, _)| metric).collect::<BTreeSet<_>>();
    let usual = metrics("shim");
    for wanted in ["startup.ready", "memory.total.idle", "cpu.syscall.rate", "disk.sync.rate"] {
        assert!(usual.contains(wanted), "{wanted} is not among {usual:?}\n{text}");
    }
    for environment in ["crun", "gvisor"] {
        assert_eq!(metrics(environment), usual, "{environment}:\n{text}");
    }
    assert_eq!(metrics("shut"), BTreeSet::new());

    let kernel = |environment: &str| {
        let found = run.record.environments.iter().find(|one| one.id == environment).unwrap();
        let seen = found.inspection.as_ref().unwrap();
        assert_eq!(seen.agent_sha256, run.record.agent_sha256, "{environment}");
        seen.kernel_release.clone()
    };
    assert_eq!(kernel("crun"), kernel("native"));
    assert_ne!(kernel("gvisor"), kernel("native"), "gVisor is a kernel of its own");
    let rate =
        |environment| values(&run, environment).find(|(metric, _)| *metric == "cpu.syscall.rate").unwrap().1;
    println!("system calls a second: crun {}, gVisor {}", rate("crun"), rate("gvisor"));
    assert!(rate("gvisor") < rate("crun") / 2.0, "each is traced");
}

#[test]
fn a_network_is_the_engines_default_one_where_it_is_asked_for() {
    let Some(engine) = engine("network") else { return };
    let scene = Scene::new("network");
    for (network, interfaces) in [(false, 1), (true, 2)] {
        let spec = DockerSpec { runtime: "runc".into(), network };
        let mut docker = DockerEnvironment::at(&engine.address(), "docker", &spec, scene.context.clone());
        docker.prepare().unwrap();
        let instance = boot(&mut docker);
        let pid = instance.accounts().instance.roots[0];
        let devices = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
        let names: Vec<&str> =
            devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
        let of_hosts = ["lo", "eth0"];
        assert_eq!(of_hosts.iter().filter(|name| names.contains(name)).count(), interfaces, "{names:?}");
        instance.stop().unwrap();
        docker.dispose().unwrap();
    }
    assert_eq!(scene.left(), Vec::<PathBuf>::new());
}
