#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::compare::{Options, runs};
use crate::journal::Run;
use crate::measure::sample::Accelerator;
use crate::measure::sample::Outcome;
use crate::report::fixture;

/// As measured, and again with a container that starts half as slowly again.
fn slower() -> (Run, Run) {
    let base = fixture::quick(12, Accelerator::Tcg);
    let mut new = base.clone();
    new.record.run_id = "20261125-030000-<b>|".into();
    let facts = &mut new.record.environments[1].prepared.facts;
    facts.retain(|(name, _)| name != "engine");
    facts.push(("engine".into(), "28.1".into()));
    for sample in &mut new.samples {
        let hit = sample.environment == "docker" && sample.metric.starts_with("startup.");
        if let (true, Outcome::Value(value)) = (hit, &mut sample.outcome) {
            *value *= 1.5;
        }
    }
    (base, new)
}

fn shown(comparison: &Comparison, all: bool) -> Shown<'_> {
    Shown { base: "20261124-225100-a1b2".into(), new: "20261125-030000-<b>|".into(), all, comparison }
}

#[test]
fn on_a_terminal() {
    let (base, new) = slower();
    let comparison = runs(&[&base], &[&new], &Options::default()).unwrap();
    let text = shown(&comparison, false).terminal(140);
    insta::assert_snapshot!(text);
    let all = shown(&comparison, true).terminal(140);
    assert!(all.lines().count() > text.lines().count() && !all.contains("--all"));
}

#[test]
fn as_markdown() {
    let (base, new) = slower();
    let mut options = Options::default();
    options.only.environments = vec!["docker".into()];
    options.only.metrics = vec!["startup.ready".into(), "memory.total.idle".into()];
    let comparison = runs(&[&base], &[&new], &options).unwrap();
    insta::assert_snapshot!(shown(&comparison, false).markdown());
}

#[test]
fn a_run_against_its_equal_has_nothing_to_tell() {
    let (base, _) = slower();
    let mut again = base.clone();
    again.record.run_id = "again".into();
    let comparison = runs(&[&base], &[&again], &Options::default()).unwrap();
    let text = shown(&comparison, false).terminal(100);
    assert!(text.contains("Nothing is shown to have changed.") && text.contains("! advisory: "), "{text}");
}

#[test]
fn across_hosts_the_ratios_that_were_compared_are_shown_and_said_to_be() {
    let (base, new) = slower();
    let options = Options { across: true, ..Options::default() };
    let comparison = runs(&[&base], &[&new], &options).unwrap();
    let shown = shown(&comparison, true);
    for text in [shown.terminal(140), shown.markdown()] {
        assert!(
            text.contains("× native") && text.contains("ratios to each run's own native control"),
            "{text}"
        );
    }
}

#[test]
fn changes_are_signed_and_large_ones_are_factors() {
    use crate::analysis::Interval;
    let with = |value: f64, low, high| change(&Estimate { value, interval: Some(Interval { low, high }) });
    assert_eq!(with(1.052, 1.01, 1.095), "+5.2 % [+1.0 to +9.5 %]");
    assert_eq!(with(0.98, 0.95, 1.01), "−2.0 % [−5.0 to +1.0 %]");
    assert_eq!(with(2.9, 2.81, 3.02), "2.90× [2.81–3.02]");
    assert_eq!(change(&Estimate { value: 1.001, interval: None }), "+0.1 %");
}
