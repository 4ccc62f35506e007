//! One configuration of 96 slows down by 10 % and nothing else moves.

use isocost::analysis::compare::{self, Comparison, Options, Verdict};
use isocost::journal::Run;

use super::experiment::{Logs, interleaved, run};
use super::host::{Host, Random, Shape};
use super::{Share, line, table};

const CONFIGURATIONS: usize = 96;
const PLANTED: usize = 41;

fn shift(at: usize) -> f64 {
    if at == PLANTED { 0.10f64.ln_1p() } else { 0.0 }
}

/// Two environments in one run.
fn inside(blocks: usize, seed: u64) -> Comparison {
    let rows: Vec<Logs> = (0..CONFIGURATIONS)
        .map(|at| interleaved(Shape::Calm, blocks, shift(at), seed * 1000 + at as u64))
        .collect();
    compare::inside(&run(&rows), "a", "b", &Options::default()).unwrap()
}

/// Five sessions before and five after; sessions differ by 1 %.
fn sessions(seed: u64) -> Comparison {
    let mut random = Random::new(seed);
    let mut session = |side: usize, at: usize| {
        let row = |configuration: usize| {
            let slot = ((side * 10 + at) * 100 + configuration) as u64;
            let mut host = Host::new(Shape::Calm, 15, seed * 100_000 + slot);
            let level = 0.01 * random.normal() + if side == 1 { shift(configuration) } else { 0.0 };
            Logs { a: (0..15).map(|_| host.next() + level).collect(), b: Vec::new() }
        };
        run(&(0..CONFIGURATIONS).map(row).collect::<Vec<_>>())
    };
    let base: Vec<Run> = (0..5).map(|at| session(0, at)).collect();
    let new: Vec<Run> = (0..5).map(|at| session(1, at)).collect();
    compare::runs(&base.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>(), &Options::default())
        .unwrap()
}

/// Was it named, and was anything else?
fn judged(comparison: &Comparison) -> (bool, bool) {
    let named = format!("w{PLANTED}");
    let called =
        || comparison.rows.iter().filter(|row| matches!(row.verdict, Verdict::Better | Verdict::Worse));
    (
        called().any(|row| row.workload == named && row.verdict == Verdict::Worse),
        called().any(|row| row.workload != named),
    )
}

fn both(experiments: u64, compared: impl Fn(u64) -> Comparison) -> (Share, Share) {
    let judged: Vec<(bool, bool)> = (0..experiments).map(|seed| judged(&compared(seed + 1))).collect();
    (Share::count(judged.iter().map(|one| one.0)), Share::count(judged.iter().map(|one| one.1)))
}

#[test]
fn it_is_named_and_nothing_else_is() {
    let (named, others) = both(12, |seed| inside(30, seed));
    assert!(named.value() == 1.0 && others.hits <= 1, "{named:?} {others:?}");
    let (named, others) = both(4, sessions);
    assert!(named.value() == 1.0 && others.hits <= 1, "{named:?} {others:?}");
}

#[test]
#[ignore = "prints tables for docs/statistics.md"]
fn print_tables() {
    table("One of 96 slows by 10 %", &["design", "named", "families with another named"]);
    for blocks in [20, 30] {
        let (named, others) = both(400, |seed| inside(blocks, seed));
        line(&[format!("one run of {blocks} blocks"), named.text(), others.long_text()]);
    }
    let (named, others) = both(200, sessions);
    line(&["five sessions a side of 15 blocks".to_owned(), named.text(), others.long_text()]);
}
