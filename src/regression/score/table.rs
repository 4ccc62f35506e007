//! The score in words and columns.

use std::fmt;

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::judge::{Counts, NEAR, Score, SeriesScore};

impl fmt::Display for Score {
    /// One line a way of judging, then one line a history in which something was told or labelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let builds: usize = self.series.iter().map(|one| one.builds).sum();
        let labelled = self.series.iter().filter(|one| one.labelled).count();
        let plain = self.series.len() - labelled;
        writeln!(
            f,
            "{} histories, {builds} builds: {labelled} with a labelled regression, {plain} without",
            self.series.len()
        )?;
        writeln!(f, "{}\n", summary(self, labelled))?;
        writeln!(f, "{}\n", each(self))?;
        write!(
            f,
            "found: within {NEAR} builds of the last good one. False alarms: regressions told anywhere else."
        )
    }
}

/// One way of judging: its counts of a history.
type Way = fn(&SeriesScore) -> Counts;

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn right(values: impl IntoIterator<Item = String>) -> impl Iterator<Item = Cell> {
    values.into_iter().map(|value| Cell::new(value).set_alignment(CellAlignment::Right))
}

fn summary(score: &Score, labelled: usize) -> Table {
    let mut table = plain();
    let heads = ["found", "late", "false alarms", "of builds", "in series", "improvements", "recurring"];
    table.set_header([Cell::new("")].into_iter().chain(right(heads.map(String::from))));
    let ways: [(&str, Way); 2] =
        [("looking back", |one| one.look_back), ("as each build arrives", |one| one.arriving)];
    for (name, way) in ways {
        let builds: usize = score.series.iter().map(|one| one.builds).sum();
        let all: Vec<Counts> = score.series.iter().map(way).collect();
        let sum = |part: fn(&Counts) -> usize| all.iter().map(part).sum::<usize>();
        let alarms = sum(|one| one.false_alarms);
        let cells = [
            format!("{} of {labelled}", sum(|one| usize::from(one.found))),
            sum(|one| usize::from(one.late && !one.found)).to_string(),
            alarms.to_string(),
            format!("{:.2} %", 100.0 * alarms as f64 / builds.max(1) as f64),
            sum(|one| usize::from(one.false_alarms > 0)).to_string(),
            sum(|one| one.improvements).to_string(),
            sum(|one| one.recurring).to_string(),
        ];
        table.add_row([Cell::new(name)].into_iter().chain(right(cells)));
    }
    table
}

fn each(score: &Score) -> Table {
    let mut table = plain();
    table.set_header(["history", "kind", "builds", "looking back", "as each build arrives"]);
    let told = |one: &&SeriesScore| {
        one.labelled || one.look_back != Counts::default() || one.arriving != Counts::default()
    };
    for one in score.series.iter().filter(told) {
        let (back, arriving) = (words(one.look_back, one.labelled), words(one.arriving, one.labelled));
        table.add_row([one.name.clone(), one.kind.clone(), one.builds.to_string(), back, arriving]);
    }
    table
}

fn words(counts: Counts, labelled: bool) -> String {
    let mut parts = Vec::new();
    match (labelled, counts.found, counts.late) {
        (true, true, _) => parts.push("found".to_owned()),
        (true, false, true) => parts.push("late".to_owned()),
        (true, false, false) => parts.push("missed".to_owned()),
        (false, ..) => {}
    }
    let counted =
        [(counts.false_alarms, "false"), (counts.improvements, "better"), (counts.recurring, "recurring")];
    parts.extend(counted.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    if parts.is_empty() { "nothing told".to_owned() } else { parts.join(", ") }
}
