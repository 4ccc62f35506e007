//! The gate through the real program, on real containers and processes: a program that starts more slowly is caught, the same one is not.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use isocost::journal;
use isocost::journal::record::Ending;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;
#[path = "support/live.rs"]
mod live;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/slow_agent.rs"]
mod slow_agent;

use cli::Ran;
use live::{Place, all_here};

/// The start of a container alone.
const STARTS: &str = r#"
schema = 1
name = "starts"
[limits]
cpus = 1
memory = "128MiB"
[blocks]
count = 12
warm_up = 1
cold = 0
[[environment]]
id = "docker"
kind = "docker"
workloads = []
[gate]
budget = "3min"
[gate.limits]
"docker/startup.ready" = "10%"
"#;

/// About a tenth of a second on a host of today: far more than the limit of a container's start.
const TURNS: u32 = 300_000_000;

fn isocost(place: &Place, words: &[&str]) -> Ran {
    cli::ran(&place.isocost().args(words).env_remove("GITHUB_ACTIONS").output().unwrap())
}

fn place(suite: &str) -> Place {
    let place = Place::new();
    fs::write(place.path().join("s.toml"), suite).unwrap();
    program(&place, "same", &isocost::agent::shared());
    program(&place, "slow", &slow_agent::program(TURNS));
    place
}

fn program(place: &Place, name: &str, bytes: &[u8]) {
    let path = place.path().join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn json(place: &Path, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.join(file)).unwrap()).unwrap()
}

/// Base and candidate by turns: 1 for the slower one, confirmed, with all that continuous integration reads.
#[test]
fn an_image_that_starts_more_slowly_is_a_regression() {
    if !all_here("an_image_that_starts_more_slowly_is_a_regression") {
        return;
    }
    let place = place(STARTS);
    let words = ["gate", "./s.toml", "--agent", "slow", "--interleave", "agent=same", "-o", "out"];
    let files = ["--junit", "j.xml", "--markdown", "m.md", "--gitlab", "g.json", "--annotations"];
    let slower = isocost(&place, &[&words[..], &files[..]].concat());
    assert_eq!(slower.code, 1, "{slower:?}");
    assert!(slower.stdout.starts_with("REGRESSION: 1 of 1 gated figure"), "{slower:?}");
    for part in [
        "startup.ready of docker/start",
        "confirmed in a fresh session",
        "agent of docker",
        "\n::error title=",
    ] {
        assert!(slower.stdout.contains(part), "{part}: {slower:?}");
    }
    let junit = fs::read_to_string(place.path().join("j.xml")).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    assert_eq!((junit.tests, junit.failures), (1, 1));
    assert!(fs::read_to_string(place.path().join("m.md")).unwrap().contains("❌ regression"));
    assert_eq!(json(place.path(), "g.json")[0]["severity"], "major");
}

/// Exit code 1 would be a false alarm.
fn the_same_is_none(place: &Place, seed: u32) -> i32 {
    let (seed, out) = (seed.to_string(), format!("same-{seed}"));
    let ran =
        isocost(place, &["gate", "./s.toml", "--interleave", "agent=same", "-o", &out, "--seed", &seed]);
    assert!(ran.code == 0 || ran.code == 5, "{ran:?}");
    ran.code
}

#[test]
fn the_same_image_against_itself_is_none() {
    if all_here("the_same_image_against_itself_is_none") {
        the_same_is_none(&place(STARTS), 1);
    }
}

/// `cargo test --test gate -- --ignored --nocapture the_same_image_thirty_times`: a quarter of an hour.
#[test]
#[ignore = "a quarter of an hour"]
fn the_same_image_thirty_times() {
    let place = place(&STARTS.replace("3min", "40s"));
    let tries: u32 = std::env::var("ISOCOST_TRIES").map_or(30, |tries| tries.parse().unwrap());
    let codes: Vec<i32> =
        (0..tries).map(|seed| the_same_is_none(&place, seed)).inspect(|code| eprint!("{code} ")).collect();
    let passed = codes.iter().filter(|&&code| code == 0).count();
    eprintln!("{passed} of {tries} passed, the others are undecided, none is a regression");
}

const PROCESS: &str = r#"
schema = 1
name = "process"
[limits]
cpus = 1
memory = "128MiB"
[blocks]
count = 8
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
workloads = []
[gate.limits]
"native/startup.ready" = { limit = "100%", because = "a start of a millisecond on a busy host" }
"#;

/// A baseline of five sessions in the history, a candidate against it, and all that must never pass.
#[test]
fn a_candidate_is_held_against_a_baseline_by_its_name() {
    let place = place(PROCESS);
    let measured = |folder: &str, more: &[&str]| {
        let ran = isocost(&place, &[&["run", "./s.toml", "-q", "-o", folder], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    for session in 1..=5 {
        measured(&format!("base/{session}"), &[]);
    }
    measured("sixth", &[]);
    measured("slow-run", &["--agent", "slow"]);
    let saved = isocost(&place, &["baseline", "save", "main", "base", "--note", "as released"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    assert!(saved.stderr.contains("baseline main: 5 sessions"), "{saved:?}");
    let again = isocost(&place, &["baseline", "save", "main", "base"]);
    assert!(again.code == 2 && again.stderr.contains("--replace"), "{again:?}");
    nothing_is_changed_by_a_baseline_that_is_refused(&place);
    let shown = isocost(&place, &["baseline", "show", "main"]);
    assert!(
        shown.stdout.contains("5 sessions  as released") && shown.stdout.lines().count() == 6,
        "{shown:?}"
    );

    // The samples are in the history: the folders are not needed any more.
    fs::rename(place.path().join("base"), place.path().join("elsewhere")).unwrap();
    let slower = isocost(&place, &["gate", "slow-run", "--baseline", "main"]);
    assert_eq!(slower.code, 1, "{slower:?}");
    for part in [
        "startup.ready of native",
        "not confirmed in a fresh session",
        "no longer seen, because: a start of",
        "baseline: agent",
    ] {
        assert!(slower.stdout.contains(part), "{part}: {slower:?}");
    }
    let improved = isocost(&place, &["gate", "elsewhere/1", "--baseline", "slow-run"]);
    assert!([0, 5].contains(&improved.code), "an improvement never fails: {improved:?}");

    never_passes(&place, "an empty run", "holds no value", &|journal| {
        journal.lines().filter(|line| !line.contains("\"sample\"")).map(|line| format!("{line}\n")).collect()
    });
    never_passes(&place, "a killed run", "has no end", &|journal| {
        journal.replace("{\"record\":\"end\"}\n", "")
    });
    let cut = isocost(&place, &["baseline", "save", "cut", "elsewhere/1", "a-killed-run"]);
    assert!(cut.code == 2 && cut.stderr.contains("a-killed-run: "), "{cut:?}");
    assert!(cut.stderr.contains("isocost run --resume FOLDER"), "{cut:?}");
    never_passes(&place, "NaN", "damaged", &|journal| {
        journal.replacen("\"value\":", "\"value\":NaN,\"x\":", 1)
    });
    never_passes(&place, "a clock that went back", "run backwards", &|journal| {
        journal.replacen("\"started_at\":\"2", "\"started_at\":\"1", 1)
    });
    let saved = isocost(&place, &["baseline", "save", "back", "a-clock-that-went-back"]);
    assert!(saved.code == 2 && saved.stderr.contains("run backwards"), "{saved:?}");
    let nobody = isocost(&place, &["gate", "slow-run", "--baseline", "nobody"]);
    assert!(nobody.code == 2 && nobody.stderr.contains("nobody"), "{nobody:?}");

    let removed = isocost(&place, &["baseline", "remove", "main"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(isocost(&place, &["baseline", "list"]).stdout.contains("no baselines"));
}

/// The name is taken, cannot be typed, or a run is there twice: no run is added, and no history is made.
fn nothing_is_changed_by_a_baseline_that_is_refused(place: &Place) {
    let listed = || isocost(place, &["history", "runs", "--json"]).stdout;
    let before = listed();
    for (name, runs, why) in [
        ("main", &["sixth"][..], "--replace"),
        ("a b", &["sixth"], "spaces"),
        ("x", &["sixth", "sixth"], "twice"),
    ] {
        let refused = isocost(place, &[&["baseline", "save", name], runs].concat());
        assert!(refused.code == 2 && refused.stderr.contains(why), "{refused:?}");
    }
    assert_eq!(listed(), before);
    let elsewhere = isocost(place, &["baseline", "save", "a b", "sixth", "--history", "new/h.db"]);
    assert!(elsewhere.code == 2 && !place.path().join("new").exists(), "{elsewhere:?}");
}

/// A copy of a good session with its journal changed: exit code 2 and a reason.
fn never_passes(place: &Place, what: &str, why: &str, change: &dyn Fn(&str) -> String) {
    let bad = place.path().join(what.replace(' ', "-"));
    fs::create_dir(&bad).unwrap();
    for file in ["run.json", "journal.jsonl"] {
        fs::copy(place.path().join("sixth").join(file), bad.join(file)).unwrap();
    }
    let journal = fs::read_to_string(bad.join("journal.jsonl")).unwrap();
    let changed = change(&journal);
    assert_ne!(changed, journal, "{what}");
    fs::write(bad.join("journal.jsonl"), changed).unwrap();
    let ran = isocost(place, &["gate", bad.to_str().unwrap(), "--baseline", "main"]);
    assert!(ran.code == 2 && ran.stderr.contains(why), "{what}: {ran:?}");
}

/// Ctrl-C in the first session and in the one that is to confirm a regression: the signal's own exit code, no answer, and no session after it.
#[test]
fn a_signal_ends_it_without_an_answer() {
    let place = place(&PROCESS.replace("count = 8", "count = 400"));
    let stopped = |words: &[&str], folder: &str, signal| {
        let mut command = place.isocost();
        command.args(words).env_remove("GITHUB_ACTIONS").stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let until = Instant::now() + live::DEADLINE;
        let some = || journal::read(&place.path().join(folder)).is_ok_and(|run| run.samples.len() > 100);
        while !some() {
            assert!(Instant::now() < until, "{folder} is not begun: {words:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        cli::ran(&child.wait_with_output().unwrap())
    };
    let first = ["gate", "./s.toml", "--interleave", "agent=same", "-o", "out", "--seed", "1"];
    let first =
        stopped(&[&first[..], &["--budget", "1h"]].concat(), "out/process-interleaved-1", Signal::INT);
    assert_eq!((first.code, first.stdout.as_str()), (130, ""), "{first:?}");
    assert!(
        first.stderr.contains("nothing is decided") && !first.stderr.contains("another session"),
        "{first:?}"
    );
    assert_eq!(fs::read_dir(place.path().join("out")).unwrap().count(), 1);

    for (folder, agent) in [("base", "same"), ("slow-run", "slow")] {
        let ran =
            isocost(&place, &["run", "./s.toml", "-q", "-o", folder, "--agent", agent, "--budget", "3s"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let id = journal::read(&place.path().join("slow-run")).unwrap().record.run_id;
    let words = ["gate", "slow-run", "--baseline", "./base", "--agent", "slow", "--budget", "1h"];
    let confirming = stopped(&words, &format!("{id}-gate-1"), Signal::TERM);
    assert_eq!((confirming.code, confirming.stdout.as_str()), (143, ""), "{confirming:?}");
    // Which of the two it was about depends on how quiet the host is.
    let began = ["a fresh session to confirm it", "measuring another session"];
    assert!(began.iter().any(|part| confirming.stderr.contains(part)), "{confirming:?}");
    let cut = isocost(&place, &["gate", &format!("{id}-gate-1"), "--baseline", "./base"]);
    assert!(cut.code == 2 && cut.stderr.contains("--resume"), "{cut:?}");

    // A second gate: its session has a folder of its own.
    let again = stopped(&words, &format!("{id}-gate-2"), Signal::TERM);
    assert_eq!((again.code, again.stdout.as_str()), (143, ""), "{again:?}");
    // Without the agent that was measured it would measure another program; without a budget it measures nothing.
    let other = isocost(&place, &["gate", "slow-run", "--baseline", "./base", "--budget", "1h"]);
    assert!(other.code == 2 && other.stderr.contains("--agent PATH") && other.stdout.is_empty(), "{other:?}");
    assert!(!place.path().join(format!("{id}-gate-3")).exists());
    let decided = isocost(&place, &["gate", "slow-run", "--baseline", "./base", "--budget", "0s"]);
    assert!([0, 1, 5].contains(&decided.code), "{decided:?}");
}

/// Killed half way, and continued to its end: every sample that was there still is, and each environment has all its blocks.
#[test]
fn a_run_that_was_killed_is_continued() {
    let place = place(&PROCESS.replace("count = 8", "count = 40"));
    let suite = fs::read_to_string(place.path().join("s.toml")).unwrap();
    let mut live = place.begin(&suite, &[]);
    let before = live.wait_until("thirty samples", |run| run.samples.len() >= 30);
    live.signal(rustix::process::Signal::KILL);
    let folder = live.run.clone();
    live.end();
    // The last line may have been cut.
    let cut = fs::read(folder.join("journal.jsonl")).unwrap();
    fs::write(folder.join("journal.jsonl"), [&cut[..], b"{\"record\":\"sam"].concat()).unwrap();
    let copy = place.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in ["run.json", "journal.jsonl"] {
        fs::copy(folder.join(file), copy.join(file)).unwrap();
    }

    let ran = isocost(&place, &["run", "--resume", folder.to_str().unwrap(), "-q"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let after = journal::read(&folder).unwrap();
    assert_eq!((after.record.ending, after.complete, after.dropped_tail), (Ending::Complete, true, false));
    assert_eq!(after.record.run_id, before.record.run_id);
    assert_eq!(after.samples[..before.samples.len()], before.samples[..]);
    let blocks: std::collections::BTreeSet<u32> = after.samples.iter().map(|sample| sample.block).collect();
    assert!((0..40).all(|block| blocks.contains(&block)), "{blocks:?}");
    assert!(after.record.warnings.iter().any(|text| text.starts_with("continued at ")));

    // The history keeps what the whole run has, though the copy from before comes later.
    let import = |folder: &Path| isocost(&place, &["history", "import", folder.to_str().unwrap()]);
    assert!(import(&folder).stdout.starts_with("1 runs are new"));
    let earlier = import(&copy);
    assert!(earlier.stdout.contains("1 are earlier copies") && earlier.code == 0, "{earlier:?}");
    assert!(earlier.stderr.contains("copy: an earlier copy of run"), "{earlier:?}");
    let runs = isocost(&place, &["history", "runs", "--json"]).stdout;
    assert!(runs.contains("\"ending\": \"complete\""), "{runs}");

    let complete = isocost(&place, &["run", "--resume", folder.to_str().unwrap()]);
    assert!(complete.code == 2 && complete.stderr.contains("is complete"), "{complete:?}");
    let interrupted = place.path().join("other");
    fs::create_dir(&interrupted).unwrap();
    fs::write(interrupted.join("journal.jsonl"), &cut).unwrap();
    let mut record = before.record.clone();
    record.host.cpu_model = Some("another".into());
    journal::write_run(&interrupted, &record).unwrap();
    let other = isocost(&place, &["run", "--resume", "other"]);
    assert!(other.code == 2 && other.stderr.contains("another host"), "{other:?}");
    // A plan that this host cannot do.
    let mut record = before.record.clone();
    record.plan.suite.limits.cpus = 4096;
    journal::write_run(&interrupted, &record).unwrap();
    let large = isocost(&place, &["run", "--resume", "other"]);
    assert!(large.code == 2 && large.stderr.contains("plan.suite.limits.cpus"), "{large:?}");
}
