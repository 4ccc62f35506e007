//! Rows that moved together, told as one.

use super::change::{Change, Finding, Verdict};
use crate::analysis::matters::headline;
use crate::measure::metric::{self, Family};

/// One for each environment, workload family and way; the row it is named by comes first: a headline metric, else the one
/// that changed most.
pub(super) fn of(rows: &[Change]) -> Vec<Finding> {
    let mut findings: Vec<(Option<Family>, Finding)> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if !matches!(row.verdict, Verdict::Better | Verdict::Worse | Verdict::Changed) {
            continue;
        }
        let family = metric::find(&row.metric).map(|metric| metric.family);
        let same = |(other, finding): &&mut (Option<Family>, Finding)| {
            *other == family && finding.environment == row.environment && finding.verdict == row.verdict
        };
        match findings.iter_mut().find(same) {
            Some((_, finding)) => finding.rows.push(at),
            None => {
                let environment = row.environment.clone();
                findings.push((family, Finding { environment, verdict: row.verdict, rows: vec![at] }));
            }
        }
    }
    findings.into_iter().map(|(_, finding)| named(finding, rows)).collect()
}

fn named(mut finding: Finding, rows: &[Change]) -> Finding {
    let size = |at: &usize| rows[*at].change.map_or(0.0, |change| change.value.ln().abs());
    finding.rows.sort_by(|a, b| {
        let first = |at: &usize| !headline(&rows[*at].metric);
        first(a).cmp(&first(b)).then(size(b).total_cmp(&size(a)))
    });
    finding
}
