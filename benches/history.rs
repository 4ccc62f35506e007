//! Rates of the history: run folders in, and a page of all lines out.
//!
//! `cargo bench --bench history` makes 10 000 run folders in a temporary folder and prints what each step takes;
//! `cargo bench --bench history -- 500` makes so many.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::time::{Duration, Instant};

use isocost::journal::{self, Record, Writer, run_folders, write_run};
use isocost::measure::sample::{Outcome, Sample};
use isocost::regression::formats::Source;
use isocost::regression::history::{History, Place, Selection, entry_of};
use isocost::regression::trend::{TrendSettings, trends};
use isocost::report::trend_page;

const METRICS: [(&str, &str, f64); 6] = [
    ("start", "startup.ready", 139.0),
    ("start", "startup.start-returned", 135.0),
    ("idle", "memory.total.idle", 2.1e7),
    ("stop", "end.total", 22.0),
    ("cpu-integer", "cpu.integer.rate", 2.5e8),
    ("image", "disk.image", 1_204_224.0),
];
const ENVIRONMENTS: [&str; 3] = ["native", "docker", "qemu"];
const BLOCKS: u32 = 10;

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let folders: usize = asked.unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let made = timed(|| (0..folders).for_each(|i| folder(&runs, i)));
    println!("{folders} run folders of {} samples: made in {made:.1?}", samples_each());
    let place = Place::File(dir.path().join("history.db"));
    let mut history = History::open(&place).unwrap();
    let rate = |took: Duration| folders as f64 / took.as_secs_f64();
    let import = |history: &mut History| {
        for folder in run_folders(&runs).unwrap() {
            history.add(&entry_of(&folder, &Source::default()).unwrap()).unwrap();
        }
    };
    let took = timed(|| import(&mut history));
    println!("import: {took:.1?}, {:.0} folders a second", rate(took));
    let took = timed(|| import(&mut history));
    println!("import once more, nothing new: {took:.1?}, {:.0} folders a second", rate(took));
    let bytes = std::fs::metadata(dir.path().join("history.db")).unwrap().len();
    println!("history: {:.1} MB", bytes as f64 / 1e6);
    let mut all = None;
    let took =
        timed(|| all = Some(trends(&mut history, &Selection::default(), &TrendSettings::default()).unwrap()));
    let all = all.unwrap();
    println!("lines and changes: {took:.1?} for {} lines", all.lines.len());
    let mut page = String::new();
    let took = timed(|| page = trend_page(&all.page("bench")).unwrap());
    println!("page: {took:.1?}, {:.1} MB", page.len() as f64 / 1e6);
}

fn samples_each() -> usize {
    METRICS.len() * ENVIRONMENTS.len() * BLOCKS as usize
}

fn timed(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// A run as `isocost run` leaves it, of simulated samples. Half way through, containers start 20 % slower.
fn folder(runs: &Path, i: usize) {
    let id = format!("run-{i:06}");
    let dir = runs.join(&id);
    let mut journal = Writer::create(&dir, &id).unwrap();
    let began = jiff::Timestamp::from_second(1_700_000_000 + 600 * i as i64).unwrap();
    let mut record: journal::Run = template();
    record.record.run_id.clone_from(&id);
    record.record.started_at = began;
    write_run(&dir, &record.record).unwrap();
    let mut records = Vec::with_capacity(samples_each() + 1);
    for block in 0..BLOCKS {
        for (position, environment) in (0..).zip(ENVIRONMENTS) {
            for (workload, metric, level) in METRICS {
                let slower =
                    if environment == "docker" && i > 5000 && metric == "startup.ready" { 1.2 } else { 1.0 };
                let hashed = (i as u64 * 31 + u64::from(block)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let noise =
                    if metric == "disk.image" { 1.0 } else { 1.0 + f64::from((hashed >> 40) as u16) / 2e6 };
                records.push(Record::Sample(Sample {
                    block,
                    position,
                    environment: environment.into(),
                    accelerator: isocost::measure::sample::Accelerator::None,
                    workload: workload.into(),
                    metric: metric.into(),
                    outcome: Outcome::Value(level * slower * noise),
                    started_at: began,
                    warm_up: false,
                    latencies_ns: Vec::new(),
                }));
            }
        }
    }
    records.push(Record::End);
    journal.append(&records).unwrap();
}

/// A record to begin with, by way of a run's own JSON: the bench knows no more of it than a reader does.
fn template() -> journal::Run {
    let plan = isocost::plan::make(&isocost::suite::load("quick").unwrap(), 1);
    let record = serde_json::json!({
        "schema": isocost::journal::record::SCHEMA, "run_id": "", "isocost_version": "0.1.0", "agent_sha256": "ab",
        "started_at": "2026-01-01T00:00:00Z", "ended_at": null, "ending": "complete",
        "host": isocost::measure::host::look(Path::new("/")), "plan": plan, "environments": [], "warnings": []
    });
    journal::Run {
        record: serde_json::from_value(record).unwrap(),
        samples: Vec::new(),
        starts: Vec::new(),
        timelines: Vec::new(),
        conditions: Vec::new(),
        repeats: Vec::new(),
        set_aside: Vec::new(),
        complete: true,
        dropped_tail: false,
    }
}
