//! What was promised to be seen is seen.

use isocost::analysis::compare::{self, Options, Verdict};
use isocost::analysis::power;

use super::experiment::{Logs, interleaved, run};
use super::host::{SHAPES, Shape};
use super::{Share, line, table};

/// The detectable change that each of many runs states, on average, and how often a change of that size is found.
fn at_the_limit(shape: Shape, blocks: usize, experiments: u64, seed: u64) -> (f64, Share) {
    let single = |seed| vec![interleaved(shape, blocks, 0.0, seed)];
    let stated: Vec<f64> = (0..experiments)
        .map(|at| {
            let compared = compare::inside(&run(&single(seed + at)), "a", "b", &Options::default()).unwrap();
            compared.rows[0].detectable.unwrap()
        })
        .collect();
    let mean = stated.iter().sum::<f64>() / stated.len() as f64;
    (mean, found(shape, blocks, mean, experiments, seed + 1_000_000))
}

fn found(shape: Shape, blocks: usize, change: f64, experiments: u64, seed: u64) -> Share {
    Share::count((0..experiments).map(|at| {
        let rows: Vec<Logs> = vec![interleaved(shape, blocks, change.ln_1p(), seed + at)];
        let compared = compare::inside(&run(&rows), "a", "b", &Options::default()).unwrap();
        compared.rows[0].verdict == Verdict::Worse
    }))
}

#[test]
fn the_stated_change_is_found_19_times_in_20() {
    for (shape, blocks) in [(Shape::Calm, 15), (Shape::Drift, 30), (Shape::Spikes, 30), (Shape::Sticky, 30)] {
        let (change, share) = at_the_limit(shape, blocks, 300, 5);
        assert!(share.value() >= 0.92, "{shape:?} {blocks}: {share:?} of {change:.3}");
        assert!(found(shape, blocks, change / 3.0, 100, 77).value() < 0.8, "{shape:?}: stated too large");
    }
}

/// Pilots of ten blocks, each followed by a run of as many blocks as it advised, in which the change is there: how often it is
/// found, and the mean advice.
fn planned(shape: Shape, change: f64, experiments: u64, seed: u64) -> (Share, f64) {
    let mut advised = 0;
    let found = (0..experiments).map(|at| {
        let pilot = run(&[interleaved(shape, 10, 0.0, seed + at)]);
        let blocks = power::detect(&pilot, change, &Options::default()).blocks.unwrap();
        advised += blocks;
        let measured = vec![interleaved(shape, blocks as usize, change.ln_1p(), seed + 1_000_000 + at)];
        let compared = compare::inside(&run(&measured), "a", "b", &Options::default()).unwrap();
        compared.rows[0].verdict == Verdict::Worse
    });
    let share = Share::count(found.collect::<Vec<_>>());
    (share, f64::from(advised) / experiments as f64)
}

#[test]
fn as_many_blocks_as_a_pilot_advises_are_enough() {
    for shape in [Shape::Calm, Shape::Drift, Shape::Sticky] {
        let (share, blocks) = planned(shape, 0.05, 150, 41);
        assert!(share.value() >= 0.90, "{shape:?}: {share:?} of {blocks:.0} blocks");
    }
}

#[test]
#[ignore = "prints tables for docs/statistics.md"]
fn print_tables() {
    table(
        "`plan --detect` from pilots of ten blocks: then measured, how often the change was found",
        &["host", "change", "blocks advised, mean", "found"],
    );
    for shape in SHAPES {
        for change in [0.05, 0.10] {
            let (share, blocks) = planned(shape, change, 2000, 41);
            let first = [shape.name().to_owned(), format!("{:.0} %", change * 100.0), format!("{blocks:.0}")];
            line(&[&first[..], &[share.text()]].concat());
        }
    }
    table(
        "Power inside a run (α = 1 %, one comparison)",
        &["host", "blocks", "stated detectable, mean", "found at that size", "2 %", "5 %", "10 %"],
    );
    for shape in SHAPES {
        for blocks in [15, 30, 60] {
            let (change, share) = at_the_limit(shape, blocks, 2000, 5);
            let more = [0.02, 0.05, 0.10].map(|change| found(shape, blocks, change, 2000, 31).text());
            let first = [
                shape.name().to_owned(),
                blocks.to_string(),
                format!("{:.1} %", change * 100.0),
                share.text(),
            ];
            line(&[&first[..], &more].concat());
        }
    }
}
