//! How fast CPUs run right now, where the kernel says so.

use serde::{Deserialize, Serialize};

use super::CpuList;
use super::files::Files;

/// Reading one may wake its CPU: of many, so many say enough.
const MOST: usize = 8;

/// Files that hold current frequencies.
#[derive(Debug, Clone)]
pub struct Frequencies {
    files: Files,
    paths: Vec<String>,
}

/// Frequencies over a stretch of time, of several CPUs, in MHz.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Frequency {
    /// The lowest.
    pub low_mhz: f64,
    /// The mean of all readings.
    pub mean_mhz: f64,
    /// The highest.
    pub high_mhz: f64,
    /// Readings: one of each CPU at each look.
    pub readings: u32,
}

impl Frequencies {
    /// Of these CPUs; a virtual machine has none.
    #[must_use]
    pub fn of(cpus: &CpuList) -> Self {
        Self::among(Files::here(), cpus)
    }

    fn among(files: Files, cpus: &CpuList) -> Self {
        let path = |cpu: u32| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq");
        let paths = cpus.iter().map(path).filter(|path| files.path(path).exists()).take(MOST).collect();
        Self { files, paths }
    }

    /// Reads them into what was seen so far.
    pub fn read_into(&self, seen: &mut Option<Frequency>) {
        for khz in self.paths.iter().filter_map(|path| self.files.number::<f64>(path)) {
            let mhz = khz / 1e3;
            let before =
                seen.unwrap_or(Frequency { low_mhz: mhz, mean_mhz: 0.0, high_mhz: mhz, readings: 0 });
            let readings = before.readings + 1;
            *seen = Some(Frequency {
                low_mhz: before.low_mhz.min(mhz),
                mean_mhz: before.mean_mhz + (mhz - before.mean_mhz) / f64::from(readings),
                high_mhz: before.high_mhz.max(mhz),
                readings,
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    #[test]
    fn readings_become_low_mean_and_high() {
        let file = |cpu: u32| format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq");
        let (_dir, files) = made_up(&[(&file(0), "1000000\n"), (&file(1), "4000000\n"), (&file(2), "9\n")]);
        let frequencies = Frequencies::among(files.clone(), &"0-1,5".parse().unwrap());
        let mut seen = None;
        frequencies.read_into(&mut seen);
        std::fs::write(files.path(&file(0)), "2500000").unwrap();
        frequencies.read_into(&mut seen);
        let expected = Frequency { low_mhz: 1000.0, mean_mhz: 2875.0, high_mhz: 4000.0, readings: 4 };
        assert_eq!(seen, Some(expected));
    }

    #[test]
    fn a_host_that_does_not_say_has_none() {
        let (_dir, files) = made_up(&[]);
        let mut seen = None;
        Frequencies::among(files, &"0-3".parse().unwrap()).read_into(&mut seen);
        assert_eq!(seen, None);
    }
}
