#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::measure::sample::FailureName;
use crate::measure::shell::{SPIN, Shell};

const SMAPS: &str = "7f0000000000-7f0010000000 rw-p 00000000 00:00 0 \n\
    Size:             262144 kB\nKernelPageSize:        4 kB\nRss:               70000 kB\nPss:               70000 kB\n\
    Pss_Dirty:         70000 kB\n\
    7f0020000000-7f0020100000 r--p 00000000 fe:00 1 /usr/bin/qemu Size: 3 kB\n\
    Size:               1024 kB\nRss:                 900 kB\nPss:                 450 kB\n";

fn fake(files: &[(u32, &str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (pid, file, text) in files {
        std::fs::create_dir_all(dir.path().join(pid.to_string())).unwrap();
        std::fs::write(dir.path().join(pid.to_string()).join(file), text).unwrap();
    }
    dir
}

fn stat(pid: u32, parent: u32) -> String {
    format!("{pid} (a ) b (c) S {parent} 1 1 0 -1 4194560 1 1 1 1 10 20 3 4 20 0 1 0 5 6 7")
}

#[test]
fn the_name_may_hold_anything() {
    let parsed = parse_stat(stat(7, 3).as_bytes()).unwrap();
    let name = "a ) b (c".into();
    let expected = Stat { name, parent: 3, kernel: false, own_ticks: 30, children_ticks: 7, began: 5 };
    assert_eq!(parsed, expected);
    assert!(parse_stat(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 9 0").unwrap().kernel);
    for bad in ["7 (x", ")(", "7 (x) S 3", "7 x) S 3"] {
        assert_eq!(parse_stat(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn a_tree_is_all_that_descend() {
    let dir = fake(&[
        (1, "stat", &stat(1, 0)),
        (5, "stat", &stat(5, 1)),
        (6, "stat", &stat(6, 5)),
        (7, "stat", &stat(7, 6)),
        (8, "stat", &stat(8, 1)),
    ]);
    let mut tree = Table::read(dir.path()).unwrap().tree(&[5, 6, 99]);
    tree.sort_unstable();
    assert_eq!(tree, [5, 6, 7]);
}

#[test]
fn a_tree_by_lists_of_children_is_that_of_the_table() {
    let processes =
        [(1, 0), (5, 1), (6, 5), (7, 6), (8, 1)].map(|(pid, parent)| (pid, "stat", stat(pid, parent)));
    let dir = fake(&processes.each_ref().map(|(pid, file, text)| (*pid, *file, text.as_str())));
    let thread = |pid: u32, tid: u32, children: Option<&str>| {
        let folder = dir.path().join(format!("{pid}/task/{tid}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("stat"), stat(tid, 1)).unwrap();
        if let Some(children) = children {
            std::fs::write(folder.join("children"), children).unwrap();
        }
    };
    let sorted = |roots: &[u32]| {
        let mut found = tree(dir.path(), roots).unwrap();
        found.sort_unstable();
        found
    };
    // A kernel that keeps no lists.
    thread(5, 5, None);
    assert_eq!(sorted(&[5, 6, 99]), [5, 6, 7]);
    // Children of a second thread; one that is listed and gone.
    thread(5, 5, Some("99 "));
    thread(5, 50, Some("6 "));
    thread(6, 6, Some("7 "));
    thread(7, 7, Some(""));
    assert_eq!(by_children(dir.path(), &[5, 99]), Some(vec![5, 6, 7]));
    assert_eq!(sorted(&[5, 6, 99]), [5, 6, 7]);
}

#[test]
fn cpu_time_is_that_from_one_reading_to_the_next() {
    let proc = Path::new(super::super::PROC);
    // A process of its own, because this one's time also holds that of the children of other tests.
    let process = Shell::start(SPIN);
    let busy = process.id();
    let mut ticks = Ticks::default();
    let first = ticks.since_last(proc, [busy, u32::MAX].into_iter());
    let before = cpu_ns(proc, &[busy]).unwrap().value;
    while cpu_ns(proc, &[busy]).unwrap().value < before + 60_000_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let used = ticks.since_last(proc, [busy].into_iter());
    let nobody = ticks.since_last(proc, [].into_iter());
    let again = ticks.since_last(proc, [busy].into_iter());
    assert_eq!(first, Duration::ZERO, "new, and there is none");
    // By ticks, of which the first and the last may be short.
    assert!(used >= Duration::from_millis(40), "{used:?}");
    assert_eq!((nobody, again), (Duration::ZERO, Duration::ZERO), "new again");
}

#[test]
fn guest_ram_is_told_apart_by_its_size() {
    let dir = fake(&[(5, "smaps", SMAPS)]);
    let (own, guest) = pss_split(dir.path(), &[5], 256 << 20).unwrap();
    assert_eq!((own.value, guest.value), (450 << 10, 70_000 << 10));
    assert_eq!(pss_split(dir.path(), &[5], 1 << 20).unwrap().1.value, 450 << 10);
    assert_eq!(pss_split(dir.path(), &[5], 3 << 10).unwrap_err().name, FailureName::Unreadable);
}

#[test]
fn the_long_form_serves_where_the_short_one_is_missing() {
    let dir = fake(&[(5, "smaps", SMAPS), (6, "smaps_rollup", "x\nPss:   8 kB\nPss_Anon: 4 kB\n")]);
    let figure = pss(dir.path(), &[5, 6, 99]).unwrap();
    assert_eq!(figure.value, (70_450 + 8) << 10);
}

#[test]
fn time_of_processes_that_are_all_gone_is_not_zero() {
    let dir = fake(&[(5, "stat", &stat(5, 1))]);
    assert_eq!(cpu_by(dir.path(), &[5, 99], |_| None).unwrap().value, 37 * 10_000_000);
    assert_eq!(cpu_by(dir.path(), &[99], |_| None).unwrap_err().name, FailureName::Unreadable);
    // By the clock where there is one; children that ended are known in ticks alone.
    let figure = cpu_by(dir.path(), &[5, 99], |_| Some(123)).unwrap();
    assert!(figure.value < 37 * 10_000_000 && figure.value % 10_000_000 == 123, "{figure:?}");
}

/// A tick of 10 ms is an eighth of what a virtual machine's pieces of work in `quick` take.
#[test]
fn a_process_is_timed_much_finer_than_a_tick() {
    let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let pids = [child.id()];
    let mut steps = Vec::new();
    let mut last = cpu_ns(Path::new("/proc"), &pids).unwrap().value;
    while steps.len() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        let now = cpu_ns(Path::new("/proc"), &pids).unwrap();
        assert!(now.value >= last && now.source.contains("clock"), "{now:?}");
        if now.value > last {
            steps.push(now.value - last);
        }
        last = now.value;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(steps.iter().any(|step| step % 1_000_000 != 0), "{steps:?}");
}

proptest! {
    #[test]
    fn no_stat_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse_stat(&bytes);
        let _ = mappings(&String::from_utf8_lossy(&bytes));
    }
}
