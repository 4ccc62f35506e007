//! The smallest change that matters, for each metric.

use crate::measure::metric::{Family, Metric};

/// A change below both is none that anyone should act on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smallest {
    /// As a fraction: 0.05 is 5 %.
    pub relative: f64,
    /// In the metric's unit; 0 where the fraction alone decides.
    pub absolute: f64,
}

/// Two mebibytes: less is within what an allocator's or a page table's growth moves.
const LEAST_MEMORY_BYTES: f64 = (2u64 << 20) as f64;

/// Before this host was calibrated: start-up 10 %, CPU 5 %, memory 5 % and at least 2 MiB, disk 15 %; for an exact metric
/// anything.
#[must_use]
pub fn smallest(metric: &Metric) -> Smallest {
    let (relative, absolute) = match metric.family {
        _ if metric.exact => (0.0, 0.0),
        Family::Startup => (0.10, 0.0),
        Family::Cpu => (0.05, 0.0),
        Family::Memory => (0.05, LEAST_MEMORY_BYTES),
        Family::Disk => (0.15, 0.0),
    };
    Smallest { relative, absolute }
}

/// Is it one of those that a reader looks at first, and that a run is measured until it knows?
#[must_use]
pub fn headline(metric: &str) -> bool {
    matches!(metric, "startup.ready" | "memory.total.idle") || metric.ends_with(".rate")
}

impl Smallest {
    /// As a fraction of a base value: the absolute part counts where it is the larger.
    #[must_use]
    pub fn of(&self, base: f64) -> f64 {
        if base > 0.0 { self.relative.max(self.absolute / base) } else { self.relative }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measure::metric;

    #[test]
    fn two_mebibytes_of_a_small_instance_are_more_than_five_per_cent() {
        let memory = smallest(metric::find("memory.total.idle").unwrap());
        assert_eq!(memory.of(4.0 * 1024.0 * 1024.0), 0.5);
        assert_eq!(memory.of(1e9), 0.05);
        assert_eq!(smallest(metric::find("disk.image").unwrap()).of(1e9), 0.0);
        assert_eq!(smallest(metric::find("startup.ready").unwrap()).of(0.0), 0.10);
    }
}
