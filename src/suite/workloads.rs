//! The agent's pieces of work by the names a suite calls them.

use isocost_agent::protocol::Workload;

/// Name and piece of work, in the order they are listed.
pub const WORKLOADS: &[(&str, Workload)] = &[
    ("cpu-integer", Workload::CpuInteger),
    ("cpu-float", Workload::CpuFloat),
    ("memory-bandwidth", Workload::MemoryBandwidth),
    ("memory-latency", Workload::MemoryLatency),
    ("syscall", Workload::Syscall),
    ("context-switch", Workload::ContextSwitch),
    ("fork-exec", Workload::ForkExec),
    ("threads", Workload::Threads),
    ("disk-write", Workload::DiskWrite),
    ("disk-read", Workload::DiskRead),
    ("disk-random-read", Workload::DiskRandomRead),
    ("disk-sync", Workload::DiskSync),
];

/// The piece of work of that name.
#[must_use]
pub fn named(name: &str) -> Option<Workload> {
    WORKLOADS.iter().find(|(known, _)| *known == name).map(|(_, workload)| *workload)
}

/// The name of a piece of work.
#[must_use]
pub fn name_of(workload: Workload) -> &'static str {
    WORKLOADS.iter().find(|(_, known)| *known == workload).map_or("?", |(name, _)| name)
}

/// What it does, for `isocost list workloads`.
#[must_use]
pub fn purpose(workload: Workload) -> &'static str {
    match workload {
        Workload::CpuInteger => "64-bit integer arithmetic",
        Workload::CpuFloat => "double-precision arithmetic",
        Workload::MemoryBandwidth => "copies between two buffers",
        Workload::MemoryLatency => "dependent loads over a random cycle",
        Workload::Syscall => "getppid, the cheapest system call",
        Workload::ContextSwitch => "two processes over a pair of pipes",
        Workload::ForkExec => "fork, exec of a small static program, wait",
        Workload::Threads => "the integer work on several threads at once",
        Workload::DiskWrite => "sequential 1 MiB writes and a final fdatasync",
        Workload::DiskRead => "sequential 1 MiB reads",
        Workload::DiskRandomRead => "4 KiB reads at random offsets",
        Workload::DiskSync => "4 KiB writes, each followed by fdatasync",
    }
}

/// Does it use a file?
pub fn is_disk(workload: Workload) -> bool {
    use Workload::{DiskRandomRead, DiskRead, DiskSync, DiskWrite};
    matches!(workload, DiskWrite | DiskRead | DiskRandomRead | DiskSync)
}

/// Does it use a buffer of a size that can be set?
pub(super) fn is_memory(workload: Workload) -> bool {
    matches!(workload, Workload::MemoryBandwidth | Workload::MemoryLatency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for (name, workload) in WORKLOADS {
            assert_eq!(named(name), Some(*workload));
            assert_eq!(name_of(*workload), *name);
            assert!(!purpose(*workload).is_empty());
        }
        assert_eq!(named("cpu"), None);
    }
}
