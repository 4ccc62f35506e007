//! Sizes, times and parts as people write them: `256MiB`, `150ms`, `5%`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// Bytes, written as a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

/// A time, written as a whole number and `ms`, `s`, `min` or `h`; to the millisecond, `0s` allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Duration);

const SIZES: &[(&str, u64)] =
    &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: &[(&str, u64)] = &[("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

/// A part of something, written as a number of per cent and `%`: `5%`, `2.5 %`. Above 0 and at most 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Percent {
    /// As a fraction: 0.05 is 5 %.
    pub fraction: f64,
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text.strip_suffix('%').map(|number| number.trim_end_matches(' '));
        let plain = |number: &&str| number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let percent = number.filter(plain).and_then(|number| number.parse::<f64>().ok());
        let fraction =
            percent.filter(|percent| *percent > 0.0 && *percent <= 100.0).map(|percent| percent / 100.0);
        fraction.map(|fraction| Self { fraction }).ok_or_else(|| UnitError {
            text: shown(text),
            what: "part",
            number: "a number",
            example: "5% or 2.5%",
            hint: " (above 0 and at most 100)".to_owned(),
        })
    }
}

impl TryFrom<String> for Percent {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

/// A text that is no such quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}; write {number} and a unit, such as {example}{hint}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    number: &'static str,
    example: &'static str,
    hint: String,
}

/// Number times unit; both must be there.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start_matches(' '))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that divides it.
fn written(amount: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| amount != 0 && amount.is_multiple_of(*factor);
    match units.iter().find(fits).or(units.last()) {
        Some((name, factor)) => write!(f, "{}{name}", amount / factor),
        None => write!(f, "{amount}"),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let hint = || {
            let decimal = ["KB", "MB", "GB", "kB", "K", "M", "G", "k", "m", "g"];
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            if decimal.contains(&unit) { " (units are powers of 1024: KiB, MiB, GiB)" } else { "" }.to_owned()
        };
        quantity(text, SIZES).map(Self).ok_or_else(|| UnitError {
            text: shown(text),
            what: "size",
            number: "a whole number",
            example: "64KiB, 256MiB or 2GiB",
            hint: hint(),
        })
    }
}

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        quantity(text, TIMES).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(|| UnitError {
            text: shown(text),
            what: "time",
            number: "a whole number",
            example: "150ms, 30s, 10min or 2h",
            hint: String::new(),
        })
    }
}

impl TryFrom<String> for Size {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TryFrom<String> for Time {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.0, SIZES, f)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), TIMES, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_is_read() {
        assert_eq!("256MiB".parse(), Ok(Size(256 << 20)));
        assert_eq!("2 GiB".parse(), Ok(Size(2 << 30)));
        assert_eq!("0B".parse(), Ok(Size(0)));
        assert_eq!("150ms".parse(), Ok(Time(Duration::from_millis(150))));
        assert_eq!("10 min".parse(), Ok(Time(Duration::from_secs(600))));
        assert_eq!("0s".parse(), Ok(Time(Duration::ZERO)));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "256", "MiB", "-1MiB", "1.5GiB", "1 mib", "1MiBx", "99999999999999TiB", "1e3B", "٣MiB"]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for text in ["", "3", "ms", "1.5s", "-1s", "1 hour", "9999999999999999999h", "1s 2ms"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        let text = "256MB".parse::<Size>().unwrap_err().to_string();
        assert!(text.contains("`256MB` is not a size") && text.contains("powers of 1024"), "{text}");
    }

    #[test]
    fn parts_are_per_cents() {
        assert_eq!("5%".parse(), Ok(Percent { fraction: 0.05 }));
        assert_eq!("2.5 %".parse(), Ok(Percent { fraction: 0.025 }));
        for text in ["", "5", "%", "0%", "101%", "-1%", "1e1%", "NaN%", "inf%", "5.%x"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn sizes_survive_being_written(bytes: u64) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }

        #[test]
        fn times_survive_being_written(ms: u64) {
            let time = Time(Duration::from_millis(ms));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_is_too_odd(text: String) {
            let _ = text.parse::<Size>();
            let _ = text.parse::<Time>();
        }
    }
}
