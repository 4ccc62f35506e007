//! The pieces of work, the same in every environment: made ready, run in whole batches, counted.
//!
//! In: a [`WorkOrder`] and the folder of the writable layer. Out: a [`WorkDone`]. Nothing here uses an instruction
//! that not every x86-64 CPU has, or a function that the C library chooses by the CPU it finds: the same code runs everywhere.

use std::path::Path;

use crate::protocol::{MOST_SLOWER_PERMILLE, WorkDone, WorkOrder, Workload};
use crate::sys;

pub mod cpu;
mod disk;
pub mod fork;
pub mod memory;
mod pace;
mod random;
mod switch;
mod syscall;
mod threads;

pub use pace::Pace;

/// Bytes of a buffer or a file for which the order names none.
const DEFAULT_BYTES: u64 = 64 << 20;

/// Bytes of a buffer or a file, of which the order names so many.
pub fn bytes_of(named: u64) -> u64 {
    if named == 0 { DEFAULT_BYTES } else { named }
}

/// Why a piece of work was not done: what [`FromAgent::Failed`](crate::protocol::FromAgent::Failed) carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `no-space`, `no-memory`, `unsupported`, `bad-order` or `io`.
    pub name: &'static str,
    /// What, on what, in the system's own words.
    pub detail: String,
}

impl Refusal {
    fn order(detail: impl Into<String>) -> Self {
        Self { name: "bad-order", detail: detail.into() }
    }

    /// What the system said when it was to do `doing`.
    fn io(doing: &str, error: impl Into<std::io::Error>) -> Self {
        use std::io::ErrorKind;
        let error = error.into();
        let name = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "no-space",
            ErrorKind::OutOfMemory => "no-memory",
            ErrorKind::Unsupported => "unsupported",
            _ => "io",
        };
        Self { name, detail: format!("cannot {doing}: {error}") }
    }
}

/// What a piece of work counts itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// See [`WorkDone`] for all of them.
    pub units: u64,
    /// Bytes handed to write(2).
    pub bytes_written: u64,
    /// fdatasync calls that returned.
    pub syncs: u64,
    /// Of single operations.
    pub latencies_ns: Vec<u32>,
    /// Depends on all the work.
    pub checksum: u64,
}

/// A piece of work that is ready. Dropping it gives back its memory, files and processes.
pub trait Job {
    /// Does it, for as long as `pace` says, once.
    ///
    /// # Errors
    /// Where the system refused something.
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal>;
}

/// Makes a piece of work ready; files are made in `layer`.
///
/// # Errors
/// An order that makes no sense, or that cannot be met here.
pub fn prepare(order: &WorkOrder, layer: &Path) -> Result<Box<dyn Job>, Refusal> {
    check(order)?;
    Ok(match order.workload {
        Workload::CpuInteger => Box::new(cpu::Integer::new(order.seed)),
        Workload::CpuFloat => Box::new(cpu::Float::new(order.seed)),
        Workload::MemoryBandwidth => Box::new(memory::Bandwidth::new(order.bytes, order.seed)?),
        Workload::MemoryLatency => Box::new(memory::Latency::new(order.bytes, order.seed)?),
        Workload::Syscall => Box::new(syscall::Syscall),
        Workload::ContextSwitch => Box::new(switch::Switch::new()?),
        Workload::ForkExec => Box::new(fork::ForkExec::new()),
        Workload::Threads => Box::new(threads::Threads::new(order.threads, order.seed)),
        Workload::DiskWrite => Box::new(disk::Write::new(order, layer)?),
        Workload::DiskRead => Box::new(disk::Read::new(order, layer)?),
        Workload::DiskRandomRead => Box::new(disk::RandomRead::new(order, layer)?),
        Workload::DiskSync => Box::new(disk::Sync::new(order, layer)?),
    })
}

/// The most threads that can be asked for.
const MAX_THREADS: u32 = 1024;

fn check(order: &WorkOrder) -> Result<(), Refusal> {
    use Workload::{DiskRandomRead, DiskRead, DiskSync, DiskWrite, Threads};
    let disk = matches!(order.workload, DiskWrite | DiskRead | DiskRandomRead | DiskSync);
    let most = if order.workload == Threads { MAX_THREADS } else { 1 };
    if !(1..=most).contains(&order.threads) {
        let (workload, threads) = (order.workload, order.threads);
        return Err(Refusal::order(format!("{threads} threads for {workload:?}: it takes 1 to {most}")));
    }
    if order.slower_permille > MOST_SLOWER_PERMILLE {
        let asked = order.slower_permille;
        return Err(Refusal::order(format!("{asked} ‰ slower: at most {MOST_SLOWER_PERMILLE} can be")));
    }
    if !disk && (order.duration_ns == 0 || order.direct) {
        return Err(Refusal::order(format!("{:?} needs a duration, and has no page cache", order.workload)));
    }
    Ok(())
}

/// Runs a piece of work that is ready. `gone` says whether the one who asked has hung up: it ends early then.
///
/// # Errors
/// As [`Job::run`].
pub fn run(job: &mut dyn Job, order: &WorkOrder, gone: &dyn Fn() -> bool) -> Result<WorkDone, Refusal> {
    let mut pace = Pace::new(order.duration_ns, gone);
    let before = sys::cpu_ns();
    let tally = job.run(&mut pace)?;
    pace.linger(order.slower_permille);
    let cpu_ns = sys::cpu_ns().saturating_sub(before);
    let Tally { units, bytes_written, syncs, latencies_ns, checksum } = tally;
    let elapsed_ns = pace.elapsed_ns();
    Ok(WorkDone { units, elapsed_ns, cpu_ns, bytes_written, syncs, latencies_ns, checksum })
}

/// Runs batches of `units` until the time is over; a batch gets the checksum so far and returns the next.
fn batches(pace: &mut Pace<'_>, units: u64, mut batch: impl FnMut(u64) -> u64) -> Tally {
    let mut tally = Tally::default();
    pace.start();
    loop {
        tally.checksum = batch(tally.checksum);
        tally.units += units;
        if !pace.goes_on() {
            return tally;
        }
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
