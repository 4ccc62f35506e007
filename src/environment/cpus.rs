//! Keeps what is started to the CPUs that instances have.
//!
//! Which these are is decided for the whole run (see [`CpuPlacement`](crate::measure::host::CpuPlacement)): all instances
//! that share the host's kernel get the same ones.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::measure::host::CpuList;

/// Keeps the calling thread, and children it spawns from now on, to these CPUs.
///
/// # Errors
/// The system's.
fn keep_to(cpus: &CpuList) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| (*cpu as usize) < CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu as usize));
    Ok(sched_setaffinity(None, &set)?)
}

/// The same for as long as `work` takes: what it spawns stays there, the calling thread goes back.
///
/// # Errors
/// The system's, where the thread may not be kept there.
pub(crate) fn during<T>(cpus: &CpuList, work: impl FnOnce() -> T) -> std::io::Result<T> {
    let before = sched_getaffinity(None)?;
    keep_to(cpus)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn here() -> CpuList {
        let set = sched_getaffinity(None).unwrap();
        (0..1024).filter(|cpu| set.is_set(*cpu as usize)).collect()
    }

    #[test]
    fn a_thread_and_its_children_are_kept_and_it_goes_back() {
        std::thread::spawn(|| {
            let all = here();
            let one: CpuList = all.iter().take(1).collect();
            let child = || {
                std::process::Command::new("grep").args(["Cpus_allowed_list", "/proc/self/status"]).output()
            };
            let said = during(&one, child).unwrap().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert_eq!(said.split_whitespace().last(), Some(&*one.to_string()));
            assert_eq!(here(), all);
            keep_to(&one).unwrap();
            assert_eq!(here(), one);
            assert!(keep_to(&CpuList::default()).is_err());
        })
        .join()
        .unwrap();
    }
}
