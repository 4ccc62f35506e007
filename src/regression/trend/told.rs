//! What is to be told of lines, as text.

use super::lines::{FEWEST, Told, Trend, Trends};
use super::moved::NEAR;
use crate::measure::metric;
use crate::regression::changes::Evidence;
use crate::regression::history::ASKED;
use crate::report;
use crate::report::clean::sentence;

impl Trends {
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
        let mut text = format!("{} lines, {changes} changes", self.lines.len());
        if self.short > 0 {
            text += &format!("; {} lines have fewer than {FEWEST} runs and are not judged", self.short);
        }
        text.extend(self.begun_anew().map(|anew| format!("; {anew}")));
        if self.alpha > 0.0 {
            let chance = 100.0 * self.alpha;
            text += &format!(
                "; builds that are alike but for noise show a change in any of them with {chance:.2} % at most"
            );
        }
        text
    }

    /// How many figures the newest run cannot be held against those before it, and why; `None` where there is none.
    pub(super) fn begun_anew(&self) -> Option<String> {
        let first = self.anew.first()?;
        let one = |(name, before, now): &(String, String, String)| format!("{name}: {before} → {now}");
        let asked: Vec<String> = first.asked.iter().map(one).collect();
        let text = format!(
            "{} of these begin anew, for something else is asked for than before ({}: {})",
            self.anew.len(),
            first.key,
            asked.join(", ")
        );
        Some(sentence(&text).into_owned())
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

/// Of what is asked for, that which is of the whole environment.
const LIMITS: [&str; 2] = [ASKED[0], ASKED[1]];

/// One environment of one size, machine and family, within three runs, the same way.
fn together((a, told_a): (&Trend, &Told), (b, told_b): (&Trend, &Told)) -> bool {
    let family = |line: &Trend| metric::find(&line.key.metric).map(|metric| metric.family);
    let place = |line: &Trend, told: &Told, shift: isize| {
        let at = told.change.at.saturating_add_signed(shift).min(line.points.len() - 1);
        line.points[at].at
    };
    let near = NEAR as isize;
    a.key.environment == b.key.environment
        && a.machine == b.machine
        && LIMITS.iter().all(|name| a.asked.0.get(*name) == b.asked.0.get(*name))
        && told_a.worse == told_b.worse
        && (family(a) == family(b))
        && (place(a, told_a, -near)..=place(a, told_a, near)).contains(&b.points[told_b.change.at].at)
}

impl Trend {
    /// What it is called: by its key, and where that is not enough by what was asked for.
    #[must_use]
    pub fn name(&self) -> String {
        if self.apart.is_empty() {
            return self.key.to_string();
        }
        let apart: Vec<String> = self.apart.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{} [{}]", self.key, apart.join(", "))
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
        let line = format!(
            "{}: {}, {:+.1} %, {}; {}",
            self.name(),
            report::change(change.before, change.after, &self.key.unit),
            100.0 * change.relative,
            self.commits(told.between.0, told.between.1),
            evidence(change.evidence)
        );
        // Names and commits come from files of others: a line stays one line, and steers nothing.
        let mut text = format!("  {lead:9} {}\n", sentence(&line));
        for note in self.notes(told) {
            text += &format!("            {}\n", sentence(&note));
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
        Evidence::Ranks(p) => format!("rank test of the newest builds: p = {}", probability(p)),
    }
}

fn probability(p: f64) -> String {
    if p >= 0.001 { format!("{:.2} %", 100.0 * p) } else { format!("less than 0.1 % ({p:.0e})") }
}
