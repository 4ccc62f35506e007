//! Every input that cannot be used ends with exit code 2 and a line that names the place, before anything boots.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

const GOOD: &str = "schema = 1\n[limits]\ncpus = 1\nmemory = \"64MiB\"\n[[environment]]\nid = \"native\"\nkind = \"native\"\n\
                    [[workload]]\nid = \"syscall\"\nduration = \"1ms\"\n";

/// `$ isocost …`, the exit code and what was said, with the test's folder taken out.
fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let ran = cli::run(folder, arguments);
    let text = format!("$ isocost {}\n[{}]\n{}{}\n", arguments.join(" "), ran.code, ran.stdout, ran.stderr);
    text.replace(folder.to_str().unwrap(), "TMP")
}

fn transcripts(folder: &Path, all: &[&[&str]]) -> String {
    let said: String = all.iter().map(|arguments| transcript(folder, arguments)).collect();
    assert!(!folder.join("cache/runs").exists(), "something was begun");
    said
}

#[test]
fn command_lines() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(transcripts(
        folder.path(),
        &[
            &["fly"],
            &["run", "--blocks", "0"],
            &["run", "--blocks", "many"],
            &["run", "--seed", "-1"],
            &["run", "--blocks", "-1"],
            &["run", "--repeats", "-1"],
            &["run", "--precision", "-2%"],
            &["run", "--budget", "-5s"],
            &["run", "--cache", ""],
            &["run", "--budget", "0s"],
            &["run", "--budget", "90"],
            &["run", "--accel", "xen"],
            &["run", "--kernel", "debian:"],
            &["run", "--env", "dokcer"],
            &["run", "--workload", "cpu-intger"],
            &["run", "--env", ""],
            &["run", "qick"],
            &["run", "quick", "standard"],
            &["run", "--kernel", "none/bzImage", "--env", "qemu"],
            &["run", "--agent", "none"],
            &["run", "--agent", "."],
            &["report"],
            &["report", "none"],
            &["report", "-o", "x", "a", "b"],
            &["report", "--clocks", "-o", "x", "a"],
            &["report", "--clocks", "--json", "a"],
            &["list", "--text", "quick", "--json"],
            &["rerun", "none"],
            &["completions", "cmd.exe"],
            &["man", "fly"],
            &["man", "baseline", "fly"],
            &["man", "run", "fly"],
            &["list", "everything"],
            &["list", "--text", "qick"],
        ],
    ));
}

#[test]
fn suites() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from));
        GOOD.replacen(from, to, 1)
    };
    write("empty.toml", b"");
    write("no.toml", b"not toml at all");
    write("name.toml", format!("name = \"a\\nb\"\n{GOOD}").as_bytes());
    write("limit.toml", format!("{GOOD}[gate.limits]\n\"startup.ready\" = 5\n").as_bytes());
    write("key.toml", with("memory", "memroy").as_bytes());
    write("cpus.toml", with("cpus = 1", "cpus = 0").as_bytes());
    write("many.toml", with("cpus = 1", "cpus = 1000").as_bytes());
    write("memory.toml", with("64MiB", "1TiB").as_bytes());
    write("unit.toml", with("64MiB", "64MB").as_bytes());
    write("work.toml", with("\"syscall\"", "\"sycall\"").as_bytes());
    write("schema.toml", with("schema = 1", "schema = 9").as_bytes());
    write("bytes.toml", b"schema = 1\n# \xff\xfe\n");
    write("large.toml", &vec![b'#'; (1 << 20) + 1]);
    write("steer.toml", b"schema = 1\n\"\\u001b[2J\" = 1\n");
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(folder.path().join("fifo.toml")).status();
    assert!(fifo.unwrap().success());
    let names = [
        "none.toml",
        "empty.toml",
        "no.toml",
        "name.toml",
        "limit.toml",
        "key.toml",
        "cpus.toml",
        "many.toml",
        "memory.toml",
        "unit.toml",
        "work.toml",
        "schema.toml",
        "bytes.toml",
        "large.toml",
        "steer.toml",
        "folder.toml",
        "fifo.toml",
        "./",
        "/dev/zero",
    ];
    let all: Vec<Vec<&str>> = names.iter().map(|name| vec!["run", *name]).collect();
    let all: Vec<&[&str]> = all.iter().map(Vec::as_slice).collect();
    insta::assert_snapshot!(without_host_size(&transcripts(folder.path(), &all)));
}

/// `this host has 23456MiB` is another number on each.
fn without_host_size(text: &str) -> String {
    const BEFORE: &str = "this host has ";
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts
        .fold(first, |text, part| text + BEFORE + "N" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[test]
fn places() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("old")).unwrap();
    fs::write(folder.path().join("old/journal.jsonl"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/summary.csv"), "mine").unwrap();
    let run = |place: &'static str| vec!["run", "--env", "native", "-o", place];
    let all = ["file", "file/below", "old", "mine", "link"].map(run);
    let all: Vec<&[&str]> = all.iter().map(Vec::as_slice).collect();
    insta::assert_snapshot!(transcripts(folder.path(), &all));
    for arguments in all {
        let dry = cli::run(folder.path(), &[arguments, &["--dry-run"]].concat());
        assert_eq!((dry.code, dry.stderr), (2, cli::run(folder.path(), arguments).stderr));
    }
    let dry = ["run", "--env", "native", "--dry-run", "--agent", "mine/summary.csv"];
    assert_eq!(cli::run(folder.path(), &dry).code, 2);
}

/// A folder of root's for one who is not root. (Root may write everywhere.)
#[test]
fn a_folder_that_may_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let mut command = cli::isocost(folder.path());
    if rustix::process::geteuid().is_root() {
        // Nobody's: the program and its cache must be in nobody's reach.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("isocost");
        fs::copy(env!("CARGO_BIN_EXE_isocost"), &copy).unwrap();
        command = std::process::Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(copy)
            .current_dir(folder.path());
        command.env("ISOCOST_CACHE", "/tmp/none-of-it").stdin(std::process::Stdio::null());
    } else {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let ran = cli::ran(&command.args(["run", "--env", "native", "-o", "closed/run"]).output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(
        ran.stderr,
        "isocost: cannot write closed: Permission denied (os error 13); give another place with -o DIR\n"
    );
}

/// A file system of 1 MiB, which only root can mount.
#[test]
fn a_disk_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let options = Some(c"size=1m");
    let flags = rustix::mount::MountFlags::empty();
    if let Err(why) = rustix::mount::mount("tmpfs", &small, "tmpfs", flags, options) {
        return skip("a_disk_that_is_full", format!("a tmpfs cannot be mounted: {why}"));
    }
    let ran = cli::run(folder.path(), &["run", "--env", "native", "-o", "small/run"]);
    let cached = cli::run(folder.path(), &["run", "--env", "native", "--cache", "small/cache"]);
    rustix::mount::unmount(&small, rustix::mount::UnmountFlags::empty()).unwrap();
    assert_eq!(ran.code, 2, "{ran:?}");
    let expected = "isocost: small has 1 MiB free, and a run may need 16 MiB; make space or give another place with -o DIR\n";
    assert!(ran.stderr.contains(expected.trim()), "{ran:?}");
    assert_eq!(cached.code, 2, "{cached:?}");
    assert!(cached.stderr.contains("small has 1 MiB free, and a run may need "), "{cached:?}");
    assert!(cached.stderr.contains("make space or give another place with --cache DIR"), "{cached:?}");
    assert!(!folder.path().join("reports").exists(), "something was made");
}

#[test]
fn a_name_that_is_not_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff.toml");
    let ran = cli::run(folder.path(), &[std::ffi::OsStr::new("run"), name]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("UTF-8"), "{ran:?}");
}

#[test]
fn runs_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, record: &str, journal: &str| {
        let run = folder.path().join(name);
        fs::create_dir(&run).unwrap();
        fs::write(run.join("run.json"), record).unwrap();
        fs::write(run.join("journal.jsonl"), journal).unwrap();
    };
    run("newer", r#"{"schema": 99}"#, "");
    run("damaged", r#"{"schema": 1, "run_id": 5}"#, "");
    run("empty", "", "");
    let all: &[&[&str]] = &[
        &["report", "newer"],
        &["rerun", "newer"],
        &["report", "damaged"],
        &["rerun", "empty"],
        &["report", "/dev/null"],
    ];
    insta::assert_snapshot!(transcripts(folder.path(), all));
}

/// Comparing, gating and the history: nothing is made, also where one of several inputs is good.
#[test]
fn histories_and_gates() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.js"), "window.BENCHMARK_DATA = {}").unwrap();
    fs::write(folder.path().join("not.db"), "no database, but long enough to be taken for one\n".repeat(99))
        .unwrap();
    fs::create_dir(folder.path().join("nightly")).unwrap();
    let all: &[&[&str]] = &[
        &["compare", "nightly"],
        &["compare", "nightly", "none"],
        &["gate", "nightly"],
        &["gate", "none", "--baseline", "main"],
        &["gate", "nightly", "--baseline", "./none"],
        &["baseline", "save", "main", "none"],
        &["baseline", "list"],
        &["baseline", "remove", "main"],
        &["history"],
        &["history", "import", "nightly"],
        &["history", "import", "data.js"],
        &["history", "import", "--format", "otava", "data.js"],
        &["history", "import", "--format", "github-action-benchmark", "data.js"],
        &["history", "import", "--format", "bencher", "/dev/zero"],
        &["history", "--smallest", "0"],
        &["history", "--since", "yesterday"],
        &["history", "--history", "not.db"],
        &["history", "--history", "mysql://host/base"],
        &["history", "import", "nightly", "--history", ""],
        &["history", "import", "nightly", "--history", ":memory:"],
        &["history", "export", "parquet"],
        &["history", "score", "nightly"],
    ];
    insta::assert_snapshot!(transcripts(folder.path(), all));
    assert!(!folder.path().join("reports").exists(), "something was made");
}
