//! Runs held against runs, for people: on a terminal and as Markdown.
//!
//! In: a [`Comparison`]. Out: text. It shows what the comparison says and judges nothing itself. What is not shown is
//! counted, and every row that is shown says what it could not have seen.

use crate::analysis::Estimate;
use crate::analysis::compare::{Basis, Change, Comparison, Finding, Side, Verdict, Why};
use crate::analysis::matters::headline;
use crate::report::clean::{clean, sentence};
use crate::report::csv::accelerator;
use crate::report::quantity::{self, counted};

mod markdown;
mod text;

#[cfg(test)]
mod tests;

/// How to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<'a> {
    /// What the base is called: run ids, or an environment.
    pub base: String,
    /// What is held against it.
    pub new: String,
    /// Every row, not only the headline metrics and what moved.
    pub all: bool,
    /// What it says.
    pub comparison: &'a Comparison,
}

/// Columns of the table.
const COLUMNS: [&str; 8] =
    ["environment", "workload", "metric", "base", "new", "change, 99 %", "could have seen", "verdict"];

impl Shown<'_> {
    fn rows(&self) -> impl Iterator<Item = &Change> {
        self.comparison.rows.iter().filter(|row| self.all || telling(row))
    }

    /// What must be known before any row is believed.
    fn cautions(&self) -> Vec<String> {
        let advisory = self.comparison.advisory.iter().map(|why| format!("advisory: {}", sentence(why)));
        let basis = (self.comparison.basis == Basis::RatiosToNative).then(|| {
            "compared are not the values but their ratios to each run's own native control, those of starts to its native \
             fork and exec where both have it; exact figures are compared as they are"
                .to_owned()
        });
        advisory
            .chain(basis)
            .chain(self.comparison.warnings.iter().map(|one| sentence(one).into_owned()))
            .collect()
    }

    /// What moved, one line each, with what to know of it below.
    fn findings(&self) -> Vec<(String, Vec<String>)> {
        let rows = &self.comparison.rows;
        self.comparison.findings.iter().map(|finding| told(finding, rows)).collect()
    }

    /// What differs between the sides and may be the cause.
    fn differences(&self) -> Vec<String> {
        let differences = self.comparison.differences.iter();
        let told = differences.map(|one| {
            let of = one.environment.as_ref().map(|id| format!("{}: ", clean(id))).unwrap_or_default();
            format!("{of}{} was {}, and is {}", clean(&one.what), clean(&one.base), clean(&one.new))
        });
        told.collect()
    }

    /// How to read the table, and what it leaves out.
    fn legend(&self, markdown: bool) -> Vec<String> {
        let all = self.comparison;
        let percent = |share: f64| share * 100.0;
        let mut lines = vec![
            format!(
                "{} {} tested as one family: {} % is the chance that any is called changed and is not.",
                counted(u64::from(all.family), "row"),
                if all.family == 1 { "was" } else { "were" },
                percent(all.alpha)
            ),
            format!(
                "{}: a change of that size for the worse is found with {} % probability; a smaller one may be there.",
                if markdown { "could have seen" } else { "sees" },
                percent(all.power)
            ),
        ];
        lines.extend(self.hidden());
        lines
    }

    fn hidden(&self) -> Option<String> {
        let hidden: Vec<&Change> =
            self.comparison.rows.iter().filter(|row| !self.all && !telling(row)).collect();
        if hidden.is_empty() {
            return None;
        }
        let undecided = hidden.iter().filter(|row| matches!(row.verdict, Verdict::Undecided(_))).count();
        Some(format!(
            "{} not shown, {undecided} of them undecided; none moved. --all shows them.",
            counted(hidden.len() as u64, "more row")
        ))
    }
}

/// Is it a row that a reader asks for first, or must not miss?
fn telling(row: &Change) -> bool {
    let quiet = match row.verdict {
        Verdict::NoDifference { .. } | Verdict::Same => true,
        Verdict::Undecided(why) => matches!(why, Why::Inconclusive | Why::TooFew),
        Verdict::Better | Verdict::Worse | Verdict::Changed => false,
    };
    !quiet || headline(&row.metric)
}

fn told(finding: &Finding, rows: &[Change]) -> (String, Vec<String>) {
    let of: Vec<&Change> = finding.rows.iter().filter_map(|at| rows.get(*at)).collect();
    let Some(first) = of.first() else { return (String::new(), Vec::new()) };
    let size = first.change.map(|one| change(&one)).unwrap_or_default();
    let together = match of.len() {
        1 => String::new(),
        n => format!("; {} of its kind with it", counted(n as u64 - 1, "metric")),
    };
    let little = if first.large == Some(false) { ", too little to matter" } else { "" };
    let line = format!(
        "{} is {}: {} {}, {size}{little}{together}",
        environment(first),
        first.words(),
        clean(&first.workload),
        clean(&first.metric)
    );
    (line, first.notes.iter().map(|note| clean(note).into_owned()).collect())
}

/// Its id, and the accelerator where there is one.
fn environment(row: &Change) -> String {
    match accelerator(row.accelerator) {
        "none" => clean(&row.environment).into_owned(),
        name => format!("{} ({name})", clean(&row.environment)),
    }
}

fn cells(row: &Change) -> [String; 8] {
    [
        environment(row),
        clean(&row.workload).into_owned(),
        clean(&row.metric).into_owned(),
        side(&row.base, &row.unit),
        side(&row.new, &row.unit),
        row.change.map_or("–".to_owned(), |one| change(&one)),
        could_have_seen(row),
        row.words(),
    ]
}

fn side(side: &Side, unit: &str) -> String {
    let Some(median) = side.median else {
        return if side.failed > 0 { format!("all {} failed", side.failed) } else { "–".to_owned() };
    };
    let compared =
        side.ratio.map(|ratio| format!("{}× native: ", quantity::number(ratio, 3))).unwrap_or_default();
    let n = if side.sessions > 1 {
        format!("{}×, n={}", side.sessions, side.n)
    } else {
        format!("n={}", side.n)
    };
    format!("{compared}{} ({n})", quantity::value(median, unit))
}

fn could_have_seen(row: &Change) -> String {
    match row.detectable {
        Some(_) if row.exact => "any".to_owned(),
        Some(least) => percent(least),
        None if row.p.is_some() => "no change".to_owned(),
        None => "–".to_owned(),
    }
}

/// `+5.2 % [+1.0 to +9.5 %]`; from a factor of two on `2.90× [2.81–3.02]`.
fn change(estimate: &Estimate) -> String {
    if !(0.5..2.0).contains(&estimate.value) {
        return quantity::ratio(estimate);
    }
    let signed = |ratio: f64| format!("{:+.1}", (ratio - 1.0) * 100.0).replace('-', "−");
    match estimate.interval {
        None => format!("{} %", signed(estimate.value)),
        Some(ends) => {
            format!("{} % [{} to {} %]", signed(estimate.value), signed(ends.low), signed(ends.high))
        }
    }
}

fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
