//! Memory and CPU of one cell over time, at 10 Hz or better, for less than 1 % of one core.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::accounting::process::{self, Ticks};
use super::accounting::{Accounts, Bill, PROC, Reading};
use super::clock::Instant;
use super::host::CpuList;
use super::host::frequency::{Frequencies, Frequency};

/// Between two readings: a little under a tenth of a second, so that 10 Hz is kept where a wake-up comes late.
const PERIOD: Duration = Duration::from_millis(90);

/// Processes come and go slowly beside that. Proportional memory is not read before either: a cell that is over sooner would
/// pay for it and have no time to rest.
const LOOK: Duration = Duration::from_millis(900);

/// What is costly is rare: so much CPU time as it took, times this, passes before it is done again. Proportional memory walks
/// page tables, which takes milliseconds for a virtual machine; this is 0.3 % of one core.
const REST_OF_MEMORY: u32 = 330;

/// Looking for new processes takes more the more there are: 0.2 % of one core.
const REST_OF_LOOK: u32 = 500;

/// The sampler's own use of one core that is worth a warning.
pub const MOST_CPU_SHARE: f64 = 0.01;

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimelinePoint {
    /// Milliseconds since the instance was asked for.
    pub at_ms: f64,
    /// Resident bytes of the instance's and the engine's share's processes (sysinfo); shared pages are in each.
    pub resident_bytes: u64,
    /// PSS of the same, where it was read at this point.
    pub pss_bytes: Option<u64>,
    /// CPU used since the reading before, in CPUs.
    pub cpu: f64,
}

/// The largest proportional memory seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Of the instance.
    pub instance: Reading,
    /// Of the engine's share.
    pub engine: Reading,
    /// Of both at one moment.
    pub total: Reading,
}

impl Peaks {
    /// Takes a reading into account. A failure stays only where no reading succeeds.
    pub fn see(&mut self, bill: &Bill) {
        raise(&mut self.instance, bill.instance.clone());
        raise(&mut self.engine, bill.engine.clone());
        raise(&mut self.total, bill.total());
    }

    /// Takes another's peaks into account.
    pub fn join(&mut self, other: Self) {
        raise(&mut self.instance, other.instance);
        raise(&mut self.engine, other.engine);
        raise(&mut self.total, other.total);
    }
}

fn raise(peak: &mut Reading, seen: Reading) {
    let higher = match (&*peak, &seen) {
        (Some(Ok(peak)), Some(Ok(seen))) => seen.value > peak.value,
        (None | Some(Err(_)), Some(_)) => true,
        _ => false,
    };
    if higher {
        *peak = seen;
    }
}

/// What the sampler saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watched {
    /// In order.
    pub points: Vec<TimelinePoint>,
    /// The largest proportional memory among them.
    pub peaks: Peaks,
    /// Frequencies of the CPUs that were named, once a second.
    pub frequency: Option<Frequency>,
    /// CPU time the sampler itself used.
    pub own_cpu: Duration,
    /// How long it watched.
    pub lasted: Duration,
}

type Stop = Arc<(Mutex<bool>, Condvar)>;

/// A thread that watches one instance until [`Sampler::finish`]; dropping it ends it too.
#[derive(Debug)]
pub struct Sampler {
    stop: Stop,
    thread: Option<JoinHandle<Watched>>,
}

impl Sampler {
    /// Begins; points count from `since`, frequencies are those of `cpus`.
    ///
    /// # Errors
    /// Where no thread can be made, or sysinfo has no system to look at.
    pub fn start(accounts: Accounts, since: Instant, cpus: &CpuList) -> std::io::Result<Self> {
        let stop: Stop = Arc::default();
        let seen = Arc::clone(&stop);
        let system = System::new().map_err(std::io::Error::other)?;
        let frequencies = Frequencies::of(cpus);
        let watch = move || Watcher::new(system, accounts, since, frequencies).watch(&seen);
        let thread = std::thread::Builder::new().name("sampler".into()).spawn(watch)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends it. `None` where its thread did not survive.
    #[must_use]
    pub fn finish(mut self) -> Option<Watched> {
        self.end()
    }

    fn end(&mut self) -> Option<Watched> {
        let thread = self.thread.take()?;
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        thread.join().ok()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

struct Watcher {
    accounts: Accounts,
    roots: Vec<u32>,
    since: Instant,
    system: System,
    pids: Vec<Pid>,
    ticks: Ticks,
    looked: Instant,
    next_look: Instant,
    next_pss: Instant,
    frequencies: Frequencies,
    seen: Watched,
}

impl Watcher {
    fn new(system: System, accounts: Accounts, since: Instant, frequencies: Frequencies) -> Self {
        let roots = [&accounts.instance.roots[..], &accounts.engine.roots[..]].concat();
        let (pids, seen, now) = (Vec::new(), Watched::default(), Instant::now());
        let (ticks, next_pss) = (Ticks::default(), now.after(LOOK));
        let (looked, next_look) = (now, now);
        Self { accounts, roots, since, system, pids, ticks, looked, next_look, next_pss, frequencies, seen }
    }

    fn watch(mut self, stop: &Stop) -> Watched {
        let began = Instant::now();
        let mut stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopped {
            drop(stopped);
            self.read();
            stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !*stopped {
                let waited = stop.1.wait_timeout(stopped, PERIOD);
                stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        self.seen.own_cpu = own_cpu();
        self.seen.lasted = Instant::now().since(began);
        self.seen
    }

    fn read(&mut self) {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now.after(LOOK.max(cost_of(|| self.look()) * REST_OF_LOOK));
        }
        // CPU time is not asked of sysinfo: it would read the account of every CPU and interrupt of the host for it, and
        // only every 200 ms.
        let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&self.pids), true, what);
        let of_ours = self.pids.iter().filter_map(|pid| self.system.process(*pid));
        let resident_bytes = of_ours.map(sysinfo::Process::memory).sum();
        let cpu = self.cpu();
        let pss_bytes = if now >= self.next_pss { self.pss(now) } else { None };
        let at_ms = now.since(self.since).as_secs_f64() * 1e3;
        self.seen.points.push(TimelinePoint { at_ms, resident_bytes, pss_bytes, cpu });
    }

    /// CPUs used since the reading before.
    fn cpu(&mut self) -> f64 {
        let used = self.ticks.since_last(Path::new(PROC), self.pids.iter().map(|pid| pid.as_u32()));
        let now = Instant::now();
        let lasted = now.since(std::mem::replace(&mut self.looked, now)).as_secs_f64();
        if lasted > 0.0 { used.as_secs_f64() / lasted } else { 0.0 }
    }

    fn look(&mut self) {
        if let Ok(pids) = process::tree(Path::new(PROC), &self.roots) {
            self.pids = pids.into_iter().map(Pid::from_u32).collect();
        }
        self.frequencies.read_into(&mut self.seen.frequency);
    }

    fn pss(&mut self, now: Instant) -> Option<u64> {
        let mut total = None;
        let cost = cost_of(|| {
            let bill = Bill::without_standing(&self.accounts);
            self.seen.peaks.see(&bill);
            total = bill.total();
        });
        self.next_pss = now.after(cost * REST_OF_MEMORY);
        total?.ok().map(|figure| figure.value)
    }
}

/// CPU time of the calling thread that it takes.
fn cost_of(work: impl FnOnce()) -> Duration {
    let before = own_cpu();
    work();
    own_cpu().saturating_sub(before)
}

/// CPU time of the calling thread.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
