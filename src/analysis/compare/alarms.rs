//! How often was something called changed that was not?

use serde::Serialize;

use super::change::{Comparison, Verdict};
use crate::analysis::statistics::normal;

/// Alarms among comparisons of equal things.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alarms {
    /// Rows that were tested.
    pub comparisons: u64,
    /// Of them called faster or slower.
    pub alarms: u64,
    /// Their share.
    pub share: f64,
    /// Upper end of its Clopper-Pearson interval, one-sided 95 %.
    pub most: f64,
}

/// Counts over comparisons in which nothing differs. Exact metrics are no tests and do not count.
#[must_use]
pub fn alarms(of_equals: &[Comparison]) -> Alarms {
    let tested = of_equals.iter().flat_map(|one| &one.rows).filter(|row| row.p.is_some());
    let (mut comparisons, mut alarms) = (0, 0);
    for row in tested {
        comparisons += 1;
        alarms += u64::from(matches!(row.verdict, Verdict::Better | Verdict::Worse | Verdict::Changed));
    }
    let share = if comparisons > 0 { alarms as f64 / comparisons as f64 } else { 0.0 };
    let most = if comparisons > 0 { normal::clopper_pearson(alarms, comparisons, 0.90).1 } else { 1.0 };
    Alarms { comparisons, alarms, share, most }
}
