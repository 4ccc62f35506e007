//! The samples of memory: idle, at the peak, and as seen from inside.

use isocost_agent::protocol::Inspection;

use super::log::Piece;
use crate::measure::accounting::{Accounts, Cgroup};
use crate::measure::accounting::{Bill, Reading, cgroup};
use crate::measure::sample::{Failure, FailureName, Sample};
use crate::measure::timeline::Peaks;

/// What the idle instance holds.
pub(super) fn idle(piece: &Piece<'_>, accounts: &Accounts) -> Vec<Sample> {
    let bill = Bill::read(accounts);
    let group = group(accounts).map(cgroup::memory_now);
    let readings = [
        ("memory.total.idle", bill.total()),
        ("memory.instance.idle", bill.instance),
        ("memory.engine.idle", bill.engine),
        ("memory.standing.idle", bill.standing),
        ("memory.cgroup.idle", group),
    ];
    samples(piece, readings)
}

/// The most it held.
pub(super) fn peak(piece: &Piece<'_>, accounts: &Accounts, peaks: Peaks) -> Vec<Sample> {
    let group = group(accounts).map(cgroup::memory_peak);
    let readings = [
        ("memory.total.peak", peaks.total),
        ("memory.instance.peak", peaks.instance),
        ("memory.engine.peak", peaks.engine),
        ("memory.cgroup.peak", group),
    ];
    samples(piece, readings)
}

/// What the program sees.
pub(super) fn inside(piece: &Piece<'_>, seen: &Inspection) -> Vec<Sample> {
    let figures = [
        ("memory.inside.total", seen.memory_total_bytes),
        ("memory.inside.available", seen.memory_available_bytes),
    ];
    let unreadable = || Failure {
        name: FailureName::Unreadable,
        detail: "/proc/meminfo could not be read inside".to_owned(),
    };
    let figures = figures.into_iter();
    figures.map(|(name, bytes)| piece.sample(name, bytes.map(|b| b as f64).ok_or_else(unreadable))).collect()
}

/// The control group that holds the instance, or the virtual machine around it.
fn group(accounts: &Accounts) -> Option<&Cgroup> {
    accounts.instance.cgroup.as_ref().or(accounts.engine.cgroup.as_ref())
}

/// What is nobody's has no sample.
fn samples<const N: usize>(piece: &Piece<'_>, readings: [(&str, Reading); N]) -> Vec<Sample> {
    let present = readings.into_iter().filter_map(|(name, reading)| Some((name, reading?)));
    present.map(|(name, reading)| piece.sample(name, reading.map(|figure| figure.value as f64))).collect()
}
