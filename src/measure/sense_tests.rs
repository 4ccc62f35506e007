#![allow(clippy::unwrap_used)]

use isocost_agent::protocol::{WorkDone, Workload};
use proptest::prelude::*;

use super::*;
use crate::measure::clock::Instant;

const SECOND: u64 = 1_000_000_000;

fn order() -> WorkOrder {
    WorkOrder {
        workload: Workload::DiskSync,
        duration_ns: SECOND,
        threads: 1,
        bytes: 0,
        direct: false,
        seed: 1,
        slower_permille: 0,
    }
}

fn worked(inside_ns: u64, host_ns: u64) -> Worked {
    let done = WorkDone {
        units: 10,
        elapsed_ns: inside_ns,
        cpu_ns: 0,
        bytes_written: 0,
        syncs: 0,
        latencies_ns: vec![1000; 10],
        checksum: 1,
    };
    Worked { done, sent: Instant(5 * SECOND), answered: Instant(5 * SECOND + host_ns) }
}

fn name(result: Result<(), Failure>) -> Option<FailureName> {
    result.err().map(|failure| failure.name)
}

#[test]
fn work_that_makes_sense_passes() {
    assert_eq!(work(&worked(SECOND, SECOND + 300_000), &order()), Ok(()));
}

#[test]
fn clocks_that_disagree_are_void() {
    assert_eq!(name(work(&worked(2 * SECOND, SECOND), &order())), Some(FailureName::ClockVoid));
    assert_eq!(name(work(&worked(SECOND, 4 * SECOND), &order())), Some(FailureName::ClockVoid));
    let mut backwards = worked(SECOND, SECOND);
    std::mem::swap(&mut backwards.sent, &mut backwards.answered);
    assert_eq!(name(work(&backwards, &order())), Some(FailureName::ClockVoid));
}

#[test]
fn nothing_done_too_soon_or_too_much_at_once_is_impossible() {
    let impossible = Some(FailureName::Impossible);
    let mut nothing = worked(SECOND, SECOND);
    nothing.done.units = 0;
    assert_eq!(name(work(&nothing, &order())), impossible);
    assert_eq!(name(work(&worked(0, SECOND), &WorkOrder { duration_ns: 0, ..order() })), impossible);
    assert_eq!(name(work(&worked(SECOND / 2, SECOND / 2), &order())), impossible);
    let mut slow = worked(SECOND, SECOND);
    slow.done.latencies_ns = vec![1_000_000_000; 2];
    assert_eq!(name(work(&slow, &order())), impossible);
}

#[test]
fn spans_must_sum_and_end_in_time() {
    let deadline = Duration::from_secs(1);
    let good = Span::from_marks("ready", Instant(0), &[("a", Instant(5)), ("b", Instant(9))]);
    assert_eq!(span(&good, deadline), Ok(()));
    let back = Span::from_marks("ready", Instant(10), &[("a", Instant(5)), ("b", Instant(19))]);
    assert_eq!(name(span(&back, deadline)), Some(FailureName::ClockVoid));
    let long = Span::from_marks("ready", Instant(0), &[("a", Instant(2 * SECOND))]);
    assert_eq!(name(span(&long, deadline)), Some(FailureName::Impossible));
    let empty = Span::from_marks("ready", Instant(0), &[("a", Instant(0))]);
    assert_eq!(name(span(&empty, deadline)), Some(FailureName::Impossible));
}

#[test]
fn cpu_time_is_bounded_by_the_cpus() {
    let second = Duration::from_secs(1);
    let tick = Duration::from_millis(10);
    assert_eq!(cpu(Duration::from_millis(2200), 2, second, tick), Ok(()));
    assert_eq!(name(cpu(Duration::from_millis(2300), 2, second, tick)), Some(FailureName::Impossible));
}

proptest! {
    #[test]
    fn only_finite_values_that_are_not_negative_stand(x in any::<f64>()) {
        prop_assert_eq!(value(x).is_ok(), x.is_finite() && x >= 0.0);
    }

    #[test]
    fn no_answer_makes_it_panic(inside in any::<u64>(), host in 0u64..(1 << 62), units in any::<u64>()) {
        let mut any = worked(inside, host);
        any.done.units = units;
        any.done.latencies_ns = vec![u32::MAX; 100];
        let _ = work(&any, &order());
    }
}
