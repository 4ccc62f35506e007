#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Noise of about 1 % that repeats itself only after 7 919 builds.
fn noise(i: usize) -> f64 {
    let hashed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let uniform = |shift: u32| f64::from((hashed >> shift) as u16) / 65536.0 - 0.5;
    0.01 * (uniform(0) + uniform(16) + uniform(32) + uniform(48)) * 3f64.sqrt()
}

fn history(level: impl Fn(usize) -> f64, builds: usize) -> Vec<f64> {
    (0..builds).map(|i| level(i) * noise(i).exp()).collect()
}

fn places(values: &[f64]) -> Vec<usize> {
    look_back(values, &Settings::default()).unwrap().iter().map(|change| change.at).collect()
}

#[test]
fn a_step_is_found_with_its_size_and_range() {
    let values = history(|i| if i < 40 { 200.0 } else { 210.0 }, 80);
    let changes = look_back(&values, &Settings::default()).unwrap();
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert!(change.at.abs_diff(40) <= 1, "{change:?}");
    assert!(change.range.0 <= 40 && 40 <= change.range.1, "{change:?}");
    assert!((change.relative - 0.05).abs() < 0.01, "{change:?}");
    assert!((change.before - 200.0).abs() < 2.0 && (change.after - 210.0).abs() < 2.0);
    assert!(matches!(change.evidence, Evidence::Chance(p) if p <= 0.01));
    assert!(!change.recurring);
}

#[test]
fn two_steps_that_undo_each_other_are_two() {
    let values = history(|i| if (50..70).contains(&i) { 110.0 } else { 100.0 }, 120);
    assert_eq!(places(&values), [50, 70]);
}

#[test]
fn what_is_below_the_smallest_change_is_not_told() {
    let values = history(|i| if i < 100 { 100.0 } else { 101.2 }, 200);
    assert_eq!(places(&values), [0; 0]);
    let fine = Settings { smallest: 0.005, ..Settings::default() };
    assert_eq!(look_back(&values, &fine).unwrap().len(), 1);
}

#[test]
fn a_drift_spikes_and_a_short_excursion_are_no_steps() {
    assert_eq!(places(&history(|i| 100.0 * (1.0 + 0.0005 * i as f64), 200)), [0; 0]);
    assert_eq!(places(&history(|i| if i % 17 == 3 { 140.0 } else { 100.0 }, 200)), [0; 0]);
    assert_eq!(places(&history(|i| if (80..83).contains(&i) { 130.0 } else { 100.0 }, 160)), [0; 0]);
}

#[test]
fn a_history_of_two_modes_has_no_changes_but_a_third_mode_is_one() {
    let modes = |i: usize| if (i * 7919) % 10 < 3 { 106.0 } else { 100.0 };
    assert_eq!(places(&history(modes, 150)), [0; 0]);
    let third = places(&history(|i| modes(i) * if i < 90 { 1.0 } else { 1.2 }, 150));
    assert_eq!(third, [90]);
}

#[test]
fn values_around_zero_are_judged_by_their_usual_size() {
    let values: Vec<f64> = (0..80).map(|i| noise(i) * 100.0 + if i < 40 { 0.0 } else { 8.0 }).collect();
    assert_eq!(places(&values), [40]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_values_give_changes_in_order(values in proptest::collection::vec(0.0..1e6f64, 0..60)) {
        let changes = look_back(&values, &Settings::default()).unwrap();
        prop_assert!(changes.windows(2).all(|pair| pair[0].at + SHORTEST <= pair[1].at));
        for change in &changes {
            prop_assert!(change.at >= SHORTEST && change.at + SHORTEST <= values.len());
            prop_assert!(change.range.0 <= change.at && change.at <= change.range.1);
            prop_assert!(change.relative.abs() >= 0.0 && change.relative.is_finite());
        }
    }

    #[test]
    fn the_unit_does_not_matter(level in 1e-6..1e9f64) {
        let values = history(|i| level * if i < 30 { 1.0 } else { 0.9 }, 60);
        prop_assert_eq!(places(&values), places(&history(|i| if i < 30 { 1.0 } else { 0.9 }, 60)));
    }
}
