//! The integer work on several threads at once: as many as the order says, never as many as the machine has CPUs.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;

use super::cpu::integer;
use super::{Job, Pace, Refusal, Tally};
use crate::clock;

/// Iterations between two looks at the clock.
const BATCH: u64 = 20_000;

const STACK_BYTES: usize = 64 * 1024;

pub(super) struct Threads {
    count: u32,
    seed: u64,
}

impl Threads {
    pub(super) fn new(count: u32, seed: u64) -> Self {
        Self { count, seed }
    }
}

/// What all threads share.
struct Start {
    /// Locked until all are there; then when to end, or `None` where some could not be made.
    end_ns: RwLock<Option<u64>>,
    /// Nobody waits for the work any more.
    over: AtomicBool,
}

/// What one thread did, and when its last batch ended.
#[derive(Default)]
struct Share {
    units: u64,
    sum: u64,
    ended_ns: u64,
}

impl Start {
    fn share(&self, seed: u64) -> Share {
        let end_ns = *self.end_ns.read().unwrap_or_else(PoisonError::into_inner);
        let Some(end_ns) = end_ns else { return Share::default() };
        let mut share = Share { sum: seed, ..Share::default() };
        loop {
            share.sum = integer(share.sum, black_box(BATCH));
            share.units += BATCH;
            share.ended_ns = clock::now_ns();
            if share.ended_ns >= end_ns || self.over.load(Ordering::Relaxed) {
                return share;
            }
        }
    }

    /// The share of the thread that also looks whether anyone still waits.
    fn own_share(&self, pace: &mut Pace<'_>, seed: u64) -> Share {
        let mut share = Share { sum: seed, ..Share::default() };
        loop {
            share.sum = integer(share.sum, black_box(BATCH));
            share.units += BATCH;
            share.ended_ns = clock::now_ns();
            if !pace.goes_on_at(share.ended_ns) {
                self.over.store(pace.is_gone(), Ordering::Relaxed);
                return share;
            }
        }
    }
}

impl Job for Threads {
    /// All begin together; the time is over when the last one's is.
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let start = Start { end_ns: RwLock::new(None), over: AtomicBool::new(false) };
        let shares = thread::scope(|scope| {
            let mut gate = start.end_ns.write().unwrap_or_else(PoisonError::into_inner);
            let mut others = Vec::new();
            for number in 1..u64::from(self.count) {
                let (start, seed) = (&start, self.seed ^ number);
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                // Those that are there find the gate open and no time to work when it is dropped here.
                let made = thread.spawn_scoped(scope, move || start.share(seed));
                others.push(made.map_err(|e| Refusal::io("make a thread", e))?);
            }
            *gate = Some(pace.start().saturating_add(pace.duration_ns()));
            drop(gate);
            let mut shares = vec![start.own_share(pace, self.seed)];
            shares.extend(others.into_iter().filter_map(|thread| thread.join().ok()));
            Ok(shares)
        })?;
        let last = shares.iter().map(|share| share.ended_ns).max();
        pace.goes_on_at(last.unwrap_or_default());
        let sum = |sum: u64, share: &Share| sum.wrapping_add(share.sum);
        let units = shares.iter().map(|share| share.units).sum();
        Ok(Tally { units, checksum: shares.iter().fold(0, sum), ..Tally::default() })
    }
}
