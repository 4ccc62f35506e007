//! The kernels of the agent's work, as they run natively: `cargo bench --bench workloads`.
//!
//! They show what a unit of work costs on this machine, and that a change to a kernel changes every figure ever taken
//! with it.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isocost_agent::protocol::{WorkOrder, Workload};
use isocost_agent::work::{self, cpu, memory};

const ITERATIONS: u64 = 10_000;

const BUFFER_BYTES: u64 = 32 << 20;

fn arithmetic(c: &mut Criterion) {
    let mut group = c.benchmark_group("arithmetic");
    group.throughput(Throughput::Elements(ITERATIONS));
    group.bench_function("integer", |b| b.iter(|| cpu::integer(black_box(7), black_box(ITERATIONS))));
    group.bench_function("float", |b| b.iter(|| cpu::float(black_box(1.5), black_box(ITERATIONS))));
    group.finish();
}

fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory");
    let from: Vec<u64> = (0..BUFFER_BYTES / 8).collect();
    let mut to = vec![0; from.len()];
    group.throughput(Throughput::Bytes(BUFFER_BYTES)).sample_size(20);
    group.bench_function("copy", |b| b.iter(|| memory::copy(black_box(&from), black_box(&mut to))));
    let lines = u32::try_from(BUFFER_BYTES / 64).unwrap();
    let chain = memory::cycle(lines, 7);
    let mut line = 0;
    group.throughput(Throughput::Elements(ITERATIONS));
    group.bench_function("follow", |b| {
        b.iter(|| line = memory::follow(black_box(&chain), line, black_box(ITERATIONS)));
    });
    group.finish();
}

/// Whole pieces of work, by the time that they themselves say a unit took.
fn pieces(c: &mut Criterion) {
    let layer = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = c.benchmark_group("unit");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let pieces = [
        ("syscall", Workload::Syscall),
        ("context-switch", Workload::ContextSwitch),
        ("disk-random-read", Workload::DiskRandomRead),
        ("disk-sync", Workload::DiskSync),
    ];
    for (name, workload) in pieces {
        let order = WorkOrder {
            workload,
            duration_ns: 20_000_000,
            threads: 1,
            bytes: 4 << 20,
            direct: false,
            seed: 1,
            slower_permille: 0,
        };
        group.bench_function(name, |b| {
            b.iter_custom(|units| {
                let mut job = work::prepare(&order, layer.path()).unwrap();
                let done = work::run(&mut *job, &order, &|| false).unwrap();
                let ns = u128::from(done.elapsed_ns) * u128::from(units) / u128::from(done.units);
                Duration::from_nanos(u64::try_from(ns).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, arithmetic, memory, pieces);
criterion_main!(benches);
