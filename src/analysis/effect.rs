//! A ratio in words.

use super::matters::Smallest;
use super::pair::{Pair, unresolved};
use super::summary::{Effect, Estimate, Interval};

/// How well a metric can be told apart from itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    /// Any change is a fact.
    pub exact: bool,
    /// The least its source can show, in its unit: a difference below it is not stated.
    pub resolution: f64,
    /// The least that matters.
    pub smallest: Option<Smallest>,
}

/// What the pairs and their estimate say.
pub(super) fn of(pairs: &[Pair], estimate: &Estimate, grain: Grain) -> Effect {
    let above = pairs.iter().filter(|pair| pair.value > pair.control).count();
    let below = pairs.iter().filter(|pair| pair.value < pair.control).count();
    let unresolved = !grain.exact && unresolved(pairs, grain.resolution);
    let words = if grain.exact {
        factor(estimate.value)
    } else if unresolved {
        "no difference that its source could show".to_owned()
    } else {
        words(pairs, estimate, (above, below), grain.smallest)
    };
    let small = estimate.interval.zip(grain.smallest);
    let small = small.is_some_and(|(interval, smallest)| too_small(pairs, interval, smallest));
    let count = |blocks: usize| u32::try_from(blocks).unwrap_or(u32::MAX);
    Effect {
        above: count(above),
        below: count(below),
        equal: count(pairs.len() - above - below),
        unresolved,
        small,
        words,
    }
}

fn words(
    pairs: &[Pair],
    estimate: &Estimate,
    (above, below): (usize, usize),
    smallest: Option<Smallest>,
) -> String {
    let Some(interval) = estimate.interval else {
        return format!("{}, from too few blocks to be sure", factor(estimate.value));
    };
    if interval.low <= 1.0 && 1.0 <= interval.high {
        return format!(
            "no difference seen, between {} and {}",
            percent(interval.low),
            percent(interval.high)
        );
    }
    let (side, count) = if estimate.value > 1.0 { ("above", above) } else { ("below", below) };
    let text = format!("{}, {side} it in {count} of {} blocks", factor(estimate.value), pairs.len());
    match smallest {
        Some(smallest) if too_small(pairs, interval, smallest) => format!("{text}; too little to matter"),
        _ => text,
    }
}

/// Is even the far end of the interval less than what matters?
fn too_small(pairs: &[Pair], interval: Interval, smallest: Smallest) -> bool {
    let control = pairs.iter().map(|pair| pair.control).sum::<f64>() / pairs.len() as f64;
    let most = smallest.of(control);
    interval.low > 1.0 / (1.0 + most) && interval.high < 1.0 + most
}

/// Near one in per cent, further off as a factor.
fn factor(ratio: f64) -> String {
    match ratio {
        1.0 => "as much as the control".to_owned(),
        0.67..1.5 => format!("{} than the control", percent(ratio)),
        0.1..10.0 => format!("{ratio:.2} times the control's"),
        0.001..1000.0 => format!("{} times the control's", super::figure(ratio)),
        _ => format!("{ratio:.1e} times the control's"),
    }
}

fn percent(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let digits = if percent.abs() < 9.95 { 1 } else { 0 };
    format!("{:.digits$} % {}", percent.abs(), if percent < 0.0 { "less" } else { "more" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: f64, low: f64, high: f64) -> String {
        let control = 100.0;
        let pairs = vec![Pair { value: value * control, control }; 10];
        let estimate = Estimate { value, interval: Some(Interval { low, high }) };
        of(&pairs, &estimate, grain(0.0, Some(Smallest { relative: 0.05, absolute: 0.0 }))).words
    }

    fn grain(resolution: f64, smallest: Option<Smallest>) -> Grain {
        Grain { exact: false, resolution, smallest }
    }

    #[test]
    fn what_is_below_the_resolution_is_not_stated() {
        let estimate = Estimate { value: 1.5, interval: Some(Interval { low: 1.4, high: 1.6 }) };
        let pairs = [Pair { value: 1.5, control: 1.0 }; 8];
        let of = |resolution| of(&pairs, &estimate, grain(resolution, None)).words;
        assert_eq!(of(0.6), "no difference that its source could show");
        assert!(of(0.4).starts_with("1.50 times"), "{}", of(0.4));
        assert!(super::of(&pairs, &estimate, grain(0.6, None)).unresolved);
    }

    #[test]
    fn each_case_has_its_clause() {
        assert_eq!(said(2.9, 2.8, 3.0), "2.90 times the control's, above it in 10 of 10 blocks");
        assert_eq!(said(0.9, 0.88, 0.91), "10 % less than the control, below it in 10 of 10 blocks");
        assert_eq!(
            said(1.02, 1.01, 1.03),
            "2.0 % more than the control, above it in 10 of 10 blocks; too little to matter"
        );
        assert_eq!(said(1.02, 0.99, 1.05), "no difference seen, between 1.0 % less and 5.0 % more");
        assert_eq!(said(123.4, 120.0, 125.0), "123.4 times the control's, above it in 10 of 10 blocks");
        let pairs = [Pair { value: 3.0, control: 1.0 }, Pair { value: 1.0, control: 1.0 }];
        let few = of(&pairs, &Estimate { value: 2.0, interval: None }, grain(0.0, None));
        assert_eq!(few.words, "2.00 times the control's, from too few blocks to be sure");
        assert_eq!((few.above, few.below, few.equal), (1, 0, 1));
        assert!(!few.small && !few.unresolved);
        let same =
            of(&pairs, &Estimate { value: 1.0, interval: None }, Grain { exact: true, ..grain(0.0, None) });
        assert_eq!(same.words, "as much as the control");
    }
}
