#![allow(clippy::unwrap_used)]

use isocost_agent::protocol::WorkDone;

use super::*;
use crate::measure::clock::Instant;
use crate::measure::metric;
use crate::measure::sample::Accelerator;
use crate::run::log::At;

const ALL: [Workload; 12] = [
    Workload::CpuInteger,
    Workload::CpuFloat,
    Workload::MemoryBandwidth,
    Workload::MemoryLatency,
    Workload::Syscall,
    Workload::ContextSwitch,
    Workload::ForkExec,
    Workload::Threads,
    Workload::DiskWrite,
    Workload::DiskRead,
    Workload::DiskRandomRead,
    Workload::DiskSync,
];

fn readings(cpu: u64, bytes_written: u64, flushes: u64) -> Readings {
    let counts = Counts { bytes_written, writes: 0, flushes: Some(flushes), volatile_cache: true };
    let cpu = Ok(Figure { value: cpu, source: String::new() });
    Readings { taken: (Instant(0), Instant(500_200_000)), cpu, disk: Some(Ok(counts)) }
}

fn synced() -> Done {
    let done = WorkDone {
        units: 100,
        elapsed_ns: 500_000_000,
        cpu_ns: 0,
        bytes_written: 409_600,
        syncs: 100,
        latencies_ns: (1..=100).rev().collect(),
        checksum: 0,
    };
    let order = WorkOrder {
        workload: Workload::DiskSync,
        duration_ns: 400_000_000,
        threads: 1,
        bytes: 0,
        direct: false,
        seed: 0,
        slower_permille: 0,
    };
    let worked = Worked { done, sent: Instant(0), answered: Instant(500_100_000) };
    Done {
        order,
        worked,
        before: readings(1_000, 0, 0),
        after: readings(2_001_000, 410_000, 101),
        clock: Ok(()),
    }
}

fn figures(done: &Done) -> Vec<(String, Result<f64, FailureName>)> {
    let environment = "x".into();
    let at = At { block: 0, position: 0, environment, accelerator: Accelerator::None, warm_up: false };
    let all = samples(&Piece::begin(&at, "w"), done);
    all.into_iter().map(|sample| (sample.metric.to_string(), outcome(&sample))).collect()
}

fn outcome(sample: &Sample) -> Result<f64, FailureName> {
    match &sample.outcome {
        crate::measure::sample::Outcome::Value(value) => Ok(*value),
        crate::measure::sample::Outcome::Failed(failure) => Err(failure.name),
    }
}

#[test]
fn every_metric_of_every_workload_is_in_the_catalogue() {
    for name in ALL.into_iter().flat_map(metrics) {
        assert!(metric::find(&name).is_some(), "{name}");
    }
}

#[test]
fn work_becomes_rate_cost_and_latencies() {
    let expected = [
        ("disk.sync.rate".to_owned(), Ok(200.0)),
        ("disk.sync.host-cpu".to_owned(), Ok(20_000.0)),
        ("disk.sync.latency.p50".to_owned(), Ok(50.0)),
        ("disk.sync.latency.p99".to_owned(), Ok(99.0)),
    ];
    assert_eq!(figures(&synced()), expected);
}

#[test]
fn writes_that_the_host_did_not_see_leave_no_figure() {
    let unsafe_cache = Done { after: readings(2_001_000, 410_000, 3), ..synced() };
    let names: Vec<_> = figures(&unsafe_cache).into_iter().map(|(_, figure)| figure).collect();
    assert_eq!(names, [Err(FailureName::UnseenWrites); 4]);
    let mut nothing = synced();
    nothing.worked.done.syncs = 0;
    assert!(figures(&nothing).iter().all(|(_, figure)| *figure == Err(FailureName::Impossible)));
}

#[test]
fn a_clock_that_is_wrong_leaves_no_figure() {
    let failure = Failure { name: FailureName::ClockVoid, detail: String::new() };
    let done = Done { clock: Err(failure), ..synced() };
    assert!(figures(&done).iter().all(|(_, figure)| *figure == Err(FailureName::ClockVoid)));
}

#[test]
fn cpu_time_that_cannot_be_fails_alone() {
    let done = Done { before: readings(3_000_000, 0, 0), ..synced() };
    let all = figures(&done);
    assert_eq!(all[0].1, Ok(200.0));
    assert_eq!(all[1].1, Err(FailureName::Impossible));
}

#[test]
fn no_cpu_time_at_all_is_a_source_too_coarse_and_not_nought() {
    let done = Done { before: readings(2_001_000, 0, 0), ..synced() };
    assert_eq!(figures(&done)[1].1, Err(FailureName::Unreadable));
}

#[test]
fn threads_come_from_the_limit() {
    let limits = Limits { cpus: 3, memory_bytes: 1 };
    let spec = |run| WorkloadSpec {
        id: "w".into(),
        run,
        duration: Duration::from_millis(5),
        bytes: 0,
        direct: false,
        threads: None,
    };
    assert_eq!(order(&spec(Workload::Threads), &limits, 1).threads, 3);
    let one = order(&spec(Workload::CpuInteger), &limits, 1);
    assert_eq!((one.threads, one.duration_ns), (1, 5_000_000));
}

#[test]
fn a_quantile_is_a_value_that_was_measured() {
    assert_eq!(quantile_of(&[], 0.5), None);
    assert_eq!(quantile_of(&[7], 0.99), Some(7.0));
    assert_eq!(quantile_of(&[1, 2, 3, 4], 0.5), Some(2.0));
    assert_eq!(quantile_of(&[1, 2, 3, 4], 0.99), Some(4.0));
}
