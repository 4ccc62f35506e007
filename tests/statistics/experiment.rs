//! Runs made of simulated values: two environments `a`, the control, and `b`; one row for each workload.

use std::time::Duration;

use isocost::environment::{Kind, Prepared};
use isocost::journal::Run;
use isocost::journal::record::{Ending, EnvironmentRecord, RunRecord, SCHEMA};
use isocost::measure::equality::Limits;
use isocost::measure::host::Host;
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::{Outcome, Sample};
use isocost::plan::{Block, Plan, Role};
use isocost::suite::{Blocks, Deadlines, EnvironmentSpec, KindSpec, NativeSpec, Suite, WorkloadSpec};
use isocost_agent::protocol::{Inspection, Workload};

use super::host::{Host as Simulated, Shape};

/// The metric of every row: slower is larger.
pub(crate) const METRIC: &str = "startup.ready";

/// ln of the values of one row, block by block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    pub a: Vec<f64>,
    pub b: Vec<f64>,
}

/// Blocks as Isocost measures them: each environment once, in an order drawn by chance, `b` slower by `shift`.
pub(crate) fn interleaved(shape: Shape, blocks: usize, shift: f64, seed: u64) -> Logs {
    let mut host = Simulated::new(shape, 2 * blocks, seed);
    let mut logs = Logs::default();
    for _ in 0..blocks {
        let a_first = host.heads();
        let (first, second) = (host.next(), host.next());
        let (a, b) = if a_first { (first, second) } else { (second, first) };
        logs.a.push(a);
        logs.b.push(b + shift);
    }
    logs
}

/// The same slots of the same host as others measure them: all of `a`, then all of `b`.
pub(crate) fn one_after_the_other(shape: Shape, each: usize, shift: f64, seed: u64) -> Logs {
    let mut host = Simulated::new(shape, 2 * each, seed);
    host.heads();
    let a = (0..each).map(|_| host.next()).collect();
    let b = (0..each).map(|_| host.next() + shift).collect();
    Logs { a, b }
}

/// A run with one row for each of these.
pub(crate) fn run(rows: &[Logs]) -> Run {
    let blocks = rows.iter().map(|row| row.a.len().max(row.b.len())).max().unwrap_or(0);
    let mut samples = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let workload = format!("w{at}");
        for (environment, logs) in [("a", &row.a), ("b", &row.b)] {
            samples
                .extend(logs.iter().zip(0..).map(|(log, block)| sample(block, environment, &workload, *log)));
        }
    }
    Run {
        record: record(rows.len(), blocks),
        samples,
        starts: Vec::new(),
        timelines: Vec::new(),
        conditions: Vec::new(),
        repeats: Vec::new(),
        set_aside: Vec::new(),
        complete: true,
        dropped_tail: false,
    }
}

fn sample(block: u32, environment: &str, workload: &str, log: f64) -> Sample {
    Sample {
        block,
        position: 0,
        environment: environment.into(),
        accelerator: Accelerator::None,
        workload: workload.into(),
        metric: METRIC.into(),
        outcome: Outcome::Value(100.0 * log.exp()),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: false,
        latencies_ns: Vec::new(),
    }
}

fn record(rows: usize, blocks: usize) -> RunRecord {
    let second = Duration::from_secs(1);
    let environment = |id: &str| EnvironmentSpec {
        id: id.into(),
        workloads: None,
        slower_permille: 0,
        kind: KindSpec::Native(NativeSpec::default()),
    };
    let workload = |at: usize| WorkloadSpec {
        id: format!("w{at}"),
        run: Workload::CpuInteger,
        duration: second,
        bytes: 0,
        direct: false,
        threads: None,
    };
    let count = u32::try_from(blocks).unwrap();
    let suite = Suite {
        name: "simulated".into(),
        description: String::new(),
        limits: Limits { cpus: 1, memory_bytes: 1 << 28 },
        blocks: Blocks { count, warm_up: 0, cold: 0 },
        deadlines: Deadlines { start: second, work: second, stop: second },
        gate: isocost::suite::GateSpec::default(),
        environments: vec![environment("a"), environment("b")],
        workloads: (0..rows).map(workload).collect(),
    };
    let blocks = (0..count).map(|index| Block { index, role: Role::Measured, cells: Vec::new() }).collect();
    RunRecord {
        schema: SCHEMA,
        run_id: "simulated".into(),
        isocost_version: "0".into(),
        agent_sha256: String::new(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        ended_at: None,
        ending: Ending::Complete,
        host: Host::default(),
        plan: Plan { suite, seed: 1, blocks },
        environments: ["a", "b"].map(prepared).into(),
        warnings: Vec::new(),
        sampler_cpu_share: None,
        conditions: Default::default(),
        code: None,
    }
}

fn prepared(id: &str) -> EnvironmentRecord {
    EnvironmentRecord {
        id: id.into(),
        kind: Kind::Native,
        accelerator: Accelerator::None,
        prepared: Prepared::default(),
        inspection: Some(Inspection {
            agent_sha256: String::new(),
            online_cpus: Some(1),
            affinity_cpus: Some(1),
            quota_cpus: None,
            cgroup_memory_limit_bytes: Some(1 << 28),
            firmware_memory_bytes: None,
            memory_total_bytes: None,
            memory_available_bytes: None,
            cpu_model: None,
            cpu_flags: Vec::new(),
            clock_source: None,
            kernel_release: String::new(),
            kernel_version: String::new(),
            mitigations: Vec::new(),
            layer_file_system: None,
            layer_source: None,
            page_bytes: 4096,
        }),
    }
}
