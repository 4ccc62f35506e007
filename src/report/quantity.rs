//! Numbers as people read them: `141 ms [138–144]`, `345 MiB`, `7.9×`.

use crate::analysis::{Estimate, Interval};

/// Digits after the point that tell a ratio from 1, at most.
const MOST_DECIMALS: usize = 6;

/// What a value is multiplied with, and what it is then called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// Value times this is the number shown.
    pub factor: f64,
    /// `ms`, `MiB/s`, `million calls/s`.
    pub name: String,
}

const BINARY: [(f64, &str); 5] = [
    (1.0, "B"),
    (1024.0, "KiB"),
    (1_048_576.0, "MiB"),
    (1_073_741_824.0, "GiB"),
    (1_099_511_627_776.0, "TiB"),
];
const TIME_NS: [(f64, &str); 5] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (6e10, "min")];
const COUNT: [(f64, &str); 4] = [(1.0, ""), (1e3, "thousand "), (1e6, "million "), (1e9, "billion ")];

/// The scale in which a value as large as `largest` is read most easily; `unit` as in the catalogue.
pub(super) fn scale(unit: &str, largest: f64) -> Scale {
    let of = |steps: &[(f64, &str)], base: f64, rest: &str| {
        let (size, name) = step(steps, largest * base);
        Scale { factor: base / size, name: format!("{name}{rest}") }
    };
    match unit {
        "ms" => of(&TIME_NS, 1e6, ""),
        "ns" => of(&TIME_NS, 1.0, ""),
        "bytes" => of(&BINARY, 1.0, ""),
        "bytes/s" => of(&BINARY, 1.0, "/s"),
        "1" => Scale { factor: 1.0, name: String::new() },
        _ => match (unit.strip_prefix("ns/"), unit.strip_suffix("/s")) {
            (Some(of_what), _) => of(&TIME_NS, 1.0, &format!("/{of_what}")),
            (_, Some(what)) => of(&COUNT, 1.0, &format!("{what}/s")),
            _ => Scale { factor: 1.0, name: unit.to_owned() },
        },
    }
}

/// The largest step that leaves at least one before the point; the first where none does.
fn step<'a>(steps: &[(f64, &'a str)], value: f64) -> (f64, &'a str) {
    let fits = |(size, _): &&(f64, &str)| value.abs() >= *size;
    steps.iter().rev().find(fits).or(steps.first()).copied().unwrap_or((1.0, ""))
}

/// A value with its unit: `141 ms`.
pub(super) fn value(value: f64, unit: &str) -> String {
    let scale = scale(unit, value);
    named(&number(value * scale.factor, 3), &scale.name)
}

/// Two values in one scale: `142.0 → 213.4 ms`; where that would show different ones as equal, whole ones with all
/// their digits, others with as many more as it takes.
#[must_use]
pub fn change(before: f64, after: f64, unit: &str) -> String {
    let scale = scale(unit, before.abs().max(after.abs()));
    let whole = before.fract() == 0.0 && after.fract() == 0.0;
    for digits in 4..=if whole { 4 } else { 9 } {
        let show = |value: f64| number(value * scale.factor, digits);
        let (old, new) = (show(before), show(after));
        if old != new || before == after {
            return named(&format!("{old} → {new}"), &scale.name);
        }
    }
    named(&format!("{before} → {after}"), unit)
}

/// A value with its interval and unit: `141 ms [138–144]`; without interval, as [`value`].
pub(super) fn estimate(estimate: &Estimate, unit: &str) -> String {
    let scale = scale(unit, estimate.value);
    match bounded(estimate, scale.factor) {
        (middle, None) => named(&middle, &scale.name),
        (middle, Some(ends)) => format!("{} [{ends}]", named(&middle, &scale.name)),
    }
}

/// A ratio with its interval: `7.9× [7.7–8.1]`. An end that is not 1 is never shown as 1: whether the interval holds 1 is what
/// readers look for.
pub(super) fn ratio(estimate: &Estimate) -> String {
    let (middle, ends) = shown(estimate, 1.0, |end, text| end == 1.0 || text.parse() != Ok(1.0));
    ends.map_or_else(|| format!("{middle}×"), |ends| format!("{middle}× [{ends}]"))
}

/// How much slower or dearer: the ratio itself where smaller is better, its inverse where bigger is.
pub(super) fn slowdown(ratio: &Estimate, bigger_is_better: bool) -> Estimate {
    if !bigger_is_better {
        return *ratio;
    }
    let turn = |i: Interval| Interval { low: 1.0 / i.high, high: 1.0 / i.low };
    Estimate { value: 1.0 / ratio.value, interval: ratio.interval.map(turn) }
}

fn named(number: &str, name: &str) -> String {
    if name.is_empty() { number.to_owned() } else { format!("{number} {name}") }
}

/// The value and its interval, with the digits that the interval's width is worth: three significant ones of the value where
/// they are no more than two of the width, and always one of the width.
fn bounded(estimate: &Estimate, factor: f64) -> (String, Option<String>) {
    shown(estimate, factor, |_, _| true)
}

/// [`bounded`], with as many more digits as it takes until each end is `told`, within reason.
fn shown(estimate: &Estimate, factor: f64, told: impl Fn(f64, &str) -> bool) -> (String, Option<String>) {
    let middle = estimate.value * factor;
    let Some(Interval { low, high }) = estimate.interval else { return (number(middle, 3), None) };
    let (low, high) = (low * factor, high * factor);
    let usual = decimals(middle, 3);
    let mut digits = match high - low {
        width if width > 0.0 => decimals(width, 2).min(usual).max(decimals(width, 1).min(usual + 2)),
        _ => usual,
    };
    while digits < MOST_DECIMALS && ![low, high].iter().all(|end| told(*end, &fixed(*end, digits))) {
        digits += 1;
    }
    let show = |x: f64| fixed(x, digits);
    (show(middle), Some(format!("{}–{}", show(low), show(high))))
}

/// With that many significant digits, never in powers of ten unless beyond all reason.
pub(super) fn number(value: f64, significant: i32) -> String {
    fixed(value, decimals(value, significant))
}

fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    // Beyond a billion and below a ten-thousandth digits say nothing to a reader.
    if value.abs() >= 1e9 || (value != 0.0 && value.abs() < 1e-4) {
        return format!("{value:.2e}");
    }
    format!("{value:.decimals$}")
}

/// Digits after the point for that many significant ones.
fn decimals(value: f64, significant: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let magnitude = value.abs().log10().floor() as i32;
    usize::try_from((significant - 1 - magnitude).clamp(0, 9)).unwrap_or(0)
}

/// `1 sample`, `2 samples`.
pub(super) fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, interval: Some(Interval { low, high }) }
    }

    #[test]
    fn values_have_units_that_people_use() {
        let cases = [
            (1.2345, "ms", "1.23 ms"),
            (0.0042, "ms", "4.20 µs"),
            (1312.0, "ms", "1.31 s"),
            (345.0 * 1_048_576.0, "bytes", "345 MiB"),
            (2.5e9, "bytes/s", "2.33 GiB/s"),
            (0.25, "ns/byte", "0.250 ns/byte"),
            (1500.0, "ns/process", "1.50 µs/process"),
            (12_300_000.0, "calls/s", "12.3 million calls/s"),
            (0.0, "ms", "0 ns"),
            (3.0, "1", "3.00"),
            (1e300, "ms", "1.67e295 min"),
            (7.0, "what", "7.00 what"),
            (2e-9, "1", "2.00e-9"),
        ];
        for (number, unit, expected) in cases {
            assert_eq!(value(number, unit), expected, "{number} {unit}");
        }
    }

    #[test]
    fn a_change_is_in_one_scale_and_never_looks_like_none() {
        assert_eq!(change(980.0, 1020.0, "ms"), "0.9800 → 1.020 s");
        assert_eq!(change(469_012_473.0, 476_957_975.0, "calls/s"), "469.0 → 477.0 million calls/s");
        assert_eq!(change(5_000_000.0, 5_000_001.0, "bytes"), "5000000 → 5000001 bytes");
        assert_eq!(change(14_037_339.294_382_587, 14_039_040.0, "bytes"), "13.387 → 13.389 MiB");
        assert_eq!(change(3.0, 3.0, "1"), "3.000 → 3.000");
        assert_eq!(change(0.0, 2.0, "what"), "0 → 2.000 what");
    }

    #[test]
    fn an_interval_is_in_its_values_scale_and_has_the_digits_it_needs() {
        assert_eq!(estimate(&with(141.2, 138.1, 144.4), "ms"), "141 ms [138–144]");
        assert_eq!(estimate(&with(141.2, 141.15, 141.26), "ms"), "141.2 ms [141.2–141.3]");
        assert_eq!(estimate(&with(18.9, 7.9, 49.2), "ms"), "19 ms [8–49]");
        assert_eq!(estimate(&with(999.0, 990.0, 1010.0), "ms"), "999 ms [990–1010]");
        assert_eq!(estimate(&with(5.0, 5.0, 5.0), "ms"), "5.00 ms [5.00–5.00]");
        assert_eq!(estimate(&Estimate { value: 2048.0, interval: None }, "bytes"), "2.00 KiB");
        assert_eq!(ratio(&with(7.91, 7.7, 8.12)), "7.91× [7.70–8.12]");
        assert_eq!(ratio(&with(0.554, 0.397, 0.928)), "0.55× [0.40–0.93]");
    }

    #[test]
    fn an_end_that_is_not_1_is_not_shown_as_1() {
        assert_eq!(ratio(&with(1.05, 1.0021, 1.09)), "1.050× [1.002–1.090]");
        assert_eq!(ratio(&with(1.05, 0.9996, 1.09)), "1.0500× [0.9996–1.0900]");
        assert_eq!(ratio(&with(1.05, 1.0, 1.09)), "1.05× [1.00–1.09]");
        assert_eq!(ratio(&with(0.97, 0.94, 0.998)), "0.970× [0.940–0.998]");
        assert_eq!(ratio(&with(1.0, 1.0 - 1e-9, 1.0 + 1e-9)), "1.000000× [1.000000–1.000000]");
        assert_eq!(estimate(&with(1.05, 1.0021, 1.09), "ms"), "1.05 ms [1.00–1.09]");
    }

    #[test]
    fn a_rate_that_halves_is_a_slowdown_of_two() {
        assert_eq!(slowdown(&with(0.5, 0.4, 0.8), true), with(2.0, 1.25, 2.5));
        assert_eq!(slowdown(&with(0.5, 0.4, 0.8), false), with(0.5, 0.4, 0.8));
    }
}
