//! CSV for people and spreadsheets: one line a figure.

use super::{FormatError, Results};
use crate::measure::metric::Direction;

const FORMAT: &str = "CSV";

/// The columns, in order; Parquet has the same.
pub(super) const COLUMNS: [&str; 15] = [
    "time",
    "commit",
    "branch",
    "repository",
    "machine",
    "suite",
    "run",
    "benchmark",
    "measure",
    "unit",
    "direction",
    "value",
    "low",
    "high",
    "n",
];

/// All figures of all runs; what is not known is an empty cell.
///
/// # Errors
/// A figure that is not finite.
pub fn csv(runs: &[Results]) -> Result<String, FormatError> {
    let failed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS).map_err(|e| failed(e.to_string()))?;
    for run in runs {
        run.check(FORMAT)?;
        for figure in &run.figures {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
            let row = [
                run.at.to_string(),
                text(&run.source.commit),
                text(&run.source.branch),
                text(&run.source.repository),
                text(&run.source.machine),
                text(&run.suite),
                text(&run.run),
                figure.benchmark.clone(),
                figure.measure.clone(),
                figure.unit.clone(),
                figure.direction.map(direction).unwrap_or_default().to_owned(),
                number(Some(figure.value)),
                number(figure.low),
                number(figure.high),
                figure.n.map(|n| n.to_string()).unwrap_or_default(),
            ];
            csv.write_record(row).map_err(|e| failed(e.to_string()))?;
        }
    }
    let bytes = csv.into_inner().map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Smaller => "smaller",
        Direction::Bigger => "bigger",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn one_line_a_figure() {
        insta::assert_snapshot!(csv(&examples::history()).unwrap());
    }
}
