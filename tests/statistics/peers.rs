//! The procedures of hyperfine, Criterion and benchstat, written again from their documentation.

use isocost::analysis::statistics::{order, rank_sum};

use super::host::Random;

/// What a tool's reader concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Slower,
    Faster,
    Nothing,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// hyperfine's summary: the ratio of the means ± its propagated standard deviation. There is no test; its reader takes a
/// ratio that is more than that ± away from 1 for a difference.
pub(crate) fn hyperfine(base: &[f64], new: &[f64]) -> Call {
    let ratio = mean(new) / mean(base);
    let relative = |values: &[f64]| variance(values) / mean(values).powi(2);
    let deviation = ratio * (relative(base) + relative(new)).sqrt();
    match ratio - 1.0 {
        change if change > deviation => Call::Slower,
        change if change < -deviation => Call::Faster,
        _ => Call::Nothing,
    }
}

/// So many instead of Criterion's 100 000: the p and the ends of the interval are then right to a third of a per cent.
const RESAMPLES: usize = 2000;

/// Criterion's comparison with a saved baseline: a bootstrap t test of no difference at 5 %, and a change only where the
/// bootstrap interval of the relative change of the mean lies beyond the noise threshold of 1 %.
pub(crate) fn criterion(base: &[f64], new: &[f64], random: &mut Random) -> Call {
    let t = |a: &[f64], b: &[f64]| {
        (mean(a) - mean(b)) / (variance(a) / a.len() as f64 + variance(b) / b.len() as f64).sqrt()
    };
    let seen = t(new, base);
    let pooled = [base, new].concat();
    let mut below = 0;
    let mut changes = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let mut draw = |from: &[f64], size: usize| -> Vec<f64> {
            (0..size).map(|_| from[random.below(from.len())]).collect()
        };
        below += usize::from(t(&draw(&pooled, new.len()), &draw(&pooled, base.len())) < seen);
        changes.push(mean(&draw(new, new.len())) / mean(&draw(base, base.len())) - 1.0);
    }
    let p = 2.0 * below.min(RESAMPLES - below) as f64 / RESAMPLES as f64;
    changes.sort_by(f64::total_cmp);
    let (low, high) = (order::quantile(&changes, 0.025).unwrap(), order::quantile(&changes, 0.975).unwrap());
    match () {
        () if p >= 0.05 => Call::Nothing,
        () if low > 0.01 && high > 0.01 => Call::Slower,
        () if low < -0.01 && high < -0.01 => Call::Faster,
        () => Call::Nothing,
    }
}

/// benchstat: the Mann-Whitney test at 5 %, and the ratio of the medians where it refuses.
pub(crate) fn benchstat(base: &[f64], new: &[f64]) -> Call {
    if base.len() < 4 || new.len() < 4 || rank_sum::p(base, new) > 0.05 {
        return Call::Nothing;
    }
    let medians = (order::median_of(base).unwrap(), order::median_of(new).unwrap());
    match medians {
        (base, new) if new > base => Call::Slower,
        (base, new) if new < base => Call::Faster,
        _ => Call::Nothing,
    }
}

#[test]
fn each_finds_what_nobody_can_miss_and_nothing_in_nothing() {
    let mut random = Random::new(1);
    let base: Vec<f64> = (0..20).map(|_| 100.0 + random.normal()).collect();
    let twice: Vec<f64> = base.iter().map(|value| value * 2.0).collect();
    for (new, slower, faster) in [(&twice, Call::Slower, Call::Faster), (&base, Call::Nothing, Call::Nothing)]
    {
        assert_eq!((hyperfine(&base, new), hyperfine(new, &base)), (slower, faster));
        assert_eq!((benchstat(&base, new), benchstat(new, &base)), (slower, faster));
        let calls = (criterion(&base, new, &mut random), criterion(new, &base, &mut random));
        assert_eq!(calls, (slower, faster));
    }
}
