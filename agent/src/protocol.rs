//! What the harness and the agent say to each other, in one typed module for both ends.
//!
//! A frame is a fixed header and a [postcard](https://postcard.jamesmunns.com) payload. Every frame is
//! bounded by [`MAX_FRAME_BYTES`] before a byte of its payload is read; neither end trusts the other's lengths.
//! The agent speaks first: [`FromAgent::Hello`] is the pushed answer that ends every start.

use serde::{Deserialize, Serialize};

pub mod frame;

/// The version both ends must share; a change of any message or of the frame changes it.
pub const VERSION: u16 = 2;

/// The largest payload either end accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// The most latencies one [`WorkDone`] may carry (each up to 5 bytes on the wire).
pub const MAX_LATENCIES: usize = 20_000;

/// What the harness asks of the agent. Each request has exactly one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    /// What does the program see from where it runs? Answer: [`FromAgent::Inspection`].
    Inspect,
    /// What does its clock say? Answer: [`FromAgent::Clock`] at once.
    ReadClock,
    /// Make ready for a piece of work (files written, caches warm). Answer: [`FromAgent::Prepared`].
    Prepare(WorkOrder),
    /// Do the work that was prepared. Answer: [`FromAgent::Done`].
    Run,
    /// End in an orderly way; as PID 1, power the machine off. Answer: [`FromAgent::Bye`].
    Shutdown,
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromAgent {
    /// Pushed once, first, unasked: the instance is ready.
    Hello(Hello),
    /// Answers [`ToAgent::Inspect`].
    Inspection(Box<Inspection>),
    /// Answers [`ToAgent::ReadClock`]: `CLOCK_MONOTONIC` inside, in nanoseconds.
    Clock(u64),
    /// Answers [`ToAgent::Prepare`].
    Prepared,
    /// Answers [`ToAgent::Run`].
    Done(WorkDone),
    /// Answers any request that could not be met: what failed and why, for a person.
    Failed {
        /// A short stable name, kebab-case: `no-space`, `unsupported`, `bad-order`, `io`.
        name: String,
        /// The detail, with the path and the system's own words.
        detail: String,
    },
    /// Answers [`ToAgent::Shutdown`]; nothing follows.
    Bye,
}

/// The agent's first words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The agent's own version (its crate's).
    pub agent_version: String,
    /// The process id the agent has inside.
    pub pid: u32,
    /// `/proc/sys/kernel/random/boot_id`: equal to the host's where both share one kernel, and so one clock.
    /// Empty where unreadable.
    pub boot_id: String,
    /// `CLOCK_MONOTONIC` inside at the agent's first instruction, nanoseconds.
    pub first_instruction_ns: u64,
    /// `CLOCK_MONOTONIC` inside just before this frame was written, nanoseconds.
    pub ready_ns: u64,
}

/// What the program sees from inside. `None` is 'could not be read', never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// SHA-256 of the agent's own executable, lower-case hex.
    pub agent_sha256: String,
    /// CPUs online (`/sys/devices/system/cpu/online`).
    pub online_cpus: Option<u32>,
    /// CPUs in the affinity mask of the agent.
    pub affinity_cpus: Option<u32>,
    /// CPU bandwidth from the agent's cgroup, in CPUs (quota / period).
    pub quota_cpus: Option<f64>,
    /// The memory limit of the agent's cgroup, in bytes.
    pub cgroup_memory_limit_bytes: Option<u64>,
    /// RAM of the machine, from the firmware's map (`/sys/firmware/memmap`, else `/proc/iomem`), in bytes.
    pub firmware_memory_bytes: Option<u64>,
    /// `MemTotal` and `MemAvailable` of `/proc/meminfo`, in bytes.
    pub memory_total_bytes: Option<u64>,
    /// See [`Self::memory_total_bytes`].
    pub memory_available_bytes: Option<u64>,
    /// First `model name` of `/proc/cpuinfo`.
    pub cpu_model: Option<String>,
    /// First `flags` of `/proc/cpuinfo`, sorted.
    pub cpu_flags: Vec<String>,
    /// `/sys/devices/system/clocksource/clocksource0/current_clocksource`.
    pub clock_source: Option<String>,
    /// `uname -r`.
    pub kernel_release: String,
    /// `uname -v`.
    pub kernel_version: String,
    /// Each file of `/sys/devices/system/cpu/vulnerabilities` and its line.
    pub mitigations: Vec<(String, String)>,
    /// The file system type that holds the writable layer (`overlay`, `ext4`, …).
    pub layer_file_system: Option<String>,
    /// The device behind the writable layer as `/proc/self/mountinfo` names it.
    pub layer_source: Option<String>,
    /// Page size in bytes.
    pub page_bytes: u32,
}

/// The pieces of work the agent knows; the serialised names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Workload {
    /// 64-bit integer arithmetic; unit: iteration of a fixed kernel.
    CpuInteger,
    /// Double-precision multiply and add; unit: iteration of a fixed kernel.
    CpuFloat,
    /// Copying between two buffers; unit: byte.
    MemoryBandwidth,
    /// A dependent chain of loads over a random cycle; unit: load.
    MemoryLatency,
    /// `getppid`; unit: call.
    Syscall,
    /// Two processes over a pair of pipes; unit: round trip (two switches).
    ContextSwitch,
    /// fork, exec of the agent itself with an argument that exits at once, wait; unit: process.
    ForkExec,
    /// [`Workload::CpuInteger`] on `threads` threads at once; unit: iteration, all threads together.
    Threads,
    /// Sequential 1 MiB writes, then fdatasync; unit: byte.
    DiskWrite,
    /// Sequential 1 MiB reads; unit: byte.
    DiskRead,
    /// 4 KiB reads at random aligned offsets; unit: read; with latencies.
    DiskRandomRead,
    /// 4 KiB append, fdatasync, again; unit: synced write; with latencies.
    DiskSync,
}

impl Workload {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::CpuInteger,
        Self::CpuFloat,
        Self::MemoryBandwidth,
        Self::MemoryLatency,
        Self::Syscall,
        Self::ContextSwitch,
        Self::ForkExec,
        Self::Threads,
        Self::DiskWrite,
        Self::DiskRead,
        Self::DiskRandomRead,
        Self::DiskSync,
    ];
}

/// The most that work can be slowed on purpose: to twice its time.
pub const MOST_SLOWER_PERMILLE: u32 = 1000;

/// One piece of work to prepare and run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Which.
    pub workload: Workload,
    /// How long to work at least, in nanoseconds of the inside clock: whole batches until it has passed.
    /// 0: exactly `bytes` of work, once (disk workloads only).
    pub duration_ns: u64,
    /// Threads to use: 1 everywhere but [`Workload::Threads`].
    pub threads: u32,
    /// Bytes of file (disk) or of buffer (memory); 0: the workload's own default.
    pub bytes: u64,
    /// O_DIRECT: around the page cache (disk only).
    pub direct: bool,
    /// Seed of offsets and cycles.
    pub seed: u64,
    /// How much longer to take on purpose, in thousandths of the time the work took: CPU time that is counted and makes
    /// nothing. For those who check whether a slow-down is found; at most [`MOST_SLOWER_PERMILLE`].
    pub slower_permille: u32,
}

/// What came of a piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkDone {
    /// Units of work done (see [`Workload`] for the unit).
    pub units: u64,
    /// From first to last unit, inside clock, nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the agent and the children it has waited for, inside accounting, nanoseconds.
    pub cpu_ns: u64,
    /// Bytes handed to write(2), for disk workloads.
    pub bytes_written: u64,
    /// fdatasync calls that returned, for disk workloads.
    pub syncs: u64,
    /// Latency of each operation in nanoseconds, at most [`MAX_LATENCIES`] (evenly thinned above that).
    pub latencies_ns: Vec<u32>,
    /// A value that depends on all the work done, so that none of it can be left out.
    pub checksum: u64,
}
