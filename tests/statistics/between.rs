//! Between runs: what sessions add, and who takes it into account.

use isocost::analysis::compare::{self, Options, Verdict};
use isocost::analysis::statistics::rank_sum;
use isocost::journal::Run;

use super::experiment::{Logs, run};
use super::host::{Host, Random, SHAPES, Shape};
use super::{Share, line, table};

/// How sessions differ and how many there are.
#[derive(Clone, Copy)]
struct Design {
    base: usize,
    new: usize,
    blocks: usize,
    /// Standard deviation of ln(value) between sessions.
    between: f64,
}

fn sessions(design: Design, shift: f64, seed: u64) -> (Vec<Logs>, Vec<Logs>) {
    let mut random = Random::new(seed ^ 0x5e55);
    let mut session = |at: usize, shift: f64| {
        let mut host = Host::new(Shape::Calm, design.blocks, seed.wrapping_mul(1009) + at as u64);
        let level = design.between * random.normal() + shift;
        Logs { a: (0..design.blocks).map(|_| host.next() + level).collect(), b: Vec::new() }
    };
    let base = (0..design.base).map(|at| session(at, 0.0)).collect();
    let new = (0..design.new).map(|at| session(100 + at, shift)).collect();
    (base, new)
}

/// How often Isocost, and a rank-sum test on all values in one heap, say that something changed.
fn called(design: Design, shift: f64, experiments: u64, seed: u64) -> (Share, Share) {
    let mut ours = Share::default();
    let mut heap = Share::default();
    for at in 0..experiments {
        let (base, new) = sessions(design, shift, seed + at);
        let all = |side: &[Logs]| side.iter().flat_map(|one| one.a.clone()).collect::<Vec<f64>>();
        heap.of += 1;
        heap.hits += u64::from(rank_sum::p(&all(&base), &all(&new)) <= 0.01);
        let runs =
            |side: &[Logs]| side.iter().map(|one| run(std::slice::from_ref(one))).collect::<Vec<Run>>();
        let (base, new) = (runs(&base), runs(&new));
        let compared = compare::runs(
            &base.iter().collect::<Vec<_>>(),
            &new.iter().collect::<Vec<_>>(),
            &Options::default(),
        );
        ours.of += 1;
        ours.hits +=
            u64::from(compared.unwrap().rows.iter().any(|row| {
                row.environment == "a" && matches!(row.verdict, Verdict::Better | Verdict::Worse)
            }));
    }
    (ours, heap)
}

#[test]
fn sessions_are_the_unit() {
    let design = |base, new, between| Design { base, new, blocks: 20, between };
    for (one, most) in [(design(5, 1, 0.02), 9), (design(1, 1, 0.03), 9), (design(6, 3, 0.05), 9)] {
        let (ours, heap) = called(one, 0.0, 400, 21);
        assert!(ours.hits <= most, "{} and {} sessions: {ours:?}", one.base, one.new);
        assert!(heap.value() > 0.1, "the heap should fail here: {heap:?}");
    }
    let (ours, _) = called(design(6, 6, 0.01), 0.10f64.ln_1p(), 100, 23);
    assert!(ours.value() > 0.95, "{ours:?}");
}

/// Families of 96 rows, one session a side, whose sessions differ as is assumed before a host is calibrated: how many have
/// any alarm, and how often a row that doubled is found.
fn families(shape: Shape, blocks: usize, families: u64, seed: u64) -> (Share, Share) {
    let (mut alarms, mut found) = (Share::default(), Share::default());
    for at in 0..families {
        let mut random = Random::new(seed + at);
        let mut session = |side: u64| -> Run {
            let row = |row: u64| {
                let mut host = Host::new(shape, blocks, seed + (at * 2 + side) * 1000 + row);
                let doubled = if side == 1 && row == 0 { 2f64.ln() } else { 0.0 };
                let level = 0.03 * random.normal() + doubled;
                Logs { a: (0..blocks).map(|_| host.next() + level).collect(), b: Vec::new() }
            };
            run(&(0..96).map(row).collect::<Vec<_>>())
        };
        let (base, new) = (session(0), session(1));
        let compared = compare::runs(&[&base], &[&new], &Options::default()).unwrap();
        let called = |doubled: bool| {
            compared.rows.iter().any(|row| {
                (row.workload == "w0") == doubled && matches!(row.verdict, Verdict::Better | Verdict::Worse)
            })
        };
        alarms.of += 1;
        alarms.hits += u64::from(called(false));
        found.of += 1;
        found.hits += u64::from(called(true));
    }
    (alarms, found)
}

#[test]
fn six_blocks_find_what_doubled_among_96_and_nothing_else() {
    let mut all = Share::default();
    for shape in SHAPES {
        let (alarms, found) = families(shape, 6, 40, 91);
        assert!(found.value() > 0.9, "{shape:?}: {found:?}");
        all.of += alarms.of;
        all.hits += alarms.hits;
    }
    assert!(all.hits <= 6, "{all:?}");
}

#[test]
#[ignore = "prints tables for docs/statistics.md"]
fn print_tables() {
    table(
        "One session a side, families of 96 rows, sessions that differ by 3 %: any alarm, and a row that doubled",
        &["host", "blocks", "families with an alarm", "doubled row found"],
    );
    for shape in SHAPES {
        for blocks in [6, 10, 20] {
            let (alarms, found) = families(shape, blocks, 200, 7_000);
            line(&[shape.name().to_owned(), blocks.to_string(), alarms.long_text(), found.text()]);
        }
    }
    table(
        "Between runs of 20 blocks: false alarms at α = 1 %, and power for +10 %",
        &[
            "base",
            "new",
            "between sessions",
            "Isocost, false",
            "one heap, false",
            "Isocost, +10 %",
            "one heap, +10 %",
        ],
    );
    for (base, new) in [(1, 1), (3, 1), (5, 1), (10, 1), (5, 5), (10, 3)] {
        for between in [0.0, 0.01, 0.03, 0.05] {
            let design = Design { base, new, blocks: 20, between };
            let (ours, heap) = called(design, 0.0, 1000, 1_000);
            let (seen, heap_seen) = called(design, 0.10f64.ln_1p(), 300, 500_000);
            let first = [base.to_string(), new.to_string(), format!("{:.0} %", between * 100.0)];
            line(&[&first[..], &[ours, heap, seen, heap_seen].map(Share::text)].concat());
        }
    }
}
