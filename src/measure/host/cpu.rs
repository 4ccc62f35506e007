//! What decides how fast this host's CPUs run, and for how long they keep it up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cpu_list::CpuList;
use super::files::Files;

const CPUS: &str = "/sys/devices/system/cpu";

/// Settings and state of the CPUs. What could not be read, or is not there, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpus {
    /// Governors and the CPUs each has; `None` where nobody here sets frequencies (most virtual machines).
    pub governors: Option<BTreeMap<String, CpuList>>,
    /// The driver that sets frequencies: `intel_pstate`, `amd-pstate-epp`, `acpi-cpufreq`, ….
    pub frequency_driver: Option<String>,
    /// Frequencies above the nominal one, while heat and the other cores allow.
    pub turbo: Option<Turbo>,
    /// Two or more CPUs share a core.
    pub smt: Option<bool>,
    /// NUMA nodes.
    pub numa_nodes: Option<u32>,
    /// Bytes of the largest cache of the first CPU, as the kernel says it: the machine's own where this is a virtual one.
    pub largest_cache_bytes: Option<u64>,
    /// CPUs this process may run on.
    pub allowed: Option<CpuList>,
    /// CPUs that the scheduler keeps free (`isolcpus=`).
    pub isolated: Option<CpuList>,
    /// How often heat has slowed a core or its package since boot.
    pub throttled: Option<u64>,
}

/// Turbo, and the file that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turbo {
    /// Off.
    Off,
    /// On, switched by `intel_pstate/no_turbo`.
    OnIntel,
    /// On, switched by `cpufreq/boost`.
    OnBoost,
}

/// Reads them.
pub(super) fn look(files: &Files) -> Cpus {
    let cpus = files.numbered(CPUS, "cpu");
    let policy = |path: &str, file: &str| files.text(&format!("{path}/cpufreq/{file}"));
    let mut governors: BTreeMap<String, CpuList> = BTreeMap::new();
    for (cpu, path) in &cpus {
        if let Some(governor) = policy(path, "scaling_governor") {
            governors.entry(governor).or_default().insert(*cpu);
        }
    }
    let isolated: Option<CpuList> = list(files, &format!("{CPUS}/isolated"));
    Cpus {
        governors: (!governors.is_empty()).then_some(governors),
        frequency_driver: cpus.iter().find_map(|(_, path)| policy(path, "scaling_driver")),
        turbo: turbo(files),
        smt: smt(files),
        numa_nodes: u32::try_from(files.numbered("/sys/devices/system/node", "node").len())
            .ok()
            .filter(|nodes| *nodes > 0),
        largest_cache_bytes: cpus.first().and_then(|(_, path)| largest_cache(files, path)),
        allowed: files.text("/proc/self/status").and_then(|status| allowed(&status)),
        isolated: isolated.filter(|list| !list.is_empty()),
        throttled: throttled(files),
    }
}

/// Sizes are `32K`, `491520K`.
fn largest_cache(files: &Files, cpu: &str) -> Option<u64> {
    let caches = files.numbered(&format!("{cpu}/cache"), "index");
    let size = |path: &String| {
        let text = files.text(&format!("{path}/size"))?;
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let shift = match unit {
            "K" => 10,
            "M" => 20,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(1 << shift)
    };
    caches.iter().filter_map(|(_, path)| size(path)).max()
}

fn list(files: &Files, path: &str) -> Option<CpuList> {
    files.text(path)?.parse().ok()
}

fn turbo(files: &Files) -> Option<Turbo> {
    let off = |path: &str, off: &str| files.text(path).map(|text| text == off);
    match off(&format!("{CPUS}/intel_pstate/no_turbo"), "1") {
        Some(true) => return Some(Turbo::Off),
        Some(false) => return Some(Turbo::OnIntel),
        None => {}
    }
    off(&format!("{CPUS}/cpufreq/boost"), "0").map(|off| if off { Turbo::Off } else { Turbo::OnBoost })
}

/// Before Linux 4.19 only the siblings of each core tell.
fn smt(files: &Files) -> Option<bool> {
    if let Some(active) = files.number::<u32>(&format!("{CPUS}/smt/active")) {
        return Some(active == 1);
    }
    let siblings = list(files, &format!("{CPUS}/cpu0/topology/thread_siblings_list"))?;
    Some(siblings.len() > 1)
}

pub(super) fn allowed(status: &str) -> Option<CpuList> {
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    line.parse().ok()
}

/// Cores count each for themselves; a package's count is in each of its CPUs, so that the largest is the one.
pub(crate) fn throttled(files: &Files) -> Option<u64> {
    let cpus = files.numbered(CPUS, "cpu");
    let counts = |kind: &str| -> Vec<u64> {
        let count = |path: &String| files.number(&format!("{path}/thermal_throttle/{kind}_throttle_count"));
        cpus.iter().filter_map(|(_, path)| count(path)).collect()
    };
    let cores = counts("core");
    let package = counts("package").into_iter().max();
    (!cores.is_empty() || package.is_some()).then(|| cores.iter().sum::<u64>() + package.unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    const STATUS: &str = "Name:\tisocost\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\nMems_allowed:\t1\n";

    #[test]
    fn a_laptop_with_intel_s_driver() {
        let (_dir, files) = made_up(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n"),
            ("sys/devices/system/cpu/cpu0/cache/index0/size", "48K\n"),
            ("sys/devices/system/cpu/cpu0/cache/index3/size", "12M\n"),
            ("sys/devices/system/cpu/cpu0/cache/index4/size", "odd\n"),
            ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n"),
            ("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4\n"),
            ("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "9\n"),
            ("sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "9\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
            ("sys/devices/system/cpu/smt/active", "1\n"),
            ("sys/devices/system/cpu/isolated", "2-3\n"),
            ("sys/devices/system/node/node0/cpulist", "0-3\n"),
            ("proc/self/status", STATUS),
        ]);
        let cpus = look(&files);
        assert_eq!(cpus.governors.unwrap()["powersave"].to_string(), "0-1");
        assert_eq!(cpus.frequency_driver.unwrap(), "intel_pstate");
        assert_eq!((cpus.turbo, cpus.smt, cpus.numa_nodes), (Some(Turbo::OnIntel), Some(true), Some(1)));
        assert_eq!(cpus.allowed.unwrap().to_string(), "0-3");
        assert_eq!(cpus.isolated.unwrap().to_string(), "2-3");
        assert_eq!(cpus.throttled, Some(16));
        assert_eq!(cpus.largest_cache_bytes, Some(12 << 20));
    }

    #[test]
    fn an_older_host_with_boost_and_siblings() {
        let (_dir, files) = made_up(&[
            ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
            ("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,4\n"),
        ]);
        let cpus = look(&files);
        assert_eq!((cpus.turbo, cpus.smt), (Some(Turbo::OnBoost), Some(true)));
    }

    #[test]
    fn a_virtual_machine_that_tells_nothing() {
        let (_dir, files) = made_up(&[
            ("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"),
            ("sys/devices/system/cpu/isolated", "\n"),
        ]);
        let expected = Cpus { smt: Some(false), ..Cpus::default() };
        assert_eq!(look(&files), expected);
    }
}
