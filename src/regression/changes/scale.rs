//! The scale on which changes are looked for: logarithms, so that a change is a ratio.

use super::SeriesError;
use super::robust::median;

/// A series on the scale of its changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaled {
    pub y: Vec<f64>,
    ratios: bool,
}

impl Scaled {
    /// Where every value is above zero a difference of 0.01 is 1 %. Where one is not, values are divided by the
    /// median of their sizes, and a difference of 0.01 is 1 % of that.
    pub(super) fn of(values: &[f64]) -> Result<Self, SeriesError> {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(SeriesError::NotFinite { index });
        }
        if values.iter().all(|&value| value > 0.0) {
            return Ok(Self { y: values.iter().map(|value| value.ln()).collect(), ratios: true });
        }
        let sizes: Vec<f64> = values.iter().map(|value| value.abs()).filter(|&size| size > 0.0).collect();
        let unit = median(&sizes).unwrap_or(1.0);
        Ok(Self { y: values.iter().map(|value| value / unit).collect(), ratios: false })
    }

    /// A difference on this scale as a relative change: 0.05 is 5 % more.
    pub(super) fn relative(&self, difference: f64) -> f64 {
        if self.ratios { difference.exp_m1() } else { difference }
    }

    /// A relative change as a difference on this scale, for growth.
    pub(super) fn difference(&self, relative: f64) -> f64 {
        if self.ratios { relative.ln_1p() } else { relative }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ratios_where_all_values_allow_them() {
        let scaled = Scaled::of(&[100.0, 105.0]).unwrap();
        assert!((scaled.relative(scaled.y[1] - scaled.y[0]) - 0.05).abs() < 1e-12);
        assert!((scaled.difference(0.05) - (scaled.y[1] - scaled.y[0])).abs() < 1e-12);
    }

    #[test]
    fn zero_and_less_are_measured_by_the_usual_size() {
        let scaled = Scaled::of(&[0.0, -2.0, 2.0]).unwrap();
        assert_eq!(scaled.y, [0.0, -1.0, 1.0]);
        assert_eq!(scaled.relative(0.5), 0.5);
        assert_eq!(Scaled::of(&[0.0, 0.0]).unwrap().y, [0.0, 0.0]);
    }

    #[test]
    fn what_is_no_number_is_named() {
        assert_eq!(Scaled::of(&[1.0, f64::NAN]), Err(SeriesError::NotFinite { index: 1 }));
    }
}
