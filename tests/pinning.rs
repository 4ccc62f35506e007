//! Threads kept to some CPUs: a test program of its own, for it moves every thread of its process.

#![allow(clippy::unwrap_used)]

use isocost::measure::host::CpuList;
use isocost::measure::host::pin::Pinned;
use rustix::thread::sched_getaffinity;

fn here() -> CpuList {
    let set = sched_getaffinity(None).unwrap();
    (0..1024).filter(|cpu| set.is_set(*cpu as usize)).collect()
}

#[test]
fn threads_stay_and_may_go_again() {
    let all = here();
    let one: CpuList = all.iter().take(1).collect();
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || asked.iter().for_each(|()| tell.send(here()).unwrap()));
    let of_other = || {
        ask.send(()).unwrap();
        told.recv().unwrap()
    };
    assert_eq!(of_other(), all);

    let pinned = Pinned::to(&one).unwrap();
    assert_eq!((here(), of_other()), (one.clone(), one.clone()));
    assert_eq!(std::thread::spawn(here).join().unwrap(), one);
    drop(pinned);
    assert_eq!((here(), of_other()), (all.clone(), all));
    assert!(Pinned::to(&CpuList::default()).is_err());
    drop(ask);
    other.join().unwrap();
}
