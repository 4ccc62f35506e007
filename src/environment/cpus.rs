//! Which CPUs an instance runs on: as many as its limit, of those this process may use.
//!
//! All instances that share the host's kernel get the same ones. Hyper-threads of one core come last, as a scheduler
//! that is free to choose would have it.

use std::collections::BTreeMap;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs for an instance, in order; fewer than `count` where this process may not use as many.
pub(crate) fn chosen(count: u32) -> Vec<u32> {
    let allowed = sched_getaffinity(None).map(|set| members(&set)).unwrap_or_default();
    let siblings = |cpu: u32| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        std::fs::read_to_string(path).ok()
    };
    spread(&allowed, siblings, count)
}

/// One thread of each core first, then a second of each, and so on.
fn spread(allowed: &[u32], siblings: impl Fn(u32) -> Option<String>, count: u32) -> Vec<u32> {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    let mut ranked: Vec<(u32, u32)> = Vec::new();
    for &cpu in allowed {
        let core = siblings(cpu).unwrap_or_else(|| format!("cpu{cpu}"));
        let rank = taken.entry(core).or_default();
        ranked.push((*rank, cpu));
        *rank += 1;
    }
    ranked.sort_unstable();
    let mut cpus: Vec<u32> = ranked.into_iter().map(|(_, cpu)| cpu).take(count as usize).collect();
    cpus.sort_unstable();
    cpus
}

fn members(set: &CpuSet) -> Vec<u32> {
    (0..).take(CpuSet::MAX_CPU).filter(|cpu: &u32| set.is_set(*cpu as usize)).collect()
}

/// Keeps the calling thread, and children it spawns from now on, to these CPUs.
///
/// # Errors
/// The system's.
pub(crate) fn keep_to(cpus: &[u32]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu as usize));
    Ok(sched_setaffinity(None, &set)?)
}

/// As the kernel and the container engine write it: `0,2,5`.
pub(crate) fn list(cpus: &[u32]) -> String {
    cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cores_come_before_hyper_threads() {
        let pairs = |cpu: u32| Some(format!("{},{}", cpu / 2 * 2, cpu / 2 * 2 + 1));
        let all: Vec<u32> = (0..8).collect();
        assert_eq!(spread(&all, pairs, 3), [0, 2, 4]);
        assert_eq!(spread(&all, pairs, 5), [0, 1, 2, 4, 6]);
        assert_eq!(spread(&all, |_| None, 2), [0, 1]);
        assert_eq!(spread(&[3], pairs, 2), [3]);
    }

    #[test]
    fn a_thread_is_kept_to_what_was_chosen() {
        std::thread::spawn(|| {
            let one = chosen(1);
            keep_to(&one).unwrap();
            assert_eq!(members(&sched_getaffinity(None).unwrap()), one);
            assert_eq!(chosen(64), one);
        })
        .join()
        .unwrap();
        assert_eq!(list(&[0, 2, 5]), "0,2,5");
    }
}
