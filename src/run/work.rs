//! One workload in one cell: made ready, run between readings of the host, turned into samples.

use std::time::Duration;

use isocost_agent::protocol::{WorkOrder, Workload};

use super::inside_clock::InsideClock;
use super::log::Piece;
use crate::environment::Instance;
use crate::measure::accounting::Accounts;
use crate::measure::accounting::{self, Figure, process};
use crate::measure::clock::Instant;
use crate::measure::counters::device::Device;
use crate::measure::counters::{Counts, vouch};
use crate::measure::equality::Limits;
use crate::measure::metric::prefix;
use crate::measure::sample::{Failure, FailureName, Sample};
use crate::measure::sense::Worked;
use crate::measure::{host, sense};
use crate::suite::WorkloadSpec;

/// What is asked of the agent.
pub(super) fn order(spec: &WorkloadSpec, limits: &Limits, seed: u64) -> WorkOrder {
    let usual = if spec.run == Workload::Threads { limits.cpus } else { 1 };
    WorkOrder {
        workload: spec.run,
        duration_ns: u64::try_from(spec.duration.as_nanos()).unwrap_or(u64::MAX),
        threads: spec.threads.unwrap_or(usual),
        bytes: spec.bytes,
        direct: spec.direct,
        seed,
        slower_permille: 0,
    }
}

fn writes(workload: Workload) -> bool {
    matches!(workload, Workload::DiskWrite | Workload::DiskSync)
}

fn has_latencies(workload: Workload) -> bool {
    matches!(workload, Workload::DiskRandomRead | Workload::DiskSync)
}

/// The metrics a workload has.
pub(super) fn metrics(workload: Workload) -> Vec<String> {
    let prefix = prefix(workload);
    let mut names = vec![format!("{prefix}.rate"), format!("{prefix}.host-cpu")];
    if has_latencies(workload) {
        names.extend([format!("{prefix}.latency.p50"), format!("{prefix}.latency.p99")]);
    }
    names
}

/// Readings of the host around a piece of work.
struct Readings {
    /// From when to when they were taken: on a busy host that is not an instant.
    taken: (Instant, Instant),
    cpu: Result<Figure, Failure>,
    disk: Option<Result<Counts, String>>,
}

impl Readings {
    fn take(accounts: &Accounts, device: Option<&Result<Device, String>>) -> Self {
        let began = Instant::now();
        let disk = device.map(|device| device.as_ref().map_err(Clone::clone).and_then(Device::counts));
        let cpu = accounting::cpu_ns(accounts);
        Self { taken: (began, Instant::now()), cpu, disk }
    }
}

/// A piece of work and what the host read before and after it.
pub(super) struct Done {
    order: WorkOrder,
    worked: Worked,
    before: Readings,
    after: Readings,
    /// Was the clock inside right meanwhile?
    clock: Result<(), Failure>,
}

/// Has it done.
///
/// # Errors
/// The agent's failure, by name.
pub(super) fn carry_out(
    instance: &mut dyn Instance,
    order: WorkOrder,
    deadline: Duration,
    clock: &mut InsideClock,
) -> Result<Done, Failure> {
    let deadline = deadline + Duration::from_nanos(order.duration_ns);
    instance.prepare_work(&order, deadline)?;
    let device = writes(order.workload).then(|| Device::behind(&instance.layer().host_path));
    let accounts = instance.accounts();
    let read_before = clock.read(instance)?;
    let before = Readings::take(&accounts, device.as_ref());
    let worked = instance.run_work(deadline)?;
    let after = Readings::take(&accounts, device.as_ref());
    let read_after = clock.read(instance)?;
    Ok(Done { order, worked, before, after, clock: clock.judge(read_before, read_after) })
}

/// Its samples. Where the work makes no sense or the host did not see the writes, all of them fail: a cost per byte
/// that never reached the disk is as untrue as the rate.
pub(super) fn samples(piece: &Piece<'_>, done: &Done) -> Vec<Sample> {
    let workload = done.order.workload;
    let makes_sense = sense::work(&done.worked, &done.order).and_then(|()| done.clock.clone());
    if let Err(failure) = makes_sense.and_then(|()| seen(done)) {
        return piece.failed(&metrics(workload), &failure);
    }
    let prefix = prefix(workload);
    let work = &done.worked.done;
    let rate = work.units as f64 / (work.elapsed_ns as f64 / 1e9);
    let mut samples = vec![
        piece.sample(&format!("{prefix}.rate"), Ok(rate)),
        piece.sample(&format!("{prefix}.host-cpu"), host_cpu(done).map(|ns| ns / work.units as f64)),
    ];
    if has_latencies(workload) {
        samples.extend(latencies(piece, prefix, &work.latencies_ns));
    }
    samples
}

fn seen(done: &Done) -> Result<(), Failure> {
    let (Some(before), Some(after)) = (&done.before.disk, &done.after.disk) else { return Ok(()) };
    let work = &done.worked.done;
    if work.bytes_written == 0 || work.syncs == 0 {
        let detail = format!("it wrote {} bytes and synced {} times", work.bytes_written, work.syncs);
        return Err(Failure { name: FailureName::Impossible, detail });
    }
    vouch(before, after, work.bytes_written, work.syncs)
}

/// Nanoseconds of CPU time on the host.
fn host_cpu(done: &Done) -> Result<f64, Failure> {
    let before = done.before.cpu.clone()?.value;
    let after = done.after.cpu.clone()?.value;
    let used = after.checked_sub(before).ok_or_else(|| Failure {
        name: FailureName::Impossible,
        detail: format!("CPU time went from {before} ns back to {after} ns"),
    })?;
    if used == 0 {
        // No work takes none.
        let detail = format!("no CPU time was seen in {}", done.after.cpu.clone()?.source);
        return Err(Failure { name: FailureName::Unreadable, detail });
    }
    let elapsed = done.after.taken.1.since(done.before.taken.0);
    sense::cpu(Duration::from_nanos(used), host::online_cpus(), elapsed, process::tick() * 2)?;
    Ok(used as f64)
}

/// The single operations go with the median only: once is enough.
fn latencies(piece: &Piece<'_>, prefix: &str, latencies_ns: &[u32]) -> Vec<Sample> {
    let mut sorted = latencies_ns.to_vec();
    sorted.sort_unstable();
    let at = |quantile: f64| {
        quantile_of(&sorted, quantile).ok_or_else(|| Failure {
            name: FailureName::WorkFailed,
            detail: "the agent sent no latencies".to_owned(),
        })
    };
    let mut p50 = piece.sample(&format!("{prefix}.latency.p50"), at(0.5));
    p50.latencies_ns = latencies_ns.to_vec();
    vec![p50, piece.sample(&format!("{prefix}.latency.p99"), at(0.99))]
}

/// The smallest value that at least this share of all do not exceed: one that was measured, never between two.
fn quantile_of(sorted: &[u32], quantile: f64) -> Option<f64> {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map(|&ns| f64::from(ns))
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
