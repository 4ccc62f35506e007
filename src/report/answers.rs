//! The four questions of a first screen, each answered in a sentence and in a few figures.

use serde::Serialize;

use crate::analysis::{Estimate, Ratio, Row};
use crate::environment::Kind;
use crate::measure::metric::{self, Family};
use crate::report::quantity;
use crate::report::view::{Environment, View, bigger_is_better, failures};

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
        let row = view.row(one.id, "start", "startup.ready")?;
        let when = row.median.map_or_else(
            || format!("was never ready ({})", failures(row)),
            |median| format!("is ready after {}", quantity::estimate(&median, &row.unit)),
        );
        Some((article(one), when))
    });
    let sentence = sentence(&parts, "is ready ", "No start was measured.");
    Answer {
        question: "How long does a start take?",
        sentence,
        figures: rows(view, "start", "startup.ready"),
    }
}

fn memory(view: &View<'_>) -> Answer {
    let parts = of_kinds(view, |one| {
        let row = view.row(one.id, "idle", "memory.total.idle")?;
        Some((article(one), format!("takes {}", quantity::estimate(&row.median?, &row.unit))))
    });
    let mut sentence = sentence(&parts, "takes ", "No memory was measured.");
    if !parts.is_empty() {
        sentence.pop();
        sentence.push_str(" of memory while idle, the engine's share of the instance included");
        sentence.push_str(&standing(view));
        sentence.push('.');
    }
    Answer {
        question: "How much memory does it take?",
        sentence,
        figures: rows(view, "idle", "memory.total.idle"),
    }
}

/// What serves all instances and stays is nobody's share: it is said beside.
fn standing(view: &View<'_>) -> String {
    let median = view.environments.iter().find_map(|one| {
        let row = view.row(one.id, "idle", "memory.standing.idle")?;
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
        Some((article(one), format!("takes {}", range(view, one, family)?)))
    });
    let sentence = if parts.is_empty() {
        format!("No {what} can be compared with native.")
    } else {
        let said = parts.iter().map(|(who, takes)| format!("{takes} in {}", who.replacen("A ", "a ", 1)));
        let said: Vec<String> = said.enumerate().map(|(i, part)| shorter(i, &part, "takes ")).collect();
        format!("Against native, the same {what} {}.", listed(&said))
    };
    let figures = view.others().filter_map(|one| slowest(view, one, family)).collect();
    Answer { question, sentence, figures }
}

/// An environment's slowdowns in a family: from the least to the largest.
fn range(view: &View<'_>, one: &Environment<'_>, family: Family) -> Option<String> {
    let all = slowdowns(view, one, family);
    let ((least, a), (most, b)) = (all.first()?, all.last()?);
    if all.len() == 1 {
        return Some(format!("{} the time ({least})", quantity::ratio(a)));
    }
    Some(format!("from {} ({least}) to {} ({most}) the time", quantity::ratio(a), quantity::ratio(b)))
}

/// Sorted, the least first.
fn slowdowns(view: &View<'_>, one: &Environment<'_>, family: Family) -> Vec<(String, Estimate)> {
    let stated = rates(view, one, family).filter_map(|row| {
        let ratio = row.ratio.stated().filter(|ratio| ratio.value > 0.0 && ratio.value.is_finite())?;
        let name = crate::report::clean::clean_to(&row.workload, 40).into_owned();
        Some((name, quantity::slowdown(&ratio, bigger_is_better(&row.metric))))
    });
    let mut all: Vec<_> = stated.collect();
    all.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
    all
}

/// An environment's rows of work per second in a family.
fn rates<'a>(view: &View<'a>, one: &Environment<'a>, family: Family) -> impl Iterator<Item = &'a Row> {
    let id = one.id;
    view.summary.rows.iter().filter(move |row| {
        let of_family = metric::find(&row.metric).is_some_and(|metric| metric.family == family);
        of_family && row.environment == id && row.metric.ends_with(".rate")
    })
}

fn why_none(view: &View<'_>, one: &Environment<'_>, family: Family) -> String {
    let said = rates(view, one, family).find_map(|row| crate::report::view::missing(&row.ratio));
    said.unwrap_or("not measured").to_owned()
}

/// `None` where nothing of the family was asked of it.
fn slowest(view: &View<'_>, one: &Environment<'_>, family: Family) -> Option<Figure> {
    rates(view, one, family).next()?;
    let all = slowdowns(view, one, family);
    let (figure, against) = match (all.first(), all.last()) {
        (Some((_, a)), Some((name, b))) if all.len() > 1 => {
            (format!("{}× to {}×", quantity::number(a.value, 3), quantity::number(b.value, 3)), name.clone())
        }
        (Some((name, a)), _) => (quantity::ratio(a), name.clone()),
        _ => ("–".to_owned(), why_none(view, one, family)),
    };
    let failed: u32 = rates(view, one, family).map(Row::failures).sum();
    let failed =
        if failed > 0 { format!(", {}", quantity::counted(failed.into(), "failure")) } else { String::new() };
    let n = format!("{}{failed}", quantity::counted(all.len() as u64, "workload"));
    Some(Figure { environment: one.name.clone(), what: one.what(), figure, against, n })
}

/// Every environment's figure of one metric.
fn rows(view: &View<'_>, workload: &str, metric: &str) -> Vec<Figure> {
    let figure = |one: &Environment<'_>| {
        let row = view.row(one.id, workload, metric)?;
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
            Some(accelerator) => format!("A virtual machine ({}, {accelerator})", one.name),
            None => format!("A virtual machine ({})", one.name),
        },
    }
}

/// `A native process takes 1 ms, a container 2 ms and a virtual machine 3 ms.`: what all say alike, `verb`, once.
fn sentence(parts: &[(String, String)], verb: &str, none: &str) -> String {
    if parts.is_empty() {
        return none.to_owned();
    }
    let part = |(i, (who, said)): (usize, &(String, String))| {
        let who = if i == 0 { who.clone() } else { who.replacen("A ", "a ", 1) };
        format!("{who} {}", shorter(i, said, verb))
    };
    listed(&parts.iter().enumerate().map(part).collect::<Vec<_>>()) + "."
}

/// Without the verb, from the second on.
fn shorter(place: usize, said: &str, verb: &str) -> String {
    if place == 0 { said.to_owned() } else { said.strip_prefix(verb).unwrap_or(said).to_owned() }
}

/// `this, that and the other`.
fn listed(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
