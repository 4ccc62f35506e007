//! The writable layer: bytes a second, latencies of reads, and latencies of writes that reached the medium.

use std::path::Path;

use super::random::Random;
use super::{Job, Pace, Refusal, Tally};
use crate::clock;
use crate::protocol::WorkOrder;

mod file;
mod latencies;

use file::{Aligned, CHUNK, PAGE, WorkFile};
use latencies::Latencies;

/// Sequential writes.
pub(super) struct Write {
    file: WorkFile,
    buffer: Aligned,
}

impl Write {
    pub(super) fn new(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        Ok(Self { file: WorkFile::new(order, layer)?, buffer: Aligned::new(CHUNK, order.seed) })
    }
}

impl Job for Write {
    /// Each pass writes the file anew, from nothing, and ends with a sync.
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let mut tally = Tally::default();
        pace.start();
        loop {
            let (bytes, sum) = self.file.pass(&mut self.buffer, |_| !pace.is_gone())?;
            tally.units += bytes;
            tally.bytes_written += bytes;
            tally.syncs += 1;
            tally.checksum = tally.checksum.wrapping_add(sum);
            if !pace.goes_on() {
                break;
            }
            self.file.empty()?;
        }
        self.file.is_whole().map(|()| tally)
    }
}

/// Sequential reads.
pub(super) struct Read {
    file: WorkFile,
    buffer: Aligned,
}

impl Read {
    pub(super) fn new(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        Ok(Self { file: WorkFile::full(order, layer)?, buffer: Aligned::new(CHUNK, order.seed) })
    }
}

impl Job for Read {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let mut tally = Tally::default();
        pace.start();
        loop {
            // The time may be over in the middle of a pass: a chunk is a batch.
            let once = pace.duration_ns() == 0;
            let (bytes, sum) =
                self.file.read_all(&mut self.buffer, |at| at == 0 || once || pace.goes_on())?;
            tally.units += bytes;
            tally.checksum = tally.checksum.wrapping_add(sum);
            if !pace.goes_on() {
                return Ok(tally);
            }
        }
    }
}

/// Reads of single pages.
pub(super) struct RandomRead {
    file: WorkFile,
    buffer: Aligned,
    random: Random,
    latencies: Latencies,
}

impl RandomRead {
    pub(super) fn new(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        let file = WorkFile::full(order, layer)?;
        let buffer = Aligned::new(PAGE, order.seed);
        Ok(Self { file, buffer, random: Random(order.seed), latencies: Latencies::new() })
    }
}

impl Job for RandomRead {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let pages = self.file.pages();
        let mut tally = Tally::default();
        let mut before = pace.start();
        loop {
            let at = self.random.below(pages) * PAGE as u64;
            let sum = self.file.read(self.buffer.get_mut(), at)?;
            let now = clock::now_ns();
            self.latencies.add(now - before);
            before = now;
            tally.units += 1;
            tally.checksum = tally.checksum.wrapping_add(sum);
            let once = pace.duration_ns() == 0 && tally.units < pages;
            if !pace.goes_on_at(now) && !once {
                break;
            }
        }
        tally.latencies_ns = self.latencies.take();
        Ok(tally)
    }
}

/// Writes that are on the medium one by one.
pub(super) struct Sync {
    file: WorkFile,
    buffer: Aligned,
    latencies: Latencies,
}

impl Sync {
    pub(super) fn new(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        let file = WorkFile::new(order, layer)?;
        Ok(Self { file, buffer: Aligned::new(PAGE, order.seed), latencies: Latencies::new() })
    }
}

impl Job for Sync {
    /// A file that has reached its size is emptied and filled again; that is in no latency.
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let pages = self.file.pages();
        let mut tally = Tally::default();
        let mut before = pace.start();
        loop {
            let at = tally.units % pages * PAGE as u64;
            if at == 0 && tally.units > 0 {
                self.file.empty()?;
                before = clock::now_ns();
            }
            let sum = self.file.write(self.buffer.get_mut(), at)?;
            self.file.sync()?;
            let now = clock::now_ns();
            self.latencies.add(now - before);
            before = now;
            tally.units += 1;
            tally.checksum = tally.checksum.wrapping_add(sum);
            let once = pace.duration_ns() == 0 && tally.units < pages;
            if !pace.goes_on_at(now) && !once {
                break;
            }
        }
        tally.bytes_written = tally.units * PAGE as u64;
        tally.syncs = tally.units;
        tally.latencies_ns = self.latencies.take();
        Ok(tally)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "disk_tests.rs"]
mod tests;
