//! Lines and changes as the page of them wants them.

use super::lines::{Told, Trend, Trends};
use super::told::{evidence, way};
use crate::report::plot::trend::{Picture, Point, Step};
use crate::report::{self, ChangeLine, TrendPage};

impl Trends {
    /// What the page shows; `of` says of which history.
    #[must_use]
    pub fn page(&self, of: &str) -> TrendPage {
        let lead = format!("{of}: {}.", self.outline());
        let changes = self.grouped().into_iter().flatten().map(|(line, told)| row(line, told)).collect();
        TrendPage { lead, changes, lines: self.lines.iter().map(picture).collect() }
    }
}

fn row(line: &Trend, told: &Told) -> ChangeLine {
    let change = &told.change;
    let mut notes = line.notes(told);
    notes.push(evidence(change.evidence));
    ChangeLine {
        when: line.points[change.at].at.strftime("%Y-%m-%d %H:%M").to_string(),
        way: way(told).to_owned(),
        figure: line.name(),
        values: report::change(change.before, change.after, &line.key.unit),
        size: percent(change.relative),
        commits: line.commits(told.between.0, told.between.1),
        notes,
    }
}

fn percent(relative: f64) -> String {
    format!("{:+.1} %", 100.0 * relative)
}

fn picture(line: &Trend) -> Picture {
    let day = |point: Option<&super::Point>| point.map(|point| point.at.strftime("%Y-%m-%d").to_string());
    let (first, last) = (day(line.points.first()), day(line.points.last()));
    let machine = if line.machine.0.is_empty() { "unknown machine" } else { &line.machine.0 };
    let step =
        |told: &Told| Step { at: told.change.at, worse: told.worse, label: percent(told.change.relative) };
    Picture {
        title: line.name(),
        subtitle: format!(
            "{} runs, {} to {}; {machine}",
            line.points.len(),
            first.unwrap_or_default(),
            last.unwrap_or_default()
        ),
        unit: line.key.unit.clone(),
        points: line
            .points
            .iter()
            .map(|point| Point { value: point.value, interval: point.interval })
            .collect(),
        changes: line.changes.iter().filter(|told| !told.change.recurring).map(step).collect(),
        moves: line.moves.iter().map(|(place, _)| *place).collect(),
    }
}
