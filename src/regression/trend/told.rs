//! What is to be told of lines: as text, and as findings for continuous integration.

use super::lines::{FEWEST, Told, Trend, Trends, worse};
use super::moved::NEAR;
use crate::measure::metric;
use crate::regression::changes::{Change, Evidence};
use crate::regression::ci::{Case, Findings, Outcome};
use crate::report;

impl Trends {
    /// Regressions that the newest run of their line completed the evidence for: each fails one build, and only one.
    #[must_use]
    pub fn newest_regressions(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.newest_alarm().is_some_and(|change| line.is_worse(change)))
            .count()
    }

    /// For `history --gate`: one case for each line, judged by the alarm that its newest run raised.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let cases: Vec<Case> = self.lines.iter().map(Trend::case).collect();
        let regressions = self.newest_regressions();
        let answer = match regressions {
            0 => format!("PASS: no regression in {} lines with the newest run", self.lines.len()),
            n => format!("REGRESSION: {n} of {} lines with the newest run", self.lines.len()),
        };
        let notes = self.too_short().into_iter().collect();
        Findings { name: "isocost history".to_owned(), answer, fails: regressions > 0, cases, notes }
    }

    /// Every change of every line, those that moved together as one finding, oldest first.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.outline();
        text.push('\n');
        for finding in self.grouped() {
            for (first, (line, told)) in finding.iter().enumerate().map(|(i, one)| (i == 0, *one)) {
                text += &line.sentence(told, first);
            }
        }
        text
    }

    /// How many lines and changes there are, and what is not judged.
    pub(super) fn outline(&self) -> String {
        let changes: usize = self.lines.iter().map(|line| line.changes.len()).sum();
        let judged = format!("{} lines, {changes} changes", self.lines.len());
        match self.too_short() {
            Some(short) => format!("{judged}; {short}"),
            None => judged,
        }
    }

    fn too_short(&self) -> Option<String> {
        (self.short > 0)
            .then(|| format!("{} lines have fewer than {FEWEST} runs and are not judged", self.short))
    }

    /// All changes, oldest first; those that moved together in one list.
    pub(super) fn grouped(&self) -> Vec<Vec<(&Trend, &Told)>> {
        let mut told: Vec<(&Trend, &Told)> =
            self.lines.iter().flat_map(|line| line.changes.iter().map(move |told| (line, told))).collect();
        told.sort_by_key(|(line, told)| line.points[told.change.at].at);
        let mut findings: Vec<Vec<(&Trend, &Told)>> = Vec::new();
        for one in told {
            match findings.iter_mut().find(|finding| together(finding[0], one)) {
                Some(finding) => finding.push(one),
                None => findings.push(vec![one]),
            }
        }
        findings
    }
}

/// One environment, machine and family, within three runs, the same way.
fn together((a, told_a): (&Trend, &Told), (b, told_b): (&Trend, &Told)) -> bool {
    let family = |line: &Trend| metric::find(&line.key.metric).map(|metric| metric.family);
    let place = |line: &Trend, told: &Told, shift: isize| {
        let at = told.change.at.saturating_add_signed(shift).min(line.points.len() - 1);
        line.points[at].at
    };
    let near = NEAR as isize;
    a.key.environment == b.key.environment
        && a.machine == b.machine
        && told_a.worse == told_b.worse
        && (family(a) == family(b))
        && (place(a, told_a, -near)..=place(a, told_a, near)).contains(&b.points[told_b.change.at].at)
}

impl Trend {
    fn newest_alarm(&self) -> Option<&Change> {
        let (place, change) = self.alarms.last()?;
        (*place + 1 == self.points.len() && !change.recurring).then_some(change)
    }

    fn is_worse(&self, change: &Change) -> bool {
        worse(self.direction, change) == Some(true)
    }

    fn case(&self) -> Case {
        let alarm = self.newest_alarm();
        let outcome = match alarm {
            Some(change) if self.is_worse(change) => Outcome::Regressed,
            Some(_) => Outcome::Improved,
            None => Outcome::Passed,
        };
        let (mut values, mut size, mut notes) = (String::new(), String::new(), Vec::new());
        if let Some(change) = alarm {
            values = report::change(change.before, change.after, &self.key.unit);
            size = format!("{:+.1} %", 100.0 * change.relative);
            notes.push(self.commits(change.range.0.saturating_sub(1), change.range.1));
            notes.push(evidence(change.evidence));
        }
        Case {
            group: self.key.environment.clone(),
            name: self.key.to_string(),
            outcome,
            values,
            change: size,
            limit: String::new(),
            notes,
        }
    }

    /// `between abc and def` by commits, by runs where there are none.
    pub(super) fn commits(&self, last: usize, first: usize) -> String {
        let name = |place: usize| {
            let point = &self.points[place];
            point
                .commit
                .as_ref()
                .map_or_else(|| point.run_id.clone(), |commit| commit.chars().take(12).collect())
        };
        format!("after {}, at the latest with {}", name(last), name(first))
    }

    fn sentence(&self, told: &Told, first: bool) -> String {
        let change = &told.change;
        let lead = if first { way(told) } else { "  with it" };
        let mut text = format!(
            "  {lead:9} {}: {}, {:+.1} %, {}; {}\n",
            self.key,
            report::change(change.before, change.after, &self.key.unit),
            100.0 * change.relative,
            self.commits(told.between.0, told.between.1),
            evidence(change.evidence)
        );
        for note in self.notes(told) {
            text += &format!("            {note}\n");
        }
        text
    }

    /// What else is known of a change.
    pub(super) fn notes(&self, told: &Told) -> Vec<String> {
        let mut notes = Vec::new();
        if told.change.recurring {
            notes.push("it goes to and fro between two levels: how this line is, no news".to_owned());
        }
        for (name, before, after) in &told.moved {
            notes.push(format!("changed with it: {name}, {before} → {after}"));
        }
        if !told.control.is_empty() {
            notes
                .push(format!("native moved too ({}): the host is not what it was", told.control.join(", ")));
        } else if told.moved.is_empty() && !self.exact {
            notes.push(
                "nothing that is recorded changed: the code, the host, or something nobody records"
                    .to_owned(),
            );
        }
        notes
    }
}

/// Worse, better, or only changed.
pub(super) fn way(told: &Told) -> &'static str {
    match told.worse {
        Some(true) => "worse",
        Some(false) => "better",
        None => "changed",
    }
}

pub(super) fn evidence(evidence: Evidence) -> String {
    match evidence {
        Evidence::Fact => "a fact: this metric has no noise".to_owned(),
        Evidence::Chance(p) => format!("by chance in {} of such lines", probability(p)),
    }
}

fn probability(p: f64) -> String {
    if p >= 0.001 { format!("{:.2} %", 100.0 * p) } else { format!("less than 0.1 % ({p:.0e})") }
}
