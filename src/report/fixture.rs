//! Runs made up for tests: as the quick suite gives on a small machine, and as no run should be.

#![allow(clippy::unwrap_used)]

use isocost_agent::protocol::{Inspection, Workload};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::analysis::{Settings, Summary};
use crate::environment::{Kind, Prepared};
use crate::journal::record::{EnvironmentRecord, RunRecord, SCHEMA};
use crate::journal::{Run, StartRecord, Timeline};
use crate::measure::clock::Instant;
use crate::measure::metric::{self, prefix};
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName, Outcome, Sample};
use crate::measure::span::Span;
use crate::measure::timeline::TimelinePoint;
use crate::plan::{self, Role};
use crate::suite::{EnvironmentSpec, KindSpec, WorkloadSpec};

/// The agent's hash in all of them.
pub(super) const AGENT: &str = "5b1e2c6f0a9d4e3b8c7f6a5d4e3f2b1a0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f";

/// A quick run with so many measured blocks: native, docker, qemu and qemu-raw under that accelerator.
pub(super) fn quick(blocks: u32, accelerator: Accelerator) -> Run {
    let mut suite = crate::suite::load("quick").unwrap();
    suite.blocks.count = blocks;
    let plan = plan::make(&suite, 42);
    let kinds = suite.environments.iter().map(|spec| (spec.id.clone(), kind(spec)));
    let environments = kinds.map(|(id, kind)| environment(&id, kind, accelerator)).collect();
    let mut run = Run {
        record: record(plan, environments),
        samples: Vec::new(),
        starts: Vec::new(),
        timelines: Vec::new(),
        conditions: Vec::new(),
        repeats: Vec::new(),
        set_aside: Vec::new(),
        complete: true,
        dropped_tail: false,
    };
    let mut maker = Maker { source: ChaCha8Rng::seed_from_u64(7), run: &mut run };
    maker.all();
    run
}

fn kind(spec: &EnvironmentSpec) -> Kind {
    match spec.kind {
        KindSpec::Native(_) => Kind::Native,
        KindSpec::Docker(_) => Kind::Docker,
        KindSpec::Qemu(_) => Kind::Qemu,
    }
}

/// From its JSON, so that what a later version adds to a record is here as in the record of an earlier one.
fn record(plan: plan::Plan, environments: Vec<EnvironmentRecord>) -> RunRecord {
    let record = serde_json::json!({
        "schema": SCHEMA,
        "run_id": "20261124-225100-a1b2",
        "isocost_version": "0.1.0",
        "agent_sha256": AGENT,
        "started_at": "2026-11-24T22:51:00Z",
        "ended_at": "2026-11-24T22:52:31Z",
        "ending": "complete",
        "host": {
            "kernel_release": "6.1.0-49-amd64",
            "os": "Debian GNU/Linux 12 (bookworm)",
            "cpu_model": "Example CPU @ 2.60GHz",
            "microcode": "0x1",
            "online_cpus": 2,
            "memory_bytes": 8_u64 << 30,
            "cgroup": "v1",
            "virtualised": true,
            "clock_source": "tsc",
            "kvm_modules": ["kvm"],
            "scratch_file_system": "ext4 on /dev/vda1",
            "load_average": 0.4,
        },
        "plan": plan,
        "environments": environments,
        "warnings": ["qemu: the guest's kernel is 6.1.0-56-cloud-amd64, the host's 6.1.0-49-amd64: they are not the same"],
        "sampler_cpu_share": 0.0042,
    });
    serde_json::from_value(record).unwrap()
}

fn environment(id: &str, kind: Kind, accelerator: Accelerator) -> EnvironmentRecord {
    let accelerator = if kind == Kind::Qemu { accelerator } else { Accelerator::None };
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let facts = match kind {
        Kind::Native => vec![fact("cgroup", "limits set")],
        Kind::Docker => {
            vec![fact("engine", "20.10.24"), fact("runtime", "runc"), fact("storage driver", "overlay2")]
        }
        Kind::Qemu => vec![
            fact("qemu", "QEMU emulator version 7.2.22"),
            fact("kernel.release", "6.1.0-56-cloud-amd64"),
            fact("kernel.sha256", &"9f".repeat(32)),
        ],
    };
    let prepared = Prepared { image_bytes: Some(60 << 20), facts, warnings: Vec::new() };
    EnvironmentRecord { id: id.into(), kind, accelerator, prepared, inspection: Some(inspection(kind)) }
}

fn inspection(kind: Kind) -> Inspection {
    let guest = kind == Kind::Qemu;
    Inspection {
        agent_sha256: AGENT.into(),
        online_cpus: Some(2),
        affinity_cpus: Some(2),
        quota_cpus: (!guest).then_some(2.0),
        cgroup_memory_limit_bytes: (!guest).then_some(256 << 20),
        firmware_memory_bytes: Some(if guest { 256 << 20 } else { 8 << 30 }),
        memory_total_bytes: Some(if guest { 226 << 20 } else { 8 << 30 }),
        memory_available_bytes: Some(if guest { 196 << 20 } else { 6 << 30 }),
        cpu_model: Some("Example CPU @ 2.60GHz".into()),
        cpu_flags: vec!["sse2".into(), "avx2".into()],
        clock_source: Some("tsc".into()),
        kernel_release: if guest { "6.1.0-56-cloud-amd64" } else { "6.1.0-49-amd64" }.into(),
        kernel_version: "#1 SMP".into(),
        mitigations: vec![("meltdown".into(), "Not affected".into())],
        layer_file_system: Some(if kind == Kind::Docker { "overlay" } else { "ext4" }.into()),
        layer_source: Some("/dev/vda1".into()),
        page_bytes: 4096,
    }
}

struct Maker<'a> {
    source: ChaCha8Rng,
    run: &'a mut Run,
}

impl Maker<'_> {
    /// Between 0 and 1.
    fn uniform(&mut self) -> f64 {
        (f64::from(self.source.next_u32()) + 0.5) / (f64::from(u32::MAX) + 1.0)
    }

    /// Log-normal around `middle` with that coefficient of variation, and one in twenty up to half as much again.
    fn noisy(&mut self, middle: f64, spread: f64) -> f64 {
        let (a, b) = (self.uniform(), self.uniform());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        let spike = if self.uniform() < 0.05 { 1.0 + self.uniform() * 0.5 } else { 1.0 };
        middle * (normal * spread).exp() * spike
    }

    fn all(&mut self) {
        let plan = self.run.record.plan.clone();
        for block in &plan.blocks {
            for (position, cell) in (0..).zip(&block.cells) {
                let find = |one: &&EnvironmentRecord| one.id == cell.environment;
                let environment = self.run.record.environments.iter().find(find).unwrap().clone();
                let place =
                    Place { block: block.index, position, environment: &environment, role: block.role };
                let workloads = &plan.suite.workloads;
                let wanted = cell.workloads.iter().map(|id| workloads.iter().find(|w| w.id == *id).unwrap());
                self.cell(&place, &wanted.collect::<Vec<_>>());
            }
        }
    }

    fn cell(&mut self, place: &Place<'_>, workloads: &[&WorkloadSpec]) {
        if place.role == Role::Cold {
            let cold = self.noisy(ready(place.environment.kind) * 2.4, 0.1);
            return self.take(place, "start", "startup.cold.ready", cold);
        }
        // One start of the second measured block of docker never gets ready.
        if place.environment.kind == Kind::Docker && place.block == 2 {
            let failure = Failure { name: FailureName::NeverReady, detail: "no Hello within 30 s".into() };
            self.fail(place, "start", "startup.ready", &failure);
            for one in workloads {
                self.fail(place, &one.id, &format!("{}.rate", prefix(one.run)), &failure);
            }
            return;
        }
        self.start(place);
        self.memory(place);
        workloads.iter().for_each(|one| self.work(place, one));
        let (stop, remove) = match place.environment.kind {
            Kind::Native => (1.1, 0.06),
            Kind::Docker => (21.0, 4.9),
            Kind::Qemu => (24.0, 1.3),
        };
        let (stop, remove) = (self.noisy(stop, 0.1), self.noisy(remove, 0.2));
        self.take(place, "stop", "end.total", stop + remove);
        self.take(place, "stop", "end.stop", stop);
        self.take(place, "stop", "end.remove", remove);
    }

    fn start(&mut self, place: &Place<'_>) {
        let mut at = 1_000_000_000;
        let (mut marks, mut phases) = (Vec::new(), Vec::new());
        for (name, ms) in phases_of(place.environment.kind) {
            let ms = self.noisy(*ms, 0.06);
            at += (ms * 1e6) as u64;
            marks.push((*name, Instant(at)));
            phases.push((*name, ms));
        }
        let span = Span::from_marks("ready", Instant(1_000_000_000), &marks);
        let whole = span.ns() as f64 / 1e6;
        let agent = phases.last().map_or(0.0, |(_, ms)| *ms);
        self.take(place, "start", "startup.ready", whole);
        self.take(place, "start", "startup.to-first-instruction", whole - agent);
        for (name, ms) in phases {
            self.take(place, "start", &format!("startup.phase.{name}"), ms);
        }
        let returned = (whole * 0.97 * 1e6) as u64;
        self.take(place, "start", "startup.start-returned", returned as f64 / 1e6);
        self.run.starts.push(StartRecord {
            block: place.block,
            position: place.position,
            environment: place.environment.id.clone(),
            accelerator: place.environment.accelerator,
            span,
            marks: vec![("start-returned".into(), returned)],
        });
    }

    fn memory(&mut self, place: &Place<'_>) {
        let mib = 1_048_576.0;
        let (instance, engine, standing) = match place.environment.kind {
            Kind::Native => (1.1, 0.0, 0.0),
            Kind::Docker => (1.2, 11.4, 96.0),
            Kind::Qemu => (84.0, 262.0, 0.0),
        };
        let figures = [
            ("memory.total.idle", instance + engine),
            ("memory.total.peak", (instance + engine) * 1.3 + 33.0),
            ("memory.instance.idle", instance),
            ("memory.instance.peak", instance + 33.0),
            ("memory.engine.idle", engine),
            ("memory.engine.peak", engine * 1.02),
            ("memory.standing.idle", standing),
            ("memory.cgroup.idle", instance * 1.4),
            ("memory.inside.total", if place.environment.kind == Kind::Qemu { 226.0 } else { 8192.0 }),
        ];
        for (name, value) in figures.into_iter().filter(|(_, value)| *value > 0.0) {
            let value = self.noisy(value * mib, 0.01);
            self.take(place, "idle", name, value.round());
        }
        let added = self.noisy(40_000.0, 0.05);
        self.take(place, "idle", "disk.added", (added / 512.0).floor() * 512.0);
        self.take(place, "image", "disk.image", 62_914_560.0);
        self.timeline(place, (instance + engine) * mib);
    }

    fn timeline(&mut self, place: &Place<'_>, idle: f64) {
        let ready = ready(place.environment.kind);
        let point = |i: u32, own: f64| {
            let at_ms = ready + f64::from(i) * 90.0;
            let work = if i > 4 { 33.0 * 1_048_576.0 } else { 0.0 };
            let resident = ((idle + work) * (1.1 + own * 0.05)) as u64;
            let pss_bytes = i.is_multiple_of(4).then_some((idle + work) as u64);
            TimelinePoint { at_ms, resident_bytes: resident, pss_bytes, cpu: 0.9 }
        };
        let points = (0..28).map(|i| point(i, self.uniform())).collect();
        self.run.timelines.push(Timeline {
            block: place.block,
            environment: place.environment.id.clone(),
            accelerator: place.environment.accelerator,
            points,
            sampler_cpu_share: Some(0.0042),
        });
    }

    fn work(&mut self, place: &Place<'_>, spec: &WorkloadSpec) {
        let (rate, container, emulated) = speeds(spec.run);
        let slower = match (place.environment.kind, place.environment.accelerator) {
            (Kind::Native, _) => 1.0,
            (Kind::Docker, _) => container,
            (_, Accelerator::Tcg) => emulated,
            _ => 1.0 + (emulated - 1.0) * 0.02,
        };
        let threads = f64::from(spec.threads.unwrap_or(1));
        let rate = self.noisy(rate * threads / slower, 0.03);
        let name = prefix(spec.run);
        self.take(place, &spec.id, &format!("{name}.rate"), rate);
        self.take(place, &spec.id, &format!("{name}.host-cpu"), threads * 1e9 / rate * 1.02);
        if matches!(spec.run, Workload::DiskRandomRead | Workload::DiskSync) {
            let middle = 1e9 / rate;
            let mut all: Vec<u32> = (0..400).map(|_| self.noisy(middle * 0.9, 0.4) as u32).collect();
            let unsorted = all.clone();
            all.sort_unstable();
            self.take(place, &spec.id, &format!("{name}.latency.p50"), f64::from(all[199]));
            self.run.samples.last_mut().unwrap().latencies_ns = unsorted;
            self.take(place, &spec.id, &format!("{name}.latency.p99"), f64::from(all[395]));
        }
    }

    fn take(&mut self, place: &Place<'_>, workload: &str, metric: &str, value: f64) {
        assert!(metric::find(metric).is_some(), "{metric}");
        self.push(place, workload, metric, Outcome::Value(value));
    }

    fn fail(&mut self, place: &Place<'_>, workload: &str, metric: &str, failure: &Failure) {
        self.push(place, workload, metric, Outcome::Failed(failure.clone()));
    }

    fn push(&mut self, place: &Place<'_>, workload: &str, metric: &str, outcome: Outcome) {
        self.run.samples.push(Sample {
            block: place.block,
            position: place.position,
            environment: place.environment.id.as_str().into(),
            accelerator: place.environment.accelerator,
            workload: workload.into(),
            metric: metric.into(),
            outcome,
            started_at: "2026-11-24T22:51:07.25Z".parse().unwrap(),
            warm_up: place.role == Role::WarmUp,
            latencies_ns: Vec::new(),
        });
    }
}

/// Which cell a sample is of.
struct Place<'a> {
    block: u32,
    position: u32,
    environment: &'a EnvironmentRecord,
    role: Role,
}

fn phases_of(kind: Kind) -> &'static [(&'static str, f64)] {
    match kind {
        Kind::Native => &[("exec", 0.82), ("agent", 0.31)],
        Kind::Docker => &[("create", 5.6), ("engine", 127.0), ("agent", 6.2)],
        Kind::Qemu => &[("vmm", 46.0), ("firmware", 13.0), ("kernel", 1010.0), ("agent", 212.0)],
    }
}

fn ready(kind: Kind) -> f64 {
    phases_of(kind).iter().map(|(_, ms)| ms).sum()
}

/// Units a second natively, and how many times slower a container and an emulated machine are.
fn speeds(workload: Workload) -> (f64, f64, f64) {
    match workload {
        Workload::CpuInteger => (4.1e8, 1.0, 1.03),
        Workload::CpuFloat => (3.2e8, 1.0, 7.6),
        Workload::MemoryBandwidth => (7.4e9, 1.01, 8.1),
        Workload::MemoryLatency => (1.1e7, 1.0, 1.6),
        Workload::Syscall => (9.5e6, 1.12, 3.1),
        Workload::ContextSwitch => (2.1e5, 1.05, 4.4),
        Workload::ForkExec => (2.4e3, 1.09, 2.2),
        Workload::Threads => (4.0e8, 1.01, 1.08),
        Workload::DiskWrite => (4.2e8, 1.04, 1.9),
        Workload::DiskRead => (3.1e9, 1.02, 5.2),
        Workload::DiskRandomRead => (2.2e5, 1.03, 6.4),
        Workload::DiskSync => (1.4e3, 1.06, 1.8),
    }
}

/// Its summary, resampled less often than a reader's.
pub(super) fn summarise(run: &Run) -> Summary {
    crate::analysis::summarise(run, &Settings { resamples: 200, ..Settings::of(run) })
}
