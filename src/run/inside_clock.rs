//! The clock inside an instance, held against the host's around every piece of work.
//!
//! A piece of work is timed by the clock inside. Where that clock is another kernel's, it is read before and after; one
//! that runs fast or slow by more than 0.5 % leaves no figure, for a mean of true and false times is false.

use std::time::Duration;

use crate::environment::Instance;
use crate::measure::clock::Instant;
use crate::measure::clock::rate::{ClockRate, ClockTruth, Reading, Verdict};
use crate::measure::sample::{Failure, FailureName};

/// Round trips of a reading, of which the shortest counts.
const ROUNDS: u32 = 8;

/// A reading has this long.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is known of one instance's clock so far.
#[derive(Debug, Default)]
pub(super) struct InsideClock {
    /// Just after it was ready: the longer ago, the surer the rate.
    first: Option<Reading>,
    last: Option<Reading>,
    truth: ClockTruth,
}

impl InsideClock {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// The agent's failure, by name.
    pub(super) fn begin(instance: &mut dyn Instance) -> Result<Self, Failure> {
        let mut clock = Self::default();
        clock.truth.shared = instance.shares_clock();
        clock.first = clock.read(instance)?;
        Ok(clock)
    }

    /// Reads it; `None` where it is the host's own.
    ///
    /// # Errors
    /// The agent's failure, by name.
    pub(super) fn read(&mut self, instance: &mut dyn Instance) -> Result<Option<Reading>, Failure> {
        if self.truth.shared {
            return Ok(None);
        }
        let offset = instance.clock_offset(ROUNDS, DEADLINE)?;
        let reading = Reading { at: Instant::now(), offset };
        let uncertainty = &mut self.truth.stamp_uncertainty_ns;
        *uncertainty = offset.uncertainty_ns.max(*uncertainty);
        self.last = Some(reading);
        Ok(Some(reading))
    }

    /// Was it right while a piece of work was done between these two readings? Asked of that stretch, and of all since
    /// the first reading, which is longer and so surer.
    ///
    /// # Errors
    /// `ClockVoid`, with the rate.
    pub(super) fn judge(&mut self, before: Option<Reading>, after: Option<Reading>) -> Result<(), Failure> {
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        let rates = [Some(before), self.first].into_iter().flatten();
        let rates: Vec<ClockRate> = rates.filter_map(|from| ClockRate::between(&from, &after)).collect();
        self.truth.checked += 1;
        if let Some(wrong) = rates.iter().find(|rate| rate.verdict() == Verdict::Wrong) {
            self.truth.wrong += 1;
            let detail = format!("the clock inside ran {wrong}");
            return Err(Failure { name: FailureName::ClockVoid, detail });
        }
        let known = rates.iter().any(|rate| rate.verdict() == Verdict::Right);
        self.truth.unknown += u32::from(!known);
        Ok(())
    }

    /// What this cell learned.
    pub(super) fn truth(mut self) -> ClockTruth {
        self.truth.worst =
            self.first.zip(self.last).and_then(|(first, last)| ClockRate::between(&first, &last));
        self.truth
    }
}
