//! What the newest run says: for `history --gate`, and as findings for continuous integration.

use super::lines::{FEWEST, Latest, Newest, Trend, Trends, worse};
use super::told::evidence;
use crate::regression::changes::Change;
use crate::regression::ci::{Case, Findings, Outcome};
use crate::report;

/// May the newest run go in?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No line has an alarm that it raised.
    Passed,
    /// It completed the evidence for a regression.
    Regressed,
    /// Something of it cannot be judged, or nothing can.
    Undecided,
}

impl Trends {
    /// Regressions that the newest run completed the evidence for: each fails one build, and only one.
    #[must_use]
    pub fn newest_regressions(&self) -> usize {
        self.count(Outcome::Regressed)
    }

    /// A regression fails; a line that cannot be judged, or none that can, is no pass.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.newest_regressions() > 0 {
            return Verdict::Regressed;
        }
        let judged = self.count(Outcome::Passed) + self.count(Outcome::Improved);
        if judged == 0 || self.count(Outcome::Undecided) > 0 {
            return Verdict::Undecided;
        }
        Verdict::Passed
    }

    fn unfinished(&self) -> bool {
        self.newest.as_ref().is_some_and(|newest| newest.ending.as_deref() == Some("unfinished"))
    }

    fn outcomes(&self) -> impl Iterator<Item = (&Trend, Outcome)> {
        let unfinished = self.unfinished();
        self.lines.iter().filter_map(move |line| Some((line, line.outcome(unfinished)?)))
    }

    fn count(&self, which: Outcome) -> usize {
        self.outcomes().filter(|(_, outcome)| *outcome == which).count()
    }

    /// For `history --gate`: one case for each line that the newest run can say something of.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let unfinished = self.unfinished();
        let cases: Vec<Case> =
            self.outcomes().map(|(line, outcome)| line.case(outcome, unfinished)).collect();
        let (all, verdict) = (cases.len(), self.verdict());
        let undecided = self.count(Outcome::Undecided);
        let answer = match verdict {
            Verdict::Passed => format!("PASS: no regression in {all} lines with the newest run"),
            Verdict::Regressed => {
                format!("REGRESSION: {} of {all} lines with the newest run", self.newest_regressions())
            }
            Verdict::Undecided if undecided > 0 => {
                format!(
                    "UNDECIDED: the newest run cannot be judged in {undecided} of {all} lines; no regression in the others"
                )
            }
            Verdict::Undecided => "UNDECIDED: the newest run has no line that can be judged".to_owned(),
        };
        Findings {
            name: "isocost history".to_owned(),
            answer,
            fails: verdict == Verdict::Regressed,
            cases,
            notes: self.not_judged(),
        }
    }

    /// What the answer does not speak of, and how sure it is.
    fn not_judged(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.short > 0 {
            notes.push(format!("{} lines have fewer than {FEWEST} runs and are not judged", self.short));
        }
        notes.extend(self.begun_anew());
        let here = |line: &&Trend| line.latest != Latest::Elsewhere;
        let young = self.lines.iter().filter(here).filter(|line| line.is_young()).count();
        if let Some(from) = self.lines.iter().filter(here).map(|line| line.watched_from).max()
            && young > 0
        {
            notes.push(format!("{young} lines have fewer than {from} runs and are not watched yet"));
        }
        let elsewhere = self.lines.len() - self.lines.iter().filter(here).count();
        if elsewhere > 0 {
            notes.push(format!("{elsewhere} lines are of other machines or not measured by the newest run"));
        }
        if let (Some(id), Some(newest)) = (&self.overtaken, &self.newest) {
            notes.push(format!(
                "judged is {}, which began last; {id} was added after it: --run {id} judges that",
                newest.run_id
            ));
        }
        let noisy = self.lines.iter().filter(|line| !line.exact).count();
        if noisy > 0 && self.runs > 12 {
            let alarms = self.spend * (self.runs as f64 / 12.0).ln();
            notes.push(format!(
                "{} builds that are alike but for noise raise at most {alarms:.2} false alarms in a direction, over all {noisy} lines with noise",
                self.runs
            ));
        }
        if let Some(Newest { run_id, ending: Some(ending), .. }) = &self.newest
            && ending != "complete"
            && ending != "precision"
        {
            notes.push(format!("the newest run, {run_id}, is not whole: {ending}"));
        }
        notes
    }
}

impl Trend {
    /// Too few values for the watch to raise an alarm, whatever they are.
    fn is_young(&self) -> bool {
        self.points.len() < self.watched_from
    }

    /// The alarm that the newest run raised.
    fn newest_alarm(&self) -> Option<&Change> {
        let Latest::Value { .. } = self.latest else { return None };
        let (place, change) = self.alarms.last()?;
        (*place + 1 == self.points.len() && !change.recurring).then_some(change)
    }

    fn is_worse(&self, change: &Change) -> bool {
        worse(self.direction, change) == Some(true)
    }

    /// `None` where the newest run has nothing to say of this line, or the line is too young.
    fn outcome(&self, unfinished: bool) -> Option<Outcome> {
        let known = |outcome| if unfinished { Outcome::Undecided } else { outcome };
        match (self.latest, self.newest_alarm()) {
            (Latest::Elsewhere, _) => None,
            (_, Some(change)) if self.is_worse(change) => Some(Outcome::Regressed),
            (Latest::Gone | Latest::Failed { .. }, _) => Some(Outcome::Undecided),
            _ if self.is_young() => None,
            (Latest::Value { failed: 1.. }, _) => Some(Outcome::Undecided),
            (_, Some(_)) => Some(known(Outcome::Improved)),
            (_, None) => Some(known(Outcome::Passed)),
        }
    }

    /// Why the newest run says nothing of it.
    fn why_undecided(&self, unfinished: bool) -> Option<String> {
        match self.latest {
            Latest::Gone => Some("the newest run lacks it; the run before it has it".to_owned()),
            Latest::Failed { failed } => {
                Some(format!("the newest run has no value: {failed} samples failed"))
            }
            Latest::Value { failed: failed @ 1.. } => Some(format!(
                "{failed} samples of the newest run failed: what they would have shown is not known"
            )),
            _ => unfinished.then(|| "the newest run has no end: it was killed, or it runs still".to_owned()),
        }
    }

    fn case(&self, outcome: Outcome, unfinished: bool) -> Case {
        let (mut values, mut size, mut notes) = (String::new(), String::new(), Vec::new());
        if let Some(change) = self.newest_alarm() {
            values = report::change(change.before, change.after, &self.key.unit);
            size = format!("{:+.1} %", 100.0 * change.relative);
            notes.push(self.commits(change.range.0.saturating_sub(1), change.range.1));
            notes.push(evidence(change.evidence));
        }
        if outcome == Outcome::Undecided {
            notes.extend(self.why_undecided(unfinished));
        }
        Case {
            group: self.key.environment.clone(),
            name: self.name(),
            outcome,
            values,
            change: size,
            limit: String::new(),
            notes,
        }
    }
}
