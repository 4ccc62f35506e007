//! Isocost itself in whole Debian machines with stock KVM, systemd and cgroup v2: as root, and as a user who is in the
//! groups docker and kvm. docs/testing-machine.md says how they are made.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use isocost::environment::{Accelerator, Kind};
use isocost::measure::journal::{self, Run};
use isocost::measure::record::{Ending, EnvironmentRecord};
use isocost::measure::sample::{FailureName, Outcome, Sample};

#[path = "support/machine.rs"]
mod machine;

use machine::{Job, Machine};

const PROGRAM: &str = env!("CARGO_BIN_EXE_isocost");

/// What the visit takes on two idle CPUs, several times over.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// Measured blocks of each run.
const BLOCKS: u32 = 3;

#[test]
fn debian_12_measures_with_kvm() {
    visit("bookworm");
}

#[test]
fn debian_13_measures_with_kvm() {
    visit("trixie");
}

#[test]
#[ignore = "for people: a shell in the machine that ISOCOST_MACHINE names, trixie or bookworm"]
fn shell() {
    let suite = std::env::var("ISOCOST_MACHINE").unwrap_or_else(|_| "trixie".into());
    let Some(machine) = machine(&suite) else { return };
    machine.shell(&Job {
        script: "install -m 755 isocost /usr/local/bin/isocost; apt-get update; exec sleep infinity",
        files: &[(Path::new(PROGRAM), "isocost")],
        deadline: DEADLINE,
    });
}

/// `None`, with a named skip, where there can be no such machine; in CI that is a failure.
fn machine(suite: &str) -> Option<Machine> {
    match Machine::of(suite) {
        Ok(machine) => Some(machine),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "CI is set, and there is no {suite} machine: {why}");
            eprintln!("SKIPPED debian_machine {suite}: {why}");
            None
        }
    }
}

fn visit(suite: &str) {
    let began = Instant::now();
    let Some(machine) = machine(suite) else { return };
    let made = began.elapsed();
    let left = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/machine/left.pl"));
    let out = machine.run(&Job {
        script: include_str!("support/machine/visit.sh"),
        files: &[(Path::new(PROGRAM), "isocost"), (left, "left.pl")],
        deadline: DEADLINE,
    });
    eprintln!("{suite}: made or found in {made:.0?}, used for {:.0?}", began.elapsed() - made);
    let visit = Visit { out };
    eprintln!("{}", visit.text("times"));

    visit.every_step_is_done();
    visit.nothing_is_left();
    for who in ["root", "user"] {
        let run = visit.run(who);
        it_is_whole(&run, who == "root");
        virtual_machines_had_kvm(&run);
        memory_is_of_cgroup_v2(&run);
        the_agent_is_the_same_everywhere(&run);
    }
    every_family_has_figures(&visit.run("root"));
}

/// What came out of a machine.
struct Visit {
    out: PathBuf,
}

impl Visit {
    fn text(&self, name: &str) -> String {
        let path = self.out.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    fn run(&self, who: &str) -> Run {
        journal::read(&self.out.join(format!("{who}-run"))).unwrap()
    }

    fn every_step_is_done(&self) {
        let steps = ["doctor", "run", "clean", "left"];
        let steps = ["root", "user"].iter().flat_map(|who| steps.map(|step| format!("{who}-{step}")));
        for step in steps.chain(["update".into(), "left-before".into()]) {
            let (said, wrong) = (self.text(&format!("{step}.stdout")), self.text(&format!("{step}.stderr")));
            // The memory of a container's processes, which are root's, is a failed sample for anybody else.
            let expected = if step == "user-run" { "4\n" } else { "0\n" };
            assert_eq!(self.text(&format!("{step}.status")), expected, "{step}:\n{said}\n{wrong}");
        }
        assert_eq!(self.text("status"), "0\n", "{}", self.text("journal"));
    }

    fn nothing_is_left(&self) {
        let probe = self.text("left-probe.stdout");
        for seen in ["process sleep\n", "group /sys/fs/cgroup/isocost-probe\n", "file /tmp/isocost-probe\n"] {
            assert!(probe.contains(seen), "a thing that is left is not seen: {seen:?} in {probe}");
        }
        for step in ["left-before", "root-left", "user-left"] {
            assert_eq!(self.text(&format!("{step}.stdout")), "", "{step}");
        }
    }
}

fn it_is_whole(run: &Run, by_root: bool) {
    assert!(run.complete && !run.dropped_tail);
    assert_eq!(run.record.ending, Ending::Complete);
    let failed: Vec<_> =
        run.samples.iter().filter(|one| one.value().is_none() && !closed(one, by_root)).collect();
    assert!(failed.is_empty(), "{} of {} samples failed: {failed:#?}", failed.len(), run.samples.len());
    for (environment, metric) in
        ["native", "docker", "qemu"].iter().flat_map(|id| METRICS.map(|metric| (id, metric)))
    {
        if !by_root && *environment == "docker" && metric == "memory.total.idle" {
            continue;
        }
        let taken = run.samples.iter().filter(|s| s.environment == **environment && s.metric == metric);
        let blocks: BTreeSet<u32> =
            taken.filter(|sample| !sample.warm_up).map(|sample| sample.block).collect();
        assert_eq!(blocks.len(), BLOCKS as usize, "{environment} has {metric} in the blocks {blocks:?}");
    }
}

/// The kernel lets nobody but root read how processes of root use their memory; their control group it does.
fn closed(sample: &Sample, by_root: bool) -> bool {
    let unreadable =
        matches!(&sample.outcome, Outcome::Failed(failure) if failure.name == FailureName::Unreadable);
    !by_root && unreadable && sample.environment == "docker" && sample.metric.starts_with("memory.")
}

/// One of each family: start, memory, CPU, disk.
const METRICS: [&str; 4] =
    ["startup.ready", "memory.total.idle", "cpu.integer.rate", "disk.sync.latency.p50"];

fn virtual_machines_had_kvm(run: &Run) {
    let of_kind =
        |kind| run.record.environments.iter().filter(move |one: &&EnvironmentRecord| one.kind == kind);
    let machines: BTreeSet<&str> = of_kind(Kind::Qemu).map(|one| one.id.as_str()).collect();
    assert!(machines.contains("qemu"), "{machines:?}");
    let expected = |id: &str| if machines.contains(id) { Accelerator::Kvm } else { Accelerator::None };
    for environment in &run.record.environments {
        assert_eq!(environment.accelerator, expected(&environment.id), "{}", environment.id);
    }
    for sample in &run.samples {
        assert_eq!(sample.accelerator, expected(&sample.environment), "{sample:?}");
    }
}

fn memory_is_of_cgroup_v2(run: &Run) {
    assert_eq!(run.record.host.cgroup, "v2");
    for metric in ["memory.cgroup.idle", "memory.cgroup.peak"] {
        let taken = run.samples.iter().filter(|s| s.environment == "docker" && s.metric == metric);
        let values: Vec<f64> = taken.filter_map(|sample| sample.value()).collect();
        assert!(
            values.len() >= BLOCKS as usize && values.iter().all(|bytes| *bytes > 0.0),
            "{metric}: {values:?}"
        );
    }
    let docker = run.record.environments.iter().find(|one| one.id == "docker").unwrap();
    let facts = &docker.prepared.facts;
    assert!(facts.iter().any(|(_, value)| value.contains("systemd")), "not by systemd: {facts:?}");
}

fn the_agent_is_the_same_everywhere(run: &Run) {
    assert_eq!(run.record.agent_sha256, isocost::agent::sha256());
    for environment in &run.record.environments {
        let seen = environment.inspection.as_ref();
        let seen = seen.unwrap_or_else(|| panic!("{} was not looked at from inside", environment.id));
        assert_eq!(seen.agent_sha256, run.record.agent_sha256, "{}", environment.id);
    }
}

/// Each workload of the suite in each environment that it is for.
fn every_family_has_figures(run: &Run) {
    let workloads: Vec<&str> = run.record.plan.suite.workloads.iter().map(|one| one.id.as_str()).collect();
    assert!(workloads.len() > 10, "{workloads:?}");
    for environment in ["native", "docker", "qemu"] {
        let of = run.samples.iter().filter(|sample| sample.environment == environment);
        let have: BTreeSet<&str> = of.map(|sample| sample.workload.as_str()).collect();
        let missing: Vec<_> = workloads.iter().filter(|id| !have.contains(*id)).collect();
        assert!(missing.is_empty(), "{environment} has nothing of {missing:?}");
    }
}
