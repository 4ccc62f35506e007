//! Times as other tools write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const WITH_ZONE: [&str; 3] = ["%Y-%m-%d %H:%M:%S %z", "%Y.%m.%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z"];
const WITHOUT: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y.%m.%d %H:%M:%S", "%Y-%m-%d"];

/// RFC 3339, its usual relatives, and seconds since 1970. A time without a zone is UTC.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let zoned = || WITH_ZONE.iter().find_map(|form| Timestamp::strptime(form, text).ok());
    text.parse().ok().or_else(zoned).or_else(|| civil(text)).or_else(|| seconds(text))
}

fn civil(text: &str) -> Option<Timestamp> {
    let parsed = WITHOUT.iter().find_map(|form| {
        DateTime::strptime(form, text)
            .ok()
            .or_else(|| Some(jiff::civil::Date::strptime(form, text).ok()?.into()))
    })?;
    Some(parsed.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
}

fn seconds(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text.parse().ok()?;
    of_seconds(seconds)
}

/// Seconds since 1970, to the millisecond.
pub(super) fn of_seconds(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() || seconds.abs() > 1e11 {
        return None;
    }
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written_elsewhere() {
        for (text, expected) in [
            ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00Z"),
            ("2024-03-01T10:00:00+02:00", "2024-03-01T08:00:00Z"),
            ("2024-03-01 10:00:00 +0200", "2024-03-01T08:00:00Z"),
            ("2024.03.01 10:00:00 +0200", "2024-03-01T08:00:00Z"),
            ("2017-07-18T11:28:23.991076", "2017-07-18T11:28:23.991076Z"),
            ("2017-05-16 21:31:42", "2017-05-16T21:31:42Z"),
            ("2024-03-01", "2024-03-01T00:00:00Z"),
            ("1709287200", "2024-03-01T10:00:00Z"),
        ] {
            assert_eq!(parse(text).map(|at| at.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "1e300", "NaN", "2024-13-01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
