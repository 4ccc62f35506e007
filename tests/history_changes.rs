//! Change points on simulated histories: how often each is found, how often one is told that is none, and the same
//! data under other tools' default rules.
//!
//! The tables of docs/history.md are these tests with more histories:
//! `cargo test --release --test history_changes -- --ignored --nocapture`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use isocost::analysis::statistics::normal::clopper_pearson;
use isocost::regression::changes::{Settings, Watch, look_back};
use isocost::regression::score::{self, Labelled, NEAR};

#[path = "support/histories.rs"]
mod histories;
#[path = "support/peer_rules.rs"]
mod peer_rules;

use histories::{Noise, Source, Step, scripted, unchanged};
use peer_rules::{EACH_BUILD, otava};

/// A scripted history's steps are found within so many runs of where they are.
const WITHIN: usize = 2;

/// Where a way of judging sees changes: the index of the first run of a new level.
type Judge<'a> = (&'a str, &'a dyn Fn(&[f64]) -> Vec<usize>);

/// The same of a rule that was put together.
type Told = Box<dyn Fn(&[f64]) -> Vec<usize>>;

/// Lines of a history that is not small: a suite of five environments has about so many.
const MANY: usize = 250;

/// What each of so many lines of one history is allowed.
fn among(lines: usize) -> Settings {
    Settings::default().shared(lines)
}

fn ours(values: &[f64]) -> Vec<usize> {
    ours_among(1, values)
}

fn ours_among(lines: usize, values: &[f64]) -> Vec<usize> {
    let changes = look_back(values, &among(lines)).unwrap();
    changes.into_iter().filter(|change| !change.recurring).map(|change| change.at).collect()
}

fn ours_arriving(values: &[f64]) -> Vec<usize> {
    ours_arriving_among(1, values)
}

fn ours_arriving_among(lines: usize, values: &[f64]) -> Vec<usize> {
    let mut watch = Watch::new(among(lines));
    let told = values.iter().filter_map(|&value| watch.push(value).unwrap());
    told.filter(|change| !change.recurring).map(|change| change.at).collect()
}

fn arriving(rule: peer_rules::Rule, values: &[f64]) -> Vec<usize> {
    (1..values.len()).filter(|&i| rule(&values[..i], values[i])).collect()
}

#[derive(Debug, Default)]
struct Tally {
    /// Steps of 3, 5 and 20 % found.
    found: [usize; 3],
    all_three: usize,
    false_alarms: usize,
    at_most_one_false: usize,
}

fn tally(judge: Judge<'_>, seeds: u64, noise: f64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let (values, steps) = scripted(seed, noise);
        let told = judge.1(&values);
        let near = |step: &Step| told.iter().any(|at| at.abs_diff(step.at) <= WITHIN);
        for step in steps.iter().filter(|step| near(step)) {
            let size = [0.03, 0.05, 0.20].iter().position(|&size| size == step.size).unwrap();
            tally.found[size] += 1;
        }
        let wrong = told.iter().filter(|at| steps.iter().all(|step| at.abs_diff(step.at) > WITHIN)).count();
        tally.all_three += usize::from(steps.iter().all(near));
        tally.false_alarms += wrong;
        tally.at_most_one_false += usize::from(wrong <= 1);
    }
    tally
}

fn print(noise: f64, seeds: u64) {
    println!(
        "\n120 runs, noise {} %, {seeds} histories: found of each step within {WITHIN} runs",
        100.0 * noise
    );
    println!(
        "{:32} {:>5} {:>5} {:>5} {:>9} {:>13} {:>12}",
        "", "3 %", "5 %", "20 %", "all three", "false alarms", "at most one"
    );
    let rules: Vec<(&str, Told)> = EACH_BUILD
        .iter()
        .map(|&(name, rule)| (name, Box::new(move |values: &[f64]| arriving(rule, values)) as Told))
        .collect();
    let mut judges: Vec<Judge<'_>> = vec![
        ("isocost, looking back", &ours),
        ("  among 250 lines", &|values| ours_among(MANY, values)),
        ("isocost, as each arrives", &ours_arriving),
        ("  among 250 lines", &|values| ours_arriving_among(MANY, values)),
    ];
    judges.extend(rules.iter().map(|(name, rule)| (*name, rule.as_ref() as &dyn Fn(&[f64]) -> Vec<usize>)));
    judges.push(("Otava, defaults", &|values| otava(values, 0.0)));
    judges.push(("Otava with Nyrkiö's 5 %", &|values| otava(values, 0.05)));
    for judge in judges {
        let seen = tally(judge, seeds, noise);
        let [three, five, twenty] = seen.found;
        println!(
            "{:32} {three:5} {five:5} {twenty:5} {:9} {:13} {:12}",
            judge.0, seen.all_three, seen.false_alarms, seen.at_most_one_false
        );
    }
}

#[test]
fn three_steps_are_found_within_two_runs_and_at_most_one_other_is_told() {
    let (values, steps) = scripted(7, 0.005);
    let told = ours(&values);
    for step in steps {
        assert!(told.iter().any(|at| at.abs_diff(step.at) <= WITHIN), "{step:?} is not in {told:?}");
    }
    assert!(told.len() <= 4, "{told:?}");
    let seen = tally(("", &ours), 40, 0.005);
    assert!(seen.all_three >= 37 && seen.at_most_one_false == 40, "{seen:?}");
    let seen = tally(("", &ours), 40, 0.01);
    assert!(seen.all_three >= 28 && seen.at_most_one_false == 40, "{seen:?}");
}

#[test]
fn other_tools_default_rules_miss_steps_or_cry_wolf_on_the_same_data() {
    for (name, rule) in EACH_BUILD {
        let seen = tally((name, &|values| arriving(rule, values)), 20, 0.005);
        let as_good = seen.all_three >= 18 && seen.at_most_one_false >= 18;
        assert!(!as_good, "{name}: {seen:?}");
    }
    let double = tally(("", &|values| arriving(EACH_BUILD[0].1, values)), 20, 0.005);
    assert_eq!(double.found, [0, 0, 0], "200 % sees no step of 20 %");
}

/// Changes told in histories in which nothing changed.
fn nothing_changed(noise: Noise, histories: u64) -> (u64, u64, u64) {
    let (mut split, mut alarms, mut builds) = (0, 0, 0);
    for seed in 0..histories {
        let length = [60, 150, 300][seed as usize % 3];
        let mut source = Source::new(1_000_000 + 1000 * seed + noise as u64);
        let values: Vec<f64> = unchanged(noise, length, 0.01, &mut source).iter().map(|y| y.exp()).collect();
        split += u64::from(!ours(&values).is_empty());
        alarms += ours_arriving(&values).len() as u64;
        builds += length as u64;
    }
    (split, alarms, builds)
}

#[test]
fn noise_of_many_kinds_is_no_change() {
    // Of 60 histories at most so many with a change, and alarms per thousand builds as they arrive. Where builds
    // resemble each other, steps do happen: the bound is that they are rare.
    for (noise, most_split, most_alarms) in [
        (Noise::Normal, 1, 0.5),
        (Noise::HeavyTails, 1, 0.5),
        (Noise::Skewed, 1, 0.5),
        (Noise::Large, 1, 0.5),
        (Noise::Spikes, 1, 0.7),
        (Noise::Coarse, 3, 0.5),
        (Noise::TwoModes, 1, 0.7),
        (Noise::Resembling, 4, 1.5),
        (Noise::VeryResembling, 8, 1.5),
        (Noise::Trend, 10, 1.0),
    ] {
        let (split, alarms, builds) = nothing_changed(noise, 60);
        let rate = 1000.0 * alarms as f64 / builds as f64;
        assert!(
            split <= most_split && rate <= most_alarms,
            "{noise:?}: {split} of 60 split, {rate} per 1000 builds"
        );
    }
}

/// Where one step is, in histories of three lengths, and their values.
fn with_one_step(noise: Noise, size: f64, histories: u64) -> impl Iterator<Item = (usize, Vec<f64>)> {
    (0..histories).map(move |seed| {
        let length = [60, 100, 150][seed as usize % 3];
        let at = length / 2;
        let mut source = Source::new(2_000_000 + 1000 * seed + noise as u64);
        let y = unchanged(noise, length, 0.01, &mut source);
        let values = y.iter().zip(0..).map(|(y, i)| y.exp() * if i < at { 1.0 } else { 1.0 + size });
        (at, values.collect())
    })
}

/// In how many of these it is found, looking back.
fn step_seen(noise: Noise, size: f64, histories: u64) -> usize {
    let found =
        |(at, values): &(usize, Vec<f64>)| ours(values).iter().any(|place| place.abs_diff(*at) <= NEAR);
    with_one_step(noise, size, histories).filter(found).count()
}

/// In how many it is told by the third build, and by the tenth.
fn step_told(lines: usize, noise: Noise, size: f64, histories: u64) -> (usize, usize) {
    let (mut soon, mut later) = (0, 0);
    for (at, values) in with_one_step(noise, size, histories) {
        let mut watch = Watch::new(among(lines));
        let told =
            values.iter().zip(0..).filter_map(|(&value, build)| watch.push(value).unwrap().map(|_| build));
        let told: Vec<usize> = told.collect();
        soon += usize::from(told.iter().any(|build| (at..at + NEAR).contains(build)));
        later += usize::from(told.iter().any(|build| (at..at + 10).contains(build)));
    }
    (soon, later)
}

#[test]
fn ten_per_cent_in_one_per_cent_of_noise_is_told_with_the_third_build() {
    for noise in [Noise::Normal, Noise::HeavyTails, Noise::RandomWalk] {
        let (back, (soon, later)) = (step_seen(noise, 0.10, 30), step_told(1, noise, 0.10, 30));
        assert!(back >= 29 && soon >= 27 && later >= 29, "{noise:?}: {back} {soon} {later} of 30");
    }
}

/// Other rules on labelled histories: found of those labelled, and false alarms.
fn peers_on(histories: &[Labelled]) {
    let builds: usize = histories.iter().map(|one| one.values.len()).sum();
    println!("\n{:32} {:>6} {:>13} {:>10}", "", "found", "false alarms", "in series");
    for (name, rule) in EACH_BUILD {
        let (mut found, mut alarms, mut series) = (0, 0, 0);
        for one in histories {
            let first_bad = one.last_good.map(|last| last + 1);
            let near = |at: usize| first_bad.is_some_and(|first| (first..first + NEAR).contains(&at));
            let told = arriving(rule, &one.values);
            found += usize::from(told.iter().any(|&at| near(at)));
            let wrong = told.iter().filter(|&&at| !near(at)).count();
            alarms += wrong;
            series += usize::from(wrong > 0);
        }
        println!(
            "{name:32} {found:6} {:6} = {:.1} % {series:7}",
            alarms,
            100.0 * alarms as f64 / builds as f64
        );
    }
    for (name, least) in [("Otava, looking back, defaults", 0.0), ("Otava with Nyrkiö's 5 %", 0.05)] {
        let (mut found, mut points, mut series) = (0, 0, 0);
        for one in histories {
            let first_bad = one.last_good.map(|last| last + 1);
            let near = |at: usize| first_bad.is_some_and(|first| first.abs_diff(at) <= NEAR);
            let told = otava(&one.values, least);
            found += usize::from(told.iter().any(|&at| near(at)));
            let wrong = if one.last_good.is_none() { told.len() } else { 0 };
            points += wrong;
            series += usize::from(wrong > 0);
        }
        println!("{name:32} {found:6} {points:6} points {series:7}");
    }
}

#[test]
#[ignore = "the tables of docs/history.md; minutes"]
fn tables_of_three_steps() {
    for noise in [0.005, 0.01] {
        print(noise, 1000);
    }
}

#[test]
#[ignore = "the tables of docs/history.md; minutes"]
fn tables_of_no_step_and_of_one() {
    println!("\nnothing changed, 300 histories of 60 to 300 builds: split, and alarms per 1000 builds");
    for noise in Noise::ALL {
        let (split, alarms, builds) = nothing_changed(noise, 300);
        let (low, high) = clopper_pearson(split, 300, 0.95);
        let rate = 1000.0 * alarms as f64 / builds as f64;
        println!(
            "{:16} {split:4} ({:.1} to {:.1} %) {rate:6.2}",
            format!("{noise:?}"),
            100.0 * low,
            100.0 * high
        );
    }
    println!(
        "\none step in 1 % of noise, 300 histories: looking back; by the 3rd build, by the 10th; the same among {MANY} lines"
    );
    for noise in
        [Noise::Normal, Noise::HeavyTails, Noise::Spikes, Noise::Resembling, Noise::TwoModes, Noise::Large]
    {
        for size in [0.03, 0.05, 0.10, 0.20, 0.50] {
            let back = step_seen(noise, size, 300);
            let [alone, many] = [1, MANY].map(|lines| step_told(lines, noise, size, 300));
            println!(
                "{:16} {:3.0} % {back:4}  {:4} {:4}  {:4} {:4}",
                format!("{noise:?}"),
                100.0 * size,
                alone.0,
                alone.1,
                many.0,
                many.1
            );
        }
    }
}

/// For a folder of labelled histories of one's own.
#[test]
#[ignore = "needs ISOCOST_LABELLED_HISTORIES=DIR"]
fn labelled_histories() {
    let dir = std::env::var("ISOCOST_LABELLED_HISTORIES").expect("ISOCOST_LABELLED_HISTORIES is the folder");
    let histories = score::read(std::path::Path::new(&dir)).unwrap();
    println!("{}", score::score(&histories, &Settings::default()).unwrap());
    println!("\nas {} lines of one history:", histories.len());
    println!("{}", score::score(&histories, &among(histories.len())).unwrap());
    for one in &histories {
        let Some(last_good) = one.last_good else { continue };
        let mut watch = Watch::new(among(histories.len()));
        let mut told =
            one.values.iter().zip(0_usize..).filter(|(value, _)| watch.push(**value).unwrap().is_some());
        let bad = told.find(|(_, build)| *build > last_good).map(|(_, build)| build - last_good);
        println!("{}: told with bad build number {bad:?}", one.name);
    }
    peers_on(&histories);
}
