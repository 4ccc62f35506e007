//! A run folder with a million samples: the standard suite's environments and workloads, thousands of blocks.

use std::path::Path;

use isocost::environment::{Kind, Prepared};
use isocost::journal::record::{Ending, EnvironmentRecord, RunRecord, SCHEMA};
use isocost::journal::{Record, Writer, write_run};
use isocost::measure::host::Host;
use isocost::measure::metric::{CATALOGUE, Family, Metric, prefix};
use isocost::measure::name::Name;
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::{Outcome, Sample};
use isocost::plan::{self, Plan};
use isocost::suite::{self, KindSpec, Suite};
use isocost_agent::protocol::Inspection;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SAMPLES: usize = 1_000_000;

/// Latencies of single operations in each sample that has them.
const LATENCIES: usize = 300;

/// Makes it, where it is not there yet.
pub(crate) fn make(folder: &Path) {
    if folder.join("complete").exists() {
        return;
    }
    let _ = std::fs::remove_dir_all(folder);
    let mut suite = suite::load("standard").unwrap();
    let cells = cells(&suite);
    let blocks = SAMPLES.div_ceil(cells.len());
    suite.blocks = suite::Blocks { count: u32::try_from(blocks).unwrap(), warm_up: 0, cold: 0 };
    let plan = plan::make(&suite, 1);
    let mut writer = Writer::create(folder, "million").unwrap();
    write_run(folder, &record(plan)).unwrap();
    let mut source = ChaCha8Rng::seed_from_u64(1);
    for block in 0..u32::try_from(blocks).unwrap() {
        let samples = cells.iter().map(|cell| Record::Sample(sample(block, cell, &mut source)));
        writer.append(&samples.collect::<Vec<_>>()).unwrap();
    }
    writer.append(&[Record::End]).unwrap();
    std::fs::write(folder.join("complete"), "").unwrap();
}

/// What is measured in each block: environment, accelerator, workload, metric, and a level.
struct Cell {
    environment: Name,
    accelerator: Accelerator,
    workload: Name,
    metric: &'static Metric,
    level: f64,
}

fn cells(suite: &Suite) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (place, environment) in suite.environments.iter().enumerate() {
        let accelerator = accelerator(&environment.kind);
        let mut add = |workload: &str, metric: &'static Metric| {
            let level = 1e5 * (1.0 + place as f64);
            let (environment, workload) = (Name::from(&environment.id), workload.into());
            cells.push(Cell { environment, accelerator, workload, metric, level });
        };
        for metric in
            CATALOGUE.iter().filter(|metric| matches!(metric.family, Family::Startup | Family::Memory))
        {
            add(if metric.name.starts_with("startup") { "start" } else { "idle" }, metric);
        }
        let runs = |id: &String| environment.workloads.as_ref().is_none_or(|own| own.contains(id));
        for workload in suite.workloads.iter().filter(|one| runs(&one.id)) {
            let prefix = format!("{}.", prefix(workload.run));
            for metric in CATALOGUE.iter().filter(|metric| metric.name.starts_with(&prefix)) {
                add(&workload.id, metric);
            }
        }
    }
    cells
}

fn accelerator(kind: &KindSpec) -> Accelerator {
    if matches!(kind, KindSpec::Qemu(_)) { Accelerator::Tcg } else { Accelerator::None }
}

fn sample(block: u32, cell: &Cell, source: &mut ChaCha8Rng) -> Sample {
    let mut noise = || 1.0 + (source.next_u64() >> 40) as f64 / f64::from(1 << 24) / 10.0;
    let value = cell.level * noise();
    let many = if cell.metric.name.ends_with("latency.p50") { LATENCIES } else { 0 };
    let latencies_ns = (0..many).map(|_| (cell.level * noise().powi(8)) as u32).collect();
    Sample {
        block,
        position: 0,
        environment: cell.environment.clone(),
        accelerator: cell.accelerator,
        workload: cell.workload.clone(),
        metric: cell.metric.name.into(),
        outcome: Outcome::Value(value),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: false,
        latencies_ns,
    }
}

fn record(plan: Plan) -> RunRecord {
    let environments = plan.suite.environments.iter().map(|one| EnvironmentRecord {
        id: one.id.clone(),
        kind: match one.kind {
            KindSpec::Native(_) => Kind::Native,
            KindSpec::Docker(_) => Kind::Docker,
            KindSpec::Qemu(_) => Kind::Qemu,
        },
        accelerator: accelerator(&one.kind),
        prepared: Prepared::default(),
        inspection: Some(inspection()),
    });
    RunRecord {
        schema: SCHEMA,
        run_id: "million".into(),
        isocost_version: "0".into(),
        agent_sha256: String::new(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        ended_at: None,
        ending: Ending::Complete,
        host: Host::default(),
        environments: environments.collect(),
        plan,
        warnings: Vec::new(),
        sampler_cpu_share: None,
        conditions: isocost::journal::record::Conditions::default(),
        code: None,
    }
}

fn inspection() -> Inspection {
    Inspection {
        agent_sha256: String::new(),
        online_cpus: Some(2),
        affinity_cpus: Some(2),
        quota_cpus: None,
        cgroup_memory_limit_bytes: Some(512 << 20),
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
    }
}
