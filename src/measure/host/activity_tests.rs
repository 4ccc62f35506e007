#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::measure::shell::{SPIN, Shell};

fn one(name: &str, parent: u32, own_ticks: u64, children_ticks: u64) -> Stat {
    Stat { name: name.into(), parent, kernel: false, own_ticks, children_ticks, began: 7 }
}

fn table(all: &[(u32, Stat)]) -> BTreeMap<u32, Stat> {
    all.iter().cloned().collect()
}

#[test]
fn ours_and_the_kernel_are_not_others() {
    let kernel = |ticks| Stat { kernel: true, ..one("kworker", 2, ticks, 0) };
    let from = table(&[(10, one("isocost", 1, 5, 0)), (20, one("make", 1, 1, 100)), (3, kernel(1))]);
    let to = table(&[
        (10, one("isocost", 1, 50, 0)),
        (11, one("agent", 10, 500, 0)),
        (20, one("make", 1, 2, 140)),
        (21, one("cc", 20, 9, 0)),
        (3, kernel(8)),
    ]);
    let used = Used::between(&from, &to, &[10]);
    assert_eq!((used.others(), used.kernel), (50, 7));
    assert_eq!(used.loudest(), Some(("make".into(), 41)));
}

#[test]
fn what_a_process_used_before_is_not_counted_when_its_parent_inherits_it() {
    let from = table(&[(20, one("make", 1, 1, 0)), (21, one("sh", 20, 3, 4)), (22, one("cc", 21, 1000, 0))]);
    // cc used 5 more and ended, sh waited for it and ended too.
    let to = table(&[(20, one("make", 1, 1, 1012))]);
    assert_eq!(Used::between(&from, &to, &[]).others(), 5);
}

#[test]
fn who_waits_for_orphans_has_none_of_their_time() {
    let from = table(&[(1, one("init", 0, 10, 0)), (30, one("shim", 1, 900, 0))]);
    let to = table(&[(1, one("init", 0, 11, 950))]);
    assert_eq!(Used::between(&from, &to, &[]).others(), 1);
    let user = |own, children| table(&[(40, one("systemd", 1, own, children))]);
    assert_eq!(Used::between(&user(0, 0), &user(2, 99), &[]).others(), 2);
}

#[test]
fn a_pid_that_was_given_again_begins_at_nothing() {
    let from = table(&[(9, one("old", 5, 1000, 0)), (5, one("p", 1, 0, 0))]);
    let new = Stat { began: 8, ..one("new", 5, 3, 0) };
    let to = table(&[(9, new), (5, one("p", 1, 0, 1000))]);
    assert_eq!(Used::between(&from, &to, &[]).by_name, BTreeMap::from([("new".to_owned(), 3)]));
}

#[test]
fn the_share_that_was_taken_is_of_what_was_wanted() {
    let at = |busy, stolen| CpuTimes { busy, stolen };
    assert_eq!(stolen(at(100, 10), at(190, 20)), Some(0.1));
    assert_eq!(stolen(at(100, 10), at(104, 11)), Some(0.0));
    assert_eq!(stolen(at(100, 10), at(99, 10)), None);
}

#[test]
fn swapping_is_both_ways() {
    assert_eq!(swapped("nr_free_pages 5\npswpin 3\npswpout 4\n"), Some(7));
    assert_eq!(swapped("pswpin 3\n"), None);
}

/// The real thing: another program that spins is seen, by its name; the same program as ours is not.
#[test]
fn a_program_that_spins_is_seen_and_named() {
    let from = Look::now();
    let child = Shell::start(SPIN);
    let child_ticks = |look: &Look| look.processes.as_ref().unwrap().get(&child.id()).map_or(0, Stat::ticks);
    let mut to = Look::now();
    while child_ticks(&to) < 20 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        to = Look::now();
    }
    // This test's own process is its parent: named as ours, with all its children.
    let with_ours = from.until(&to, &[std::process::id()]);
    let spun = Used::between(from.processes.as_ref().unwrap(), to.processes.as_ref().unwrap(), &[]);
    assert!(spun.by_name["sh"] > 0, "{spun:?}");
    let all = from.until(&to, &[]);
    assert!(all.others_cpus > with_ours.others_cpus, "{all:?} {with_ours:?}");
    assert!(all.seconds > 0.0);
}

#[test]
fn an_activity_survives_json_and_lacks_what_older_ones_lack() {
    let activity = Look::now().until(&Look::now(), &[]);
    let text = serde_json::to_string(&activity).unwrap();
    let back: Activity = serde_json::from_str(&text).unwrap();
    assert_eq!(back.pressure.cpu_some.is_some(), activity.pressure.cpu_some.is_some());
    assert_eq!(serde_json::from_str::<Activity>("{}").unwrap(), Activity::default());
}

proptest! {
    /// Whatever the tables hold, also parents in a circle: it ends, and nobody used less than nothing.
    #[test]
    fn any_two_tables_have_an_answer(
        from in proptest::collection::vec((0u32..8, 0u32..8, 0u64..50, 0u64..50, 0u64..3), 0..8),
        to in proptest::collection::vec((0u32..8, 0u32..8, 0u64..50, 0u64..50, 0u64..3), 0..8),
    ) {
        let table = |all: Vec<(u32, u32, u64, u64, u64)>| -> BTreeMap<u32, Stat> {
            all.into_iter().map(|(pid, parent, own, children, began)| {
                (pid, Stat { began, ..one("x", parent, own, children) })
            }).collect()
        };
        let (from, to) = (table(from), table(to));
        let most: u64 = to.values().map(Stat::ticks).sum();
        prop_assert!(Used::between(&from, &to, &[3]).others() <= most);
    }
}
