#![allow(clippy::unwrap_used)]

use super::against::{Compared, Held};
use super::*;
use crate::analysis::Estimate;
use crate::report::fixture;

fn run(accelerator: Accelerator) -> (Run, Summary) {
    let mut run = fixture::quick(6, accelerator);
    run.record.run_id = format!("run-{}", super::accelerator(accelerator));
    let summary = fixture::summarise(&run);
    (run, summary)
}

fn csv_text(all: &SideBySide) -> String {
    let mut bytes = Vec::new();
    all.csv(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_run_agrees_with_itself() {
    let (run, summary) = run(Accelerator::Tcg);
    let all = side_by_side(&[(&run, &summary), (&run, &summary)]);
    let every = all.agreement("");
    assert!(every.compared > 30 && every.overlap == every.compared, "{every:?}");
    assert_eq!(every.inside, 2 * every.compared);
    let startup = all.agreement("startup.");
    assert!(startup.compared > 0 && startup.compared < every.compared, "{startup:?}");
    assert!(all.cautions.is_empty());
    let text = all.terminal(140);
    assert!(text.contains("overlaps") && !text.contains('!'), "{text}");
}

#[test]
fn kvm_and_tcg_never_meet() {
    let (kvm, tcg) = (run(Accelerator::Kvm), run(Accelerator::Tcg));
    let all = side_by_side(&[(&kvm.0, &kvm.1), (&tcg.0, &tcg.1)]);
    for row in all.rows.iter().filter(|row| row.environment.starts_with("qemu")) {
        assert_eq!(row.cells.iter().flatten().count(), 1, "{row:?}");
        let formed = row.cells.iter().flatten().filter_map(|cell| cell.against.factor());
        assert_eq!(formed.count(), 0, "{row:?}");
    }
    let said =
        "qemu ran under kvm and tcg in different runs: these are kept apart, and no ratio of them is formed.";
    assert!(all.cautions.contains(&said.to_owned()), "{:?}", all.cautions);
    assert!(all.page().unwrap().contains(said));
    for line in csv_text(&all).lines().filter(|line| line.contains(",qemu,")) {
        assert!(line.ends_with(",first,") || line.ends_with(",unknown,"), "{line}");
    }
}

#[test]
fn on_another_host_only_ratios_are_held_against_each_other() {
    let (mine, mut theirs) = (run(Accelerator::Tcg), run(Accelerator::Tcg));
    theirs.0.record.host.cpu_model = Some("Another CPU".into());
    let all = side_by_side(&[(&mine.0, &mine.1), (&theirs.0, &theirs.1)]);
    let text = csv_text(&all);
    assert!(text.contains("ratios-overlap") && !text.contains("medians-"));
    assert!(all.page().unwrap().contains("CPU model: Example CPU @ 2.60GHz → Another CPU"));
}

/// What each row is called beside the first run's, by environment, workload and metric.
fn word(all: &SideBySide, environment: &str, workload: &str, metric: &str) -> &'static str {
    let of = |row: &&SideRow| {
        (row.environment.as_str(), row.workload.as_str(), row.metric.as_str())
            == (environment, workload, metric)
    };
    all.rows.iter().find(of).unwrap().cells[1].as_ref().unwrap().against.word()
}

#[test]
fn a_host_set_otherwise_is_another() {
    let (mine, mut theirs) = (run(Accelerator::Tcg), run(Accelerator::Tcg));
    theirs.0.record.host.memory_bytes /= 2;
    theirs.0.record.host.scratch_file_system = Some("xfs on sdb".into());
    let all = side_by_side(&[(&mine.0, &mine.1), (&theirs.0, &theirs.1)]);
    assert!(!csv_text(&all).contains("medians-"));
    let said = "another host than the first, or of one set otherwise (host memory, scratch file system)";
    assert!(all.cautions[0].contains(said), "{:?}", all.cautions);
    assert!(all.page().unwrap().contains(" → xfs on sdb"));
}

#[test]
fn figures_of_other_work_or_size_are_not_held_against_each_other() {
    let mine = run(Accelerator::Tcg);
    let of = |change: &dyn Fn(&mut crate::suite::Suite)| {
        let mut theirs = run(Accelerator::Tcg);
        change(&mut theirs.0.record.plan.suite);
        side_by_side(&[(&mine.0, &mine.1), (&theirs.0, &theirs.1)])
    };
    let other_work =
        of(&|suite| suite.workloads.iter_mut().find(|one| one.id == "disk-sync").unwrap().bytes = 4096);
    assert_eq!(word(&other_work, "native", "disk-sync", "disk.sync.rate"), "unknown");
    assert_eq!(word(&other_work, "native", "idle", "memory.total.peak"), "unknown");
    assert_eq!(word(&other_work, "native", "syscall", "cpu.syscall.rate"), "medians-overlap");
    assert!(other_work.cautions[0].contains("had another workload disk-sync than the first"));

    let other_limits = of(&|suite| suite.limits.memory_bytes /= 2);
    assert!(
        other_limits.rows.iter().flat_map(|row| &row.cells[1]).all(|cell| cell.against.word() == "unknown")
    );
    assert!(other_limits.cautions[0].contains("had another limit of memory than the first"));

    let other_machine = of(&|suite| {
        let container = suite.environments.iter().find(|one| one.id == "docker").unwrap().kind.clone();
        suite.environments.iter_mut().find(|one| one.id == "qemu").unwrap().kind = container;
    });
    assert_eq!(word(&other_machine, "qemu", "start", "startup.ready"), "unknown");
    assert_eq!(word(&other_machine, "native", "start", "startup.ready"), "medians-overlap");
    assert_eq!(other_machine.cautions.len(), 1, "{:?}", other_machine.cautions);
}

#[test]
fn what_moved_is_seen_and_exact_figures_are_facts() {
    let (mine, mut theirs) = (run(Accelerator::Tcg), run(Accelerator::Tcg));
    for row in &mut theirs.1.rows {
        let factor = if row.metric == "disk.image" { 1.5 } else { 3.0 };
        row.median = row.median.map(|m| Estimate {
            value: m.value * factor,
            interval: m
                .interval
                .map(|i| crate::analysis::Interval { low: i.low * factor, high: i.high * factor }),
        });
    }
    let all = side_by_side(&[(&mine.0, &mine.1), (&theirs.0, &theirs.1)]);
    assert_eq!(all.agreement("").overlap, 0);
    let text = csv_text(&all);
    assert!(text.contains(",changed,1.5\n") && text.contains(",medians-apart,"));
    assert!(all.terminal(160).contains("3.00× the first"));
}

#[test]
fn hostile_names_are_text_and_nothing_is_no_panic() {
    let (mut one, _) = run(Accelerator::Tcg);
    one.record.run_id = "<script>\u{1b}[2J".into();
    let summary = fixture::summarise(&one);
    let all = side_by_side(&[(&one, &summary)]);
    assert!(!all.page().unwrap().contains("<script") && !all.terminal(100).contains('\u{1b}'));
    let none = side_by_side(&[]);
    assert!(none.page().is_ok() && none.terminal(80).contains("0 of 0"));
}

/// The shares that `agreements` promises by chance: from the fewest blocks that have an interval, also of skewed values and of
/// such with heavy tails.
#[test]
fn runs_that_differ_by_chance_alone_agree_as_often_as_is_said() {
    use crate::analysis::statistics::{median, normal, order};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    const PAIRS: usize = 5_000;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut unit = || (f64::from(random.next_u32()) + 0.5) / 4_294_967_296.0;
    let heavy = |u: f64| 100.0 + normal::quantile(u) * (1.0 + 4.0 * (u - 0.5).abs().powi(8) * 256.0);
    let shapes: [fn(f64) -> f64; 3] = [|u| 100.0 + normal::quantile(u), |u| 100.0 - u.ln(), heavy];
    for (blocks, shape) in [6, 10, 30].into_iter().flat_map(|n| shapes.map(|shape| (n, shape))) {
        let mut run = || {
            let values: Vec<f64> = (0..blocks).map(|_| shape(unit())).collect();
            let values = order::sorted(&values);
            let (low, high) = median::interval(&values, 0.95).unwrap();
            let value = order::median(&values).unwrap();
            Some(Estimate { value, interval: Some(crate::analysis::Interval { low, high }) })
        };
        let all: Vec<Held> = (0..PAIRS).map(|_| Held::of(run(), run(), Compared::Medians).unwrap()).collect();
        let percent = |hits: usize, of: usize| 100.0 * hits as f64 / of as f64;
        let overlap = percent(all.iter().filter(|held| held.overlap).count(), PAIRS);
        let agree = percent(all.iter().filter(|held| held.agree).count(), PAIRS);
        let inside = percent(all.iter().map(|held| held.inside).sum(), 2 * PAIRS);
        assert!(overlap > 98.5 && (96.0..98.5).contains(&agree), "{blocks}: {overlap} {agree}");
        assert!((83.0..87.5).contains(&inside), "{blocks}: {inside}");
    }
}
