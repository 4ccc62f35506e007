//! How fast the time-stamp counter runs.
//!
//! QEMU's emulation gives its guest the host's counter. A guest kernel measures its rate against the interval
//! timer, which fails now and then on a busy host; microvm has no other reference, and the guest hangs. So the host,
//! which has the time, measures it and the guest is told: `tsc_early_khz` on its kernel's command line.

use std::time::{Duration, Instant};

use crate::sys::time_stamp_counter;

/// How long one measurement takes. Reading both clocks takes well under 1 µs, so the rate is good to some 10 ppm;
/// the kernel's own measurement is content with 500.
const WINDOW: Duration = Duration::from_millis(60);

/// Two measurements that differ by more than this (in parts per million) are of a counter that does not run evenly.
const AGREE_PPM: u64 = 100;

/// The counter's rate in kHz; `None` where it does not run evenly. Takes about 0.12 s: ask once, outside
/// anything timed.
#[must_use]
pub fn host_tsc_khz() -> Option<u64> {
    agreed(measured(), measured())
}

fn measured() -> u64 {
    let (start, start_ticks) = both();
    std::thread::sleep(WINDOW);
    let (end, end_ticks) = both();
    rate_khz(end_ticks.saturating_sub(start_ticks), end.duration_since(start))
}

/// Both clocks at one moment: of several readings the one that was least interrupted.
fn both() -> (Instant, u64) {
    let read = || {
        let before = time_stamp_counter();
        let now = Instant::now();
        let after = time_stamp_counter();
        (after.saturating_sub(before), now, before)
    };
    let (_, now, before) =
        (0..20).map(|_| read()).fold(read(), |best, next| if next.0 < best.0 { next } else { best });
    (now, before)
}

fn rate_khz(ticks: u64, time: Duration) -> u64 {
    let khz = u128::from(ticks) * 1_000_000 / time.as_nanos().max(1);
    u64::try_from(khz).unwrap_or(0)
}

fn agreed(one: u64, two: u64) -> Option<u64> {
    let even = one > 0 && one.abs_diff(two) <= one / (1_000_000 / AGREE_PPM);
    even.then_some(one.midpoint(two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_ticks_per_millisecond() {
        assert_eq!(rate_khz(259_614_100, Duration::from_millis(100)), 2_596_141);
        assert_eq!(rate_khz(1, Duration::ZERO), 1_000_000);
    }

    #[test]
    fn rates_that_differ_are_no_rate() {
        assert_eq!(agreed(2_596_141, 2_596_143), Some(2_596_142));
        assert_eq!(agreed(2_596_141, 2_598_000), None);
        assert_eq!(agreed(0, 0), None);
    }

    #[test]
    fn this_host_s_counter_is_plausible() {
        if let Some(khz) = host_tsc_khz() {
            assert!((200_000..20_000_000).contains(&khz), "{khz}");
        }
    }
}
