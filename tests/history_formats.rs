//! What is written for other tools, read by these tools: Prometheus' own parser of OpenMetrics, and Otava. And files of others,
//! taken into a history by the real program.
//!
//! Both tools come from Python's package index, into a folder of their own below the target folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use isocost::measure::metric::Direction;
use isocost::regression::formats::{Figure, Results, Source, openmetrics, otava};
use jiff::{SignedDuration, Timestamp};

#[path = "support/cli.rs"]
#[allow(dead_code)]
mod cli;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

/// The versions that these tests were written against.
const PACKAGES: [&str; 2] = ["prometheus-client==0.21.1", "apache-otava==0.8.0"];

/// The folder of Python's programs with both packages, or why there is none.
static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let bin = folder.join("bin");
    if !bin.join("otava").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(bin.join("python")).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    }
    Ok(bin)
});

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// `None`, with a named skip, where the packages cannot be had; in CI that is a failure.
fn python(test: &str) -> Option<&'static Path> {
    match &*PYTHON {
        Ok(bin) => Some(bin),
        Err(why) => {
            skip(test, why);
            None
        }
    }
}

fn results(hour: i64, ready: f64) -> Results {
    let figure = |benchmark: &str, measure: &str, unit: &str, direction, value: f64| Figure {
        benchmark: benchmark.into(),
        measure: measure.into(),
        unit: unit.into(),
        direction: Some(direction),
        value,
        low: Some(value * 0.99),
        high: Some(value * 1.01),
        n: Some(30),
    };
    Results {
        run: Some(format!("r-{hour}")),
        suite: Some("quick".into()),
        at: Timestamp::from_second(1_709_287_200).unwrap() + SignedDuration::from_hours(hour),
        source: Source {
            commit: Some(format!("c{hour:03}")),
            branch: Some("main".into()),
            ..Source::default()
        },
        figures: vec![
            figure("docker/start", "startup.ready", "ms", Direction::Smaller, ready),
            figure(
                "qemu-tcg/cpu \"integer\"\\",
                "cpu.integer.rate",
                "iterations/s",
                Direction::Bigger,
                2.5e8,
            ),
        ],
    }
}

#[test]
fn prometheus_parses_what_is_written_as_openmetrics() {
    let Some(bin) = python("openmetrics") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metrics.txt");
    std::fs::write(&file, openmetrics::write(&results(0, 139.25)).unwrap()).unwrap();
    let script = "import sys\n\
                  from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
                  for family in parse(open(sys.argv[1], encoding='utf-8').read()):\n\
                  \x20   for one in family.samples:\n\
                  \x20       print(family.type, one.name, one.labels['benchmark'], one.labels['unit'], one.value, sep='|')\n";
    let said = run(Command::new(bin.join("python")).args(["-c", script]).arg(&file)).unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(text.lines().count(), 8, "{text}");
    assert!(text.contains("gauge|isocost_median|docker/start|ms|139.25\n"), "{text}");
    assert!(
        text.contains("gauge|isocost_median|qemu-tcg/cpu \"integer\"\\|iterations/s|250000000"),
        "{text}"
    );
}

/// Sixty runs, of which one lacks a figure, whose start becomes 30 % slower with run 40: Otava reads file and configuration,
/// and sees it.
#[test]
fn otava_reads_its_csv_and_configuration() {
    let Some(bin) = python("otava") else { return };
    let dir = tempfile::tempdir().unwrap();
    let runs: Vec<Results> = (0..60)
        .map(|hour| {
            let level = if hour < 40 { 100.0 } else { 130.0 };
            let mut one = results(hour, level + f64::from((hour as i32 * 7919) % 13) / 10.0);
            if hour != 7 {
                one.figures.push(Figure { measure: "end.total".into(), ..one.figures[0].clone() });
            }
            one
        })
        .collect();
    let left_out = otava::left_out(&runs);
    assert!(
        matches!(&left_out[..], [one] if one.ends_with("1 of 60 runs lack it; all since then have it: --newest 52"))
    );
    std::fs::write(dir.path().join(otava::FILE), otava::write(&runs).unwrap()).unwrap();
    let configuration = dir.path().join("otava.yaml");
    std::fs::write(&configuration, otava::configuration(&runs, "isocost", otava::FILE).unwrap()).unwrap();
    let mut command = Command::new(bin.join("otava"));
    command.args(["analyze", "isocost", "--since", "2024-01-01", "--config-file"]).arg(&configuration);
    let said = command.current_dir(dir.path()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{text}");
    assert!(text.contains("startup.ready") && text.contains("+29"), "{text}");
    assert!(text.contains("cpu.integer.rate") && !text.contains("end.total"), "{text}");
}

/// Each file twice, the second time as a copy that was touched: nothing is lost, and nothing is there twice.
#[test]
fn files_of_others_are_taken_in_once_with_all_that_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = r#"window.BENCHMARK_DATA = {"entries": {"Rust": [
        {"commit": {"id": "a"}, "date": 1709287200000, "tool": "cargo", "benches": [{"name": "sort", "value": 1, "unit": "ns"}]},
        {"commit": {"id": "a"}, "date": 1709287200000, "tool": "cargo", "benches": [{"name": "sort", "value": 2, "unit": "ns"}]}
    ]}}"#;
    let nyrkio = r#"[
        {"timestamp": 1706220908, "metrics": [{"name": "p50", "value": 56}], "attributes": {"git_commit": "a"}},
        {"timestamp": 1706220908, "metrics": [{"name": "p50", "value": 57}], "attributes": {"git_commit": "a"}}
    ]"#;
    let lnt = r#"{"format_version": "2", "machine": {"name": "m"}, "run": {}, "tests": [{"name": "t", "score": [1, 2]}]}"#;
    let files = [
        ("bencher", r#"{"b": {"latency": {"value": 3}}}"#, 1),
        ("github-action-benchmark", data, 2),
        ("lnt", lnt, 1),
        ("nyrkio", nyrkio, 2),
        ("otava", "time,commit,size\n2024-03-01,a,7\n2024-03-01,a,8\n", 2),
    ];
    for (format, text, runs) in files {
        let import = |name: &str, hour: u64| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + 3600 * hour);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
            cli::run(dir.path(), &["history", "import", name, "--format", format, "--commit", "a"])
        };
        let first = import("first", 1);
        assert!(
            first.stdout.starts_with(&format!("{runs} runs are new, 0 were there")),
            "{format}: {first:?}"
        );
        let again = import("again", 2);
        assert!(
            again.stdout.starts_with(&format!("0 runs are new, {runs} were there")),
            "{format}: {again:?}"
        );
    }
    let listed = cli::run(dir.path(), &["history", "runs"]);
    assert_eq!(listed.stdout.lines().count(), 8, "{listed:?}");
    // What they leave open is said for them, also of those that are there.
    for (format, text, runs) in files {
        std::fs::write(dir.path().join("named"), text).unwrap();
        let flags = ["--format", format, "--commit", "a", "--of-branch", "main"];
        let named = cli::run(dir.path(), &[&["history", "import", "named"][..], &flags].concat());
        assert!(
            named.stdout.starts_with(&format!("0 runs are new, {runs} were there")),
            "{format}: {named:?}"
        );
    }
    let listed = cli::run(dir.path(), &["history", "runs", "--branch", "main"]);
    assert_eq!(listed.stdout.lines().count(), 8, "{listed:?}");
    for format in ["csv", "parquet", "otava"] {
        let none = cli::run(dir.path(), &["history", "export", format, "--branch", "mian", "-o", "none"]);
        assert!(none.code == 2 && none.stderr.contains("their branches are main"), "{none:?}");
        assert!(!dir.path().join("none").exists());
    }
    let other = cli::run(dir.path(), &["history", "import", "first", "--format", "otava", "--commit", "b"]);
    assert!(other.stderr.contains("--commit changes nothing in first"), "{other:?}");
}
