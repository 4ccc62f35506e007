//! A comparison on a terminal: one table for each environment, short enough for a line a row.

use comfy_table::{ContentArrangement, Table};

use super::{Shown, change, could_have_seen, environment};
use crate::analysis::compare::{Change, Verdict, Why};
use crate::report::clean::clean;
use crate::report::quantity;
use crate::report::terminal::{TABLE, wrapped};

impl Shown<'_> {
    /// In lines of at most `width` characters where words allow; no colours, no escape sequences.
    #[must_use]
    pub fn terminal(&self, width: usize) -> String {
        let width = width.clamp(60, 200);
        let mut text = wrapped(&format!("base: {}", clean(&self.base)), width, "      ");
        text.push_str(&wrapped(&format!("new:  {}", clean(&self.new)), width, "      "));
        for caution in self.cautions() {
            text.push_str(&wrapped(&format!("! {caution}"), width, "  "));
        }
        text.push('\n');
        text.push_str(&self.told(width));
        text.push_str(&self.tables(width));
        let differences = self.differences();
        if !differences.is_empty() {
            text.push_str("not the same on both sides:\n");
            differences.iter().for_each(|one| text.push_str(&wrapped(&format!("  {one}"), width, "    ")));
        }
        self.legend(false).iter().for_each(|line| text.push_str(&wrapped(line, width, "  ")));
        text
    }

    fn told(&self, width: usize) -> String {
        let findings = self.findings();
        if findings.is_empty() {
            return "Nothing is shown to have changed.\n\n".to_owned();
        }
        let mut text = String::new();
        for (line, notes) in findings {
            text.push_str(&wrapped(&line, width, "  "));
            notes.iter().for_each(|note| text.push_str(&wrapped(&format!("  {note}"), width, "    ")));
        }
        text.push('\n');
        text
    }

    fn tables(&self, width: usize) -> String {
        let rows: Vec<&Change> = self.rows().collect();
        let alike = rows.chunk_by(|a, b| environment(a) == environment(b));
        alike.map(|rows| table(rows, width)).collect()
    }
}

fn table(rows: &[&Change], width: usize) -> String {
    let mut table = Table::new();
    table.load_style(TABLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(100));
    let name = rows.first().map(|row| environment(row)).unwrap_or_default();
    table.set_header([name.as_str(), "base → new", "change, 99 %", "sees", "verdict"]);
    for row in rows {
        let change = row.change.map_or("–".to_owned(), |one| change(&one));
        table.add_row([figure(row), both(row), change, could_have_seen(row), verdict(row)]);
    }
    format!("{}\n\n", table.trim_fmt())
}

/// What is measured: a metric of a piece of work by the work's name, as that says which it is.
fn figure(row: &Change) -> String {
    let of_work = ["cpu.", "disk."].iter().any(|family| row.metric.starts_with(family));
    match row.metric.splitn(3, '.').nth(2).filter(|_| of_work) {
        Some(rest) => format!("{} {}", clean(&row.workload), clean(rest)),
        None => clean(&row.metric).into_owned(),
    }
}

/// `142 → 213 ms`; where ratios were compared, these: `2.84 → 2.91× native`.
fn both(row: &Change) -> String {
    if let (Some(base), Some(new)) = (row.base.ratio, row.new.ratio) {
        return format!("{} → {}× native", quantity::number(base, 3), quantity::number(new, 3));
    }
    let largest = row.base.median.into_iter().chain(row.new.median).fold(0.0, f64::max);
    let scale = quantity::scale(&row.unit, largest);
    let number = |median: Option<f64>| {
        median.map_or("–".to_owned(), |median| quantity::number(median * scale.factor, 3))
    };
    format!("{} → {} {}", number(row.base.median), number(row.new.median), scale.name)
}

fn verdict(row: &Change) -> String {
    match row.verdict {
        Verdict::NoDifference { most } => format!("no difference > {:.1} %", most * 100.0),
        Verdict::Undecided(Why::Inconclusive) => "undecided".to_owned(),
        _ => row.words(),
    }
}
