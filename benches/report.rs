//! How long the report of a million samples takes, and how much memory beside the run itself.
//!
//! `cargo bench --bench report` times each part. `cargo bench --bench report -- once` reads, summarises and reports once in a
//! process of its own and prints the time of each step and the peak of resident memory. The goal for analysis and report
//! together is 2 s and 300 MB on two CPUs.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;
use isocost::analysis::{Settings, Summary, summarise};
use isocost::journal::{self, Run};
use isocost::report;

#[path = "support/million.rs"]
mod million;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million");
    million::make(&folder);
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if std::env::args().any(|word| word == "once") {
        return once(&folder, out.path());
    }
    let run = journal::read(&folder).unwrap();
    let summary = summarise(&run, &Settings::of(&run));
    let mut criterion =
        Criterion::default().sample_size(10).measurement_time(Duration::from_secs(20)).configure_from_args();
    parts(&mut criterion, &run, &summary);
    criterion.bench_function("report: all files of a million samples", |bench| {
        bench.iter(|| report::write(out.path(), black_box(&run), &summary).unwrap());
    });
    criterion.final_summary();
}

fn parts(criterion: &mut Criterion, run: &Run, summary: &Summary) {
    criterion.bench_function("report: samples.csv of a million samples", |bench| {
        bench.iter(|| report::csv::samples(black_box(run), std::io::sink()).unwrap());
    });
    criterion.bench_function("report: pictures as SVG", |bench| {
        bench.iter(|| report::plots(black_box(run), summary));
    });
    let plots = report::plots(run, summary);
    criterion.bench_function("report: the same as PNG", |bench| {
        bench.iter(|| plots.iter().filter_map(report::plot::Plot::png).map(Result::unwrap).count());
    });
    criterion.bench_function("report: page", |bench| {
        bench.iter(|| report::page(black_box(run), summary).unwrap());
    });
}

fn once(folder: &Path, out: &Path) {
    let began = Instant::now();
    let run = journal::read(folder).unwrap();
    told("read", began);
    let summing = Instant::now();
    let summary = summarise(&run, &Settings::of(&run));
    told("summarise", summing);
    println!("peak of resident memory so far {:.0} MB", peak_bytes() as f64 / 1e6);
    let reporting = Instant::now();
    let files = report::write(out, &run, &summary).unwrap();
    told("report", reporting);
    let bytes: u64 = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    println!("{} samples, {} files, {:.1} MB", run.samples.len(), files.len(), bytes as f64 / 1e6);
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
