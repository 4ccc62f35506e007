#![allow(clippy::unwrap_used)]

use super::*;

fn order(workload: Workload, threads: u32) -> WorkOrder {
    WorkOrder {
        workload,
        duration_ns: 20_000_000,
        threads,
        bytes: 2 << 20,
        direct: false,
        seed: 3,
        slower_permille: 0,
    }
}

fn done(order: &WorkOrder) -> WorkDone {
    let mut job = prepare(order, Path::new("/")).unwrap();
    run(&mut *job, order, &|| false).unwrap()
}

/// Without a disk; fork-exec runs in the agent itself only (see the agent's own tests).
const PLAIN: [Workload; 6] = [
    Workload::CpuInteger,
    Workload::CpuFloat,
    Workload::MemoryBandwidth,
    Workload::MemoryLatency,
    Workload::Syscall,
    Workload::ContextSwitch,
];

#[test]
fn each_works_for_its_time_and_counts() {
    for workload in PLAIN {
        let done = done(&order(workload, 1));
        assert!(done.elapsed_ns >= 20_000_000, "{workload:?}: {done:?}");
        assert!(done.units > 100 && done.checksum != 0, "{workload:?}: {done:?}");
        assert!(done.cpu_ns > 0 && done.latencies_ns.is_empty(), "{workload:?}: {done:?}");
        assert_eq!((done.bytes_written, done.syncs), (0, 0));
    }
}

#[test]
fn threads_are_those_of_the_order() {
    let (one, three) = (done(&order(Workload::Threads, 1)), done(&order(Workload::Threads, 3)));
    assert!(one.elapsed_ns >= 20_000_000 && three.elapsed_ns >= 20_000_000);
    assert!(three.units > 0 && one.units > 0 && three.checksum != one.checksum);
}

#[test]
fn a_listener_that_hangs_up_ends_it() {
    for (workload, threads) in
        [(Workload::CpuInteger, 1), (Workload::Threads, 2), (Workload::ContextSwitch, 1)]
    {
        let order = WorkOrder { duration_ns: u64::MAX, ..order(workload, threads) };
        let mut job = prepare(&order, Path::new("/")).unwrap();
        let done = run(&mut *job, &order, &|| true).unwrap();
        assert!(done.elapsed_ns < 20_000_000_000, "{workload:?}: {done:?}");
    }
}

#[test]
fn a_switch_leaves_no_child_and_no_binding() {
    let before = rustix::thread::sched_getaffinity(None).unwrap().count();
    let job = prepare(&order(Workload::ContextSwitch, 1), Path::new("/")).unwrap();
    assert_eq!(rustix::thread::sched_getaffinity(None).unwrap().count(), 1);
    drop(job);
    assert_eq!(rustix::thread::sched_getaffinity(None).unwrap().count(), before);
}

#[test]
fn orders_without_sense_are_refused() {
    let base = order(Workload::CpuInteger, 1);
    let refused = |order: WorkOrder| prepare(&order, Path::new("/")).err().unwrap().name;
    assert_eq!(refused(WorkOrder { threads: 0, ..base.clone() }), "bad-order");
    assert_eq!(refused(WorkOrder { threads: 2, ..base.clone() }), "bad-order");
    assert_eq!(refused(order(Workload::Threads, 1025)), "bad-order");
    assert_eq!(refused(WorkOrder { duration_ns: 0, ..base.clone() }), "bad-order");
    assert_eq!(refused(WorkOrder { direct: true, ..base.clone() }), "bad-order");
    assert_eq!(refused(WorkOrder { slower_permille: 1001, ..base }), "bad-order");
}

#[test]
fn what_is_slowed_on_purpose_takes_longer_for_the_same_work() {
    let order = WorkOrder { slower_permille: 1000, ..order(Workload::CpuInteger, 1) };
    let mut job = prepare(&order, Path::new("/")).unwrap();
    let done = run(&mut *job, &order, &|| false).unwrap();
    assert!(done.elapsed_ns >= 2 * order.duration_ns, "{done:?}");
}
