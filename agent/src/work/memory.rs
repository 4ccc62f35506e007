//! Memory: how many bytes a second can be copied, and how many loads that wait for each other.

use std::hint::black_box;

use super::random::Random;
use super::{Job, Pace, Refusal, Tally, batches, bytes_of};
use crate::inspect::usable_memory_bytes;

/// Bytes that are copied between two looks at the clock.
const SLICE_BYTES: usize = 1 << 20;

/// A cache line: what one load of the latency chain touches.
const LINE_BYTES: usize = 64;

/// Loads of the latency chain between two looks at the clock.
const CHAIN_BATCH: u64 = 5000;

/// What each word is changed by on its way: with it, this is no plain copy, for which the C library would choose
/// other instructions on another CPU.
const TURN: u64 = 0x5555_5555_5555_5555;

/// The bandwidth kernel: copies words, all bits of a pattern flipped.
pub fn copy(from: &[u64], to: &mut [u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from ^ TURN;
    }
}

/// A chain that visits each of `lines` cache lines once in random order and returns to the first (Sattolo, 1986).
/// The next line of line i is the first word at i.
#[must_use]
pub fn cycle(lines: u32, seed: u64) -> Vec<[u32; LINE_BYTES / 4]> {
    let mut chain: Vec<[u32; LINE_BYTES / 4]> = (0..lines).map(|line| [line; LINE_BYTES / 4]).collect();
    let mut random = Random(seed);
    for line in (1..chain.len()).rev() {
        let other = random.below(line as u64) as usize;
        let (low, high) = chain.split_at_mut(line);
        std::mem::swap(&mut low[other][0], &mut high[0][0]);
    }
    chain
}

/// The latency kernel: follows the chain for `loads` steps.
#[must_use]
pub fn follow(chain: &[[u32; LINE_BYTES / 4]], mut line: u32, loads: u64) -> u32 {
    for _ in 0..loads {
        line = chain[line as usize][0];
    }
    line
}

/// Refuses what would push the instance out of memory instead of being killed for it.
fn fits(bytes: u64) -> Result<usize, Refusal> {
    let most = usable_memory_bytes().map_or(u64::MAX, |usable| usable / 4 * 3);
    match usize::try_from(bytes) {
        Ok(size) if bytes <= most => Ok(size),
        _ => {
            let detail = format!("{bytes} bytes of buffers, of {most} that can be used here");
            Err(Refusal { name: "no-memory", detail })
        }
    }
}

fn words(count: usize) -> Result<Vec<u64>, Refusal> {
    let mut words = Vec::new();
    let refused = |_| Refusal { name: "no-memory", detail: format!("no {count} words of memory at once") };
    words.try_reserve_exact(count).map_err(refused)?;
    Ok(words)
}

pub(super) struct Bandwidth {
    from: Vec<u64>,
    to: Vec<u64>,
}

impl Bandwidth {
    /// Two buffers of `bytes` each, both written, so that no page is missing when the clock runs.
    pub(super) fn new(bytes: u64, seed: u64) -> Result<Self, Refusal> {
        let bytes = bytes_of(bytes);
        if bytes < SLICE_BYTES as u64 {
            return Err(Refusal::order(format!("a buffer of {bytes} bytes; the least is {SLICE_BYTES}")));
        }
        let count = fits(bytes.saturating_mul(2))? / 2 / 8;
        let (mut from, mut to) = (words(count)?, words(count)?);
        from.extend((0..count as u64).map(|word| word ^ seed));
        to.resize(count, 0);
        Ok(Self { from, to })
    }
}

impl Job for Bandwidth {
    /// There, then back, so that each pass reads what the one before wrote.
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let slice = SLICE_BYTES / 8;
        let slices = self.from.len() / slice;
        let mut at = 0;
        Ok(batches(pace, SLICE_BYTES as u64, |sum| {
            let words = at * slice..(at + 1) * slice;
            copy(&self.from[words.clone()], &mut self.to[words.clone()]);
            let sum = sum.wrapping_add(black_box(&self.to)[words.start]);
            at += 1;
            if at == slices {
                at = 0;
                std::mem::swap(&mut self.from, &mut self.to);
            }
            sum
        }))
    }
}

pub(super) struct Latency {
    chain: Vec<[u32; LINE_BYTES / 4]>,
}

impl Latency {
    pub(super) fn new(bytes: u64, seed: u64) -> Result<Self, Refusal> {
        let lines = fits(bytes_of(bytes))? / LINE_BYTES;
        match u32::try_from(lines) {
            Ok(lines) if lines >= 2 => Ok(Self { chain: cycle(lines, seed) }),
            _ => Err(Refusal::order(format!("a chain of {lines} cache lines; it takes 2 to 2^32"))),
        }
    }
}

impl Job for Latency {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let mut line = 0;
        Ok(batches(pace, CHAIN_BATCH, |sum| {
            line = follow(&self.chain, line, black_box(CHAIN_BATCH));
            sum.wrapping_add(line.into())
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_visits_each_line_once_and_returns() {
        for lines in [2, 3, 1000] {
            let chain = cycle(lines, 7);
            let mut seen = vec![false; lines as usize];
            let mut line = 0;
            for _ in 0..lines {
                line = follow(&chain, line, 1);
                assert!(!std::mem::replace(&mut seen[line as usize], true), "line {line} twice");
            }
            assert_eq!(line, 0);
        }
        assert_ne!(cycle(1000, 7), cycle(1000, 8));
    }

    #[test]
    fn a_copy_and_a_copy_back_is_the_first() {
        let from: Vec<u64> = (0..1000).collect();
        let (mut there, mut back) = (vec![0; 1000], vec![0; 1000]);
        copy(&from, &mut there);
        copy(&there, &mut back);
        assert_ne!(from, there);
        assert_eq!(from, back);
    }

    #[test]
    fn what_does_not_fit_or_makes_no_sense_is_refused() {
        assert_eq!(Bandwidth::new(1 << 60, 0).err().unwrap().name, "no-memory");
        assert_eq!(Latency::new(u64::MAX, 0).err().unwrap().name, "no-memory");
        assert_eq!(Bandwidth::new(1000, 0).err().unwrap().name, "bad-order");
        assert_eq!(Latency::new(64, 0).err().unwrap().name, "bad-order");
    }
}
