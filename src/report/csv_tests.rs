#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::analysis::{Estimate, Interval};
use crate::environment::Kind;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName};
use crate::report::fixture;

fn read(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn written(run: &Run) -> Vec<u8> {
    let mut bytes = Vec::new();
    samples(run, &mut bytes).unwrap();
    bytes
}

#[test]
fn samples_begin_with_the_promised_columns_and_keep_their_order() {
    let mut run = fixture::quick(3, Accelerator::Tcg);
    let few = [0, 3, 4, 8, 60];
    run.samples = few.iter().map(|at| run.samples[*at].clone()).collect();
    let failed = fixture::quick(3, Accelerator::Tcg).samples.into_iter().find(|s| s.value().is_none());
    run.samples.extend(failed);
    insta::assert_snapshot!(String::from_utf8(written(&run)).unwrap());
}

#[test]
fn summary_begins_with_the_promised_columns() {
    let run = fixture::quick(6, Accelerator::Kvm);
    let mut bytes = Vec::new();
    let mut all = fixture::summarise(&run);
    all.rows.retain(|row| ["startup.ready", "cpu.float.rate", "disk.image"].contains(&row.metric.as_str()));
    summary(&all, &mut bytes).unwrap();
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn what_a_guest_said_of_a_failure_is_clean_and_of_a_length() {
    let mut run = fixture::quick(1, Accelerator::Tcg);
    run.samples.truncate(1);
    let detail = format!("\u{1b}[31mred\u{202e}{}", "y".repeat(3000));
    run.samples[0].outcome = Outcome::Failed(Failure { name: FailureName::NeverReady, detail });
    let text = String::from_utf8(written(&run)).unwrap();
    assert!(text.contains("�[31mred�yyy") && text.contains("y…,"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.chars().count() < 900);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[=+@'\\-\t\r\n][ -~]{0,8}",
        Just("=cmd|' /C calc'!A0".to_owned()),
        Just("a,b\"c\r\nd".to_owned()),
    ]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        proptest::num::f64::ANY.prop_filter("finite", |v| v.is_finite()).prop_map(Outcome::Value),
        any_text().prop_map(|detail| Outcome::Failed(Failure { name: FailureName::NeverReady, detail })),
    ]
}

proptest! {
    #[test]
    fn a_sample_comes_back(
        id in any_text(), environment in any_text(), workload in any_text(), metric in any_text(),
        outcome in any_outcome(), block in any::<u32>(), seconds in -10_000_000_000_i64..10_000_000_000,
    ) {
        static QUICK: LazyLock<Run> = LazyLock::new(|| fixture::quick(1, Accelerator::Tcg));
        let template = QUICK.samples[0].clone();
        let mut run = Run { samples: Vec::new(), starts: Vec::new(), timelines: Vec::new(), ..QUICK.clone() };
        run.record.run_id = id.clone();
        let started_at = jiff::Timestamp::new(seconds, 1).unwrap();
        let (environment, workload, metric) = (environment.into(), workload.into(), metric.into());
        let sample = Sample { block, environment, workload, metric, outcome, started_at, ..template };
        run.samples = vec![sample.clone()];
        let lines = read(&written(&run));
        prop_assert_eq!(lines.len(), 2);
        prop_assert_eq!(&lines[0], &SAMPLE_COLUMNS);
        let field = |name: &str| &lines[1][SAMPLE_COLUMNS.iter().position(|c| *c == name).unwrap()];
        for (name, text) in [("run", id.as_str()), ("environment", &sample.environment), ("workload", &sample.workload), ("metric", &sample.metric)] {
            prop_assert_eq!(unguarded(field(name)), text);
            prop_assert!(!field(name).starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
        prop_assert_eq!(field("block").parse::<u32>().unwrap(), block);
        prop_assert_eq!(field("started_at").parse::<jiff::Timestamp>().unwrap(), started_at);
        match &sample.outcome {
            Outcome::Value(value) => {
                prop_assert_eq!(field("value").parse::<f64>().unwrap().to_bits(), value.to_bits());
                prop_assert_eq!(field("failure"), "");
            }
            Outcome::Failed(failure) => {
                prop_assert_eq!((field("value").as_str(), field("failure").as_str()), ("", "never-ready"));
                prop_assert_eq!(unguarded(field("detail")), &sentence(&failure.detail));
            }
        }
    }

    #[test]
    fn a_summary_row_comes_back(
        environment in any_text(), note in any_text(),
        median in proptest::option::of((-1e300..1e300_f64, 0.0..1e9_f64)), pairs in any::<u32>(),
    ) {
        static QUICK: LazyLock<Summary> =
            LazyLock::new(|| fixture::summarise(&fixture::quick(1, Accelerator::Tcg)));
        let mut all = QUICK.clone();
        let estimate = median.map(|(value, half)| Estimate {
            value,
            interval: Some(Interval { low: value - half, high: value + half }),
        });
        let ratio = estimate.map_or(Ratio::Missing(Missing::NoPair), |estimate| Ratio::Stated { estimate, pairs });
        let template = all.rows[0].clone();
        all.rows = vec![Row { environment, notes: vec![note], median: estimate, ratio, kind: Kind::Docker, ..template }];
        let mut bytes = Vec::new();
        summary(&all, &mut bytes).unwrap();
        let lines = read(&bytes);
        let field = |name: &str| &lines[1][SUMMARY_COLUMNS.iter().position(|c| *c == name).unwrap()];
        prop_assert_eq!(unguarded(field("environment")), &all.rows[0].environment);
        prop_assert_eq!(unguarded(field("notes")), &all.rows[0].notes[0]);
        for (names, estimate) in [(["median", "low", "high"], estimate), (["ratio_to_native", "ratio_low", "ratio_high"], estimate)] {
            let back = names.map(|name| field(name).parse::<f64>().ok());
            let interval = estimate.and_then(|e| e.interval);
            prop_assert_eq!(back, [estimate.map(|e| e.value), interval.map(|i| i.low), interval.map(|i| i.high)]);
        }
    }
}
