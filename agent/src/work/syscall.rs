//! The price of entering the kernel and leaving it.

use super::{Job, Pace, Refusal, Tally, batches};

const BATCH: u64 = 500;

pub(super) struct Syscall;

impl Job for Syscall {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        Ok(batches(pace, BATCH, |mut sum| {
            for _ in 0..BATCH {
                let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
                sum = sum.wrapping_add(u64::from(parent.unsigned_abs()) + 1);
            }
            sum
        }))
    }
}
