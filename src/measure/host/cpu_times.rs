//! The first line of `/proc/stat`: where all CPUs' time went.

use super::files::Files;

/// Ticks since boot, all CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    /// User, system, interrupts; guests are part of it.
    pub(crate) busy: u64,
    /// Wanted by a CPU of this host and given to another by its hypervisor.
    pub(crate) stolen: u64,
}

impl CpuTimes {
    pub(crate) fn read(files: &Files) -> Option<Self> {
        parse(&files.text("/proc/stat")?)
    }
}

/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; old kernels end earlier.
fn parse(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    if ticks.len() < 4 {
        return None;
    }
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    let busy = [0, 1, 2, 5, 6].into_iter().map(at).try_fold(0u64, u64::checked_add)?;
    Some(CpuTimes { busy, stolen: at(7) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn guests_are_not_counted_twice() {
        let stat = "cpu  100 10 50 1000 20 3 4 5 60 1\ncpu0 1 1 1 1\n";
        assert_eq!(parse(stat), Some(CpuTimes { busy: 167, stolen: 5 }));
        assert_eq!(parse("cpu  1 2 3 4\n"), Some(CpuTimes { busy: 6, stolen: 0 }));
        assert_eq!((parse("cpu0 1 2 3 4\n"), parse("cpu  1 2 x 4\n")), (None, None));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}", numbers in proptest::collection::vec(any::<u64>(), 0..12)) {
            let _ = parse(&text);
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let _ = parse(&format!("cpu  {}", numbers.join(" ")));
        }
    }
}
