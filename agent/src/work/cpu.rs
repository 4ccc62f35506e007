//! Arithmetic.

use std::hint::black_box;

use super::{Job, Pace, Refusal, Tally, batches};

/// Iterations of a batch: well below a millisecond on a CPU, a few when emulated.
const BATCH: u64 = 20_000;

/// The integer kernel: `iterations` of shifts, exclusive ors, a multiplication, a rotation and an addition that all
/// depend on the ones before.
#[must_use]
pub fn integer(state: u64, iterations: u64) -> u64 {
    let mut x = state | 1;
    let mut sum = state;
    for _ in 0..iterations {
        // A step of Marsaglia's xorshift, so that the multiplier is never a constant.
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum = sum.wrapping_mul(x | 1).rotate_left(23).wrapping_add(x);
    }
    sum
}

/// The floating-point kernel: in each of `iterations`, four independent chains of a multiplication and an addition.
/// Each tends to a fixed point between 1 and 2: never infinite, never denormal.
#[must_use]
pub fn float(state: f64, iterations: u64) -> f64 {
    let mut chains = [state, state + 0.25, state + 0.5, state + 0.75];
    let factors = black_box([0.999_9, 0.999_7, 0.999_5, 0.999_3]);
    let terms = black_box([0.000_11, 0.000_37, 0.000_63, 0.000_91]);
    for _ in 0..iterations {
        for lane in 0..4 {
            chains[lane] = chains[lane] * factors[lane] + terms[lane];
        }
    }
    chains.iter().sum::<f64>() / 4.0
}

pub(super) struct Integer {
    seed: u64,
}

impl Integer {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Job for Integer {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let seed = self.seed;
        Ok(batches(pace, BATCH, |sum| integer(sum ^ seed, black_box(BATCH))))
    }
}

pub(super) struct Float {
    start: f64,
}

impl Float {
    pub(super) fn new(seed: u64) -> Self {
        Self { start: 1.0 + (seed % 1000) as f64 / 1000.0 }
    }
}

impl Job for Float {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let mut state = self.start;
        Ok(batches(pace, BATCH, |_| {
            state = float(state, black_box(BATCH));
            state.to_bits()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_depends_on_each_iteration_and_on_the_start() {
        assert_ne!(integer(1, 1000), integer(1, 1001));
        assert_ne!(integer(1, 1000), integer(4, 1000));
        assert_eq!(integer(1, 1000), integer(1, 1000));
        assert_ne!(integer(0, 1000), 0);
    }

    #[test]
    fn float_stays_in_its_range_for_ever() {
        let mut state = 2.75;
        for _ in 0..100 {
            state = float(state, 10_000);
            assert!((0.5..3.0).contains(&state), "{state}");
        }
        assert_ne!(float(1.0, 100).to_bits(), float(1.0, 101).to_bits());
    }
}
