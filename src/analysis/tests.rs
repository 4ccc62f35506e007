#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::example::{failed, inspection, run, sample};
use super::*;
use crate::journal::Run;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{FailureName, Sample};

const READY: &str = "startup.ready";

fn said(run: &Run) -> Summary {
    summarise(run, &Settings { seed: 1, confidence: 0.95, resamples: 1000 })
}

fn row<'a>(summary: &'a Summary, environment: &str, metric: &str) -> &'a Row {
    summary.rows.iter().find(|row| row.environment == environment && row.metric == metric).unwrap()
}

/// Blocks of a host that gets slower: the container takes 1.5 times as long in each.
fn drifting(blocks: u32) -> Run {
    let mut run = run(blocks);
    for block in 2..blocks + 2 {
        let native = 10.0 + f64::from(block) + f64::from(block * 7 % 5) / 100.0;
        run.samples.push(sample(block, "docker", READY, native * 1.5));
        run.samples.push(sample(block, "native", READY, native));
    }
    run
}

#[test]
fn a_ratio_is_taken_inside_blocks() {
    let summary = said(&drifting(8));
    let docker = row(&summary, "docker", READY);
    let Ratio::Stated { estimate, pairs } = &docker.ratio else { panic!("{:?}", docker.ratio) };
    let interval = estimate.interval.unwrap();
    assert!((estimate.value - 1.5).abs() < 1e-9 && *pairs == 8);
    assert!((interval.low - 1.5).abs() < 1e-9 && (interval.high - 1.5).abs() < 1e-9);
    assert_eq!(row(&summary, "native", READY).ratio, Ratio::Control);
    assert_eq!(docker.effect.as_ref().unwrap().below, 0);
    let median = docker.median.unwrap();
    let wide = median.interval.unwrap();
    assert!(wide.low < median.value && median.value < wide.high);
    assert_eq!((summary.blocks, summary.control.as_deref()), (8, Some("native")));
}

#[test]
fn too_few_blocks_have_no_interval() {
    let summary = said(&drifting(5));
    let docker = row(&summary, "docker", READY);
    assert_eq!(docker.median.unwrap().interval, None);
    assert_eq!(docker.ratio.stated().unwrap().interval, None);
    assert!(docker.effect.as_ref().unwrap().words.contains("too few"));
}

#[test]
fn warm_up_and_cold_blocks_are_apart() {
    let mut run = drifting(6);
    run.samples.push(sample(1, "docker", READY, 1e6));
    run.samples.push(sample(0, "docker", READY, 1e6));
    run.samples.push(sample(0, "docker", "startup.cold.ready", 77.0));
    let summary = said(&run);
    let warm = row(&summary, "docker", READY);
    assert!(warm.n == 6 && warm.median.unwrap().value < 100.0);
    let cold = row(&summary, "docker", "startup.cold.ready");
    assert_eq!((cold.n, cold.median.unwrap().value), (1, 77.0));
    assert_eq!(summary.blocks, 6);
}

#[test]
fn failures_are_counted_by_name_and_never_numbers() {
    let mut run = drifting(6);
    run.samples.retain(|sample| !(sample.block == 3 && sample.environment == "docker"));
    run.samples.push(failed(3, "docker", READY, FailureName::NeverReady));
    run.samples.push(failed(3, "docker", READY, FailureName::NeverReady));
    run.samples.push(failed(2, "docker", "cpu.integer.rate", FailureName::TimedOut));
    let summary = said(&run);
    let docker = row(&summary, "docker", READY);
    assert_eq!((docker.n, docker.failures(), docker.failed[&FailureName::NeverReady]), (5, 2, 2));
    assert!(matches!(docker.ratio, Ratio::Stated { pairs: 5, .. }));
    let nothing = row(&summary, "docker", "cpu.integer.rate");
    assert_eq!((nothing.n, nothing.median), (0, None));
    assert_eq!(nothing.ratio, Ratio::Missing(Missing::NoPair));
    assert_eq!(nothing.notes, ["nothing was measured"]);
}

#[test]
fn unequal_sizes_withhold_the_ratio_and_say_why() {
    let mut run = drifting(6);
    run.record.environments[1].inspection.as_mut().unwrap().online_cpus = Some(16);
    run.record.environments[1].inspection.as_mut().unwrap().affinity_cpus = None;
    let summary = said(&run);
    assert_eq!(row(&summary, "docker", READY).ratio, Ratio::Missing(Missing::Withheld));
    let one = &summary.comparability[0];
    assert_eq!(one.withheld.as_deref(), Some("CPUs is 2 in native and 16 in docker"));
    assert!(one.differences[0].must_match);

    run.record.environments[0].inspection = None;
    let why = said(&run).comparability[0].withheld.clone().unwrap();
    assert!(why.contains("native") && why.contains("not proved"), "{why}");
}

#[test]
fn two_accelerators_are_two_rows() {
    let mut run = drifting(6);
    for (block, accelerator) in [(2, Accelerator::Kvm), (3, Accelerator::Tcg)] {
        run.samples.push(Sample { accelerator, ..sample(block, "docker", "end.total", 5.0) });
    }
    let summary = said(&run);
    let rows: Vec<&Row> = summary.rows.iter().filter(|row| row.metric == "end.total").collect();
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter().all(|row| row.n == 1 && row.notes.iter().any(|note| note.contains("two accelerators")))
    );
    let native = row(&summary, "native", READY);
    assert!(native.notes.is_empty(), "{:?}", native.notes);
}

#[test]
fn exact_metrics_have_no_statistics() {
    let mut run = run(3);
    for block in 2..5 {
        run.samples.push(sample(block, "native", "disk.image", 1000.0));
        run.samples.push(sample(block, "docker", "disk.image", 3000.0));
    }
    let summary = said(&run);
    let docker = row(&summary, "docker", "disk.image");
    assert_eq!(docker.median, Some(Estimate { value: 3000.0, interval: None }));
    assert_eq!(docker.ratio.stated(), Some(Estimate { value: 3.0, interval: None }));
    assert!(docker.notes.is_empty());
    run.samples.push(sample(4, "docker", "disk.image", 3001.0));
    assert!(row(&said(&run), "docker", "disk.image").notes[0].contains("exact, and yet"));
}

#[test]
fn a_zero_has_no_ratio_and_a_run_without_native_no_control() {
    let mut run = drifting(6);
    for block in 2..8 {
        run.samples.push(sample(block, "native", "disk.added", f64::from(block - 2)));
        run.samples.push(sample(block, "docker", "disk.added", 5.0));
    }
    assert_eq!(row(&said(&run), "docker", "disk.added").ratio, Ratio::Missing(Missing::Zero));
    run.record.plan.suite.environments.remove(0);
    let summary = said(&run);
    assert_eq!(row(&summary, "docker", READY).ratio, Ratio::Missing(Missing::NoControl));
    assert!(summary.control.is_none() && summary.comparability.is_empty());
    assert!(summary.rows.iter().all(|row| row.environment == "docker"), "native is not in the plan now");
}

#[test]
fn outliers_are_shown_and_stay_in() {
    let mut run = run(12);
    for block in 2..14 {
        let value = if block == 9 { 500.0 } else { 100.0 + f64::from(block * 5 % 7) };
        run.samples.push(sample(block, "docker", READY, value));
    }
    let summary = said(&run);
    let docker = row(&summary, "docker", READY);
    let [one] = &docker.outliers[..] else { panic!("{:?}", docker.outliers) };
    assert_eq!((one.block, one.value, one.class), (9, 500.0, OutlierClass::Severe));
    assert_eq!(docker.n, 12);
}

#[test]
fn two_modes_are_said() {
    let mut run = run(24);
    for block in 2..26 {
        let value = if block % 2 == 0 { 100.0 } else { 140.0 } + f64::from(block * 5 % 7) / 10.0;
        run.samples.push(sample(block, "docker", READY, value));
    }
    let notes = row(&said(&run), "docker", READY).notes.clone();
    assert!(notes[0].starts_with("two modes: 12 values near 100.3 and 12 near 140.3"), "{notes:?}");
}

#[test]
fn several_values_a_block_are_resampled_by_blocks() {
    let mut run = run(8);
    for block in 2..10 {
        for again in 0..50 {
            run.samples.push(sample(block, "docker", READY, f64::from(block) + f64::from(again) / 1000.0));
        }
    }
    let docker = row(&said(&run), "docker", READY).clone();
    let interval = docker.median.unwrap().interval.unwrap();
    assert_eq!(docker.n, 400);
    assert!(interval.low < 4.5 && interval.high > 7.0, "400 values are eight blocks: {interval:?}");
}

#[test]
fn latencies_are_merged_over_samples() {
    let mut run = run(6);
    for block in 2..8 {
        let latencies_ns: Vec<u32> = (1..=200).map(|i| i * 1000 + block).collect();
        let p50 = sample(block, "docker", "disk.sync.latency.p50", 100_000.0);
        run.samples.push(Sample { latencies_ns, ..p50 });
    }
    let summary = said(&run);
    let [one] = &summary.latencies[..] else { panic!("{:?}", summary.latencies) };
    assert_eq!((one.metric.as_str(), one.samples, one.operations), ("disk.sync.latency", 6, 1200));
    let near = |estimate: Option<Estimate>, expected: f64| {
        let found = estimate.unwrap();
        assert!((found.value / expected - 1.0).abs() < 2e-3, "{found:?} {expected}");
        assert!(found.interval.unwrap().low <= found.value && found.value <= found.interval.unwrap().high);
    };
    near(one.p50, 100_000.0);
    near(one.p90, 180_000.0);
    near(one.p99, 198_000.0);
    assert!((one.max / 200_007.0 - 1.0).abs() < 2e-3);
    assert!(one.points.len() > 20 && one.points.last().unwrap().quantile == 1.0);
    let rising =
        one.points.windows(2).all(|two| two[0].value < two[1].value && two[0].quantile < two[1].quantile);
    assert!(rising);
}

#[test]
fn few_operations_have_no_99th_percentile() {
    let mut run = run(1);
    let p50 = sample(2, "docker", "disk.sync.latency.p50", 5.0);
    run.samples.push(Sample { latencies_ns: (1..=100).collect(), ..p50 });
    let one = said(&run).latencies.remove(0);
    assert!(one.p50.is_some() && one.p90.is_some() && one.p99.is_none());
    assert_eq!(one.p50.unwrap().interval, None, "one block");
}

#[test]
fn rows_are_in_the_order_of_suite_and_catalogue() {
    let mut run = drifting(6);
    run.samples.push(sample(2, "native", "cpu.integer.rate", 5.0));
    run.samples.push(sample(2, "native", "end.total", 5.0));
    run.samples.push(sample(2, "native", "startup.cold.ready", 5.0));
    run.samples.push(sample(2, "native", "later.version", 5.0));
    let summary = said(&run);
    let names: Vec<(&str, &str)> =
        summary.rows.iter().map(|row| (row.environment.as_str(), row.metric.as_str())).collect();
    let expected = [
        ("native", READY),
        ("native", "startup.cold.ready"),
        ("native", "end.total"),
        ("native", "cpu.integer.rate"),
        ("native", "later.version"),
        ("docker", READY),
    ];
    assert_eq!(names, expected);
}

#[test]
fn nothing_measured_is_no_row() {
    let summary = said(&run(0));
    assert!(summary.rows.is_empty() && summary.blocks == 0);
    assert_eq!(inspection().page_bytes, 4096);
}

#[test]
fn figures_have_four_digits_that_count() {
    let cases =
        [(0.0, "0"), (1.23456, "1.235"), (123.456, "123.5"), (123_456.0, "123456"), (0.012_345_6, "0.01235")];
    for (value, expected) in cases {
        assert_eq!(figure(value), expected);
    }
}

proptest! {
    #[test]
    fn whatever_was_measured_is_summed_up_alike(
        values in proptest::collection::vec((2u32..9, any::<bool>(), -1e3..1e6f64), 0..60),
        seed in any::<u64>(),
    ) {
        let mut run = run(7);
        for (block, docker, value) in values {
            run.samples.push(sample(block, if docker { "docker" } else { "native" }, READY, value));
        }
        let settings = Settings { seed, confidence: 0.95, resamples: 100 };
        let summary = summarise(&run, &settings);
        prop_assert_eq!(&summary, &summarise(&run, &settings));
        let counted: u32 = summary.rows.iter().map(|row| row.n).sum();
        prop_assert_eq!(counted as usize, run.samples.len());
        for row in &summary.rows {
            let ends = row.median.and_then(|median| median.interval);
            prop_assert!(ends.is_none_or(|ends| ends.low <= ends.high));
        }
    }
}

/// Latencies of random reads in six blocks: so many operations in each, of which the container's take a fifth longer.
fn reads(operations: impl Fn(u32, &str) -> u32) -> Run {
    let mut run = run(6);
    for (block, environment) in (2..8).flat_map(|block| ["native", "docker"].map(|id| (block, id))) {
        let slower = if environment == "docker" { 30 } else { 0 };
        let list: Vec<u32> =
            (0..operations(block, environment)).map(|i| 150 + slower + block + i % 7).collect();
        let value = |at: f64| f64::from(list[((list.len() as f64 * at) as usize).min(list.len() - 1)]);
        let mut p50 = sample(block, environment, "disk.random-read.latency.p50", value(0.5));
        let p99 = sample(block, environment, "disk.random-read.latency.p99", value(0.99));
        p50.latencies_ns = list.clone();
        run.samples.extend([p50, p99]);
    }
    run
}

#[test]
fn a_quantile_of_too_few_operations_is_not_stated() {
    const P99: &str = "disk.random-read.latency.p99";
    let enough = said(&reads(|_, _| 368));
    assert!(row(&enough, "docker", P99).ratio.stated().is_some());

    // One block of the control is enough to leave the ratio open; medians need fewer.
    let once = said(&reads(|block, id| if block == 3 && id == "native" { 367 } else { 400 }));
    let docker = row(&once, "docker", P99);
    assert_eq!((&docker.ratio, &docker.effect), (&Ratio::Missing(Missing::FewOperations), &None));
    assert!(docker.median.is_some() && row(&once, "native", P99).median.is_some());
    assert_eq!(
        docker.notes,
        ["no ratio: of the control blocks have 367 to 400 operations, and this quantile takes 368"]
    );
    assert!(row(&once, "docker", "disk.random-read.latency.p50").ratio.stated().is_some());

    let never = said(&reads(|_, _| 40));
    let docker = row(&never, "docker", P99);
    assert_eq!((docker.n, docker.median), (6, None));
    assert_eq!(
        docker.notes[0],
        "no value: a block has 40 operations, and this quantile takes 368; of fewer even the largest may lie below it"
    );
    assert!(row(&never, "docker", "disk.random-read.latency.p50").median.is_some());
}

/// Two medians of the same reads must not be called alike by their clock where their rates are not.
#[test]
fn a_few_ns_between_medians_of_many_operations_are_a_difference() {
    let summary = said(&reads(|_, _| 400));
    let effect = row(&summary, "docker", "disk.random-read.latency.p50").effect.as_ref().unwrap();
    assert!(!effect.unresolved && effect.above == 6, "{effect:?}");
}

#[test]
fn how_many_operations_were_left_out_follows_from_their_rate() {
    let counts = |_: u32, id: &str| if id == "native" { 18_000 } else { 9_000 };
    let kept = |run: &Run| said(run).latencies.iter().map(|one| one.kept_one_in).collect::<Vec<_>>();
    let mut run = reads(counts);
    assert_eq!(kept(&run), [None, Some((1, 1))]);
    for block in 2..8 {
        let rate = if block == 2 { 18_000.0 * 8.05 } else { 18_000.0 * 15.7 };
        run.samples.push(sample(block, "native", "disk.random-read.rate", rate));
    }
    assert_eq!(kept(&run), [Some((8, 16)), Some((1, 1))]);
}
