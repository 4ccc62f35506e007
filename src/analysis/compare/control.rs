//! Which native figure says whether the host itself moved, for each metric.
//!
//! A native start of a millisecond is too noisy for that; what takes long enough on the same resource is not.

use crate::measure::metric::{self, Family};

/// The metric of the control that shares the resource; `None` for memory, which no speed of the host moves.
pub(super) fn fitting(name: &str) -> Option<&'static str> {
    match metric::find(name)?.family {
        Family::Startup => Some("cpu.fork-exec.rate"),
        Family::Cpu => Some("cpu.integer.rate"),
        Family::Disk => Some("disk.sync.rate"),
        Family::Memory => None,
    }
}
