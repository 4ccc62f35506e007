//! Runs of this host held against each other, as a user would: compare, calibrate, plan, and a check too short to prove
//! anything.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::OnceLock;

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;

const SUITE: &str = r#"
schema = 1
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
[[environment]]
id = "slowed"
kind = "native"
slower = "100%"
[[workload]]
id = "integer"
run = "cpu-integer"
duration = "20ms"
"#;

/// Two runs, `reports/one` and `reports/two`, that all tests here read.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
        for name in ["one", "two"] {
            let output = format!("reports/{name}");
            let ran = cli::run(folder.path(), &["run", "./suite.toml", "--quiet", "-o", &output]);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        folder
    });
    made.path()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let ran = cli::run(folder(), &[arguments, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let ran = cli::run(folder(), arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    ran.stderr
}

/// docs/cli.md has every key of the document.
fn documented(document: &serde_json::Value) {
    let docs = include_str!("../docs/cli.md");
    for key in document.as_object().unwrap().keys() {
        assert!(docs.contains(&format!("`{key}`")), "docs/cli.md lacks {key}");
    }
}

#[test]
fn what_was_slowed_is_found_beside_what_was_not() {
    let asked = ["compare", "reports/one", "--between", "native,slowed", "--metric", "cpu.integer.rate"];
    let document = json(&asked);
    documented(&document);
    let row = &document["rows"][0];
    documented(row);
    assert_eq!((row["verdict"].as_str(), document["family"].as_u64()), (Some("worse"), Some(1)), "{row}");
    let ratio = row["change"]["value"].as_f64().unwrap();
    assert!((0.4..0.62).contains(&ratio), "half as fast should be 0.5: {ratio}");
    let ran = cli::run(folder(), &asked);
    assert!(ran.stdout.contains("slowed is slower: integer cpu.integer.rate"), "{ran:?}");
}

#[test]
fn one_run_against_another_is_advisory_and_says_what_it_is_blind_to() {
    let document = json(&["compare", "reports/one", "reports/two"]);
    assert!(document["advisory"].as_str().unwrap().contains("1 session"), "{document}");
    assert_eq!(document["design"]["sessions"]["base"], 1);
    let rows = document["rows"].as_array().unwrap();
    let ready = rows.iter().find(|row| row["metric"] == "startup.ready").unwrap();
    assert!(ready["detectable"].as_f64().unwrap() > 0.03, "{ready}");
    let ran = cli::run(folder(), &["compare", "reports/one", "reports/two"]);
    assert!(
        ran.stdout.contains("! advisory: ") && ran.stdout.contains("sees: a change of that size"),
        "{ran:?}"
    );
    let ran = cli::run(folder(), &["compare", "reports/one", "reports/two", "--form", "markdown"]);
    assert!(ran.stdout.starts_with("**") && ran.stdout.contains("|---|"), "{ran:?}");
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    assert!(refused(&["compare", "reports/one", "reports/one"]).contains("is given twice"));
    assert!(refused(&["compare", "reports/one"]).contains("<NEW>"));
    assert!(refused(&["compare", "reports/one", "reports/none"]).contains("reports/none"));
    assert!(refused(&["compare", "reports", "--between", "native,slowed"]).contains("one run, and 2"));
    assert!(refused(&["compare", "reports/one", "--between", "native,podman"]).contains("\"podman\""));
    let other = std::fs::read_to_string(folder().join("reports/two/run.json")).unwrap();
    let changed = folder().join("changed");
    std::fs::create_dir_all(&changed).unwrap();
    std::fs::copy(folder().join("reports/two/journal.jsonl"), changed.join("journal.jsonl")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&other).unwrap();
    record["host"]["kernel_release"] = "7.0-elsewhere".into();
    std::fs::write(changed.join("run.json"), record.to_string()).unwrap();
    let text = refused(&["compare", "reports/one", "changed"]);
    assert!(text.contains("7.0-elsewhere") && text.contains("--across"), "{text}");
    let document = json(&["compare", "reports/one", "changed", "--across"]);
    assert_eq!(document["basis"], "ratios-to-native");
    assert!(document["rows"].as_array().unwrap().iter().all(|row| row["environment"] == "slowed"));
}

#[test]
fn a_calibration_is_kept_where_compare_finds_it() {
    let cache = folder().join("calibrated");
    let cache = cache.to_str().unwrap();
    let document = json(&["calibrate", "reports", "--cache", cache]);
    documented(&document);
    assert_eq!((document["sessions"].as_u64(), document["enough"].as_bool()), (Some(2), Some(false)));
    assert!(document["matters"]["startup.ready"].as_f64().unwrap() >= 0.10);
    let compared = json(&["compare", "reports/one", "reports/two", "--cache", cache]);
    assert_eq!(compared["calibrated_sessions"], 2);
    assert!(refused(&["calibrate", "reports/one"]).contains("here: 1"));
}

#[test]
fn a_pilot_says_how_long() {
    let document = json(&["plan", "--from", "reports/one", "--detect", "20%"]);
    documented(&document);
    documented(&document["rows"][0]);
    assert_eq!((document["change"].as_f64(), document["pilot_blocks"].as_u64()), (Some(0.2), Some(8)));
    let cache = folder().join("piloted");
    let asked = ["plan", "./suite.toml", "--pilot", "6", "--workload", "integer", "--cache"];
    let ran = cli::run(folder(), &[&asked[..], &[cache.to_str().unwrap()]].concat());
    assert!(ran.code == 0 && ran.stdout.contains("from a pilot of 6 blocks"), "{ran:?}");
    assert!(refused(&["plan", "--detect", "five"]).contains("5% or 2.5%"));
    let left: Vec<_> = std::fs::read_dir(cache).unwrap().flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with("trial-")), "{left:?}");
}

#[test]
fn a_check_too_short_proves_nothing_and_ends_with_1() {
    let ran = cli::run(folder(), &["selfcheck", "--for", "2s", "--kinds", "native"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let last = ran.stdout.lines().last().unwrap();
    assert!(last.starts_with("0 comparisons, 0 false alarms: at most 100 %"), "{ran:?}");
    let ran = cli::run(folder(), &["selfcheck", "--for", "2s", "--kinds", "native", "--json"]);
    documented(&serde_json::from_str(&ran.stdout).unwrap());
}
