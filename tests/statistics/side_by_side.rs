//! The same host, the same number of measurements, four procedures.
//!
//! Each in the order that it measures in: Isocost in blocks, the others all of the one and then all of the other. And the
//! others' arithmetic once more on the values that Isocost recorded, in blocks.

use isocost::analysis::compare::{self, Options, Verdict};

use super::experiment::{Logs, interleaved, one_after_the_other, run};
use super::host::{Random, SHAPES, Shape};
use super::peers::{Call, benchstat, criterion, hyperfine};
use super::{Share, line, table};

/// How often each calls `b` changed: Isocost; then hyperfine, Criterion and benchstat in their own order; then the three on
/// Isocost's samples.
fn calls(shape: Shape, each: usize, change: f64, experiments: u64, seed: u64) -> [Share; 7] {
    let mut shares = [Share::default(); 7];
    let mut random = Random::new(seed);
    for at in 0..experiments {
        let blocks = interleaved(shape, each, change.ln_1p(), seed + at);
        let apart = one_after_the_other(shape, each, change.ln_1p(), seed + at);
        let compared =
            compare::inside(&run(std::slice::from_ref(&blocks)), "a", "b", &Options::default()).unwrap();
        let ours = matches!(compared.rows[0].verdict, Verdict::Better | Verdict::Worse);
        let mut theirs = |logs: &Logs| {
            let values = |logs: &Vec<f64>| logs.iter().map(|log| 100.0 * log.exp()).collect::<Vec<f64>>();
            let (base, new) = (values(&logs.a), values(&logs.b));
            [hyperfine(&base, &new), criterion(&base, &new, &mut random), benchstat(&base, &new)]
                .map(|call| call != Call::Nothing)
        };
        let all = [&[ours][..], &theirs(&apart), &theirs(&blocks)].concat();
        for (share, called) in shares.iter_mut().zip(all) {
            share.of += 1;
            share.hits += u64::from(called);
        }
    }
    shares
}

#[test]
fn drift_fools_the_others() {
    let [ours, hyperfine, criterion, benchstat, ..] = calls(Shape::Drift, 30, 0.0, 150, 1);
    assert!(ours.hits <= 6, "{ours:?}");
    assert!(hyperfine.value() > 0.5 && criterion.value() > 0.9 && benchstat.value() > 0.9);
    // And hides a real change that goes the other way: nothing that is 7 % faster looks it on a host that slows down.
    let [ours, _, criterion, benchstat, ..] = calls(Shape::Drift, 30, -0.07, 150, 2);
    assert!(ours.value() > 0.95, "{ours:?}");
    assert!(criterion.value() < 0.5 && benchstat.value() < 0.5, "{criterion:?} {benchstat:?}");
}

#[test]
#[ignore = "prints tables for docs/statistics.md"]
fn print_tables() {
    let columns = [
        "host",
        "change",
        "Isocost",
        "hyperfine",
        "Criterion",
        "benchstat",
        "hyperfine on blocks",
        "Criterion on blocks",
        "benchstat on blocks",
    ];
    table("Called a change, 30 measurements a side", &columns);
    for shape in SHAPES {
        for change in [0.0, 0.02, 0.05, 0.10] {
            let shares = calls(shape, 30, change, 1000, 9);
            let first = [shape.name().to_owned(), format!("{:.0} %", change * 100.0)];
            line(&[&first[..], &shares.map(Share::text)].concat());
        }
    }
}
