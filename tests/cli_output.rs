//! What is printed: help, lists, plans, completions and the manual page; as JSON; into pipes.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;

fn done(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ran = cli::run(folder.path(), arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&done(arguments)).unwrap()
}

const COMMANDS: [&str; 12] = [
    "doctor",
    "list",
    "run",
    "report",
    "rerun",
    "compare",
    "plan",
    "calibrate",
    "selfcheck",
    "clean",
    "completions",
    "man",
];

#[test]
fn help() {
    insta::assert_snapshot!("help", done(&["--help"]));
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help_{command}"), done(&[command, "--help"]));
    }
}

#[test]
fn lists() {
    for topic in ["suites", "environments", "workloads"] {
        insta::assert_snapshot!(format!("list_{topic}"), done(&["list", topic]));
    }
    let (all, metrics) = (done(&["list"]), done(&["list", "metrics"]));
    for metric in isocost::measure::metric::CATALOGUE {
        let line = format!("{} ", metric.name);
        assert!(
            metrics
                .lines()
                .any(|one| one.starts_with(&line) && one.ends_with(metric.definition) || metric.exact)
        );
    }
    assert_eq!(all.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).count(), 4, "{all}");
    assert_eq!(done(&["list", "--text", "quick"]), include_str!("../suites/quick.toml"));
}

#[test]
fn a_plan() {
    let arguments = ["run", "--dry-run", "--seed", "1", "--blocks", "2", "--workload", "disk-*,syscall"];
    insta::assert_snapshot!("dry_run", done(&arguments));
    assert_eq!(done(&arguments), done(&arguments));
    let all = [&arguments[..], &["--json"]].concat();
    let document = json(&all);
    assert_eq!(document["schema"], 1);
    assert_eq!(document["command"], "run");
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["plan"]["seed"], 1);
    assert_eq!(document["plan"]["blocks"].as_array().unwrap().len(), 3);
    assert!(document["warnings"][0].as_str().unwrap().contains("too few"));
}

#[test]
fn json_lists() {
    let document = json(&["list", "--json"]);
    assert_eq!(document["schema"], 1);
    for topic in ["suites", "environments", "workloads", "metrics"] {
        assert!(!document[topic].as_array().unwrap().is_empty(), "{topic}");
        let one = json(&["--json", "list", topic]);
        assert_eq!(one[topic], document[topic]);
        assert_eq!(one.as_object().unwrap().len(), 3, "{one}");
    }
    let clean = json(&["clean", "--json"]);
    assert_eq!(clean["runs"], serde_json::json!([]));
}

/// docs/cli.md has every key of the documents.
#[test]
fn json_keys_are_documented() {
    let docs = include_str!("../docs/cli.md");
    let has = |document: &serde_json::Value| {
        for key in document.as_object().unwrap().keys() {
            assert!(docs.contains(&format!("`{key}`")), "docs/cli.md lacks {key}");
        }
    };
    let list = json(&["list", "--json"]);
    has(&list);
    for topic in ["suites", "environments", "workloads", "metrics"] {
        has(&list[topic][0]);
    }
    has(&json(&["run", "--dry-run", "--json"]));
    has(&json(&["clean", "--json"]));
    has(&json(&["doctor", "--tune", "--json"]));
    let labelled = tempfile::tempdir().unwrap();
    for folder in ["metadata", "data"] {
        fs::create_dir(labelled.path().join(folder)).unwrap();
    }
    fs::write(
        labelled.path().join("metadata/dataset_details.csv"),
        "Type;Dataset;Change Point\nStable;a.csv;0\n",
    )
    .unwrap();
    fs::write(labelled.path().join("data/a.csv"), "Index,GHC,Measurement\n1,5000,100\n2,5001,101\n").unwrap();
    let score = json(&["history", "score", labelled.path().to_str().unwrap(), "--json"]);
    has(&score);
    has(&score["series"][0]);
    has(&score["series"][0]["arriving"]);
}

#[test]
fn doctor_as_json_says_what_can_run() {
    let folder = tempfile::tempdir().unwrap();
    let ran = cli::run(folder.path(), &["doctor", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let can_run = document["can_run"].as_bool().unwrap();
    assert_eq!(ran.code, if can_run { 0 } else { 3 });
    let findings = document["findings"].as_array().unwrap();
    for area in ["host", "native", "docker", "qemu"] {
        assert!(findings.iter().any(|one| one["area"] == area), "{area}");
    }
    for one in findings.iter().filter(|one| one["state"] == "missing") {
        assert!(one["mend"].is_string(), "{one}");
    }
}

#[test]
fn doctor_without_an_engine_says_so_and_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = cli::isocost(folder.path());
    let output =
        command.arg("doctor").env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap();
    let ran = cli::ran(&output);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("MISSING") && ran.stdout.contains("/nonexistent/docker.sock"), "{ran:?}");
    assert!(ran.stdout.contains("cannot run here"), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'), "no colours into a pipe");
}

/// What is printed can be given to a shell: remarks are remarks there too.
#[test]
fn tuning_lines_are_shell() {
    let text = done(&["doctor", "--tune"]);
    assert!(text.starts_with("# "), "{text}");
    let checked = Command::new("sh").args(["-n", "-c", &text]).status().unwrap();
    assert!(checked.success(), "{text}");
    assert!(json(&["doctor", "--tune", "--json"])["tune"].is_array());
}

#[test]
fn quiet_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["-q", "clean"], ["doctor", "--quiet"]] {
        let ran = cli::run(folder.path(), &arguments);
        assert_eq!((ran.stdout, ran.stderr), (String::new(), String::new()));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [&["list"][..], &["list", "--json"], &["--help"], &["completions", "bash"], &["man"]] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = cli::isocost(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = cli::isocost(folder.path()).arg("list").stdout(full).output().unwrap();
    let ran = cli::ran(&output);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.starts_with("isocost: cannot write to standard output: "), "{ran:?}");
}

/// The shell accepts them; whether it completes well is for people to say.
#[test]
fn completions_are_accepted_by_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n"), ("elvish", "-compileonly")] {
        let text = done(&["completions", shell]);
        assert!(text.contains("doctor") && text.contains("dry-run"), "{shell}");
        let file = folder.path().join(shell);
        std::fs::write(&file, text).unwrap();
        match Command::new(shell).arg(check).arg(&file).status() {
            Ok(status) => assert!(status.success(), "{shell}"),
            Err(_) => println!("{shell} is not here to check its completions"),
        }
    }
    bash_completes(&folder.path().join("bash"));
}

fn bash_completes(file: &Path) {
    let script = "source \"$0\"; COMP_WORDS=(isocost run --dr); COMP_CWORD=2; _isocost isocost --dr run; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", script]).arg(file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--dry-run\n", "{output:?}");
}

#[test]
fn manual_pages_are_well_formed_and_complete() {
    let whole = done(&["man"]);
    for section in
        ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES"]
    {
        let heading = format!(".SH \"{section}\"");
        let plain = format!(".SH {section}\n");
        assert!(whole.contains(&heading) || whole.contains(&plain), "{section} is missing:\n{whole}");
    }
    renders(&whole, "ISOCOST_CACHE");
    for command in COMMANDS {
        renders(&done(&["man", command]), command);
    }
    // Every page that a page refers to can be written.
    for command in ["history", "baseline"] {
        let page = done(&["man", command]).replace("\\-", "-");
        let prefix = format!("isocost-{command}-");
        let below = page.split(&prefix).skip(1);
        let names: Vec<&str> =
            below.filter_map(|rest| rest.split_once("(1)")).map(|(name, _)| name).collect();
        assert!(names.len() > 3, "{page}");
        for name in names {
            let own = done(&["man", command, name]).replace("\\-", "-");
            assert!(own.contains(&format!(".TH isocost-{command}-{name} 1")), "{own}");
        }
    }
}

/// As a reader sees it, without a warning of the formatter.
fn renders(page: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("isocost.1");
    std::fs::write(&file, page).unwrap();
    let shown = Command::new("man")
        .args(["--warnings=w", "-E", "UTF-8", "-l"])
        .arg(&file)
        .env("MANPAGER", "cat")
        .output();
    match shown {
        Ok(output) => {
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert!(String::from_utf8_lossy(&output.stdout).contains(expected), "{output:?}");
        }
        Err(why) => println!("man is not here to render the page: {why}"),
    }
}

/// `n` builds of another tool's history, the last three of them a third slower.
fn builds(n: u32) -> String {
    let entry = |i: u32| {
        let wobble = f64::from((i * 7) % 11) / 10.0;
        let value = if i + 3 < n { 100.0 } else { 133.0 } + wobble;
        serde_json::json!({
            "commit": {"id": format!("c{i:02}"), "message": "", "timestamp": "2026-01-01T00:00:00Z", "url": "", "author": {}},
            "date": 1_770_000_000_000_i64 + 3_600_000 * i64::from(i), "tool": "customSmallerIsBetter",
            "benches": [{"name": "boot", "value": value, "unit": "ms"}],
        })
    };
    let all: Vec<serde_json::Value> = (0..n).map(entry).collect();
    let all = serde_json::json!({"lastUpdate": 0, "repoUrl": "", "entries": {"s": all}});
    format!("window.BENCHMARK_DATA = {all}")
}

#[test]
fn a_history_names_what_regressed_and_judges_the_run_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.js"), builds(33)).unwrap();
    let history =
        |words: &[&str]| cli::run(folder.path(), &[&["history", "--history", "h.db"], words].concat());
    let imported = history(&["import", "data.js", "--format", "github-action-benchmark"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let gate = history(&["--gate"]);
    assert_eq!(gate.code, 1, "{gate:?}");
    let named = gate.stderr.lines().find(|line| line.contains("boot") && line.contains('→')).unwrap();
    assert!(named.contains('%') && named.contains("c29") && named.contains("c30"), "{named}");
    let parsed = |ran: cli::Ran| serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();
    let document = parsed(history(&["--gate", "--json"]));
    assert_eq!(document["answer"], "regression");
    assert_eq!(document["judged"][0]["outcome"], "regression");

    let runs = parsed(history(&["runs", "--json"]));
    let ids: Vec<&str> =
        runs["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(history(&["--gate", "--run", ids[31]]).code, 0, "two builds may be chance");
    let nobody = history(&["--gate", "--run", "nobody"]);
    assert_eq!(nobody.code, 2);
    assert!(nobody.stderr.contains("nobody is not among the 33 selected runs"), "{nobody:?}");
}
