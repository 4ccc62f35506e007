//! How far a value is from the others, by measures that a few far ones cannot move.

use super::order;

/// Φ⁻¹(¾)⁻¹: makes the median absolute deviation of normal values their standard deviation.
const TO_DEVIATION: f64 = 1.482_602_218_505_602;

/// Centre and scale of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Their median.
    pub centre: f64,
    /// 1.4826 · MAD, at least the resolution of what measured them; 0 where neither is known.
    pub deviation: f64,
}

impl Scale {
    /// Of values in rising order; `None` for no values.
    #[must_use]
    pub fn of(sorted: &[f64], resolution: f64) -> Option<Self> {
        let centre = order::median(sorted)?;
        let distances: Vec<f64> = sorted.iter().map(|value| (value - centre).abs()).collect();
        let deviation = TO_DEVIATION * order::median_of(&distances)?;
        Some(Self { centre, deviation: deviation.max(resolution) })
    }

    /// The robust z of a value (Iglewicz and Hoaglin 1993). 0 where the scale is not known: nothing can be said then.
    #[must_use]
    pub fn z(&self, value: f64) -> f64 {
        if self.deviation > 0.0 { (value - self.centre) / self.deviation } else { 0.0 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_far_value_does_not_hide_itself() {
        let values = [10.0, 10.1, 10.2, 10.3, 10.4, 1000.0];
        let scale = Scale::of(&values, 0.0).unwrap();
        assert!((scale.centre - 10.25).abs() < 1e-12);
        assert!(scale.z(1000.0) > 3.5 && values[..5].iter().all(|&value| scale.z(value).abs() < 3.5));
    }

    #[test]
    fn the_resolution_is_the_least_scale() {
        let ticks = [40.0, 40.0, 40.0, 40.0, 50.0];
        assert!((Scale::of(&ticks, 10.0).unwrap().z(50.0) - 1.0).abs() < 1e-12);
        assert_eq!(Scale::of(&ticks, 0.0).unwrap().z(50.0), 0.0);
        assert_eq!(Scale::of(&[], 1.0), None);
    }
}
