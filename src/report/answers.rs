//! The four questions of a first screen, each answered in a sentence and in a few figures.

use serde::Serialize;

use crate::analysis::{Estimate, Ratio, Row};
use crate::environment::Kind;
use crate::measure::metric::{self, Family};
use crate::report::clean::clean_to;
use crate::report::quantity;
use crate::report::view::{self, Difference, Environment, View, bigger_is_better, failures};

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Answer {
    /// As a reader asks it.
    pub question: &'static str,
    /// About the first environment of each kind.
    pub sentence: String,
    /// About every environment.
    pub figures: Vec<Figure>,
}

/// One environment's part of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figure {
    /// Its name.
    pub environment: String,
    /// `container`, `VM, TCG emulation`.
    pub what: &'static str,
    /// The figure, or why there is none.
    pub figure: String,
    /// Against native: the ratio, or why there is none; empty for native itself.
    pub against: String,
    /// How many values, and what failed.
    pub n: String,
}

/// All four.
pub(super) fn all(view: &View<'_>) -> Vec<Answer> {
    vec![startup(view), memory(view), work(view, Family::Cpu), work(view, Family::Disk)]
}

fn startup(view: &View<'_>) -> Answer {
    let parts = of_kinds(view, |one| {
        let row = view.row(one, "start", "startup.ready")?;
        let when = row.median.map_or_else(
            || format!("was never ready ({})", failures(row)),
            |median| format!("is ready after {}", quantity::estimate(&median, &row.unit)),
        );
        Some((article(one), when))
    });
    let sentence = sentence(&parts, "is ready ").unwrap_or_else(|| "No start was measured.".to_owned());
    Answer {
        question: "How long does a start take?",
        sentence,
        figures: rows(view, "start", "startup.ready"),
    }
}

fn memory(view: &View<'_>) -> Answer {
    let parts = of_kinds(view, |one| {
        let row = view.row(one, "idle", "memory.total.idle")?;
        Some((article(one), format!("takes {}", quantity::estimate(&row.median?, &row.unit))))
    });
    let mut sentence = sentence(&parts, "takes ").map_or_else(
        || "No memory was measured.".to_owned(),
        |mut said| {
            said.pop();
            let of = "of memory while idle, the engine's share of the instance included";
            format!("{said} {of}{}.", standing(view))
        },
    );
    sentence.push_str(&without(view, |one| {
        let start = || view.row(one, "start", "startup.ready");
        view.row(one, "idle", "memory.total.idle").or_else(start)
    }));
    Answer {
        question: "How much memory does it take?",
        sentence,
        figures: rows(view, "idle", "memory.total.idle"),
    }
}

/// ` No figure of docker: never-ready ×6.`: the first of each kind of which nothing but failures is known.
fn without<'a>(view: &View<'a>, row: impl Fn(&Environment<'a>) -> Option<&'a Row>) -> String {
    let kinds = [Kind::Native, Kind::Docker, Kind::Qemu];
    let failed = kinds.into_iter().filter_map(|kind| {
        let one = view.first(kind)?;
        let row = row(one).filter(|row| row.n == 0 && row.failures() > 0)?;
        Some(format!(" No figure of {}: {}.", one.name, failures(row)))
    });
    failed.collect()
}

/// What serves all instances and stays is nobody's share: it is said beside.
fn standing(view: &View<'_>) -> String {
    let median = view.environments.iter().find_map(|one| {
        let row = view.row(one, "idle", "memory.standing.idle")?;
        Some((one, row.median?))
    });
    median.map_or(String::new(), |(one, median)| {
        let figure = quantity::value(median.value, "bytes");
        format!("; what serves all instances of {} takes another {figure}, once", one.name)
    })
}

fn work(view: &View<'_>, family: Family) -> Answer {
    let (question, what) = match family {
        Family::Cpu => ("What does it cost in CPU?", "CPU work"),
        _ => ("What does it cost on disk?", "disk work"),
    };
    let parts = of_kinds(view, |one| {
        if Some(one.id) == view.summary.control.as_deref() {
            return None;
        }
        Some((article(one), Slowdowns::of(view, one, family).said()?))
    });
    let part = |(i, (who, said)): (usize, &(String, String))| match i {
        0 => format!("The same {what} in {} {said}.", who.replacen("A ", "a ", 1)),
        _ => format!("In {} it {said}.", who.replacen("A ", "a ", 1)),
    };
    let mut sentence = parts.iter().enumerate().map(part).collect::<Vec<_>>().join(" ");
    if sentence.is_empty() {
        sentence = format!("No {what} can be compared with native.");
    }
    sentence.push_str(&without(view, |one| rates(view, one, family).next()));
    let figures = view.others().filter_map(|one| slowdown(view, one, family)).collect();
    Answer { question, sentence, figures }
}

/// An environment's slowdowns in a family. Of many that differ in nothing the largest is noise, so only those are
/// named whose interval leaves out 1.
struct Slowdowns {
    /// Workload and slowdown, the least first: those that are shown to be one.
    shown: Vec<(String, Estimate)>,
    /// With an interval that holds 1.
    not_shown: usize,
    /// Of too few blocks for an interval.
    without_interval: Vec<Estimate>,
}

impl Slowdowns {
    fn of(view: &View<'_>, one: &Environment<'_>, family: Family) -> Self {
        let mut all = Self { shown: Vec::new(), not_shown: 0, without_interval: Vec::new() };
        for row in rates(view, one, family) {
            let ratio = row.ratio.stated().filter(|ratio| ratio.value > 0.0 && ratio.value.is_finite());
            let Some(ratio) = ratio else { continue };
            let slowdown = quantity::slowdown(&ratio, bigger_is_better(&row.metric));
            match view::difference(row) {
                Difference::Unknown => all.without_interval.push(slowdown),
                Difference::More | Difference::Less => {
                    all.shown.push((clean_to(&row.workload, 40).into_owned(), slowdown));
                }
                Difference::Unresolved | Difference::NotShown => all.not_shown += 1,
            }
        }
        all.shown.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
        all.without_interval.sort_by(|a, b| a.value.total_cmp(&b.value));
        all
    }

    fn count(&self) -> usize {
        self.shown.len() + self.not_shown + self.without_interval.len()
    }

    /// `shows no difference from native in 8 of 9 workloads; syscall takes 1.06× [1.04–1.09] the time`.
    fn said(&self) -> Option<String> {
        let workloads = quantity::counted(self.count() as u64, "workload");
        let mut parts = Vec::new();
        match (self.not_shown, self.count()) {
            (_, 0) => return None,
            (0, _) => {}
            (none, all) if none == all => {
                parts.push(format!("shows no difference from native in {workloads}"))
            }
            (none, _) => parts.push(format!("shows no difference from native in {none} of {workloads}")),
        }
        match (self.shown.as_slice(), self.not_shown) {
            ([], _) => {}
            ([(name, only)], _) => parts.push(format!("takes {} the time in {name}", quantity::ratio(only))),
            ([(least, a), .., (most, b)], none) => {
                let rest = if none == 0 { "" } else { " in the others" };
                let (a, b) = (quantity::ratio(a), quantity::ratio(b));
                parts.push(format!("takes from {a} ({least}) to {b} ({most}) the time of native{rest}"));
            }
        }
        match self.without_interval.len() {
            0 => {}
            some if some == self.count() => parts.push(format!(
                "takes {} the time of native in {workloads}, each of too few blocks for an interval",
                self.estimates()
            )),
            some => parts.push(format!("has too few blocks for an interval in {some} of {workloads}")),
        }
        Some(listed(&parts))
    }

    /// `0.984× to 1.13×`: those without an interval.
    fn estimates(&self) -> String {
        between(self.without_interval.iter())
    }

    /// Of those that are shown, or of those of which nobody knows; and the workload of the largest, or why none is named.
    fn figure(&self) -> Option<(String, String)> {
        match self.shown.as_slice() {
            [(name, only)] => Some((quantity::ratio(only), name.clone())),
            [.., (name, _)] => Some((between(self.shown.iter().map(|(_, one)| one)), name.clone())),
            [] if !self.without_interval.is_empty() => {
                Some((self.estimates(), "no interval: too few blocks".to_owned()))
            }
            [] => (self.not_shown > 0).then(|| ("no difference shown".to_owned(), String::new())),
        }
    }
}

/// From the first to the last: `1.62× to 8.25×`.
fn between<'a>(mut all: impl DoubleEndedIterator<Item = &'a Estimate>) -> String {
    let of = |one: &Estimate| format!("{}×", quantity::number(one.value, 3));
    let first = all.next().map(of).unwrap_or_default();
    all.next_back().map_or_else(|| first.clone(), |last| format!("{first} to {}", of(last)))
}

/// An environment's rows of work per second in a family.
fn rates<'a>(view: &View<'a>, one: &Environment<'a>, family: Family) -> impl Iterator<Item = &'a Row> {
    let (id, accelerator) = (one.id, one.accelerator);
    view.summary.rows.iter().filter(move |row| {
        let of_family = metric::find(&row.metric).is_some_and(|metric| metric.family == family);
        of_family
            && (row.environment.as_str(), row.accelerator) == (id, accelerator)
            && row.metric.ends_with(".rate")
    })
}

fn why_none(view: &View<'_>, one: &Environment<'_>, family: Family) -> String {
    let said = rates(view, one, family).find_map(|row| crate::report::view::missing(&row.ratio));
    said.unwrap_or("not measured").to_owned()
}

/// `None` where nothing of the family was asked of it.
fn slowdown(view: &View<'_>, one: &Environment<'_>, family: Family) -> Option<Figure> {
    rates(view, one, family).next()?;
    let all = Slowdowns::of(view, one, family);
    let (figure, against) = all.figure().unwrap_or_else(|| ("–".to_owned(), why_none(view, one, family)));
    let failed: u32 = rates(view, one, family).map(Row::failures).sum();
    let failed =
        if failed > 0 { format!(", {}", quantity::counted(failed.into(), "failure")) } else { String::new() };
    let workloads = quantity::counted(all.count() as u64, "workload");
    let known = all.shown.len() + all.not_shown > 0;
    let n = if known { format!("{} of {workloads}", all.shown.len()) } else { workloads };
    Some(Figure { environment: one.name.clone(), what: one.what(), figure, against, n: n + &failed })
}

/// Every environment's figure of one metric.
fn rows(view: &View<'_>, workload: &str, metric: &str) -> Vec<Figure> {
    let figure = |one: &Environment<'_>| {
        let row = view.row(one, workload, metric)?;
        let figure = row.median.map_or("–".to_owned(), |median| quantity::estimate(&median, &row.unit));
        let against = match &row.ratio {
            Ratio::Control => String::new(),
            Ratio::Stated { estimate, .. } => quantity::ratio(estimate),
            missing => crate::report::view::missing(missing).unwrap_or_default().to_owned(),
        };
        Some(Figure { environment: one.name.clone(), what: one.what(), figure, against, n: count(row) })
    };
    view.environments.iter().filter_map(figure).collect()
}

/// `n = 6`, `n = 5, never-ready ×1`.
pub(super) fn count(row: &Row) -> String {
    let failed = failures(row);
    if failed.is_empty() { format!("n = {}", row.n) } else { format!("n = {}, {failed}", row.n) }
}

/// What is said of the first environment of each kind: who, and what of it.
fn of_kinds(
    view: &View<'_>,
    say: impl Fn(&Environment<'_>) -> Option<(String, String)>,
) -> Vec<(String, String)> {
    let kinds = [Kind::Native, Kind::Docker, Kind::Qemu];
    kinds.into_iter().filter_map(|kind| say(view.first(kind)?)).collect()
}

/// `A container (docker)`.
fn article(one: &Environment<'_>) -> String {
    match one.kind {
        Kind::Native => "A native process".to_owned(),
        Kind::Docker => format!("A container ({})", one.name),
        Kind::Qemu => match one.what().strip_prefix("VM, ") {
            // The name of one under two accelerators holds its accelerator.
            Some(accelerator) => format!("A virtual machine ({}, {accelerator})", clean_to(one.id, 60)),
            None => format!("A virtual machine ({})", one.name),
        },
    }
}

/// `A native process takes 1 ms, a container 2 ms and a virtual machine 3 ms.`: what those after each other say alike, `verb`,
/// once.
fn sentence(parts: &[(String, String)], verb: &str) -> Option<String> {
    let before = std::iter::once("").chain(parts.iter().map(|(_, said)| said.as_str()));
    let part = |((who, said), before): (&(String, String), &str)| {
        let who = if before.is_empty() { who.clone() } else { who.replacen("A ", "a ", 1) };
        let said = said.strip_prefix(verb).filter(|_| before.starts_with(verb)).unwrap_or(said);
        format!("{who} {said}")
    };
    let said: Vec<String> = parts.iter().zip(before).map(part).collect();
    (!said.is_empty()).then(|| listed(&said) + ".")
}

/// `this, that and the other`.
fn listed(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
