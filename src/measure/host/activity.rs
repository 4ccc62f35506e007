//! What else the host did in a stretch of time: who used its CPUs, what its hypervisor took, where tasks waited.
//!
//! Two looks, one before and one after; nothing runs between them. A look costs 10 to 20 µs for each process.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cpu;
use super::cpu_times::CpuTimes;
use super::files::Files;
use super::pressure::{Pressure, Stalls};
use crate::measure::accounting::PROC;
use crate::measure::accounting::process::{self, Stat, Table};
use crate::measure::clock::Instant;

/// What the host did beside what is measured. What could not be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// How long it was watched, in seconds.
    pub seconds: f64,
    /// CPUs that programs of others used; neither Isocost, nor its instances and their engines, nor the kernel.
    pub others_cpus: Option<f64>,
    /// Of them, who used most.
    pub loudest: Option<Loud>,
    /// CPUs that threads of the kernel used, on whose behalf nobody can say.
    pub kernel_cpus: Option<f64>,
    /// Of the CPU time that this host wanted, the share that its hypervisor did not give (steal): 0 to 1.
    pub stolen: Option<f64>,
    /// Where tasks waited, those that are measured included.
    pub pressure: Pressure,
    /// How often heat slowed a core or its package.
    pub throttled: Option<u64>,
    /// Pages swapped in or out.
    pub swapped_pages: Option<u64>,
}

/// A program that is not ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loud {
    /// Its name as the kernel has it: at most 15 characters.
    pub name: String,
    /// CPUs used by its processes of that name, and by children they waited for.
    pub cpus: f64,
}

/// One look.
#[derive(Debug, Clone)]
pub struct Look {
    at: Instant,
    cpu: Option<CpuTimes>,
    stalls: Stalls,
    throttled: Option<u64>,
    swapped_pages: Option<u64>,
    processes: Option<BTreeMap<u32, Stat>>,
}

impl Look {
    /// Looks now.
    #[must_use]
    pub fn now() -> Self {
        let files = Files::here();
        Self {
            at: Instant::now(),
            cpu: CpuTimes::read(&files),
            stalls: Stalls::read(&files),
            throttled: cpu::throttled(&files),
            swapped_pages: files.text("/proc/vmstat").and_then(|text| swapped(&text)),
            processes: process::all(Path::new(PROC)).ok().map(|all| all.into_iter().collect()),
        }
    }

    /// What happened from here to `later`, where the process trees of `ours` are not others. They must still live, or
    /// have been waited for by one of them.
    #[must_use]
    pub fn until(&self, later: &Self, ours: &[u32]) -> Activity {
        let seconds = later.at.since(self.at).as_secs_f64();
        let used = self.processes.as_ref().zip(later.processes.as_ref());
        let used = used.filter(|_| seconds > 0.0).map(|(from, to)| Used::between(from, to, ours));
        let cpus = |ticks: u64| ticks as f64 * process::tick().as_secs_f64() / seconds;
        let counted = |from: Option<u64>, to: Option<u64>| to?.checked_sub(from?);
        Activity {
            seconds,
            others_cpus: used.as_ref().map(|used| cpus(used.others())),
            loudest: used
                .as_ref()
                .and_then(Used::loudest)
                .map(|(name, ticks)| Loud { name, cpus: cpus(ticks) }),
            kernel_cpus: used.as_ref().map(|used| cpus(used.kernel)),
            stolen: self.cpu.zip(later.cpu).and_then(|(from, to)| stolen(from, to)),
            pressure: self.stalls.until(&later.stalls, seconds * 1e6),
            throttled: counted(self.throttled, later.throttled),
            swapped_pages: counted(self.swapped_pages, later.swapped_pages),
        }
    }
}

/// An idle host has no share that was taken: a single tick of steal in it would look like a lot.
const LEAST_WANTED_TICKS: u64 = 10;

fn stolen(from: CpuTimes, to: CpuTimes) -> Option<f64> {
    let stolen = to.stolen.checked_sub(from.stolen)?;
    let wanted = to.busy.checked_sub(from.busy)? + stolen;
    Some(if wanted < LEAST_WANTED_TICKS { 0.0 } else { stolen as f64 / wanted as f64 })
}

fn swapped(vmstat: &str) -> Option<u64> {
    let count = |key: &str| {
        vmstat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    count("pswpin")?.checked_add(count("pswpout")?)
}

/// Ticks that were used between two looks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Used {
    by_name: BTreeMap<String, u64>,
    kernel: u64,
}

impl Used {
    fn between(from: &BTreeMap<u32, Stat>, to: &BTreeMap<u32, Stat>, ours: &[u32]) -> Self {
        let ours = tree_of(to, ours);
        let inherited = inherited(from, to);
        let mut used = Self::default();
        for (pid, now) in to.iter().filter(|(pid, _)| !ours.contains(pid)) {
            let before = from.get(pid).filter(|before| before.began == now.began);
            let before = before.map_or(0, |before| ticks(*pid, before));
            let before = before + inherited.get(pid).copied().unwrap_or(0);
            let ticks = ticks(*pid, now).saturating_sub(before);
            if now.kernel {
                used.kernel += ticks;
            } else if ticks > 0 {
                *used.by_name.entry(now.name.clone()).or_default() += ticks;
            }
        }
        used
    }

    fn others(&self) -> u64 {
        self.by_name.values().sum()
    }

    fn loudest(&self) -> Option<(String, u64)> {
        let most = self.by_name.iter().max_by_key(|(_, ticks)| **ticks)?;
        Some((most.0.clone(), *most.1))
    }
}

fn tree_of(processes: &BTreeMap<u32, Stat>, roots: &[u32]) -> HashSet<u32> {
    let mut table = Table::default();
    for (pid, stat) in processes {
        table.add(*pid, stat.parent);
    }
    table.tree(roots).into_iter().collect()
}

/// Whoever waits for orphans gets the time of processes it did not start, a container's shim among them: its
/// children's time says nothing of it. What a daemon's orphans used is lost by that.
fn waits_for_orphans(pid: u32, stat: &Stat) -> bool {
    pid == 1 || stat.name == "systemd"
}

fn ticks(pid: u32, stat: &Stat) -> u64 {
    if waits_for_orphans(pid, stat) { stat.own_ticks } else { stat.ticks() }
}

/// Ticks that processes had used when they were first seen, and that are in an ancestor's account since they ended.
fn inherited(from: &BTreeMap<u32, Stat>, to: &BTreeMap<u32, Stat>) -> BTreeMap<u32, u64> {
    let mut all: BTreeMap<u32, u64> = BTreeMap::new();
    let lives = |pid: &u32, stat: &Stat| to.get(pid).is_some_and(|now| now.began == stat.began);
    for (pid, gone) in from.iter().filter(|(pid, stat)| !lives(pid, stat)) {
        let mut heir = gone.parent;
        // Parents are older than their children, so this ends; a table that was read while it changed may not be so.
        for _ in 0..from.len() {
            match from.get(&heir) {
                Some(stat) if !lives(&heir, stat) => heir = stat.parent,
                _ => break,
            }
        }
        *all.entry(heir).or_default() += ticks(*pid, gone);
    }
    all.retain(|heir, _| to.get(heir).is_some_and(|stat| !waits_for_orphans(*heir, stat)));
    all
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
