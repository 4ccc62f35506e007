#![allow(clippy::unwrap_used)]

use super::design::SLOWER;
use super::*;
use crate::analysis::compare::{Options, inside};

#[test]
fn the_suite_is_one_environment_twice_in_each_experiment() {
    for number in 0..24 {
        let design = Design::of(number, &[Kind::Native, Kind::Docker]);
        let suite = design.suite().unwrap();
        assert_eq!(suite.environments[0].kind, suite.environments[1].kind);
        let slowed: Vec<u32> = suite.environments.iter().skip(1).map(|one| one.slower_permille).collect();
        assert_eq!(slowed, if design.slowed { SLOWER.to_vec() } else { vec![0] });
        crate::suite::check(&suite).unwrap();
    }
}

#[test]
fn every_kind_and_the_slowed_have_their_turn() {
    let kinds = [Kind::Native, Kind::Docker];
    let of = |count: u32| (0..count).map(|number| Design::of(number, &kinds)).collect::<Vec<_>>();
    assert_eq!(of(8).iter().filter(|one| one.kind == Kind::Docker).count(), 2);
    assert_eq!(of(20).iter().filter(|one| one.slowed).count(), 2);
    assert!((0..9).all(|number| Design::of(number, &[Kind::Docker]).kind == Kind::Docker));
}

fn found(comparisons: u64, alarms: u64, injected: Injected) -> Selfcheck {
    let mut tally = tally::Tally::default();
    tally.set(24, Count { families: 10, comparisons, alarms }, injected);
    tally.done(Duration::from_secs(840))
}

#[test]
fn a_promise_is_kept_when_it_is_shown_and_not_before() {
    let injected =
        Injected { slower: 0.1, rows: 40, found: 40, promised: 40, promised_found: 40, sees: vec![0.03] };
    let kept = |comparisons, alarms| found(comparisons, alarms, injected.clone()).kept;
    assert!(kept(300, 0) && kept(1000, 4));
    assert!(!kept(299, 0), "too few prove nothing");
    assert!(!kept(300, 1) && !kept(1000, 6) && !kept(0, 0));
    let silent = Injected { promised: 0, promised_found: 0, ..injected.clone() };
    let unshown = found(1000, 0, silent);
    let text = lines(&unshown).join("\n");
    assert!(!unshown.kept && text.contains("nothing was promised"), "{text}");
    assert!(text.ends_with("NOT shown to be kept"), "{text}");
    let blind = Injected { promised_found: 30, ..injected.clone() };
    assert!(!found(1000, 0, blind).kept, "what was promised to be seen was not");
}

#[test]
fn the_last_line_has_the_answer() {
    let injected =
        Injected { slower: 0.05, rows: 40, found: 31, promised: 20, promised_found: 20, sees: vec![0.031] };
    let mut good = found(412, 0, injected.clone());
    good.warnings.push("without docker: no engine".into());
    insta::assert_snapshot!(lines(&good).join("\n"));
    let bad = found(100, 3, injected);
    let last = lines(&bad).pop().unwrap();
    assert!(
        last.starts_with("100 comparisons, 3 false alarms: at most 7.57 %") && last.ends_with("NOT kept"),
        "{last}"
    );
}

/// The real thing, one experiment of four blocks' time: it is measured, counted, and nothing is left.
#[test]
fn this_host_is_checked_and_nothing_is_left() {
    let cache = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let design = Design { slowed: true, ..Design::of(0, &[Kind::Native]) };
    let mut suite = design.suite().unwrap();
    suite.blocks.count = 8;
    suite.blocks.warm_up = 0;
    suite.workloads.retain(|one| one.id == "integer");
    suite.environments.iter_mut().for_each(|one| one.slower_permille *= 5);
    let trial = Trial {
        cache: cache.path().to_owned(),
        agent: crate::agent::shared(),
        stop: StopSignal::new().unwrap(),
    };
    let run = trial.run(&plan::make(&suite, 1), None, &|_| ()).unwrap();
    let slowed = inside(&run, "a", "slower-100", &Options::default()).unwrap();
    let rate = slowed.rows.iter().find(|row| row.metric == "cpu.integer.rate").unwrap();
    let ratio = rate.change.unwrap().value;
    assert!((0.5..0.85).contains(&ratio), "half as much again should be about 0.67: {ratio}");
    let mut tally = tally::Tally::default();
    tally.take(&design, run);
    let seen = tally.done(Duration::from_secs(1));
    let sizes: Vec<f64> = seen.injected.iter().map(|one| one.slower).collect();
    assert_eq!((seen.experiments, seen.inside.families), (1, 0), "{seen:?}");
    assert_eq!(sizes, [0.02, 0.05, 0.1]);
    assert!(seen.injected.iter().all(|one| one.rows == 1), "{seen:?}");
    let left = std::fs::read_dir(cache.path()).unwrap().flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("trial-")));
}
