//! Were two environments of equal size, by what the program saw from inside?

use std::collections::BTreeSet;

use isocost_agent::protocol::Inspection;
use serde::{Deserialize, Serialize};

/// Limits that hold for every instance of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Whole CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// Something that two environments did not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: `CPUs`, `memory`, `agent`, `kernel`, ….
    pub what: &'static str,
    /// In the one.
    pub a: String,
    /// In the other.
    pub b: String,
    /// Ratios of the two mean nothing while this differs.
    pub must_match: bool,
}

/// The memory a program may use, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize {
    /// Bytes.
    pub bytes: u64,
    /// From `MemTotal`: the machine's RAM without what its kernel keeps for itself.
    pub less_kernel: bool,
}

/// CPUs a program can use at once: the least of those online, those it may run on, and its quota.
#[must_use]
pub fn cpus(seen: &Inspection) -> Option<f64> {
    let online = seen.online_cpus.map(f64::from);
    let affinity = seen.affinity_cpus.map(f64::from);
    online?;
    [online, affinity, seen.quota_cpus].into_iter().flatten().reduce(f64::min)
}

/// Memory a program can use: the least of its control group's limit and the machine's RAM.
#[must_use]
pub fn memory(seen: &Inspection) -> Option<MemorySize> {
    let machine = seen.firmware_memory_bytes.map(|bytes| MemorySize { bytes, less_kernel: false });
    let machine = machine.or(seen.memory_total_bytes.map(|bytes| MemorySize { bytes, less_kernel: true }));
    let limit = seen.cgroup_memory_limit_bytes.map(|bytes| MemorySize { bytes, less_kernel: false });
    [limit, machine].into_iter().flatten().min_by_key(|size| size.bytes)
}

/// One per cent: a PC's firmware keeps the hole below 1 MiB and some tables for itself, up to 0.5 % of 256 MiB.
const MEMORY_TOLERANCE: f64 = 0.01;

/// An eighth: what a kernel keeps of 128 MiB for itself and for its page tables.
const KERNEL_TOLERANCE: f64 = 0.125;

fn same_memory(a: MemorySize, b: MemorySize) -> bool {
    let tolerance = if a.less_kernel || b.less_kernel { KERNEL_TOLERANCE } else { MEMORY_TOLERANCE };
    let most = a.bytes.max(b.bytes) as f64;
    a.bytes.abs_diff(b.bytes) as f64 <= most * tolerance
}

/// Can both use as many CPUs? Not where that is not known.
#[must_use]
pub fn same_cpus(a: &Inspection, b: &Inspection) -> bool {
    matches!((cpus(a), cpus(b)), (Some(a), Some(b)) if (a - b).abs() < 0.01)
}

/// Can both use as much memory? Not where that is not known.
#[must_use]
pub fn same_memory_inside(a: &Inspection, b: &Inspection) -> bool {
    matches!((memory(a), memory(b)), (Some(a), Some(b)) if same_memory(a, b))
}

/// What a differing agent is called.
pub const AGENT: &str = "agent";

/// What differs between two environments. No [`Difference::must_match`] among it: ratios may be stated.
///
/// What could not be read in either counts as a difference: equal size must be proved. Sizes that are alike and
/// are not the `limits` asked for are told, without forbidding the ratio.
#[must_use]
pub fn comparable(a: &Inspection, b: &Inspection, limits: &Limits) -> Vec<Difference> {
    let mut all = Vec::new();
    all.extend(cpu_difference(cpus(a), cpus(b), limits));
    all.extend(memory_difference(memory(a), memory(b), limits));
    let mut note = |what, a: &str, b: &str, must_match| {
        if a != b {
            all.push(Difference { what, a: a.to_owned(), b: b.to_owned(), must_match });
        }
    };
    note(AGENT, &a.agent_sha256, &b.agent_sha256, true);
    note("kernel", &a.kernel_release, &b.kernel_release, false);
    note("clock source", opt(a.clock_source.as_ref()), opt(b.clock_source.as_ref()), false);
    note("CPU model", opt(a.cpu_model.as_ref()), opt(b.cpu_model.as_ref()), false);
    note("page size", &a.page_bytes.to_string(), &b.page_bytes.to_string(), false);
    note("CPU flags", &only(&a.cpu_flags, &b.cpu_flags), &only(&b.cpu_flags, &a.cpu_flags), false);
    note("mitigations", &lines(a, b), &lines(b, a), false);
    all
}

fn opt(text: Option<&String>) -> &str {
    text.map_or("unknown", String::as_str)
}

fn cpu_difference(a: Option<f64>, b: Option<f64>, limits: &Limits) -> Option<Difference> {
    let show = |cpus: Option<f64>| cpus.map_or("unknown".to_owned(), |n| n.to_string());
    let same = matches!((a, b), (Some(a), Some(b)) if (a - b).abs() < 0.01);
    let asked = a.is_some_and(|a| (a - f64::from(limits.cpus)).abs() < 0.01);
    let difference = |must_match| Difference { what: "CPUs", a: show(a), b: show(b), must_match };
    match (same, asked) {
        (true, true) => None,
        (true, false) => Some(difference(false)),
        (false, _) => Some(difference(true)),
    }
}

fn memory_difference(a: Option<MemorySize>, b: Option<MemorySize>, limits: &Limits) -> Option<Difference> {
    let show = |size: Option<MemorySize>| match size {
        None => "unknown".to_owned(),
        Some(MemorySize { bytes, less_kernel: false }) => format!("{bytes} bytes"),
        Some(MemorySize { bytes, less_kernel: true }) => format!("{bytes} bytes beside the kernel's own"),
    };
    let wanted = MemorySize { bytes: limits.memory_bytes, less_kernel: false };
    let same = matches!((a, b), (Some(a), Some(b)) if same_memory(a, b));
    let asked = a.is_some_and(|a| same_memory(a, wanted));
    let difference = |must_match| Difference { what: "memory", a: show(a), b: show(b), must_match };
    match (same, asked) {
        (true, true) => None,
        (true, false) => Some(difference(false)),
        (false, _) => Some(difference(true)),
    }
}

/// Those of `these` that `others` lack.
fn only(these: &[String], others: &[String]) -> String {
    let others: BTreeSet<&String> = others.iter().collect();
    let mine: Vec<&str> = these.iter().filter(|one| !others.contains(one)).map(String::as_str).collect();
    if mine.is_empty() { String::new() } else { format!("also {}", mine.join(" ")) }
}

/// The mitigations of `a` that differ in `b`.
fn lines(a: &Inspection, b: &Inspection) -> String {
    let others: BTreeSet<&(String, String)> = b.mitigations.iter().collect();
    let mine = a.mitigations.iter().filter(|one| !others.contains(one));
    mine.map(|(name, state)| format!("{name}: {state}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[path = "equality_tests.rs"]
mod tests;
