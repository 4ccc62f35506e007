//! The catalogue of metrics: every name a sample may carry, with its unit, direction, resolution, source and
//! definition. docs/metrics.md is this table in words; a test holds the two together.

use isocost_agent::protocol::Workload;
use serde::Serialize;

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Smaller is better.
    Smaller,
    /// Bigger is better.
    Bigger,
}

/// What a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Start, stop, remove.
    Startup,
    /// Memory.
    Memory,
    /// Processor and memory speed.
    Cpu,
    /// Storage.
    Disk,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metric {
    /// Its name in samples; stable.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// The unit of a sample's value: `ms`, `ns`, `bytes`, `bytes/s`, `iterations/s`, `ns/call`, …, `1`.
    pub unit: &'static str,
    /// Which way is good.
    pub direction: Direction,
    /// Without noise: any change is a fact.
    pub exact: bool,
    /// The smallest difference its source can show, in its unit; 0 where only the clock limits it.
    pub resolution: f64,
    /// Where the figure comes from.
    pub source: &'static str,
    /// What it is, in one sentence.
    pub definition: &'static str,
}

const fn time(name: &'static str, source: &'static str, definition: &'static str) -> Metric {
    let (family, unit, direction) = (Family::Startup, "ms", Direction::Smaller);
    Metric { name, family, unit, direction, exact: false, resolution: 0.001, source, definition }
}

const fn memory(name: &'static str, source: &'static str, definition: &'static str) -> Metric {
    let (family, unit, direction) = (Family::Memory, "bytes", Direction::Smaller);
    Metric { name, family, unit, direction, exact: false, resolution: 4096.0, source, definition }
}

/// What a program has: the more, the better.
const fn room(name: &'static str, definition: &'static str) -> Metric {
    Metric { direction: Direction::Bigger, ..memory(name, "/proc/meminfo inside", definition) }
}

const fn rate(name: &'static str, family: Family, unit: &'static str, definition: &'static str) -> Metric {
    let source = "units counted by the agent over its monotonic clock, held against the host's";
    Metric {
        name,
        family,
        unit,
        direction: Direction::Bigger,
        exact: false,
        resolution: 0.0,
        source,
        definition,
    }
}

const fn cost(name: &'static str, family: Family, unit: &'static str) -> Metric {
    let source = "host: CPU time of the cgroup where readable, else of each process by its own clock (1 ns); of a process's ended children by /proc/PID/stat (10 ms)";
    let definition =
        "CPU time spent on the host, by the instance and by its engine's share, per unit of work";
    Metric {
        name,
        family,
        unit,
        direction: Direction::Smaller,
        exact: false,
        resolution: 0.0,
        source,
        definition,
    }
}

const fn latency(name: &'static str, definition: &'static str) -> Metric {
    let source = "the agent's monotonic clock around each operation";
    Metric {
        name,
        family: Family::Disk,
        unit: "ns",
        direction: Direction::Smaller,
        exact: false,
        // The clock's step. A reading costs some ten ns, in every environment, and is part of each operation.
        resolution: 1.0,
        source,
        definition,
    }
}

const STAMP: &str = "host CLOCK_MONOTONIC, stamped when the event reaches the harness";
const SHARED: &str = "CLOCK_MONOTONIC read by the agent on the same kernel, else mapped with its uncertainty";
const PSS: &str = "/proc/PID/smaps_rollup of the process tree";
const CGROUP: &str = "cgroup v2 memory.current/memory.peak, v1 memory.usage_in_bytes/max_usage_in_bytes";

/// All metrics, in the order reports show them.
pub const CATALOGUE: &[Metric] = &[
    time("startup.ready", STAMP, "From asking for the instance to the last byte of its agent's Hello"),
    time(
        "startup.cold.ready",
        STAMP,
        "The same for a start before all others, with the page cache dropped where permitted",
    ),
    time(
        "startup.to-first-instruction",
        SHARED,
        "From asking for the instance to the agent's first instruction",
    ),
    time(
        "startup.start-returned",
        STAMP,
        "From asking for the instance to the return of the call that starts it (spawn, the API's start)",
    ),
    time(
        "startup.layer",
        STAMP,
        "VM: making the instance's writable layer, before the start is asked for and in no start; a container's is made inside its start",
    ),
    time("startup.phase.exec", SHARED, "Native: from the call to spawn to the agent's first instruction"),
    time("startup.phase.create", STAMP, "Container: the API's create call"),
    time(
        "startup.phase.engine",
        SHARED,
        "Container: from sending the API's start call to the agent's first instruction",
    ),
    time("startup.phase.vmm", STAMP, "VM: from the call to spawn QEMU to the first byte its firmware writes"),
    time(
        "startup.phase.firmware",
        STAMP,
        "VM: from the firmware's first byte to its last, when it enters the kernel",
    ),
    time(
        "startup.phase.boot",
        STAMP,
        "VM whose firmware says nothing: from the call to spawn QEMU to the agent's first instruction",
    ),
    time(
        "startup.phase.kernel",
        STAMP,
        "VM: from the firmware's last byte to the agent's first instruction, a byte on a debug port",
    ),
    time(
        "startup.phase.agent",
        STAMP,
        "From the agent's first instruction to its Hello; in a VM it mounts and loads modules here",
    ),
    time("end.total", STAMP, "From asking for an orderly end to nothing being left"),
    time("end.stop", STAMP, "From asking for an orderly end to the end of the instance's last process"),
    time("end.remove", STAMP, "From there to nothing being left"),
    memory(
        "memory.total.idle",
        PSS,
        "What exists because this idle instance does: instance and engine's share (PSS)",
    ),
    memory("memory.total.peak", PSS, "The largest of that seen while its workloads ran"),
    memory(
        "memory.instance.idle",
        PSS,
        "The idle instance itself: the agent's process tree, or the guest's RAM touched (PSS)",
    ),
    memory("memory.instance.peak", PSS, "The largest of that seen while its workloads ran"),
    memory(
        "memory.engine.idle",
        PSS,
        "The engine's share of one idle instance: the shim, or QEMU without the guest's RAM (PSS)",
    ),
    memory("memory.engine.peak", PSS, "The largest of that seen while its workloads ran"),
    memory("memory.standing.idle", PSS, "What serves all instances and stays: dockerd and containerd (PSS)"),
    memory("memory.cgroup.idle", CGROUP, "The idle instance's control group, page cache included"),
    memory("memory.cgroup.peak", CGROUP, "The most its control group ever held"),
    room(
        "memory.inside.total",
        "MemTotal as the program sees it: a machine's own, else the host's, whatever the limit",
    ),
    room("memory.inside.available", "MemAvailable as the program sees it, idle: of the same"),
    rate("cpu.integer.rate", Family::Cpu, "iterations/s", "64-bit integer kernel"),
    cost("cpu.integer.host-cpu", Family::Cpu, "ns/iteration"),
    rate("cpu.float.rate", Family::Cpu, "iterations/s", "Double-precision kernel"),
    cost("cpu.float.host-cpu", Family::Cpu, "ns/iteration"),
    rate("cpu.memory-bandwidth.rate", Family::Cpu, "bytes/s", "Copy between two buffers of the suite's size"),
    cost("cpu.memory-bandwidth.host-cpu", Family::Cpu, "ns/byte"),
    rate("cpu.memory-latency.rate", Family::Cpu, "loads/s", "Dependent loads over a random cycle"),
    cost("cpu.memory-latency.host-cpu", Family::Cpu, "ns/load"),
    rate("cpu.syscall.rate", Family::Cpu, "calls/s", "getppid"),
    cost("cpu.syscall.host-cpu", Family::Cpu, "ns/call"),
    rate("cpu.context-switch.rate", Family::Cpu, "round-trips/s", "Two processes over a pair of pipes"),
    cost("cpu.context-switch.host-cpu", Family::Cpu, "ns/round-trip"),
    rate("cpu.fork-exec.rate", Family::Cpu, "processes/s", "fork, exec of a small static program, wait"),
    cost("cpu.fork-exec.host-cpu", Family::Cpu, "ns/process"),
    rate("cpu.threads.rate", Family::Cpu, "iterations/s", "The integer kernel on several threads, together"),
    cost("cpu.threads.host-cpu", Family::Cpu, "ns/iteration"),
    rate("disk.write.rate", Family::Disk, "bytes/s", "Sequential 1 MiB writes and a final fdatasync"),
    cost("disk.write.host-cpu", Family::Disk, "ns/byte"),
    rate("disk.read.rate", Family::Disk, "bytes/s", "Sequential 1 MiB reads"),
    cost("disk.read.host-cpu", Family::Disk, "ns/byte"),
    rate("disk.random-read.rate", Family::Disk, "reads/s", "4 KiB reads at random offsets"),
    cost("disk.random-read.host-cpu", Family::Disk, "ns/read"),
    latency("disk.random-read.latency.p50", "Median latency of one 4 KiB read"),
    latency("disk.random-read.latency.p99", "99th percentile of the latency of one 4 KiB read"),
    rate("disk.sync.rate", Family::Disk, "writes/s", "4 KiB write and fdatasync, one after the other"),
    cost("disk.sync.host-cpu", Family::Disk, "ns/write"),
    latency("disk.sync.latency.p50", "Median latency of one 4 KiB write with fdatasync"),
    latency("disk.sync.latency.p99", "99th percentile of the latency of one 4 KiB write with fdatasync"),
    Metric {
        name: "disk.image",
        family: Family::Disk,
        unit: "bytes",
        direction: Direction::Smaller,
        exact: true,
        resolution: 1.0,
        source: "the engine's image size; kernel, initramfs and base disk as stored; the agent's file",
        definition: "Bytes a start reads its world from",
    },
    Metric {
        name: "disk.added",
        family: Family::Disk,
        unit: "bytes",
        direction: Direction::Smaller,
        exact: false,
        resolution: 512.0,
        source: "allocated blocks (st_blocks) of the writable layer on the host",
        definition: "Bytes the idle instance has added on the host's disk",
    },
];

/// The metric of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

/// The first two parts of the names of a workload's metrics: `cpu.integer`, `disk.sync`, ….
#[must_use]
pub fn prefix(workload: Workload) -> &'static str {
    match workload {
        Workload::CpuInteger => "cpu.integer",
        Workload::CpuFloat => "cpu.float",
        Workload::MemoryBandwidth => "cpu.memory-bandwidth",
        Workload::MemoryLatency => "cpu.memory-latency",
        Workload::Syscall => "cpu.syscall",
        Workload::ContextSwitch => "cpu.context-switch",
        Workload::ForkExec => "cpu.fork-exec",
        Workload::Threads => "cpu.threads",
        Workload::DiskWrite => "disk.write",
        Workload::DiskRead => "disk.read",
        Workload::DiskRandomRead => "disk.random-read",
        Workload::DiskSync => "disk.sync",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = CATALOGUE.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
    }
}
