//! Which CPUs instances run on, and which are left to the harness.
//!
//! Instances, all of one run alike, get as many CPUs as their limit. The harness, its sampler and its timers get others,
//! on cores of their own where the host has enough: what shares a core shares its time, or with SMT its units.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CpuList;
use super::files::Files;

const CPUS: &str = "/sys/devices/system/cpu";

/// Who runs where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuPlacement {
    /// Every instance of the run.
    pub instances: CpuList,
    /// The harness and its sampler.
    pub harness: CpuList,
    /// They share cores, because the host has too few.
    pub shared: bool,
}

/// A CPU that this process may use, and what it shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cpu {
    id: u32,
    /// The smallest id of its core.
    core: u32,
    /// NUMA node.
    node: u32,
    /// The most it can do: kHz, or capacity; 0 where unknown. Hybrid processors have two kinds.
    speed: u64,
}

impl CpuPlacement {
    /// On this host, for instances of `count` CPUs.
    #[must_use]
    pub fn here(count: u32) -> Self {
        let files = Files::here();
        let isolated = list(&files, &format!("{CPUS}/isolated")).unwrap_or_default();
        place(&topology(&files), &isolated, count as usize)
    }

    /// What a reader must know of it; `None` where all is as it should be.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.shared.then(|| {
            format!(
                "this host has too few cores to keep isocost off those of its instances: both run on the CPUs {}; what the \
                 harness does while work runs is little (see sampler_cpu_share in run.json), and is in the noise",
                self.harness
            )
        })
    }
}

fn list(files: &Files, path: &str) -> Option<CpuList> {
    files.text(path)?.parse().ok()
}

fn topology(files: &Files) -> Vec<Cpu> {
    let status = files.text("/proc/self/status").unwrap_or_default();
    let online = list(files, &format!("{CPUS}/online")).unwrap_or_default();
    let allowed = super::cpu::allowed(&status).unwrap_or_else(|| online.clone());
    let usable = if online.is_empty() { allowed } else { allowed.and(&online) };
    let nodes: Vec<(u32, CpuList)> = files
        .numbered("/sys/devices/system/node", "node")
        .into_iter()
        .filter_map(|(node, path)| Some((node, list(files, &format!("{path}/cpulist"))?)))
        .collect();
    let cpu = |id: u32| Cpu {
        id,
        core: list(files, &format!("{CPUS}/cpu{id}/topology/thread_siblings_list"))
            .and_then(|siblings| siblings.iter().next())
            .unwrap_or(id),
        node: nodes.iter().find(|(_, cpus)| cpus.contains(id)).map_or(0, |(node, _)| *node),
        speed: ["cpufreq/cpuinfo_max_freq", "cpu_capacity"]
            .iter()
            .find_map(|file| files.number(&format!("{CPUS}/cpu{id}/{file}")))
            .unwrap_or(0),
    };
    usable.iter().map(cpu).collect()
}

/// Isolated CPUs first, then those of one node, then any.
fn place(all: &[Cpu], isolated: &CpuList, count: usize) -> CpuPlacement {
    let everything: CpuList = all.iter().map(|cpu| cpu.id).collect();
    let isolated_ones: Vec<Cpu> = all.iter().copied().filter(|cpu| isolated.contains(cpu.id)).collect();
    let mut nodes: BTreeMap<u32, Vec<Cpu>> = BTreeMap::new();
    all.iter().for_each(|cpu| nodes.entry(cpu.node).or_default().push(*cpu));
    let pools = std::iter::once(isolated_ones).chain(nodes.into_values()).chain([all.to_vec()]);
    for pool in pools {
        if let Some((instances, harness)) = apart(&pool, all, count) {
            // Nothing else is scheduled on isolated CPUs: a harness of several threads would stay on one of them.
            let outside = harness.without(isolated);
            let harness = if outside.is_empty() { harness } else { outside };
            return CpuPlacement { instances, harness, shared: false };
        }
    }
    let instances = ranked(all).into_iter().take(count).collect();
    CpuPlacement { instances, harness: everything, shared: true }
}

/// `count` CPUs of the pool, and those of all that share no core with them, which must be some. One CPU a core where
/// there are enough cores, else whole cores.
fn apart(pool: &[Cpu], all: &[Cpu], count: usize) -> Option<(CpuList, CpuList)> {
    let cores = cores(pool);
    let spread = cores.iter().filter_map(|core| core.first().copied());
    let packed = cores.iter().flatten().copied();
    let rest = |instances: &CpuList| -> CpuList {
        let taken =
            |cpu: &Cpu| all.iter().any(|other| other.core == cpu.core && instances.contains(other.id));
        all.iter().filter(|cpu| !taken(cpu)).map(|cpu| cpu.id).collect()
    };
    let choices: [CpuList; 2] = [spread.take(count).collect(), packed.take(count).collect()];
    choices.into_iter().find_map(|instances| {
        let harness = rest(&instances);
        (instances.len() == count && count > 0 && !harness.is_empty()).then_some((instances, harness))
    })
}

/// The CPUs of each core; the fastest cores first, and of equals the last: interrupts and much else land on the first.
fn cores(pool: &[Cpu]) -> Vec<Vec<u32>> {
    let mut cores: BTreeMap<u32, (u64, Vec<u32>)> = BTreeMap::new();
    for cpu in pool {
        let core = cores.entry(cpu.core).or_default();
        core.0 = core.0.max(cpu.speed);
        core.1.push(cpu.id);
    }
    let mut ordered: Vec<(u32, (u64, Vec<u32>))> = cores.into_iter().collect();
    ordered.sort_by_key(|(core, (speed, _))| (std::cmp::Reverse(*speed), std::cmp::Reverse(*core)));
    ordered.into_iter().map(|(_, (_, cpus))| cpus).collect()
}

/// One CPU of each core, then a second of each, and so on.
fn ranked(all: &[Cpu]) -> Vec<u32> {
    let cores = cores(all);
    let most = cores.iter().map(Vec::len).max().unwrap_or(0);
    (0..most).flat_map(|rank| cores.iter().filter_map(move |core| core.get(rank).copied())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::files::made_up;
    use super::*;

    /// `cores` cores of `threads` CPUs each, numbered as Linux does: all first threads, then all second ones.
    fn machine(cores: u32, threads: u32) -> Vec<Cpu> {
        (0..cores * threads).map(|id| Cpu { id, core: id % cores, node: 0, speed: 0 }).collect()
    }

    fn placed(all: &[Cpu], isolated: &str, count: usize) -> (String, String, bool) {
        let placement = place(all, &isolated.parse().unwrap(), count);
        (placement.instances.to_string(), placement.harness.to_string(), placement.shared)
    }

    fn expected(instances: &str, harness: &str, shared: bool) -> (String, String, bool) {
        (instances.into(), harness.into(), shared)
    }

    #[test]
    fn cores_of_their_own_where_there_are_enough() {
        assert_eq!(placed(&machine(4, 1), "", 2), expected("2-3", "0-1", false));
        // The siblings of an instance's core are left idle.
        assert_eq!(placed(&machine(4, 2), "", 2), expected("2-3", "0-1,4-5", false));
        assert_eq!(placed(&machine(2, 1), "", 1), expected("1", "0", false));
    }

    #[test]
    fn whole_cores_where_there_are_fewer() {
        assert_eq!(placed(&machine(2, 2), "", 2), expected("1,3", "0,2", false));
    }

    #[test]
    fn shared_where_the_host_is_too_small_and_it_is_said() {
        assert_eq!(placed(&machine(2, 1), "", 2), expected("0-1", "0-1", true));
        assert_eq!(placed(&machine(1, 2), "", 1), expected("0", "0-1", true));
        assert_eq!(placed(&machine(2, 1), "", 5), expected("0-1", "0-1", true));
        let warning = place(&machine(2, 1), &CpuList::default(), 2).warning().unwrap();
        assert!(warning.contains("0-1"), "{warning}");
        assert_eq!(place(&machine(4, 1), &CpuList::default(), 2).warning(), None);
    }

    #[test]
    fn isolated_ones_are_for_instances_and_never_for_the_harness() {
        assert_eq!(placed(&machine(8, 1), "4-6", 2), expected("5-6", "0-3,7", false));
        // Too few of them: as if they were not isolated, but the harness stays away.
        assert_eq!(placed(&machine(8, 1), "3", 2), expected("6-7", "0-2,4-5", false));
    }

    #[test]
    fn one_node_before_two_and_fast_cores_before_slow_ones() {
        let mut two_nodes = machine(8, 1);
        two_nodes.iter_mut().for_each(|cpu| cpu.node = u32::from(cpu.id >= 3));
        assert_eq!(placed(&two_nodes, "", 4), expected("4-7", "0-3", false));
        // Cores 0 to 3 are fast ones, as on a hybrid processor.
        let mut hybrid = machine(8, 1);
        hybrid.iter_mut().for_each(|cpu| cpu.speed = if cpu.id < 4 { 5_000_000 } else { 3_000_000 });
        assert_eq!(placed(&hybrid, "", 2), expected("2-3", "0-1,4-7", false));
    }

    #[test]
    fn topology_is_read_as_the_kernel_writes_it() {
        let (_dir, files) = made_up(&[
            ("sys/devices/system/cpu/online", "0-3\n"),
            ("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n"),
            ("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "1,3\n"),
            ("sys/devices/system/cpu/cpu3/cpufreq/cpuinfo_max_freq", "5000000\n"),
            ("sys/devices/system/node/node0/cpulist", "0-1\n"),
            ("sys/devices/system/node/node1/cpulist", "2-3\n"),
            ("proc/self/status", "Cpus_allowed_list:\t1-7\n"),
        ]);
        let found: Vec<_> =
            topology(&files).iter().map(|cpu| (cpu.id, cpu.core, cpu.node, cpu.speed)).collect();
        assert_eq!(found, [(1, 1, 0, 0), (2, 2, 1, 0), (3, 1, 1, 5_000_000)]);
    }

    #[test]
    fn this_host_has_a_placement() {
        let placement = CpuPlacement::here(1);
        assert_eq!(placement.instances.len(), 1);
        assert!(!placement.harness.is_empty());
    }

    proptest! {
        #[test]
        fn instances_get_their_number_and_share_nothing_unless_it_is_said(
            cores in 1u32..10, threads in 1u32..3, count in 1usize..12, isolated in 0u32..12,
        ) {
            let all = machine(cores, threads);
            let isolated: CpuList = (isolated..12).collect();
            let placement = place(&all, &isolated, count);
            prop_assert_eq!(placement.instances.len(), count.min(all.len()));
            prop_assert!(!placement.harness.is_empty());
            let core = |id: u32| id % cores;
            let met = placement.instances.iter().any(|a| placement.harness.iter().any(|b| core(a) == core(b)));
            prop_assert_eq!(met, placement.shared);
        }
    }
}
