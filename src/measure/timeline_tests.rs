#![allow(clippy::unwrap_used)]

use super::*;
use crate::measure::accounting::Account;
use crate::measure::accounting::Figure;
use crate::measure::host::CpuList;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::shell::{SPIN, Shell};

fn watched(pid: u32, length: Duration) -> Watched {
    let instance = Account { roots: vec![pid], ..Account::default() };
    let accounts = Accounts { instance, ..Accounts::default() };
    let sampler = Sampler::start(accounts, Instant::now(), &CpuList::default()).unwrap();
    std::thread::sleep(length);
    sampler.finish().unwrap()
}

#[test]
fn ten_times_a_second_for_less_than_a_hundredth_of_a_core() {
    let idle = Shell::start("exec sleep 60");
    let seen = watched(idle.id(), Duration::from_secs(3));
    let share = seen.own_cpu.as_secs_f64() / seen.lasted.as_secs_f64();
    let mut gaps: Vec<f64> = seen.points.windows(2).map(|two| two[1].at_ms - two[0].at_ms).collect();
    gaps.sort_by(f64::total_cmp);
    let gap = gaps[gaps.len() / 2];
    println!("a point each {gap:.0} ms for {:.2} % of one core", share * 100.0);
    // The median, because tests run beside each other.
    assert!(gap <= 1e3 / 9.5, "{gaps:?}");
    assert!(seen.points.iter().all(|point| point.resident_bytes > 0));
    assert!(seen.points.is_sorted_by(|a, b| a.at_ms < b.at_ms));
    // The test is not optimised, the program is: this bound is looser than the program's own.
    assert!(share < 5.0 * MOST_CPU_SHARE, "{share}");
}

#[test]
fn a_busy_process_uses_a_cpu_and_its_memory_has_a_peak() {
    let busy = Shell::start(SPIN);
    let seen = watched(busy.id(), Duration::from_millis(1500));
    drop(busy);
    // All of one CPU, as far as others leave it; the first reading knows of none.
    let used = seen.points.iter().map(|point| point.cpu).sum::<f64>() / seen.points.len() as f64;
    assert!((0.02..1.2).contains(&used), "{:?}", seen.points);
    assert!(seen.peaks.instance.clone().unwrap().unwrap().value > 10_000);
    assert_eq!((seen.peaks.engine, seen.peaks.total), (None, seen.peaks.instance));
}

#[test]
fn a_peak_is_the_largest_and_a_failure_only_where_nothing_else_is() {
    let ok = |value| Some(Ok(Figure { value, source: String::new() }));
    let failed = || Some(Err(Failure { name: FailureName::Unreadable, detail: String::new() }));
    let mut peak = None;
    for (seen, then) in
        [(failed(), failed()), (ok(3), ok(3)), (ok(2), ok(3)), (failed(), ok(3)), (None, ok(3))]
    {
        raise(&mut peak, seen);
        assert_eq!(peak, then);
    }
}
