//! How long a million samples take: to be read, summed up and reported, and how much memory that needs.
//!
//! `cargo bench --bench analysis` times each step. `cargo bench --bench analysis -- once` does all of them once in a process
//! of its own and prints the time of each and the peak of resident memory. The goal for all together is 2 s and 300 MB
//! on two CPUs.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;
use isocost::analysis::{Settings, summarise};
use isocost::journal;

#[path = "support/million.rs"]
mod million;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million");
    million::make(&folder);
    if std::env::args().any(|word| word == "once") {
        return once(&folder);
    }
    let mut criterion =
        Criterion::default().sample_size(10).measurement_time(Duration::from_secs(20)).configure_from_args();
    criterion.bench_function("read a million samples", |bench| {
        bench.iter(|| journal::read(black_box(&folder)).unwrap());
    });
    let run = journal::read(&folder).unwrap();
    criterion.bench_function("summarise a million samples", |bench| {
        bench.iter(|| summarise(black_box(&run), &Settings::of(&run)));
    });
    criterion.final_summary();
}

fn once(folder: &Path) {
    let began = Instant::now();
    let run = journal::read(folder).unwrap();
    told("read", began);
    let summing = Instant::now();
    let summary = summarise(&run, &Settings::of(&run));
    told("summarise", summing);
    println!(
        "{} samples, {} rows, {} latencies",
        run.samples.len(),
        summary.rows.len(),
        summary.latencies.len()
    );
    told("all", began);
    println!("peak of resident memory {:.0} MB", peak_bytes() as f64 / 1e6);
}

fn told(step: &str, since: Instant) {
    println!("{step:<10} {:.2} s", since.elapsed().as_secs_f64());
}

/// `VmHWM`: the most this process ever held.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}
