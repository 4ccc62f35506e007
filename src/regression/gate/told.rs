//! The gate's answer for people and for continuous integration.

use super::answer::{Answer, Gate, Judged};
use super::decide::figure;
use super::missing::Missing;
use crate::regression::ci::{Case, Findings, Outcome};
use crate::report;

impl Gate {
    /// The answer, each figure and what moved, for any of the formats of [`ci`](crate::regression::ci).
    #[must_use]
    pub fn findings(&self) -> Findings {
        Findings {
            name: "isocost gate".to_owned(),
            answer: self.line(),
            fails: self.answer == Answer::Regression,
            cases: self.cases(),
            notes: self.notes(),
        }
        .plain()
    }

    /// The answer in a line: `REGRESSION: 1 of 7 gated figures, one finding`.
    #[must_use]
    pub fn line(&self) -> String {
        let all = self.judged.len() + self.missing.len();
        let regressions = self.count(|answer| *answer == Answer::Regression);
        let undecided = self.count(|answer| matches!(answer, Answer::Undecided(_))) + self.missing.len();
        let figures = if all == 1 { "gated figure" } else { "gated figures" };
        match self.answer {
            Answer::Regression => {
                let findings = match self.findings.len() {
                    1 => "one finding".to_owned(),
                    n => format!("{n} findings"),
                };
                format!("REGRESSION: {regressions} of {all} {figures}, {findings}")
            }
            Answer::Undecided(_) => format!("UNDECIDED: {undecided} of {all} {figures}"),
            Answer::Pass => format!("PASS: {all} {figures}"),
        }
    }

    /// All of it as plain text: regressions first, then what is undecided, then what is better, then how many pass.
    #[must_use]
    pub fn text(&self) -> String {
        let findings = self.findings();
        let mut text = format!("{}\n", findings.answer);
        for outcome in [Outcome::Regressed, Outcome::Undecided, Outcome::Improved] {
            for case in findings.cases.iter().filter(|case| case.outcome == outcome) {
                text += &format!("  {:10} {}\n", outcome.word(), case.line());
            }
        }
        let passed = findings.cases.iter().filter(|case| case.outcome == Outcome::Passed).count();
        if passed > 0 {
            text += &format!("  {:10} {passed} within their limits\n", "pass");
        }
        for note in &findings.notes {
            text += &format!("  {:10} {note}\n", "note");
        }
        text
    }

    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.advisory.iter().map(|why| format!("advisory: {why}")).collect();
        let moved = self.moved.iter().map(|one| {
            let of = one.environment.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
            format!("not as in the baseline: {}{of}, {} → {}", one.what, one.base, one.new)
        });
        notes.extend(moved);
        notes.extend(self.warnings.iter().cloned());
        notes
    }

    fn cases(&self) -> Vec<Case> {
        let judged = self.judged.iter().enumerate().map(|(at, one)| self.case(at, one));
        judged.chain(self.missing.iter().map(absent)).collect()
    }

    fn case(&self, at: usize, one: &Judged) -> Case {
        let change = &one.change;
        let outcome = match one.answer {
            Answer::Regression => Outcome::Regressed,
            Answer::Undecided(_) => Outcome::Undecided,
            Answer::Pass if change.verdict == crate::analysis::compare::Verdict::Better => Outcome::Improved,
            Answer::Pass => Outcome::Passed,
        };
        let values = match (change.base.median, change.new.median) {
            (Some(base), Some(new)) => report::change(base, new, &change.unit),
            _ => String::new(),
        };
        Case {
            group: change.environment.clone(),
            name: figure(change),
            outcome,
            values,
            change: worse(one),
            limit: percent(one.limit.relative),
            notes: self.case_notes(at, one),
        }
    }

    fn case_notes(&self, at: usize, one: &Judged) -> Vec<String> {
        let mut notes = Vec::new();
        if let Answer::Undecided(reason) = one.answer {
            notes.push(format!("undecided: {}", reason.words()));
            if reason.more_may_help() {
                notes.extend(
                    one.change
                        .detectable
                        .map(|least| format!("these runs could have seen {}", percent(least))),
                );
            }
        }
        match one.confirmed {
            Some(true) => notes.push("confirmed in a fresh session".to_owned()),
            None if one.answer == Answer::Regression => {
                notes.push("not confirmed in a fresh session".to_owned())
            }
            _ => {}
        }
        let others = self.findings.iter().find(|places| places.contains(&at));
        match others.map(|places| (places[0], places.len())) {
            Some((first, _)) if first != at => {
                notes.push(format!("one finding with {}", figure(&self.judged[first].change)));
            }
            _ => {}
        }
        if let Some(usual) = one.limit.usual {
            let because = one.limit.because.as_deref().unwrap_or("no reason is given");
            notes.push(format!(
                "changes from {} to {} are no longer seen, because: {because}",
                percent(usual),
                percent(one.limit.relative)
            ));
        }
        notes.extend(one.change.notes.iter().cloned());
        notes
    }
}

/// A limit without a figure.
fn absent(one: &Missing) -> Case {
    Case {
        group: one.environment.clone(),
        name: match &one.workload {
            Some(workload) => format!("{} of {}/{workload}", one.metric, one.environment),
            None => format!("{} of {}", one.metric, one.environment),
        },
        outcome: Outcome::Undecided,
        values: String::new(),
        change: String::new(),
        limit: percent(one.limit),
        notes: vec![format!("undecided: {}", one.reason.words())],
    }
}

/// The change towards worse, with its interval: `+23.2 % (+18.1 % to +28.6 %)`. A rate that halves is −50 %.
fn worse(one: &Judged) -> String {
    let Some(estimate) = one.change.change else { return String::new() };
    let signed = |ratio: f64| format!("{:+.1} %", 100.0 * (ratio - 1.0));
    match estimate.interval {
        Some(it) => format!("{} ({} to {})", signed(estimate.value), signed(it.low), signed(it.high)),
        None => signed(estimate.value),
    }
}

fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e4).round() / 100.0)
}
