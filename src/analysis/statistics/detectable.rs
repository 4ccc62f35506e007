//! The smallest shift that the signed-rank test would see.
//!
//! An experiment of n values sees a shift when the signed-rank interval of the shifted values leaves zero out. That
//! interval moves with the values: an experiment whose lower end is L without a shift sees every shift above −L. So the
//! power of all shifts is found at once: draw experiments from what was seen, note −L of each, and the shift that 95 of
//! 100 experiments see is the 95th percentile of these. No spread, no normal distribution, no bisection is assumed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{order, signed_rank, walsh::Walsh};

/// Fewer say too little about how values spread.
pub const FEWEST: usize = 10;

/// Experiments drawn: the 95th percentile then rests on the hundred largest.
const EXPERIMENTS: usize = 2_000;

/// How sure to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sureness {
    /// Share of experiments without a shift that see one all the same, in either direction: 0.01.
    pub false_alarms: f64,
    /// Share of experiments with the shift that see it: 0.95.
    pub power: f64,
}

impl Sureness {
    /// 95 % power at 1 % false alarms.
    pub const USUAL: Self = Self { false_alarms: 0.01, power: 0.95 };
}

/// The smallest shift that an experiment of `n` values sees, where values without a shift spread about zero as `seen`
/// do about their centre. `None` where fewer than [`FEWEST`] were seen, or where `n` values are too few for the test.
///
/// What is drawn has either sign with equal chance: without a shift, nothing favours one.
#[must_use]
pub fn smallest(seen: &[f64], n: usize, sureness: Sureness, seed: u64) -> Option<f64> {
    if seen.len() < FEWEST {
        return None;
    }
    let depth = signed_rank::depth(n, 1.0 - sureness.false_alarms)?;
    let centre = Walsh::new(seen).median()?;
    let spread: Vec<f64> = seen.iter().map(|value| value - centre).collect();
    let mut source = ChaCha8Rng::seed_from_u64(seed);
    let experiment = |_| {
        let drawn: Vec<f64> = (0..n).map(|_| draw(&spread, &mut source)).collect();
        Walsh::new(&drawn).nth(depth).map(|low| -low)
    };
    let needed: Vec<f64> = (0..EXPERIMENTS).filter_map(experiment).collect();
    order::quantile(&order::sorted(&needed), sureness.power).map(|shift| shift.max(0.0))
}

fn draw(spread: &[f64], source: &mut ChaCha8Rng) -> f64 {
    let bits = source.next_u64();
    // The upper 63 bits choose the value, the lowest the sign; the bias of a modulus of 2^63 is nothing here.
    let value = spread[((bits >> 1) % spread.len() as u64) as usize];
    if bits & 1 == 0 { value } else { -value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::normal;
    use super::*;

    /// Evenly spaced quantiles of a normal distribution: its very shape.
    fn bell(n: u32, deviation: f64) -> Vec<f64> {
        (0..n).map(|at| normal::quantile((f64::from(at) + 0.5) / f64::from(n)) * deviation).collect()
    }

    #[test]
    fn normal_values_need_what_theory_says() {
        let seen = bell(400, 0.02);
        for n in [10usize, 20, 40] {
            let found = smallest(&seen, n, Sureness::USUAL, 1).unwrap();
            // (z.995 + z.95) σ / √n, divided by the root of the signed-rank test's efficiency of 3/π.
            let theory = (2.5758 + 1.6449) * 0.02 / (n as f64).sqrt() / 0.9549f64.sqrt();
            // With ten values the interval's true confidence is 99.4 %, and estimating the spread costs too.
            let most = if n == 10 { 1.45 } else { 1.15 };
            assert!((0.97..most).contains(&(found / theory)), "{n}: {found} {theory}");
        }
    }

    /// What it says is what happens: the share of new experiments that see the shift.
    #[test]
    fn the_shift_is_seen_as_often_as_promised() {
        // A heavy tail: one value in twenty is ten times as far out.
        let mut seen = bell(95, 0.01);
        seen.extend(bell(5, 0.1));
        let shift = smallest(&seen, 20, Sureness::USUAL, 2).unwrap();
        let depth = signed_rank::depth(20, 0.99);
        let mut source = ChaCha8Rng::seed_from_u64(99);
        let mut share = |shift: f64| {
            let sees = |_: &u32| {
                let drawn: Vec<f64> = (0..20).map(|_| shift + draw(&seen, &mut source)).collect();
                let (low, high) = signed_rank::interval(&Walsh::new(&drawn), depth).unwrap();
                low > 0.0 || high < 0.0
            };
            (0..3_000).filter(sees).count() as f64 / 3_000.0
        };
        let (seen_with, seen_without) = (share(shift), share(0.0));
        assert!((0.93..0.97).contains(&seen_with), "{seen_with}");
        assert!(seen_without <= 0.015, "{seen_without}");
    }

    #[test]
    fn where_too_little_was_seen_or_too_few_are_planned_there_is_no_number() {
        assert_eq!(smallest(&bell(9, 1.0), 20, Sureness::USUAL, 1), None);
        assert_eq!(smallest(&bell(50, 1.0), 7, Sureness::USUAL, 1), None);
        assert_eq!(smallest(&[0.5; 12], 20, Sureness::USUAL, 1), Some(0.0));
    }

    #[test]
    fn a_shift_common_to_all_changes_nothing() {
        let seen = bell(60, 0.03);
        let shifted: Vec<f64> = seen.iter().map(|value| value + 5.0).collect();
        let (a, b) = (smallest(&seen, 20, Sureness::USUAL, 3), smallest(&shifted, 20, Sureness::USUAL, 3));
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-9);
    }
}
