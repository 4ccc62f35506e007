//! Results for tests.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Figure, Results, Source};
use crate::measure::metric::Direction;

/// One run: a time with an interval, a size without, a rate.
pub(crate) fn results() -> Results {
    let figure = |benchmark: &str, measure: &str, unit: &str, direction, value| Figure {
        benchmark: benchmark.into(),
        measure: measure.into(),
        unit: unit.into(),
        direction: Some(direction),
        value,
        low: None,
        high: None,
        n: Some(30),
    };
    let mut ready = figure("docker/start", "startup.ready", "ms", Direction::Smaller, 139.0);
    (ready.low, ready.high) = (Some(135.5), Some(143.0));
    let image = figure("docker/image", "disk.image", "bytes", Direction::Smaller, 1_204_224.0);
    let rate = figure("qemu/cpu-integer", "cpu.integer.rate", "iterations/s", Direction::Bigger, 2.5e8);
    Results {
        run: Some("r-1".into()),
        suite: Some("quick".into()),
        at: Timestamp::from_second(1_709_287_200).unwrap_or_default(),
        source: Source {
            commit: Some("0123abc".into()),
            branch: Some("main".into()),
            repository: Some("https://example.org/r".into()),
            machine: None,
        },
        figures: vec![ready, image, rate],
    }
}

/// Two runs, of which the second lacks a figure and its branch.
pub(crate) fn history() -> Vec<Results> {
    let mut second = results();
    second.at += jiff::SignedDuration::from_hours(1);
    second.source = Source { commit: Some("0124abc".into()), ..Source::default() };
    (second.run, second.suite) = (Some("r-2".into()), None);
    second.figures.remove(1);
    second.figures[0].value = 141.25;
    vec![results(), second]
}

/// The same on two machines.
pub(crate) fn two_machines() -> Vec<Results> {
    let mut runs = vec![results(), results()];
    for (run, name) in runs.iter_mut().zip(["ci-2, Xeon", "ci-1, Xeon"]) {
        run.source.machine = Some(name.into());
    }
    runs
}

/// Runs with distinct names that hold no `: `, at whole seconds.
pub(crate) fn any_results() -> impl Strategy<Value = Results> {
    let name = "[a-zA-Z0-9 /._,\"'-]{1,20}";
    let number = -1e12..1e12f64;
    let direction = prop_oneof![Just(Direction::Smaller), Just(Direction::Bigger)];
    let interval = proptest::option::of(0.0..1e6f64);
    let figure = (
        name,
        "[a-z.-]{1,20}",
        "[a-zA-Z/]{0,8}",
        direction,
        number,
        interval,
        proptest::option::of(1..1000u32),
    );
    let figures = proptest::collection::vec(figure, 1..6);
    ("[0-9a-f]{1,40}", 0..4_000_000_000i64, figures).prop_map(|(commit, second, figures)| {
        let mut seen = BTreeSet::new();
        let figures =
            figures.into_iter().map(|(benchmark, measure, unit, direction, value, half, n)| Figure {
                benchmark: format!("b{}", benchmark.trim()),
                measure: if measure == "value" { "v".into() } else { measure },
                unit,
                direction: Some(direction),
                value,
                low: half.map(|half| value - half),
                high: half.map(|half| value + half),
                n,
            });
        let figures: Vec<Figure> = figures
            .filter(|figure| seen.insert((figure.benchmark.clone(), figure.measure.clone())))
            .collect();
        Results {
            at: Timestamp::from_second(second).unwrap_or_default(),
            source: Source { commit: Some(commit), ..Source::default() },
            figures,
            ..Results::default()
        }
    })
}
