//! docs/traps.md names tests that exist; and the trap that only a whole run can show: the host is left as it was.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_test_on_the_page_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/traps.md")).unwrap();
    let mut named = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("- ")) {
        let mut words = line.split('`').skip(1).step_by(2);
        let file = words.next().unwrap();
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        for test in words {
            let at = source.find(&format!("fn {test}(")).unwrap_or_else(|| panic!("no {test} in {file}"));
            let marked = source[..at].rsplit("\n\n").next().unwrap();
            assert!(
                marked.contains("#[test]") || source.contains("proptest!"),
                "{test} in {file} is no test"
            );
            named += 1;
        }
    }
    assert!(named > 40, "{named} tests are named");
}

/// What a benchmark might be tempted to set: all of it is read before and after.
fn settings() -> BTreeMap<PathBuf, String> {
    let folders = [
        "/sys/kernel/mm/ksm",
        "/sys/kernel/mm/transparent_hugepage",
        "/sys/devices/system/cpu/cpufreq",
        "/sys/devices/system/cpu/intel_pstate",
        "/sys/devices/system/cpu/smt",
        "/sys/devices/system/clocksource/clocksource0",
    ];
    let files = [
        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/kernel/perf_event_paranoid",
        "/proc/sys/kernel/numa_balancing",
        "/proc/sys/vm/swappiness",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/vm/dirty_ratio",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/swaps",
        "/sys/fs/cgroup/cgroup.subtree_control",
    ];
    let listed = folders.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let counters = ["pages_", "full_scans", "stable_node", "ksm_zero_pages", "general_profit", "khugepaged"];
    let is_setting = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !counters.iter().any(|one| name.starts_with(one))
    };
    let all = listed.filter(is_setting).chain(files.iter().map(PathBuf::from));
    all.filter_map(|path| Some((path.clone(), std::fs::read_to_string(&path).ok()?))).collect()
}

#[test]
fn a_run_changes_no_setting_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let before = settings();
    assert!(before.len() > 8, "too little could be read: {before:?}");
    let ran = Command::new(env!("CARGO_BIN_EXE_isocost"))
        .args(["run", "quick", "--env", "native", "--blocks", "1", "--quiet", "-o"])
        .arg(folder.path().join("run"))
        .arg("--cache")
        .arg(folder.path().join("cache"))
        .output()
        .unwrap();
    // 4: a disk figure may be refused on a host whose disk is in memory.
    assert!(matches!(ran.status.code(), Some(0 | 4)), "{ran:?}");
    assert_eq!(settings(), before);
}
