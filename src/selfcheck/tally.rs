//! What the experiments say together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::design::{Design, NAMES, SLOWER};
use super::{ENOUGH, Far, PROMISED};
use crate::analysis::compare::{self, Change, Comparison, Only, Options, Verdict};
use crate::analysis::statistics::normal;
use crate::environment::Kind;
use crate::journal::Run;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Selfcheck {
    /// Runs.
    pub experiments: u32,
    /// How long it took.
    pub seconds: f64,
    /// Two names inside the blocks of one run.
    pub inside: Count,
    /// Five runs against a sixth.
    pub sessions: Count,
    /// One run against one: advisory, so nothing is promised of it.
    pub single: Count,
    /// What was slowed, by size.
    pub injected: Vec<Injected>,
    /// Every false alarm, in a sentence.
    pub named: Vec<String>,
    /// What a reader must know.
    pub warnings: Vec<String>,
    /// Comparisons of which something is promised: `inside` and `sessions`.
    pub comparisons: u64,
    /// False alarms among them.
    pub false_alarms: u64,
    /// Upper end of the Clopper-Pearson interval of their share, one-sided 95 %.
    pub most: f64,
    /// Was anything promised to be seen of what was slowed?
    pub power_shown: bool,
    /// Were both promises kept, and was that shown?
    pub kept: bool,
}

/// Comparisons of equal things. A comparison is all that was tested of one piece of work, or of the start, the idle instance or
/// the end, in one environment: its rows are of one measurement, and so no witnesses of each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Families: rows that were corrected together.
    pub families: u32,
    /// Those of which some row could have been called changed.
    pub comparisons: u64,
    /// Those of which any row was called changed.
    pub alarms: u64,
}

/// Rates of an environment whose work was slowed, against one whose was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Injected {
    /// By how much, as a fraction.
    pub slower: f64,
    /// Rates compared.
    pub rows: u64,
    /// Called slower.
    pub found: u64,
    /// Rows that said they could see a change of this size with 95 % probability.
    pub promised: u64,
    /// Called slower among those.
    pub promised_found: u64,
    /// What each row said it would see, as a fraction.
    pub sees: Vec<f64>,
}

/// So many runs are one side of the comparison of sessions.
const SESSIONS: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Tally {
    experiments: u32,
    inside: Count,
    sessions: Count,
    single: Count,
    injected: Vec<Injected>,
    named: Vec<String>,
    warnings: Vec<String>,
    /// Runs of each kind that no comparison of sessions has had yet.
    waiting: Vec<(Kind, Vec<Run>)>,
    /// The same for one against one.
    odd: Vec<(Kind, Run)>,
}

impl Tally {
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    pub(super) fn far(&self, part: f64) -> Far {
        let (comparisons, alarms) = self.promised();
        Far { part, comparisons, alarms }
    }

    fn promised(&self) -> (u64, u64) {
        let of = |count: fn(&Count) -> u64| count(&self.inside) + count(&self.sessions);
        (of(|one| one.comparisons), of(|one| one.alarms))
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, experiments: u32, inside: Count, injected: Injected) {
        (self.experiments, self.inside, self.injected) = (experiments, inside, vec![injected]);
    }

    /// Adds an experiment.
    pub(super) fn take(&mut self, design: &Design, run: Run) {
        self.experiments += 1;
        let options = Options::default();
        let place = format!("experiment {} ({})", self.experiments, design.kind_name());
        if design.slowed {
            return self.slowed(&run, &place);
        }
        match compare::inside(&run, NAMES.0, NAMES.1, &options) {
            Ok(found) => count(&mut self.inside, &mut self.named, &found, &place),
            Err(why) => self.warn(format!("{place}: {why}")),
        }
        self.against_earlier(design.kind, run, &place);
    }

    fn slowed(&mut self, run: &Run, place: &str) {
        let only = Only { metrics: vec!["*.rate".into()], ..Only::default() };
        let options = Options { only, ..Options::default() };
        for permille in SLOWER {
            match compare::inside(run, NAMES.0, &Design::slowed_id(permille), &options) {
                Ok(found) => self.inject(permille, &found),
                Err(why) => self.warn(format!("{place}: {why}")),
            }
        }
    }

    fn inject(&mut self, permille: u32, found: &Comparison) {
        let slower = f64::from(permille) / 1000.0;
        let place = self.injected.iter().position(|one| one.slower == slower).unwrap_or_else(|| {
            self.injected.push(Injected { slower, ..Injected::default() });
            self.injected.len() - 1
        });
        let one = &mut self.injected[place];
        for row in found.rows.iter().filter(|row| row.p.is_some()) {
            let is_found = u64::from(row.verdict == Verdict::Worse);
            let is_promised = row.detectable.is_some_and(|least| least <= slower);
            one.rows += 1;
            one.found += is_found;
            one.promised += u64::from(is_promised);
            one.promised_found += if is_promised { is_found } else { 0 };
            one.sees.extend(row.detectable);
        }
    }

    /// Runs of one kind against each other; each takes part in one comparison of either design.
    fn against_earlier(&mut self, kind: Kind, run: Run, place: &str) {
        if let Some(at) = self.odd.iter().position(|(of, _)| *of == kind) {
            let (_, earlier) = self.odd.swap_remove(at);
            sessions(&mut self.single, &mut Vec::new(), &[&earlier], &run, place, &mut self.warnings);
        } else {
            self.odd.push((kind, run.clone()));
        }
        let waiting = match self.waiting.iter().position(|(of, _)| *of == kind) {
            Some(at) => &mut self.waiting[at].1,
            None => {
                self.waiting.push((kind, Vec::new()));
                let last = self.waiting.len() - 1;
                &mut self.waiting[last].1
            }
        };
        if waiting.len() < SESSIONS {
            waiting.push(run);
            return;
        }
        let base: Vec<Run> = std::mem::take(waiting);
        let base: Vec<&Run> = base.iter().collect();
        sessions(&mut self.sessions, &mut self.named, &base, &run, place, &mut self.warnings);
    }

    pub(super) fn done(mut self, took: Duration) -> Selfcheck {
        let (comparisons, false_alarms) = self.promised();
        let most = most(false_alarms, comparisons);
        self.injected.sort_by(|a, b| a.slower.total_cmp(&b.slower));
        let power_shown = self.injected.iter().any(|one| one.promised > 0);
        let kept =
            comparisons >= ENOUGH && most <= PROMISED && power_shown && !power_is_refuted(&self.injected);
        Selfcheck {
            experiments: self.experiments,
            seconds: took.as_secs_f64(),
            inside: self.inside,
            sessions: self.sessions,
            single: self.single,
            injected: self.injected,
            named: self.named,
            warnings: self.warnings,
            comparisons,
            false_alarms,
            most,
            power_shown,
            kept,
        }
    }
}

fn most(alarms: u64, comparisons: u64) -> f64 {
    if comparisons == 0 { 1.0 } else { normal::clopper_pearson(alarms, comparisons, 0.90).1 }
}

/// Is 95 % more than what was found leaves room for?
pub(super) fn power_is_refuted(injected: &[Injected]) -> bool {
    let promised: u64 = injected.iter().map(|one| one.promised).sum();
    let found: u64 = injected.iter().map(|one| one.promised_found).sum();
    promised > 0 && normal::clopper_pearson(found, promised, 0.90).1 < Options::default().power
}

fn count(count: &mut Count, named: &mut Vec<String>, found: &Comparison, place: &str) {
    count.families += 1;
    let tested = found.rows.iter().filter(|row| row.p.is_some());
    let mut of: BTreeMap<(&str, &str), Vec<&Change>> = BTreeMap::new();
    for row in tested {
        of.entry((&row.environment, &row.workload)).or_default().push(row);
    }
    for rows in of.values() {
        // What could never be called changed proves nothing by not being.
        count.comparisons += u64::from(rows.iter().any(|row| row.detectable.is_some()));
        if let Some(alarm) = rows.iter().find(|row| is_called(row)) {
            count.alarms += 1;
            named.push(told(alarm, place));
        }
    }
}

fn is_called(row: &Change) -> bool {
    matches!(row.verdict, Verdict::Better | Verdict::Worse | Verdict::Changed)
}

fn told(row: &Change, place: &str) -> String {
    let percent = row.change.map_or(0.0, |change| (change.value - 1.0) * 100.0);
    format!(
        "{place}: {} {} {} is called {}, by {percent:+.1} %, p = {:.1e} over the family",
        row.environment,
        row.workload,
        row.metric,
        row.words(),
        row.p_adjusted.unwrap_or(1.0)
    )
}

fn sessions(
    into: &mut Count,
    named: &mut Vec<String>,
    base: &[&Run],
    new: &Run,
    place: &str,
    warnings: &mut Vec<String>,
) {
    // The slowed ones are not in every run.
    let only = Only { environments: vec![NAMES.0.into(), NAMES.1.into()], ..Only::default() };
    match compare::runs(base, &[new], &Options { only, ..Options::default() }) {
        Ok(found) => count(into, named, &found, &format!("{place} against {} earlier", base.len())),
        Err(why) => warnings.push(format!("{place}: {why}")),
    }
}
