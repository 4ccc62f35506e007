//! Several runs on a terminal.

use comfy_table::{ContentArrangement, Table};

use super::against::{Against, Held};
use super::{Cell, SideBySide, SideRow};
use crate::report::csv::accelerator;
use crate::report::quantity;
use crate::report::terminal::{TABLE, wrapped};

/// What a terminal shows of all metrics.
fn shown(row: &SideRow) -> bool {
    ["startup.ready", "memory.total.idle"].contains(&row.metric.as_str()) || row.metric.ends_with(".rate")
}

impl SideBySide {
    /// The runs' start-up, idle memory and work side by side; no colours, no escape sequences.
    #[must_use]
    pub fn terminal(&self, width: usize) -> String {
        let width = width.clamp(60, 200);
        let mut text = String::new();
        for (i, head) in (1..).zip(&self.runs) {
            text.push_str(&wrapped(
                &format!("run {i}: {}, {}, {}", head.id, head.began, head.host),
                width,
                "       ",
            ));
        }
        for caution in &self.cautions {
            text.push_str(&wrapped(&format!("! {caution}"), width, "  "));
        }
        text.push('\n');
        text.push_str(&self.table(width));
        text.push('\n');
        let warning = "Each run is a session: a difference between two is not yet a regression.";
        for line in self.agreements().iter().map(String::as_str).chain([warning]) {
            text.push_str(&wrapped(line, width, ""));
        }
        text
    }

    fn table(&self, width: usize) -> String {
        let mut table = Table::new();
        table.load_style(TABLE);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(100));
        let runs = (1..=self.runs.len()).map(|i| format!("run {i}"));
        table.set_header(["environment", "workload", "metric"].map(str::to_owned).into_iter().chain(runs));
        for row in self.rows.iter().filter(|row| shown(row)) {
            let environment = match accelerator(row.accelerator) {
                "none" => row.environment.clone(),
                name => format!("{} ({name})", row.environment),
            };
            let cells = row.cells.iter().map(|one| cell(one.as_ref()));
            table.add_row([environment, row.workload.clone(), row.metric.clone()].into_iter().chain(cells));
        }
        format!("{}\n", table.trim_fmt())
    }
}

/// Median with interval, n, and what it is beside the first.
pub(super) fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "–".to_owned() };
    let row = &cell.row;
    let figure = row.median.map_or("no value".to_owned(), |median| quantity::estimate(&median, &row.unit));
    let beside = beside(cell.against);
    let beside = if beside.is_empty() { beside } else { format!(", {beside}") };
    format!("{figure}, {}{beside}", crate::report::answers::count(row))
}

/// In words; empty for the first.
pub(super) fn beside(against: Against) -> String {
    use super::against::Compared::Ratios;
    let factor = |f: f64| quantity::number(f, 3);
    match against {
        Against::First | Against::Unknown => String::new(),
        Against::Equal => "equal".to_owned(),
        Against::Changed(f) if (f - 1.0).abs() < 0.1 => {
            let sign = if f < 1.0 { "−" } else { "+" };
            format!("changed by {sign}{} %", quantity::number((f - 1.0).abs() * 100.0, 2))
        }
        Against::Changed(f) => format!("changed: {}×", factor(f)),
        Against::Held(Held { what: Ratios, overlap: true, .. }) => "ratio to native overlaps".to_owned(),
        Against::Held(Held { overlap: true, .. }) => "overlaps".to_owned(),
        Against::Held(Held { what: Ratios, factor: f, .. }) => {
            format!("ratio to native {}× the first's", factor(f))
        }
        Against::Held(Held { factor: f, .. }) => format!("{}× the first", factor(f)),
    }
}
