#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 5e-5, "{found} is not {expected}");
}

#[test]
fn dips_that_others_have_published() {
    // Values from the tests of the R package diptest 0.75.
    near(dip(&[1.0, 1.0, 2.0, 2.0]), 0.25);
    near(dip(&[0.0, 1.0, 3.0, 6.0]), 0.125);
    near(dip(&[0.0, 2.0, 3.0, 5.0, 6.0]), 0.4 / 3.0);
    near(dip(&[0.0, 1.0, 3.0, 4.0, 6.0]), 0.4 / 3.0);
    near(dip(&[1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]), 0.05);
    // Quality of 63 statistics faculties (Hartigan and Hartigan 1985).
    let faculties = [
        30, 33, 35, 36, 37, 37, 39, 39, 39, 39, 39, 40, 40, 40, 40, 41, 42, 43, 43, 43, 44, 44, 45, 45, 46,
        47, 47, 48, 48, 48, 49, 50, 50, 51, 52, 52, 53, 53, 53, 53, 53, 54, 54, 57, 57, 59, 60, 60, 60, 61,
        61, 61, 61, 62, 62, 62, 62, 63, 66, 70, 72, 72, 72,
    ];
    near(dip(&faculties.map(f64::from)), 0.059_523_8);
}

#[test]
fn two_clusters_are_seen_and_spikes_are_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut values: Vec<f64> =
        (0..30).map(|i| if i % 3 == 0 { 140.0 } else { 100.0 } + uniform(&mut rng)).collect();
    values.sort_by(f64::total_cmp);
    let modes = two(&values, 0.001).unwrap();
    assert_eq!((modes.low_count, modes.high_count), (20, 10));
    assert!((modes.low - 100.5).abs() < 0.5 && (modes.high - 140.5).abs() < 0.5);
    assert_eq!(two(&values, 20.0), None, "two steps of a coarse clock");
    let mut spiked: Vec<f64> =
        (0..30).map(|i| if i % 15 == 0 { 150.0 } else { 100.0 } + uniform(&mut rng)).collect();
    spiked.sort_by(f64::total_cmp);
    assert_eq!(two(&spiked, 0.001), None);
    assert_eq!(two(&[5.0; 40], 0.001), None);
}

#[test]
fn one_mode_is_refused_about_once_in_a_thousand() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for n in [10, 17, 40] {
        let alarms = (0..4000).filter(|_| {
            let mut values: Vec<f64> = (0..n).map(|_| uniform(&mut rng)).collect();
            values.sort_by(f64::total_cmp);
            two(&values, 0.0).is_some()
        });
        let alarms = alarms.count();
        assert!(alarms <= 14, "{alarms} of 4000 at n = {n}");
    }
}

/// The dip by its definition, tried for each place of the mode: the least band that a convex and a concave piece fit.
fn by_definition(sorted: &[f64]) -> f64 {
    let steps = Steps::of(sorted);
    let (mut low, mut high) = (0.5 / sorted.len() as f64, 1.0);
    if (0..steps.at.len()).any(|mode| fits(&steps, mode, low + 1e-12)) {
        return low;
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if (0..steps.at.len()).any(|mode| fits(&steps, mode, middle)) { high = middle } else { low = middle }
    }
    high
}

fn fits(steps: &Steps, mode: usize, band: f64) -> bool {
    let n = steps.at.len();
    let mirrored = Steps {
        at: steps.at.iter().rev().map(|x| -x).collect(),
        before: steps.after.iter().rev().map(|y| 1.0 - y).collect(),
        after: steps.before.iter().rev().map(|y| 1.0 - y).collect(),
    };
    match (least_at(steps, mode, band), least_at(&mirrored, n - 1 - mode, band)) {
        (Some(left), Some(right)) => left <= 1.0 - right + 1e-12,
        _ => false,
    }
}

/// The least that a convex function within the band left of the mode can be at the mode.
fn least_at(steps: &Steps, mode: usize, band: f64) -> Option<f64> {
    let top = |i: usize| steps.before[i] + band;
    let bottom = |i: usize| steps.after[i] - band;
    let mut least = if mode == 0 { 0.0 } else { bottom(mode - 1) };
    for j in 0..mode {
        if bottom(j) > top(j) + 1e-12 {
            return None;
        }
        for i in 0..j {
            let slope = (bottom(j) - top(i)) / (steps.at[j] - steps.at[i]);
            for k in j + 1..=mode {
                let reached = bottom(j) + slope * (steps.at[k] - steps.at[j]);
                if reached > top(k) + 1e-12 {
                    return None;
                }
                if k == mode {
                    least = least.max(reached);
                }
            }
        }
    }
    (least <= top(mode) + 1e-12).then_some(least)
}

proptest! {
    #[test]
    fn the_dip_is_what_its_definition_gives(
        values in proptest::collection::vec(prop_oneof![0.0..10.0f64, (0u8..6).prop_map(f64::from)], 1..10),
    ) {
        let sorted = order::sorted(&values);
        let (found, expected) = (dip(&sorted), by_definition(&sorted));
        prop_assert!((found - expected).abs() < 1e-9, "{found} {expected} {sorted:?}");
    }

    #[test]
    fn neither_scale_nor_direction_matter(values in proptest::collection::vec(-10.0..10.0f64, 1..60)) {
        let sorted = order::sorted(&values);
        let turned = order::sorted(&values.iter().map(|value| 3.0 - 2.0 * value).collect::<Vec<_>>());
        prop_assert!((dip(&sorted) - dip(&turned)).abs() < 1e-9);
        let least = 0.5 / values.len() as f64;
        prop_assert!(dip(&sorted) <= least.max(0.25) + 1e-12 && dip(&sorted) >= least - 1e-12);
    }
}

/// Prints the table [`CRITICAL`].
#[test]
#[ignore = "makes the table of critical values: half a minute in a release build"]
fn dip_of_uniform_values() {
    let mut rng = ChaCha8Rng::seed_from_u64(1985);
    for n in [10usize, 12, 15, 20, 30, 50, 100, 200, 500, 1000, 5000] {
        let trials = (20_000_000 / n).clamp(20_000, 400_000);
        let dips: Vec<f64> = (0..trials)
            .map(|_| {
                let mut values: Vec<f64> = (0..n).map(|_| uniform(&mut rng)).collect();
                values.sort_unstable_by(f64::total_cmp);
                dip(&values) * (n as f64).sqrt()
            })
            .collect();
        let sorted = order::sorted(&dips);
        let [five, one, tenth] = [0.95, 0.99, 0.999].map(|q| order::quantile(&sorted, q).unwrap());
        println!("({n}, {tenth:.4}), // 5 %: {five:.4}, 1 %: {one:.4}");
    }
}
