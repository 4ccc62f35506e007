//! Order statistics.

/// A copy in rising order. Values are finite, or NaN would come last.
#[must_use]
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The median of values in rising order: the middle one, or the mean of the middle two.
#[must_use]
pub fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// The median of values in any order.
#[must_use]
pub fn median_of(values: &[f64]) -> Option<f64> {
    median(&sorted(values))
}

/// The quantile of values in rising order, linear between neighbours (type 7 of Hyndman and Fan 1996).
#[must_use]
pub fn quantile(sorted: &[f64], quantile: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = quantile.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let low = sorted[below];
    let high = sorted[(below + 1).min(last)];
    Some(low + (high - low) * (at - at.floor()))
}

/// The smallest number from `low` to `high` at which `holds`, which from there on does; in at most 64 steps.
#[must_use]
pub fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (to_ordered(low), to_ordered(high));
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(from_ordered(middle)) { high = middle } else { low = middle + 1 }
    }
    from_ordered(low)
}

/// The number in the middle of the representable ones between two; `None` where there is none.
#[must_use]
pub fn midway(low: f64, high: f64) -> Option<f64> {
    let (low, high) = (to_ordered(low), to_ordered(high));
    let middle = low + high.checked_sub(low)? / 2;
    (middle > low).then(|| from_ordered(middle))
}

/// Numbers in the order of the values: the sign's bit flipped, and all bits of negative values.
fn to_ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
}

fn from_ordered(number: u64) -> f64 {
    f64::from_bits(if number >> 63 == 1 { number & !(1 << 63) } else { !number })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians_and_quantiles_of_few() {
        assert_eq!(median(&[]), None);
        assert_eq!(median_of(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median_of(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(quantile(&[], 0.5), None);
        // R: quantile(c(1, 2, 4, 8), c(0, .1, .5, .9, 1))
        let four = [1.0, 2.0, 4.0, 8.0];
        let found = [0.0, 0.1, 0.5, 0.9, 1.0].map(|q| quantile(&four, q).unwrap());
        for (found, expected) in found.iter().zip([1.0, 1.3, 3.0, 6.8, 8.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    proptest! {
        #[test]
        fn half_lies_on_either_side(values in proptest::collection::vec(-1e9..1e9f64, 1..60)) {
            let median = median_of(&values).unwrap();
            let below = values.iter().filter(|&&value| value < median).count();
            let above = values.iter().filter(|&&value| value > median).count();
            prop_assert!(2 * below <= values.len() && 2 * above <= values.len());
            prop_assert!((quantile(&sorted(&values), 0.5).unwrap() - median).abs() <= 1e-6);
        }

        #[test]
        fn the_order_of_numbers_is_the_order_of_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(from_ordered(to_ordered(a)).to_bits(), a.to_bits());
            prop_assert_eq!(a.total_cmp(&b), to_ordered(a).cmp(&to_ordered(b)));
        }
    }
}
