//! How long a piece of work goes on: whole batches until its time has passed, or until nobody waits for it any more.

use crate::clock;

/// Between two looks whether the one who asked is still there: a system call that the work should not feel.
const LOOK_NS: u64 = 50_000_000;

/// The time of one piece of work.
pub struct Pace<'a> {
    duration_ns: u64,
    gone: &'a dyn Fn() -> bool,
    started_ns: u64,
    last_ns: u64,
    looked_ns: u64,
    seen_gone: bool,
}

impl<'a> Pace<'a> {
    /// For this long from [`Pace::start`] on.
    #[must_use]
    pub fn new(duration_ns: u64, gone: &'a dyn Fn() -> bool) -> Self {
        Self { duration_ns, gone, started_ns: 0, last_ns: 0, looked_ns: 0, seen_gone: false }
    }

    /// The first unit begins; returns when.
    pub fn start(&mut self) -> u64 {
        self.started_ns = clock::now_ns();
        self.last_ns = self.started_ns;
        self.looked_ns = self.started_ns;
        self.started_ns
    }

    /// A batch is done: is there time for another?
    pub fn goes_on(&mut self) -> bool {
        self.goes_on_at(clock::now_ns())
    }

    /// The same, by a clock that has just been read.
    pub fn goes_on_at(&mut self, now_ns: u64) -> bool {
        self.last_ns = now_ns;
        self.elapsed_ns() < self.duration_ns && !self.is_gone_at(now_ns)
    }

    /// Has the one who asked hung up? In the middle of a batch that takes long.
    pub fn is_gone(&mut self) -> bool {
        self.is_gone_at(clock::now_ns())
    }

    /// Looks now and then only; once gone, gone.
    fn is_gone_at(&mut self, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.looked_ns) >= LOOK_NS {
            self.looked_ns = now_ns;
            self.seen_gone |= (self.gone)();
        }
        self.seen_gone
    }

    /// Takes so many thousandths longer than the work took, busily.
    pub fn linger(&mut self, permille: u32) {
        let longer = u128::from(self.elapsed_ns()) * u128::from(permille) / 1000;
        let until = self.last_ns.saturating_add(u64::try_from(longer).unwrap_or(u64::MAX));
        while self.last_ns < until {
            let now = clock::now_ns();
            if self.is_gone_at(now) {
                return;
            }
            std::hint::spin_loop();
            self.last_ns = self.last_ns.max(now);
        }
    }

    /// From the start to the end of the last batch, in nanoseconds.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        self.last_ns.saturating_sub(self.started_ns)
    }

    /// How long it is to go on, in nanoseconds.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.duration_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lingering_takes_its_part_and_ends_with_the_listener() {
        let mut pace = Pace::new(0, &|| false);
        let from = pace.start();
        pace.goes_on_at(from + 2_000_000);
        pace.linger(0);
        assert_eq!(pace.elapsed_ns(), 2_000_000);
        pace.linger(500);
        assert!((3_000_000..1_000_000_000).contains(&pace.elapsed_ns()), "{}", pace.elapsed_ns());

        let hour_ns = 3_600_000_000_000;
        let mut pace = Pace::new(u64::MAX, &|| true);
        let from = pace.start();
        assert!(!pace.goes_on_at(from + hour_ns));
        pace.linger(1000);
        assert_eq!(pace.elapsed_ns(), hour_ns, "nobody waits for another hour");
    }

    #[test]
    fn batches_end_with_the_time_or_with_the_listener() {
        let mut pace = Pace::new(1_000_000_000, &|| false);
        let from = pace.start();
        assert!(pace.goes_on_at(from + 999_999_999));
        assert!(!pace.goes_on_at(from + 1_000_000_000));
        assert_eq!(pace.elapsed_ns(), 1_000_000_000);

        let mut pace = Pace::new(1_000_000_000, &|| true);
        let from = pace.start();
        assert!(pace.goes_on_at(from + LOOK_NS - 1), "it looked too early");
        assert!(!pace.goes_on_at(from + LOOK_NS));
        assert!(!pace.goes_on_at(from + LOOK_NS + 1) && pace.is_gone());
    }
}
