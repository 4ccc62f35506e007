//! Metrics without noise: each value that differs from the one before is a change, and a fact.

use super::scale::Scaled;
use super::{Change, Evidence, SeriesError};

/// All changes of an exact metric, oldest first. No threshold and no statistics: one byte more is told.
///
/// # Errors
/// A value that is not a number.
pub fn exact(values: &[f64]) -> Result<Vec<Change>, SeriesError> {
    Scaled::of(values)?;
    let pairs = values.windows(2).zip(1..).filter(|(pair, _)| pair[0] != pair[1]);
    let change = |(pair, at): (&[f64], usize)| Change {
        at,
        range: (at, at),
        before: pair[0],
        after: pair[1],
        relative: (pair[1] - pair[0]) / pair[0].abs(),
        evidence: Evidence::Fact,
        recurring: false,
    };
    Ok(pairs.map(change).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_more_is_a_change_and_the_same_is_none() {
        let found = exact(&[1000.0, 1000.0, 1001.0, 1001.0, 500.5]).unwrap();
        let seen: Vec<_> = found.iter().map(|change| (change.at, change.relative)).collect();
        assert_eq!(seen, [(2, 0.001), (4, -0.5)]);
        assert!(found.iter().all(|change| change.evidence == Evidence::Fact));
        assert_eq!(exact(&[7.0; 9]).unwrap(), []);
        assert!(exact(&[1.0, f64::INFINITY]).is_err());
    }

    #[test]
    fn from_nothing_to_something_is_a_change() {
        assert_eq!(exact(&[0.0, 3.0]).unwrap()[0].relative, f64::INFINITY);
    }
}
