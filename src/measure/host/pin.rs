//! Keeps this process to some CPUs for a while.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::CpuList;

/// While it lives, every thread this process had when it was made, and every thread these start, stays on some CPUs.
/// Dropping it lets them go where they might go before.
#[derive(Debug)]
pub struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// Keeps all threads to `cpus`.
    ///
    /// # Errors
    /// The system's, where this thread may not be kept there.
    pub fn to(cpus: &CpuList) -> std::io::Result<Self> {
        let before = sched_getaffinity(None)?;
        // The calling thread is the one that must: the others may be ending right now.
        sched_setaffinity(None, &set(cpus))?;
        let pinned = Self { before };
        pinned.others(&set(cpus));
        Ok(pinned)
    }

    fn others(&self, set: &CpuSet) {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let ids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
        for id in ids.filter_map(Pid::from_raw) {
            let _ = sched_setaffinity(Some(id), set);
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.others(&self.before);
    }
}

fn set(cpus: &CpuList) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| (*cpu as usize) < CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu as usize));
    set
}
