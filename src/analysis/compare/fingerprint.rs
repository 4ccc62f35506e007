//! What two runs must have in common for their values to be compared, and what is only named beside a change.
//!
//! The host, its kernel, what was asked of the agent and the agent itself must be the same: a figure moves with each of
//! them. The engine, QEMU, the guest's kernel and the images may differ, because whether they make a difference is
//! what is asked; each that does is named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::environment::ARTEFACTS;
use crate::journal::record::{EnvironmentRecord, RunRecord};
use crate::measure::host::Host;
use crate::suite::{EnvironmentSpec, Suite, WorkloadSpec};

/// Something that two runs do not have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// What.
    pub what: String,
    /// The environment it belongs to; `None` for the host, the suite and the agent.
    pub environment: Option<String>,
    /// In the base.
    pub base: String,
    /// In the other.
    pub new: String,
    /// Values may not be compared while it differs.
    pub forbids: bool,
}

/// What a differing agent is called.
pub(crate) const AGENT: &str = "agent";

/// All that differs between two runs.
#[must_use]
pub fn mismatches(base: &RunRecord, new: &RunRecord) -> Vec<Mismatch> {
    let mut all = Collector::default();
    host(&base.host, &new.host, &mut all);
    all.differ(AGENT, &base.agent_sha256, &new.agent_sha256, true);
    suites(&base.plan.suite, &new.plan.suite, &mut all);
    for one in &base.environments {
        if let Some(other) = new.environments.iter().find(|other| other.id == one.id) {
            environments(one, other, &mut all);
        }
    }
    all.found
}

/// Are the host and its settings the same? Then values may be compared, and not only ratios.
#[must_use]
pub fn same_host(base: &Host, new: &Host) -> bool {
    hosts(base, new).is_empty()
}

/// What makes two hosts two, or one host another than it was.
#[must_use]
pub fn hosts(base: &Host, new: &Host) -> Vec<Mismatch> {
    let mut all = Collector::default();
    host(base, new, &mut all);
    all.found.retain(|one| one.forbids);
    all.found
}

/// What was recorded of one environment that differs: empty where it is the same thing on both sides.
#[must_use]
pub fn artefacts(base: &RunRecord, new: &RunRecord, environment: &str) -> Vec<Mismatch> {
    let find = |record: &RunRecord| record.environments.iter().position(|one| one.id == environment);
    let mut all = Collector::default();
    if let (Some(a), Some(b)) = (find(base), find(new)) {
        environments(&base.environments[a], &new.environments[b], &mut all);
    }
    all.found
}

fn host(base: &Host, new: &Host, all: &mut Collector) {
    all.differ("the host's kernel", &base.kernel_release, &new.kernel_release, true);
    all.option("CPU model", base.cpu_model.as_ref(), new.cpu_model.as_ref(), true);
    all.option("microcode", base.microcode.as_ref(), new.microcode.as_ref(), true);
    all.differ("number of CPUs", &base.online_cpus, &new.online_cpus, true);
    all.differ("host memory", &gibibytes(base.memory_bytes), &gibibytes(new.memory_bytes), true);
    all.differ("cgroup version", &base.cgroup, &new.cgroup, true);
    all.option("virtualised", base.virtualised.as_ref(), new.virtualised.as_ref(), true);
    all.option("clock source", base.clock_source.as_ref(), new.clock_source.as_ref(), true);
    all.option(
        "scratch file system",
        base.scratch_file_system.as_ref(),
        new.scratch_file_system.as_ref(),
        true,
    );
    let governors = |host: &Host| host.cpus.governors.as_ref().map(|all| names(all.keys()));
    all.option("CPU governor", governors(base).as_ref(), governors(new).as_ref(), true);
    let turbo = |host: &Host| host.cpus.turbo.map(|turbo| format!("{turbo:?}").to_lowercase());
    all.option("turbo", turbo(base).as_ref(), turbo(new).as_ref(), true);
    all.option("SMT", base.cpus.smt.as_ref(), new.cpus.smt.as_ref(), true);
    all.option("huge pages", base.memory.huge_pages.as_ref(), new.memory.huge_pages.as_ref(), true);
    all.option("operating system", base.os.as_ref(), new.os.as_ref(), false);
}

/// To the nearest: a kernel keeps another few megabytes for itself at each boot.
fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(" and ")
}

/// The blocks, their order and the deadlines may differ: they change how often is measured, not what.
fn suites(base: &Suite, new: &Suite, all: &mut Collector) {
    all.differ("suite", &base.name, &new.name, true);
    all.differ("limit of CPUs", &base.limits.cpus, &new.limits.cpus, true);
    all.differ("limit of memory", &base.limits.memory_bytes, &new.limits.memory_bytes, true);
    let theirs: BTreeMap<&str, &WorkloadSpec> =
        new.workloads.iter().map(|one| (one.id.as_str(), one)).collect();
    for one in &base.workloads {
        if let Some(other) = theirs.get(one.id.as_str()).filter(|other| **other != one) {
            all.differ(&format!("workload {}", one.id), &work(one), &work(other), true);
        }
    }
    let theirs: BTreeMap<&str, &EnvironmentSpec> =
        new.environments.iter().map(|one| (one.id.as_str(), one)).collect();
    for one in &base.environments {
        let Some(other) = theirs.get(one.id.as_str()) else { continue };
        all.differ(&format!("environment {}", one.id), &kind(one), &kind(other), true);
        let slower = |one: &EnvironmentSpec| format!("{} %", f64::from(one.slower_permille) / 10.0);
        all.differ(&format!("what {} is slowed by on purpose", one.id), &slower(one), &slower(other), false);
    }
}

fn work(spec: &WorkloadSpec) -> String {
    let threads = spec.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
    let direct = if spec.direct { ", direct" } else { "" };
    format!("{:?} of {} bytes for {:?}{threads}{direct}", spec.run, spec.bytes, spec.duration)
}

fn kind(spec: &EnvironmentSpec) -> String {
    serde_json::to_string(&spec.kind).unwrap_or_else(|_| format!("{:?}", spec.kind))
}

fn environments(base: &EnvironmentRecord, new: &EnvironmentRecord, all: &mut Collector) {
    all.environment = Some(base.id.clone());
    let accelerator = |one: &EnvironmentRecord| format!("{:?}", one.accelerator).to_lowercase();
    all.differ(&format!("accelerator of {}", base.id), &accelerator(base), &accelerator(new), true);
    let image = |one: &EnvironmentRecord| one.prepared.image_bytes;
    all.option("image bytes", image(base).as_ref(), image(new).as_ref(), false);
    let fact = |one: &EnvironmentRecord, name: &str| {
        one.prepared.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    for name in ARTEFACTS {
        all.option(name, fact(base, name).as_ref(), fact(new, name).as_ref(), false);
    }
    all.environment = None;
}

#[derive(Default)]
struct Collector {
    found: Vec<Mismatch>,
    environment: Option<String>,
}

impl Collector {
    fn differ<T: PartialEq + ToString>(&mut self, what: &str, base: &T, new: &T, forbids: bool) {
        if base != new {
            let (base, new, environment) = (base.to_string(), new.to_string(), self.environment.clone());
            self.found.push(Mismatch { what: what.to_owned(), environment, base, new, forbids });
        }
    }

    /// What is known of one only is not known to be the same.
    fn option<T: PartialEq + ToString>(
        &mut self,
        what: &str,
        base: Option<&T>,
        new: Option<&T>,
        forbids: bool,
    ) {
        let text = |one: Option<&T>| one.map_or_else(|| "not known".to_owned(), ToString::to_string);
        self.differ(what, &text(base), &text(new), forbids);
    }
}
