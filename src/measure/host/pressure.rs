//! Pressure stall information: for how long tasks waited for what they needed.

use serde::{Deserialize, Serialize};

use super::files::Files;

/// Microseconds since boot in which at least one task (`some`) or all of them at once (`full`) waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waited {
    pub(crate) some_us: Option<u64>,
    pub(crate) full_us: Option<u64>,
}

/// The same for each of the three resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stalls {
    pub(crate) cpu: Waited,
    pub(crate) memory: Waited,
    pub(crate) io: Waited,
}

/// Shares of a stretch of time in which tasks waited: 0 to 1. `None` where the kernel does not say (PSI is off).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    /// Some task waited for a CPU.
    pub cpu_some: Option<f64>,
    /// Some task waited for memory.
    pub memory_some: Option<f64>,
    /// All tasks waited for memory.
    pub memory_full: Option<f64>,
    /// Some task waited for storage.
    pub io_some: Option<f64>,
    /// All tasks waited for storage.
    pub io_full: Option<f64>,
}

impl Stalls {
    pub(crate) fn read(files: &Files) -> Self {
        let one = |resource: &str| {
            let text = files.text(&format!("/proc/pressure/{resource}"));
            text.map(|text| parse(&text)).unwrap_or_default()
        };
        Self { cpu: one("cpu"), memory: one("memory"), io: one("io") }
    }

    /// The shares between two readings `elapsed_us` apart.
    pub(crate) fn until(&self, later: &Self, elapsed_us: f64) -> Pressure {
        let share = |from: Option<u64>, to: Option<u64>| {
            let waited = to?.checked_sub(from?)? as f64;
            (elapsed_us > 0.0).then(|| (waited / elapsed_us).min(1.0))
        };
        Pressure {
            cpu_some: share(self.cpu.some_us, later.cpu.some_us),
            memory_some: share(self.memory.some_us, later.memory.some_us),
            memory_full: share(self.memory.full_us, later.memory.full_us),
            io_some: share(self.io.some_us, later.io.some_us),
            io_full: share(self.io.full_us, later.io.full_us),
        }
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, and the same with `full`.
fn parse(text: &str) -> Waited {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
        line.split(' ').find_map(|field| field.strip_prefix("total="))?.parse().ok()
    };
    Waited { some_us: total("some"), full_us: total("full") }
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    const IO: &str = "some avg10=1.00 avg60=0.50 avg300=0.10 total=1500000\n\
        full avg10=0.00 avg60=0.00 avg300=0.00 total=200000\n";

    #[test]
    fn totals_become_shares() {
        let (_dir, files) = made_up(&[("proc/pressure/io", IO), ("proc/pressure/cpu", "some total=7\n")]);
        let read = Stalls::read(&files);
        assert_eq!(read.io, Waited { some_us: Some(1_500_000), full_us: Some(200_000) });
        assert_eq!((read.cpu.some_us, read.cpu.full_us, read.memory.some_us), (Some(7), None, None));
        let mut later = read;
        later.io.some_us = Some(2_000_000);
        let pressure = read.until(&later, 1e6);
        assert_eq!((pressure.io_some, pressure.io_full), (Some(0.5), Some(0.0)));
        assert_eq!((pressure.cpu_some, pressure.memory_some), (Some(0.0), None));
    }

    #[test]
    fn a_count_that_goes_back_or_no_time_at_all_is_no_share() {
        let at = |some| Stalls { cpu: Waited { some_us: Some(some), full_us: None }, ..Stalls::default() };
        assert_eq!(at(5).until(&at(3), 1e6).cpu_some, None);
        assert_eq!(at(3).until(&at(5), 0.0).cpu_some, None);
        assert_eq!(at(0).until(&at(5_000_000), 1e6).cpu_some, Some(1.0));
    }

    #[test]
    fn what_is_not_its_format_is_none() {
        for text in ["", "some", "some total=x", "total=5", "something total=5"] {
            assert_eq!(parse(text), Waited::default(), "{text}");
        }
    }
}
