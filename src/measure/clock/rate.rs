//! How fast another kernel's clock runs beside the host's.
//!
//! Two readings of its offset, apart in time, give its rate; each is only known to lie within a round trip, so the rate
//! has an uncertainty too. A clock is wrong when it is so beyond that, and right when it cannot be wrong within it.

use serde::{Deserialize, Serialize};

use super::{ClockOffset, Instant};

/// The largest error of rate that a figure taken by that clock may have: 0.5 %.
pub const MOST_RATE_ERROR: f64 = 0.005;

/// An offset, and when it was measured on the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// On the host.
    pub at: Instant,
    /// Of the inside clock then.
    pub offset: ClockOffset,
}

/// A clock's rate over a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockRate {
    /// Seconds that pass inside for each on the host, less one: above zero it runs fast.
    pub error: f64,
    /// The truth is within ± this.
    pub uncertainty: f64,
    /// Over so many seconds on the host.
    pub seconds: f64,
}

/// What is known of a clock's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Off by at most [`MOST_RATE_ERROR`].
    Right,
    /// Off by more.
    Wrong,
    /// The stretch was too short, or the channel too slow, to tell.
    Unknown,
}

impl ClockRate {
    /// Between two readings; `None` where no time passed between them.
    #[must_use]
    pub fn between(first: &Reading, last: &Reading) -> Option<Self> {
        let elapsed_ns = last.at.since(first.at).as_nanos() as f64;
        // host = inside + offset: an offset that shrinks is of a clock that runs fast.
        let drift_ns = (first.offset.offset_ns - last.offset.offset_ns) as f64;
        let uncertain_ns = first.offset.uncertainty_ns as f64 + last.offset.uncertainty_ns as f64;
        (elapsed_ns > 0.0).then(|| Self {
            error: drift_ns / elapsed_ns,
            uncertainty: uncertain_ns / elapsed_ns,
            seconds: elapsed_ns / 1e9,
        })
    }

    /// Right, wrong, or not to be told.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.error.abs() - self.uncertainty > MOST_RATE_ERROR {
            Verdict::Wrong
        } else if self.error.abs() + self.uncertainty <= MOST_RATE_ERROR {
            Verdict::Right
        } else {
            Verdict::Unknown
        }
    }
}

impl std::fmt::Display for ClockRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.error < 0.0 { "slow" } else { "fast" };
        let (error, uncertainty) = (self.error.abs() * 1e2, self.uncertainty * 1e2);
        write!(f, "{error:.2} % ± {uncertainty:.2} % {way} over {:.2} s", self.seconds)
    }
}

/// What a run learned of one environment's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockTruth {
    /// Its instances run on the host's kernel and read the host's clock: nothing to check.
    pub shared: bool,
    /// Pieces of work whose stretch was checked.
    pub checked: u32,
    /// Of them, those whose clock was wrong; they are failed samples (`clock-void`).
    pub wrong: u32,
    /// Of them, those where it could not be told.
    pub unknown: u32,
    /// Of all cells, whole, the one whose clock was off the most.
    pub worst: Option<ClockRate>,
    /// The largest uncertainty that a stamp of its clock has on the host's, in nanoseconds.
    pub stamp_uncertainty_ns: u64,
}

impl ClockTruth {
    /// Takes what another cell learned into account.
    pub fn join(&mut self, other: &Self) {
        self.shared |= other.shared;
        self.checked += other.checked;
        self.wrong += other.wrong;
        self.unknown += other.unknown;
        self.stamp_uncertainty_ns = self.stamp_uncertainty_ns.max(other.stamp_uncertainty_ns);
        let off = |rate: &Option<ClockRate>| rate.map_or(-1.0, |rate| rate.error.abs());
        if off(&other.worst) > off(&self.worst) {
            self.worst = other.worst;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(at: u64, offset_ns: i128, uncertainty_ns: u64) -> Reading {
        Reading { at: Instant(at), offset: ClockOffset { offset_ns, uncertainty_ns } }
    }

    /// A clock that shows `inside` when the host's shows `at`.
    fn shows(at: u64, inside: u64, uncertainty_ns: u64) -> Reading {
        reading(at, i128::from(at) - i128::from(inside), uncertainty_ns)
    }

    #[test]
    fn a_clock_that_gains_runs_fast() {
        let rate =
            ClockRate::between(&shows(1_000_000_000, 7, 1_000), &shows(2_000_000_000, 1_010_000_007, 1_000))
                .unwrap();
        assert!((rate.error - 0.01).abs() < 1e-12 && rate.verdict() == Verdict::Wrong);
        assert_eq!(rate.to_string(), "1.00 % ± 0.00 % fast over 1.00 s");
        let slow = ClockRate::between(&shows(0, 0, 0), &shows(1_000_000, 990_000, 0)).unwrap();
        assert!(slow.to_string().starts_with("1.00 % ± 0.00 % slow"), "{slow}");
    }

    #[test]
    fn what_a_round_trip_can_explain_is_not_wrong() {
        // 1 % fast over 100 ms, known to ± 0.6 ms on both ends.
        let rate =
            ClockRate::between(&shows(0, 0, 600_000), &shows(100_000_000, 101_000_000, 600_000)).unwrap();
        assert_eq!(rate.verdict(), Verdict::Unknown);
        let right =
            ClockRate::between(&shows(0, 5, 100_000), &shows(300_000_000, 300_000_010, 100_000)).unwrap();
        assert_eq!(right.verdict(), Verdict::Right);
        assert_eq!(ClockRate::between(&shows(5, 0, 0), &shows(5, 0, 0)), None);
    }

    #[test]
    fn a_run_keeps_the_worst_of_its_cells() {
        let rate = |error| Some(ClockRate { error, uncertainty: 0.0, seconds: 1.0 });
        let cell = |worst, wrong| ClockTruth { checked: 2, wrong, worst, ..ClockTruth::default() };
        let mut all = ClockTruth::default();
        for one in [cell(rate(0.001), 0), cell(rate(-0.02), 1), cell(rate(0.01), 0), cell(None, 0)] {
            all.join(&one);
        }
        assert_eq!((all.checked, all.wrong, all.worst), (8, 1, rate(-0.02)));
        assert_eq!(serde_json::from_str::<ClockTruth>("{}").unwrap(), ClockTruth::default());
    }

    proptest! {
        /// Whatever the channel's delays: a clock is called wrong only where it is, and right only where it is.
        #[test]
        fn no_delay_makes_a_verdict_false(
            ppm in -20_000i64..20_000,
            elapsed in 1_000_000u64..10_000_000_000,
            (first_trip, first_part) in (1u64..5_000_000, 0.0f64..1.0),
            (last_trip, last_part) in (1u64..5_000_000, 0.0f64..1.0),
        ) {
            let rate = 1.0 + ppm as f64 / 1e6;
            // The inside clock is read somewhere in the round trip that begins at `sent`.
            let read = |sent: u64, trip: u64, part: f64| {
                let inside = (sent as f64 + trip as f64 * part) * rate;
                let middle = i128::from(sent + trip / 2);
                reading(sent + trip, middle - inside as i128, trip.div_ceil(2))
            };
            let rated =
                ClockRate::between(&read(0, first_trip, first_part), &read(elapsed, last_trip, last_part));
            let truth = (rate - 1.0).abs();
            match rated.map_or(Verdict::Unknown, |rated| rated.verdict()) {
                // What is a fraction of a fraction (the stretch is known to a round trip) is left out of both.
                Verdict::Wrong => prop_assert!(truth > MOST_RATE_ERROR * 0.9, "{truth} {rated:?}"),
                Verdict::Right => prop_assert!(truth <= MOST_RATE_ERROR * 1.1, "{truth} {rated:?}"),
                Verdict::Unknown => {}
            }
        }
    }
}
