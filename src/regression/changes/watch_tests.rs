#![allow(clippy::unwrap_used)]

use super::*;

/// Noise of about 1 %.
fn noise(i: usize) -> f64 {
    let hashed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let uniform = |shift: u32| f64::from((hashed >> shift) as u16) / 65536.0 - 0.5;
    0.01 * (uniform(0) + uniform(16) + uniform(32) + uniform(48)) * 3f64.sqrt()
}

/// The alarms, each with the build that raised it.
fn alarms(level: impl Fn(usize) -> f64, builds: usize) -> Vec<(usize, Change)> {
    let mut watch = Watch::new(Settings::default());
    let judged = (0..builds).filter_map(|i| Some((i, watch.push(level(i) * noise(i).exp()).unwrap()?)));
    judged.collect()
}

#[test]
fn a_step_is_told_once_with_its_third_build() {
    let found = alarms(|i| if i < 40 { 200.0 } else { 220.0 }, 90);
    let [(build, change)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((*build, change.at), (42, 40));
    assert!((change.relative - 0.1).abs() < 0.02, "{change:?}");
    assert!(matches!(change.evidence, Evidence::Ranks(p) if p < 0.001));
}

/// The shares of all widths that may be judged never exceed the whole, whoever leaves his to whom.
#[test]
fn a_width_that_cannot_show_so_little_leaves_its_share_to_the_next() {
    for series in [1.0, 10.0, 218.0, 2000.0] {
        let spend = 0.1 / series;
        for t in 1..400 {
            let all: f64 = widths(t, spend).iter().map(|(_, allowed)| allowed).sum();
            assert!(all <= spend / t as f64 * (1.0 + 1e-9), "{series} {t}");
        }
    }
    assert_eq!(widths(60, 0.1).first(), Some(&(3, 0.1 * 0.5 / 60.0)));
    assert_eq!(widths(70, 0.1 / 218.0).first().map(|(width, _)| *width), Some(4));
    assert!((least(3, 30) * 5456.0 - 1.0).abs() < 1e-12);
    assert_eq!(fewest_watched(&Settings::default()), 13);
    assert!(fewest_watched(&Settings::default().shared(218)) <= 20);
}

/// A family of lines costs some builds, not the finding.
#[test]
fn among_250_lines_a_step_is_told_within_eight_builds() {
    let settings = Settings::default().shared(250);
    for from in [30, 40, 60, 100] {
        let mut watch = Watch::new(settings);
        let level = |i: usize| if i < from { 200.0 } else { 220.0 };
        let told: Vec<usize> =
            (0..from + 20).filter(|&i| watch.push(level(i) * noise(i).exp()).unwrap().is_some()).collect();
        assert!(matches!(told[..], [build] if (from + 3..from + 8).contains(&build)), "{from}: {told:?}");
    }
}

#[test]
fn a_step_and_its_fix_are_two() {
    let found = alarms(|i| if (40..70).contains(&i) { 115.0 } else { 100.0 }, 110);
    let places: Vec<_> = found.iter().map(|(_, change)| (change.at, change.relative > 0.0)).collect();
    assert_eq!(places, [(40, true), (70, false)]);
}

#[test]
fn one_or_two_far_builds_are_no_change() {
    assert_eq!(alarms(|i| if i % 20 < 1 { 150.0 } else { 100.0 }, 200), []);
    assert_eq!(alarms(|i| if [60, 61].contains(&i) { 150.0 } else { 100.0 }, 120), []);
}

#[test]
fn what_came_and_went_by_itself_is_not_told_again() {
    let excursion = |i: usize| [50, 90, 130].iter().any(|&from| (from..from + 2).contains(&i));
    assert_eq!(alarms(|i| if excursion(i) { 130.0 } else { 100.0 }, 160), []);
}

#[test]
fn a_history_that_is_too_short_says_nothing() {
    assert_eq!(alarms(|i| if i < 8 { 100.0 } else { 150.0 }, 12), []);
}

#[test]
fn what_is_no_number_is_refused_and_not_taken_in() {
    let mut watch = Watch::new(Settings::default());
    for i in 0..30 {
        watch.push(100.0 * noise(i).exp()).unwrap();
    }
    assert_eq!(watch.push(f64::NAN), Err(SeriesError::NotFinite { index: 30 }));
    assert_eq!(watch.push(100.0), Ok(None));
}
