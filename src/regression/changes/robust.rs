//! What one stray build cannot move: medians, fences, ranks.

use crate::analysis::statistics::order;

/// The median of values in any order.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    order::median_of(values)
}

/// The median of values of which there is at least one.
pub(super) fn level(values: &[f64]) -> f64 {
    median(values).unwrap_or(0.0)
}

/// Tukey's far fence of sizes: the third quartile and three times the distance between the quartiles. Of normal
/// differences it is 3.6 standard deviations.
pub(super) fn fence(sizes: &[f64]) -> f64 {
    let sorted = order::sorted(sizes);
    let quartile = |q| order::quantile(&sorted, q).unwrap_or(0.0);
    quartile(0.75) + 3.0 * (quartile(0.75) - quartile(0.25))
}

/// The median of each `width` values in a row.
pub(super) fn running_medians(values: &[f64], width: usize) -> Vec<f64> {
    if width == 0 || values.len() < width {
        return Vec::new();
    }
    let mut window = order::sorted(&values[..width]);
    let mut medians = Vec::with_capacity(values.len() - width + 1);
    medians.push(order::median(&window).unwrap_or(0.0));
    for next in width..values.len() {
        let gone = window.partition_point(|value| value.total_cmp(&values[next - width]).is_lt());
        window.remove(gone);
        let place = window.partition_point(|value| value.total_cmp(&values[next]).is_lt());
        window.insert(place, values[next]);
        medians.push(order::median(&window).unwrap_or(0.0));
    }
    medians
}

/// Ranks from 0; equal values share the mean of theirs.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut by_value: Vec<usize> = (0..values.len()).collect();
    by_value.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < by_value.len() {
        let same = |&&index: &&usize| values[index] == values[by_value[from]];
        let to = from + by_value[from..].iter().take_while(same).count();
        let shared = (from + to - 1) as f64 / 2.0;
        by_value[from..to].iter().for_each(|&index| ranks[index] = shared);
        from = to;
    }
    ranks
}

/// How much a value says about the next one: the lag-1 correlation of the ranks, less the standard error that
/// independent values would give it; from 0 to 0.9.
pub(super) fn persistence(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 8 {
        return 0.0;
    }
    let ranks = ranks(values);
    let mean = (n - 1) as f64 / 2.0;
    let square: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    if square == 0.0 {
        return 0.0;
    }
    let product: f64 = ranks.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (product / square - 1.0 / (n as f64).sqrt()).clamp(0.0, 0.9)
}

/// How many independent windows `windows` overlapping ones of `width` builds are worth, at this persistence.
///
/// Overlapping windows of independent builds are worth about half as many again as windows that touch; a series
/// whose builds correlate by ρ is worth (1 − ρ)/(1 + ρ) of its length.
pub(super) fn independent(windows: usize, width: usize, persistence: f64) -> f64 {
    1.5 * windows as f64 / width as f64 * (1.0 - persistence) / (1.0 + persistence)
}

/// How much wider than a normal quantile `z` the quantile of Student's t with the same tail is: what a limit has to
/// be multiplied with because it was itself estimated, from `freedom` independent values.
///
/// t² ≈ ν(exp(z²/ν) − 1), Wallace 1959 without its correction: at z = 3.6 it is smaller than t by a fifth for ν = 3, and by less than a
/// tenth from ν = 10 on. The rates in docs/history.md were measured with it as it is.
pub(super) fn prediction(z: f64, freedom: f64) -> f64 {
    let freedom = freedom.max(1.5);
    (freedom * (z * z / freedom).exp_m1()).sqrt() / z
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::statistics::normal;
    use proptest::prelude::*;

    #[test]
    fn the_fence_of_normal_differences_is_3_6_deviations() {
        let sizes: Vec<f64> = (1..2000).map(|i| normal::quantile(f64::from(i) / 2000.0).abs()).collect();
        assert!((fence(&sizes) - 3.65).abs() < 0.05, "{}", fence(&sizes));
    }

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
    }

    #[test]
    fn persistence_sees_a_drift_and_no_alternation() {
        let drift: Vec<f64> = (0..50).map(f64::from).collect();
        let alternating: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
        assert!(persistence(&drift) > 0.7);
        assert_eq!((persistence(&alternating), persistence(&[1.0; 20])), (0.0, 0.0));
    }

    #[test]
    fn the_factor_is_about_that_of_students_t() {
        let tail = normal::cdf(3.6);
        for freedom in [3.0, 5.0, 10.0, 30.0, 300.0] {
            let t = normal::t_quantile(tail, freedom).unwrap();
            let part = prediction(3.6, freedom) * 3.6 / t;
            let least = if freedom < 10.0 { 0.75 } else { 0.9 };
            assert!(least < part && part < 1.02, "{freedom}: {t}, {part}");
        }
    }

    proptest! {
        #[test]
        fn running_medians_are_medians(values in proptest::collection::vec(-9..9i32, 0..40), width in 1..9usize) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let expected: Vec<f64> = values.windows(width).map(level).collect();
            prop_assert_eq!(running_medians(&values, width), expected);
        }
    }
}
