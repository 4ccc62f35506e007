//! Runs of processes alone, through the real program: where results go, what is printed where, reports made again,
//! the same plan again. (Containers and virtual machines: `kill.rs`, `hostile.rs`, `traps.rs`.)

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command;

use isocost::journal;
use isocost::journal::record::Ending;
use serde_json::Value;

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;

use cli::{Ran, run};

const SUITE: &str = r#"
schema = 1
description = "a process, quickly"
[limits]
cpus = 1
memory = "64MiB"
[blocks]
count = 6
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "native-again"
kind = "native"
[[workload]]
id = "syscall"
duration = "5ms"
"#;

fn place() -> tempfile::TempDir {
    let place = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
    fs::write(place.path().join("s.toml"), SUITE).unwrap();
    place
}

/// Some figures of a process need root: then 4 is right where a user runs the tests.
fn went_well(ran: &Ran) {
    assert!(ran.code == 0 || ran.code == 4 && !rustix::process::geteuid().is_root(), "{ran:?}");
}

fn json(ran: &Ran) -> Value {
    went_well(ran);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_run_that_was_given_no_place_is_below_reports_and_latest_leads_to_it() {
    let place = place();
    let ran = run(place.path(), &["run", "./s.toml", "--seed", "3"]);
    went_well(&ran);
    assert!(ran.stdout.contains("native"), "the summary is the result: {ran:?}");
    for expected in ["s with seed 3: about ", "isocost: block 1 of 6 (measured): ", "report: reports/"] {
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(['\u{1b}', '\r']), "plain lines into pipes");
    let latest = place.path().join("reports/latest");
    let id = fs::read_link(&latest).unwrap();
    let read = journal::read(&latest).unwrap();
    assert_eq!(read.record.run_id, id.to_str().unwrap());
    assert_eq!((read.record.ending, read.record.plan.seed), (Ending::Complete, 3));
    for file in
        ["journal.jsonl", "run.json", "samples.csv", "summary.csv", "report.html", "startup-phases.svg"]
    {
        assert!(latest.join(file).exists(), "{file}");
    }
    let second = run(place.path(), &["run", "./s.toml", "--blocks", "1", "--env", "native"]);
    went_well(&second);
    assert_ne!(fs::read_link(&latest).unwrap(), id);
    assert!(place.path().join("reports").join(id).join("report.html").exists());
}

/// As some supervisors start what they run.
#[test]
fn a_run_that_was_started_with_sigchld_ignored_measures_all_the_same() {
    let place = place();
    let words = [
        "--ignore-signal=CHLD",
        env!("CARGO_BIN_EXE_isocost"),
        "run",
        "./s.toml",
        "--blocks",
        "1",
        "-o",
        "r",
    ];
    let mut command = Command::new("env");
    command.args(words).current_dir(place.path()).env("ISOCOST_CACHE", place.path().join("cache"));
    went_well(&cli::ran(&command.output().unwrap()));
    let run = journal::read(&place.path().join("r")).unwrap();
    let ends: Vec<_> = run.samples.iter().filter(|sample| sample.metric == "end.total").collect();
    assert!(ends.len() == 2 && ends.iter().all(|sample| sample.value().is_some()), "{ends:?}");
}

#[test]
fn quiet_prints_the_folder_and_json_one_document() {
    let place = place();
    let quiet = run(place.path(), &["-q", "run", "./s.toml", "--blocks", "1", "-o", "here"]);
    went_well(&quiet);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("here\n", ""));
    let document = json(&run(place.path(), &["run", "./s.toml", "--blocks", "1", "-o", "there", "--json"]));
    assert_eq!((&document["schema"], &document["command"]), (&1.into(), &"run".into()));
    assert_eq!(document["folder"], "there");
    assert_eq!(document["ending"], "complete");
    assert!(document["measured"].as_u64().unwrap() > 10);
    assert!(document["summary"]["rows"].as_array().unwrap().len() > 5);
    let docs = include_str!("../docs/cli.md");
    for key in document.as_object().unwrap().keys().chain(document["summary"].as_object().unwrap().keys()) {
        assert!(docs.contains(&format!("`{key}`")), "docs/cli.md lacks {key}");
    }
    let page = document["files"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(place.path().join(page).exists());
}

#[test]
fn a_report_is_made_again_from_a_copy_anywhere() {
    let place = place();
    went_well(&run(place.path(), &["run", "./s.toml", "-o", "a"]));
    let copy = place.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in ["journal.jsonl", "run.json"] {
        fs::copy(place.path().join("a").join(file), copy.join(file)).unwrap();
    }
    let ran = run(place.path(), &["report", "copy"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for file in ["summary.csv", "samples.csv", "report.html"] {
        let of = |folder: &str| fs::read(place.path().join(folder).join(file)).unwrap();
        assert_eq!(of("a"), of("copy"), "{file}");
    }
    let elsewhere = run(place.path(), &["report", "copy", "-o", "elsewhere"]);
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
    assert!(place.path().join("elsewhere/report.html").exists());
    assert_eq!(run(place.path(), &["report", "copy", "-o", "elsewhere"]).code, 0, "its own are replaced");
    fs::write(place.path().join("elsewhere/summary.csv"), "mine").unwrap();
    for taken in ["elsewhere", "a"] {
        assert_eq!(run(place.path(), &["report", "copy", "-o", taken]).code, 2, "{taken}");
    }
    assert_eq!(fs::read(place.path().join("elsewhere/summary.csv")).unwrap(), b"mine");
    let clocks = run(place.path(), &["report", "--clocks", "copy"]);
    assert!(clocks.code == 0 && clocks.stdout.contains("gVisor"), "{clocks:?}");
}

#[test]
fn several_runs_stand_side_by_side_and_are_not_mixed() {
    let place = place();
    for name in ["a", "b"] {
        went_well(&run(place.path(), &["run", "./s.toml", "-o", name]));
    }
    let ran = run(place.path(), &["report", "a", "b", "-o", "both"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ids = ["a", "b"].map(|name| journal::read(&place.path().join(name)).unwrap().record.run_id);
    assert!(ids.iter().all(|id| ran.stdout.contains(id)), "{ran:?}");
    assert!(place.path().join("both/side-by-side.csv").exists());
    assert!(!place.path().join("both/report.html").exists(), "no report of two runs in one");
    let document = json(&run(place.path(), &["report", "a", "b", "--json"]));
    assert_eq!(document["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn the_same_plan_runs_again_from_anyones_folder() {
    let place = place();
    went_well(&run(place.path(), &["run", "./s.toml", "-o", "theirs", "--seed", "77"]));
    let record = place.path().join("theirs/run.json");
    // As if it came from another machine.
    let text = fs::read_to_string(&record).unwrap();
    let mut theirs: Value = serde_json::from_str(&text).unwrap();
    theirs["host"]["cpu_model"] = "Another CPU".into();
    theirs["agent_sha256"] = "0".repeat(64).into();
    fs::write(&record, theirs.to_string()).unwrap();
    fs::remove_file(place.path().join("s.toml")).unwrap();

    let ran = run(place.path(), &["rerun", "theirs", "-o", "mine"]);
    went_well(&ran);
    assert!(ran.stderr.contains("not as in that run: the host's CPU was Another CPU, and is"), "{ran:?}");
    assert!(ran.stderr.contains("not as in that run: the agent's SHA-256 was 000"), "{ran:?}");
    let mine = journal::read(&place.path().join("mine")).unwrap();
    let theirs = journal::read(&place.path().join("theirs")).unwrap();
    assert_eq!(mine.record.plan, theirs.record.plan);
    assert!(
        ran.stdout.contains(&mine.record.run_id) && ran.stdout.contains(&theirs.record.run_id),
        "{ran:?}"
    );
    assert!(place.path().join("mine/side-by-side.html").exists());

    let document = json(&run(place.path(), &["rerun", "theirs", "-o", "again", "--json"]));
    assert_eq!(document["rerun_of"]["run_id"], theirs.record.run_id.as_str());
    let dry = run(place.path(), &["rerun", "theirs", "--dry-run"]);
    assert!(dry.code == 0 && dry.stdout.contains("seed    77"), "{dry:?}");
}

#[test]
fn a_budget_ends_it_between_blocks() {
    let place = place();
    let ran = run(place.path(), &["run", "./s.toml", "--budget", "1ms", "-o", "a"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("the budget was spent"), "{ran:?}");
    let read = journal::read(&place.path().join("a")).unwrap();
    assert_eq!(read.record.ending, Ending::Budget);
    let again = run(place.path(), &["run", "./s.toml", "-o", "a"]);
    assert_eq!((again.code, again.stderr.contains("holds a run already")), (2, true), "{again:?}");
}

#[test]
fn what_cannot_run_here_ends_with_3_and_measures_nothing() {
    let place = place();
    let mut command = cli::isocost(place.path());
    command.args(["run", "quick", "--env", "docker,native", "-o", "a"]);
    let ran = cli::ran(&command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("docker cannot run here: "), "{ran:?}");
    assert!(ran.stderr.contains("isocost doctor"), "{ran:?}");
    assert!(!place.path().join("a").exists(), "no folder of a run that was none");
    let mut command = cli::isocost(place.path());
    command.args(["run", "quick", "--env", "docker"]);
    let ran = cli::ran(&command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap());
    assert_eq!((ran.code, place.path().join("reports").exists()), (3, false), "{ran:?}");
    assert_eq!(fs::read_dir(place.path().join("cache/runs")).unwrap().count(), 0);
}

/// On a terminal of its own (script(1)), and with a reader that closes it early.
#[test]
fn on_a_terminal_progress_is_drawn_in_place() {
    let place = place();
    let line = format!("{} run ./s.toml -o a 2>&1 >/dev/null", env!("CARGO_BIN_EXE_isocost"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(place.path());
    script.env("ISOCOST_CACHE", place.path().join("cache")).env("TERM", "xterm");
    let Ok(output) = script.stdin(std::process::Stdio::null()).output() else {
        println!("script is not here to make a terminal");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("of 12 cells") && text.contains("left · block "), "{text:?}");
    assert!(text.contains('\r') || text.contains("\u{1b}["), "{text:?}");
    assert!(!text.contains("cells done"), "no plain lines beside the bar: {text:?}");
}

#[test]
fn no_one_who_reads_does_not_change_the_outcome() {
    let place = place();
    let mut command = cli::isocost(place.path());
    command.args(["run", "./s.toml", "--blocks", "1", "-o", "a"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let code = child.wait().unwrap().code().unwrap();
    assert!(code == 0 || code == 4, "{code}");
    assert!(journal::read(&place.path().join("a")).unwrap().complete);
    assert!(Path::exists(&place.path().join("a/report.html")));
}
