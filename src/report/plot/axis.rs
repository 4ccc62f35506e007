//! From values to pixels, and the ticks a reader expects.

use crate::report::quantity::{self, Scale};

/// How values are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Linear,
    Log,
}

/// An axis: values between `low` and `high` lie between the pixels `from` and `to`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    layout: Layout,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

/// Where a label stands on an axis.
pub(super) type Tick = (f64, String);

impl Axis {
    /// From 0 to a little above the largest value. Whatever the values are, the axis has a length.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let most = usable(values).fold(0.0, f64::max);
        let high = if most > 0.0 { most * 1.06 } else { 1.0 };
        Self { layout: Layout::Linear, low: 0.0, high, from: pixels.0, to: pixels.1 }
    }

    /// Between these two.
    pub(super) fn between(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 1.0, low + 1.0) };
        Self { layout: Layout::Linear, low, high, from: pixels.0, to: pixels.1 }
    }

    /// Logarithmic around all values above zero, at least a factor of two long; around 1 where there are none.
    pub(super) fn log(values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let (low, high) = usable(values)
            .filter(|v| *v > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if high > 0.0 { (low, high) } else { (1.0, 1.0) };
        // A tenth of its length on either side, and a factor of 2 in all.
        let pad = ((high / low).ln() * 0.05).max((2.0_f64.ln() - (high / low).ln()) / 2.0).max(0.02).exp();
        Self { layout: Layout::Log, low: low / pad, high: high * pad, from: pixels.0, to: pixels.1 }
    }

    /// The pixel of a value; what lies outside is put at the end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.layout {
            Layout::Linear => (value - self.low) / (self.high - self.low),
            Layout::Log if value > 0.0 => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
            Layout::Log => 0.0,
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self.from + (self.to - self.from) * share
    }

    /// The pixel of its lower end.
    pub(super) fn first(&self) -> f64 {
        self.from
    }

    /// The pixel of its upper end.
    pub(super) fn last(&self) -> f64 {
        self.to
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Ticks with the unit in each label: a logarithmic axis may span several scales.
    pub(super) fn ticks(&self, unit: &str) -> Vec<Tick> {
        match self.layout {
            Layout::Linear => {
                let scale = quantity::scale(unit, self.low.abs().max(self.high.abs()));
                self.linear_ticks(&scale)
            }
            Layout::Log => {
                let values = if unit.starts_with("bytes") { self.powers_of_two() } else { self.decades() };
                let show = |v: f64| round_number(v * quantity::scale(unit, v * 1.000_001).factor);
                values
                    .into_iter()
                    .map(|v| {
                        let name = quantity::scale(unit, v * 1.000_001).name;
                        (v, if name.is_empty() { show(v) } else { format!("{} {name}", show(v)) })
                    })
                    .collect()
            }
        }
    }

    /// Ratio ticks: `0.5×`, `1×`, `2×`.
    pub(super) fn ratio_ticks(&self) -> Vec<Tick> {
        self.decades().into_iter().map(|v| (v, format!("{}×", round_number(v)))).collect()
    }

    /// Percentages, with their sign.
    pub(super) fn percent_ticks(&self) -> Vec<Tick> {
        let ticks = self.linear_ticks(&Scale { factor: 1.0, name: String::new() });
        let sign = |v: f64| {
            if v > 0.0 {
                "+"
            } else if v < 0.0 {
                "−"
            } else {
                ""
            }
        };
        ticks.into_iter().map(|(v, _)| (v, format!("{}{} %", sign(v), round_number(v.abs())))).collect()
    }

    fn linear_ticks(&self, scale: &Scale) -> Vec<Tick> {
        let (low, high) = (self.low * scale.factor, self.high * scale.factor);
        let step = nice((high - low) / 5.0);
        let first = (low / step).ceil();
        let values = (0..12).map(|i| (first + f64::from(i)) * step).take_while(|v| *v <= high);
        let label = |v: f64| {
            let number = round_number(v);
            if scale.name.is_empty() { number } else { format!("{number} {}", scale.name) }
        };
        values.map(|v| (v / scale.factor, label(v))).collect()
    }

    /// 1, 2 and 5 of each decade while these are few, 1 alone where there are many, more where the axis is short.
    fn decades(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = match decades {
            d if d < 0.8 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
            d if d < 2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let from = self.low.log10().floor() as i32;
        let to = self.high.log10().ceil() as i32;
        let every = usize::try_from((to - from) / 12 + 1).unwrap_or(1);
        let all = (from..=to).step_by(every).flat_map(|e| steps.iter().map(move |s| s * 10_f64.powi(e)));
        let mut all: Vec<f64> = all.filter(|v| self.holds(*v)).collect();
        // What lies before the first decade would have no tick to its left.
        let before = [1.0, 2.0, 5.0].map(|s| s * 10_f64.powi(from)).into_iter().find(|v| self.holds(*v));
        if let (Some(before), 1) = (before, every)
            && all.first().is_none_or(|first| before * 1.9 < *first)
        {
            all.insert(0, before);
        }
        all
    }

    fn powers_of_two(&self) -> Vec<f64> {
        let (from, to) = (self.low.log2().floor() as i32, self.high.log2().ceil() as i32);
        let every = usize::try_from((to - from) / 8 + 1).unwrap_or(1);
        let aligned = from.div_euclid(every as i32) * every as i32;
        (aligned..=to).step_by(every).map(|e| 2_f64.powi(e)).filter(|v| self.holds(*v)).collect()
    }
}

fn usable(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.filter(|v| v.is_finite() && v.abs() < 1e200)
}

/// The next of 1, 2, 5, 10, … that is not below.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|t| t * decade >= step * 0.999_999);
    times.unwrap_or(10.0) * decade
}

/// `0.5`, `2`, `1500`: no digits that are not needed.
fn round_number(value: f64) -> String {
    let text = quantity::number(value, 3);
    let (digits, power) = text.find('e').map_or((text.as_str(), ""), |at| text.split_at(at));
    if digits.contains('.') {
        return format!("{}{power}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_have_units() {
        let axis = Axis::from_zero([1312.0].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ticks("ms")), ["0 s", "0.5 s", "1 s"]);
        let axis = Axis::log([1.0, 1312.0].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ticks("ms")), ["1 ms", "10 ms", "100 ms", "1 s"]);
        let axis = Axis::log([2.6, 1312.0].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ticks("ms")), ["2 ms", "10 ms", "100 ms", "1 s"]);
        let axis = Axis::log([2e6, 3.6e8].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ticks("bytes")), ["4 MiB", "16 MiB", "64 MiB", "256 MiB"]);
        let axis = Axis::log([0.98, 8.2].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ratio_ticks()), ["1×", "2×", "5×"]);
        let axis = Axis::log([1e-10, 1e12].into_iter(), (0.0, 100.0));
        assert_eq!(labels(&axis.ratio_ticks())[..2], ["1e-9×", "1e-6×"]);
        let axis = Axis::between(-12.0, 30.0, (0.0, 100.0));
        assert_eq!(labels(&axis.percent_ticks()), ["−10 %", "0 %", "+10 %", "+20 %", "+30 %"]);
    }

    proptest! {
        #[test]
        fn any_values_give_an_axis_with_ticks_inside(values in proptest::collection::vec(
            prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), 1e-300..1e300_f64, 0.0..1e6_f64], 0..6)
        ) {
            for axis in [Axis::from_zero(values.iter().copied(), (10.0, 90.0)), Axis::log(values.iter().copied(), (10.0, 90.0))] {
                for unit in ["ms", "bytes", "1", "calls/s"] {
                    let ticks = axis.ticks(unit);
                    prop_assert!(ticks.len() <= 40, "{} ticks", ticks.len());
                    for (value, _) in &ticks {
                        prop_assert!((10.0..=90.0).contains(&axis.at(*value)));
                    }
                }
                for value in &values {
                    prop_assert!((10.0..=90.0).contains(&axis.at(*value)));
                }
            }
        }
    }
}
