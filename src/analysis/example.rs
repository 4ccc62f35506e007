//! Runs for tests, made of the samples that matter to them.

use isocost_agent::protocol::Inspection;

use crate::environment::{Kind, Prepared};
use crate::journal::Run;
use crate::journal::record::{Conditions, Ending, EnvironmentRecord, RunRecord, SCHEMA};
use crate::measure::equality::Limits;
use crate::measure::host::Host;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName, Outcome, Sample};
use crate::plan::{Block, Plan, Role};
use crate::suite::{
    Blocks, Deadlines, DockerSpec, EnvironmentSpec, KindSpec, NativeSpec, Suite, WorkloadSpec,
};

/// A run of `native` and `docker`, both of the size asked for, with one workload `integer` and no samples yet: block 0 is
/// cold, block 1 a warm-up, the others are measured.
pub(crate) fn run(measured: u32) -> Run {
    let limits = Limits { cpus: 2, memory_bytes: 1 << 28 };
    let native = environment("native", KindSpec::Native(NativeSpec::default()));
    let docker = KindSpec::Docker(DockerSpec { runtime: "runc".into(), network: false });
    let docker = environment("docker", docker);
    let suite = Suite {
        name: "example".into(),
        description: String::new(),
        limits,
        blocks: Blocks { count: measured, warm_up: 1, cold: 1 },
        deadlines: Deadlines { start: SECOND, work: SECOND, stop: SECOND },
        environments: vec![native, docker],
        workloads: vec![workload("integer")],
        gate: crate::suite::GateSpec::default(),
    };
    let role = |index| match index {
        0 => Role::Cold,
        1 => Role::WarmUp,
        _ => Role::Measured,
    };
    let blocks =
        (0..measured + 2).map(|index| Block { index, role: role(index), cells: Vec::new() }).collect();
    let record = RunRecord {
        schema: SCHEMA,
        run_id: "r1".into(),
        isocost_version: "0".into(),
        agent_sha256: "ab".into(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        ended_at: None,
        ending: Ending::Complete,
        host: Host::default(),
        plan: Plan { suite, seed: 1, blocks },
        environments: vec![prepared("native", Kind::Native), prepared("docker", Kind::Docker)],
        warnings: Vec::new(),
        sampler_cpu_share: None,
        conditions: Conditions::default(),
        code: None,
    };
    Run {
        record,
        samples: Vec::new(),
        starts: Vec::new(),
        timelines: Vec::new(),
        conditions: Vec::new(),
        repeats: Vec::new(),
        set_aside: Vec::new(),
        complete: true,
        dropped_tail: false,
    }
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

fn environment(id: &str, kind: KindSpec) -> EnvironmentSpec {
    EnvironmentSpec { id: id.into(), workloads: None, slower_permille: 0, kind }
}

fn workload(id: &str) -> WorkloadSpec {
    WorkloadSpec {
        id: id.into(),
        run: isocost_agent::protocol::Workload::CpuInteger,
        duration: SECOND,
        bytes: 0,
        direct: false,
        threads: None,
    }
}

fn prepared(id: &str, kind: Kind) -> EnvironmentRecord {
    EnvironmentRecord {
        id: id.into(),
        kind,
        accelerator: Accelerator::None,
        prepared: Prepared::default(),
        inspection: Some(inspection()),
    }
}

/// What an instance of the size asked for sees.
pub(crate) fn inspection() -> Inspection {
    Inspection {
        agent_sha256: "ab".into(),
        online_cpus: Some(2),
        affinity_cpus: Some(2),
        quota_cpus: None,
        cgroup_memory_limit_bytes: Some(1 << 28),
        firmware_memory_bytes: None,
        memory_total_bytes: Some(1 << 33),
        memory_available_bytes: None,
        cpu_model: None,
        cpu_flags: Vec::new(),
        clock_source: None,
        kernel_release: "6.1".into(),
        kernel_version: String::new(),
        mitigations: Vec::new(),
        layer_file_system: None,
        layer_source: None,
        page_bytes: 4096,
    }
}

/// One sample; its workload follows from the metric.
pub(crate) fn sample(block: u32, environment: &str, metric: &str, value: f64) -> Sample {
    let workload = match metric.split('.').next() {
        Some("startup") => "start",
        Some("end") => "stop",
        Some("memory") => "idle",
        _ if metric == "disk.image" => "image",
        _ => "integer",
    };
    Sample {
        block,
        position: 0,
        environment: environment.into(),
        accelerator: Accelerator::None,
        workload: workload.into(),
        metric: metric.into(),
        outcome: Outcome::Value(value),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: block == 1,
        latencies_ns: Vec::new(),
    }
}

/// One failed sample.
pub(crate) fn failed(block: u32, environment: &str, metric: &str, name: FailureName) -> Sample {
    let outcome = Outcome::Failed(Failure { name, detail: String::new() });
    Sample { outcome, ..sample(block, environment, metric, 0.0) }
}
