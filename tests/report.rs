//! A report of a run folder: every file, made again without a difference, and on a disk that is full.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use isocost::analysis::{Settings, Summary, summarise};
use isocost::environment::{Kind, Prepared};
use isocost::journal::record::{EnvironmentRecord, RunRecord, SCHEMA};
use isocost::journal::{self, Record, Run, Writer, write_run};
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::{Failure, FailureName, Outcome, Sample};
use isocost::report::{self, ReportError};
use isocost::{plan, suite};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

/// Two environments of the quick suite, six blocks, starts only.
fn run_folder(folder: &Path) -> (Run, Summary) {
    let mut suite = suite::load("quick").unwrap();
    suite.environments.truncate(2);
    let environments: Vec<EnvironmentRecord> =
        suite.environments.iter().map(|one| environment(&one.id)).collect();
    let record = serde_json::json!({
        "schema": SCHEMA,
        "run_id": "r1",
        "isocost_version": "0",
        "agent_sha256": "",
        "started_at": "2026-11-24T12:00:00Z",
        "ended_at": null,
        "ending": "unfinished",
        "host": { "kernel_release": "6.1", "online_cpus": 2, "memory_bytes": 1, "cgroup": "v2", "kvm_modules": [] },
        "plan": plan::make(&suite, 1),
        "environments": environments,
        "warnings": [],
    });
    let record: RunRecord = serde_json::from_value(record).unwrap();
    let mut writer = Writer::create(folder, "r1").unwrap();
    write_run(folder, &record).unwrap();
    for block in &record.plan.blocks {
        let starts =
            (0..).zip(&block.cells).map(|(position, cell)| start(block.index, position, &cell.environment));
        writer.append(&starts.collect::<Vec<_>>()).unwrap();
    }
    drop(writer);
    let run = journal::read(folder).unwrap();
    let summary = summarise(&run, &Settings::of(&run));
    (run, summary)
}

fn environment(id: &str) -> EnvironmentRecord {
    let kind = if id == "native" { Kind::Native } else { Kind::Docker };
    EnvironmentRecord {
        id: id.into(),
        kind,
        accelerator: Accelerator::None,
        prepared: Prepared::default(),
        inspection: None,
    }
}

fn start(block: u32, position: u32, environment: &str) -> Record {
    let failure = Failure { name: FailureName::NeverReady, detail: "=1+1".into() };
    let failed = block == 3 && environment != "native";
    Record::Sample(Sample {
        block,
        position,
        environment: environment.into(),
        accelerator: Accelerator::None,
        workload: "start".into(),
        metric: "startup.ready".into(),
        outcome: if failed { Outcome::Failed(failure) } else { Outcome::Value(f64::from(block) + 1.5) },
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: false,
        latencies_ns: Vec::new(),
    })
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_run_that_was_killed_has_its_report_and_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let (run, summary) = run_folder(folder.path());
    // A picture of an earlier report that this one has nothing to show in.
    std::fs::write(folder.path().join("disk-latency.svg"), "old").unwrap();
    let files = report::write(folder.path(), &run, &summary).unwrap();
    let expected =
        ["samples.csv", "summary.csv", "startup-distribution.svg", "startup-distribution.png", "report.html"];
    assert_eq!(names(&files), expected);
    assert!(!folder.path().join("disk-latency.svg").exists());
    let contents = || files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>();
    let first = contents();
    assert!(first.iter().all(|bytes| !bytes.is_empty()));
    report::write(folder.path(), &run, &summary).unwrap();
    assert!(first == contents(), "a report is made again byte by byte");
    let page = String::from_utf8(first[4].clone()).unwrap();
    assert!(page.contains("did not end by itself") && page.contains("never-ready"));
    let csv = String::from_utf8(first[0].clone()).unwrap();
    assert!(csv.contains("never-ready,'=1+1,") && csv.lines().count() == run.samples.len() + 1);
    assert!(first[3].starts_with(b"\x89PNG"));
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, expected.len() + 2, "nothing beside journal, run.json and the report");
}

#[test]
fn runs_side_by_side_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (run, summary) = run_folder(folder.path());
    let all = report::side_by_side(&[(&run, &summary), (&run, &summary)]);
    let files = report::write_side_by_side(&folder.path().join("new/place"), &all).unwrap();
    assert_eq!(names(&files), ["side-by-side.csv", "side-by-side.html"]);
    assert!(files.iter().all(|file| std::fs::metadata(file).unwrap().len() > 100));
}

/// A file system of that size in memory.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at);
        command.output().is_ok_and(|ran| ran.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_what_was_there_stays() {
    let (kept, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (run, summary) = run_folder(kept.path());
    let Some(small) = Small::mount(small.path()) else {
        return skip("a_full_disk_is_named_and_what_was_there_stays", "only root may mount");
    };
    std::fs::write(small.0.join("report.html"), "old").unwrap();
    std::fs::write(small.0.join("filler"), vec![0; 48 << 10]).unwrap();
    let error = report::write(&small.0, &run, &summary).unwrap_err();
    assert!(matches!(&error, ReportError::Full { path } if path.starts_with(&small.0)), "{error}");
    assert!(error.to_string().contains("make space"));
    assert_eq!(std::fs::read(small.0.join("report.html")).unwrap(), b"old");
    let hidden = std::fs::read_dir(&small.0).unwrap().filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.'))
    });
    assert_eq!(hidden.count(), 0, "nothing half written is left");
}
