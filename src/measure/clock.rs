//! The host's monotonic clock, the only judge of when something happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod rate;

/// A moment on the host's `CLOCK_MONOTONIC`, in nanoseconds. Comparable with the stamps of any process on
/// the same kernel, whatever container it is in (time namespaces apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub u64);

impl Instant {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
        Self(seconds * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0))
    }

    /// The moment that much later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to here; zero where `earlier` is later (callers check order with [`Ord`]).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The offset of another kernel's clock to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// host = inside + this, nanoseconds.
    pub offset_ns: i128,
    /// Half the shortest round trip it was measured with: the truth is within ± this.
    pub uncertainty_ns: u64,
}

/// The id of this boot, which all processes on this kernel see; `None` where it cannot be read.
#[must_use]
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}
