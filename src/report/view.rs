//! A run and its summary as reports look at them: environments in the suite's order, rows by name, words for both.

use std::collections::BTreeMap;

use crate::analysis::{Ratio, Row, Summary};
use crate::environment::Kind;
use crate::journal::Run;
use crate::measure::metric::{self, Direction, Family};
use crate::measure::sample::Accelerator;
use crate::measure::sample::{FailureName, Outcome};
use crate::plan::Role;
use crate::report::clean::clean_to;
use crate::report::quantity::counted;

/// The longest name of an environment or workload that is shown, in characters.
const LONGEST_NAME: usize = 60;

/// A run with its summary.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub run: &'a Run,
    pub summary: &'a Summary,
    /// In the order of the run's record; one that has samples only comes last.
    pub environments: Vec<Environment<'a>>,
}

/// One environment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Environment<'a> {
    /// As it stands in samples.
    pub id: &'a str,
    /// As it is shown.
    pub name: String,
    pub kind: Kind,
    pub accelerator: Accelerator,
    /// Its place: what gives it its colour.
    pub index: usize,
}

impl Environment<'_> {
    /// One id under two accelerators is two environments, whose figures must never meet.
    pub(super) fn is(&self, id: &str, accelerator: Accelerator) -> bool {
        self.id == id && self.accelerator == accelerator
    }

    /// `container`, `VM by TCG emulation`.
    pub(super) fn what(&self) -> &'static str {
        match (self.kind, self.accelerator) {
            (Kind::Native, _) => "native process",
            (Kind::Docker, _) => "container",
            (Kind::Qemu, Accelerator::Tcg) => "VM, TCG emulation",
            (Kind::Qemu, Accelerator::Kvm) => "VM, KVM",
            (Kind::Qemu, Accelerator::None) => "VM",
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn new(run: &'a Run, summary: &'a Summary) -> Self {
        Self { run, summary, environments: environments(run, &summary.rows) }
    }

    pub(super) fn row(&self, of: &Environment<'_>, workload: &str, metric: &str) -> Option<&'a Row> {
        let mut rows = self.summary.rows.iter();
        rows.find(|row| {
            row.metric == metric && row.workload == workload && of.is(&row.environment, row.accelerator)
        })
    }

    /// The one that a row, a sample or a latency is of.
    pub(super) fn environment(&self, id: &str, accelerator: Accelerator) -> Option<&Environment<'a>> {
        self.environments.iter().find(|one| one.is(id, accelerator))
    }

    /// Does any virtual machine run by software emulation?
    pub(super) fn emulated(&self) -> bool {
        self.environments.iter().any(|one| one.accelerator == Accelerator::Tcg)
    }

    /// The first environment of that kind.
    pub(super) fn first(&self, kind: Kind) -> Option<&Environment<'a>> {
        self.environments.iter().find(|one| one.kind == kind)
    }

    pub(super) fn control(&self) -> Option<&Environment<'a>> {
        let id = self.summary.control.as_deref()?;
        self.environments.iter().find(|one| one.id == id)
    }

    /// All but the control.
    pub(super) fn others(&self) -> impl Iterator<Item = &Environment<'a>> {
        let control = self.summary.control.as_deref();
        self.environments.iter().filter(move |one| Some(one.id) != control)
    }

    /// Workload ids that have rows of that family, in the summary's order.
    pub(super) fn workloads(&self, family: Family) -> Vec<&'a str> {
        let mut ids: Vec<&str> = Vec::new();
        for row in &self.summary.rows {
            let of_family = metric::find(&row.metric).is_some_and(|metric| metric.family == family);
            if of_family && !ids.contains(&row.workload.as_str()) {
                ids.push(&row.workload);
            }
        }
        ids
    }

    /// What a block counts as.
    pub(super) fn role(&self, block: u32, warm_up: bool) -> Role {
        self.run.role(block, warm_up)
    }
}

/// A run's environments; `rows` may know one that its record does not, and one under another accelerator: what rows say of
/// themselves is believed.
pub(super) fn environments<'a>(run: &'a Run, rows: &'a [Row]) -> Vec<Environment<'a>> {
    let summed = || rows.iter().map(|row| (row.environment.as_str(), row.kind, row.accelerator));
    let belied = |(id, _, accelerator): &(&str, Kind, Accelerator)| {
        summed().any(|(other, ..)| other == *id)
            && !summed().any(|(other, _, its)| other == *id && its == *accelerator)
    };
    let recorded = run.record.environments.iter().map(|e| (e.id.as_str(), e.kind, e.accelerator));
    let mut found: Vec<(&str, Kind, Accelerator)> = Vec::new();
    for one in recorded.filter(|one| !belied(one)).chain(summed()) {
        if !found.iter().any(|(id, _, accelerator)| (*id, *accelerator) == (one.0, one.2)) {
            found.push(one);
        }
    }
    let name = |(id, _, accelerator): &(&str, Kind, Accelerator)| {
        let name = clean_to(id, LONGEST_NAME).into_owned();
        let several = found.iter().filter(|(other, ..)| other == id).count() > 1;
        if several { format!("{name} ({})", super::csv::accelerator(*accelerator)) } else { name }
    };
    let names: Vec<String> = found.iter().map(name).collect();
    let all = found.into_iter().zip(names).zip(0..);
    all.map(|(((id, kind, accelerator), name), index)| Environment { id, name, kind, accelerator, index })
        .collect()
}

/// Bigger is better.
pub(super) fn bigger_is_better(name: &str) -> bool {
    metric::find(name).is_some_and(|metric| metric.direction == Direction::Bigger)
}

/// What a row's ratio shows, by its own interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// No ratio, or no interval of it.
    Unknown,
    /// Less than the metric's source can show.
    Unresolved,
    /// The interval holds 1.
    NotShown,
    /// The whole interval is above 1.
    More,
    /// The whole interval is below 1.
    Less,
}

pub(super) fn difference(row: &Row) -> Difference {
    match row.ratio.stated().and_then(|ratio| ratio.interval) {
        None => Difference::Unknown,
        Some(_) if row.effect.as_ref().is_some_and(|effect| effect.unresolved) => Difference::Unresolved,
        Some(interval) if interval.low > 1.0 => Difference::More,
        Some(interval) if interval.high < 1.0 => Difference::Less,
        Some(_) => Difference::NotShown,
    }
}

/// Why a ratio is missing, in a few words; `None` where it is stated or is the control's own.
pub(super) fn missing(ratio: &Ratio) -> Option<&'static str> {
    use crate::analysis::Missing;
    match ratio {
        Ratio::Missing(Missing::NoControl) => Some("no native environment to compare with"),
        Ratio::Missing(Missing::NoPair) => Some("no block in which both have a value"),
        Ratio::Missing(Missing::Withheld) => Some("withheld: the sizes seen from inside differ"),
        Ratio::Missing(Missing::Zero) => Some("a value is zero"),
        Ratio::Missing(Missing::Unlike) => Some("withheld: not of the same in the two"),
        Ratio::Missing(Missing::FewOperations) => Some("withheld: too few operations in a block"),
        Ratio::Control | Ratio::Stated { .. } => None,
    }
}

/// `never-ready ×2, timed-out ×1`; empty where nothing failed.
pub(super) fn failures(row: &Row) -> String {
    let named: Vec<_> = row.failed.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
    named.join(", ")
}

/// Failures of one environment that have one name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failed<'a> {
    pub environment: &'a str,
    pub name: FailureName,
    pub samples: u32,
    /// Where, the first first.
    pub rows: Vec<&'a Row>,
}

/// Failures that no row counts, for their blocks are not analysed, by environment and name.
pub(super) fn failed_elsewhere<'a>(view: &View<'a>) -> BTreeMap<(&'a str, FailureName), u32> {
    let mut all = BTreeMap::new();
    for sample in &view.run.samples {
        if let Outcome::Failed(failure) = &sample.outcome {
            *all.entry((sample.environment.as_str(), failure.name)).or_default() += 1;
        }
    }
    for row in &view.summary.rows {
        for (name, count) in &row.failed {
            if let Some(left) = all.get_mut(&(row.environment.as_str(), *name)) {
                *left = u32::saturating_sub(*left, *count);
            }
        }
    }
    all.retain(|_, left| *left > 0);
    all
}

/// `60 more failed in blocks that are not analysed, as those to warm up and those set aside (docker: never-ready ×60)`; empty
/// where none did.
pub(super) fn said_elsewhere(view: &View<'_>, more: bool) -> String {
    let failed = failed_elsewhere(view);
    if failed.is_empty() {
        return String::new();
    }
    let named = |((id, name), count): (&(&str, FailureName), &u32)| {
        format!("{}: {name} ×{count}", clean_to(id, LONGEST_NAME))
    };
    let named: Vec<String> = failed.iter().map(named).collect();
    let count: u32 = failed.values().sum();
    let count = if more { format!("{count} more") } else { counted(count.into(), "sample") };
    format!(
        "{count} failed in blocks that are not analysed, as those to warm up and those set aside ({})",
        named.join(", ")
    )
}

/// All failures, by environment and name: one cause fails many metrics, and is told once.
pub(super) fn failed(summary: &Summary) -> Vec<Failed<'_>> {
    let mut all: Vec<Failed<'_>> = Vec::new();
    for row in &summary.rows {
        for (name, count) in &row.failed {
            let known = all.iter_mut().find(|one| one.name == *name && one.environment == row.environment);
            match known {
                Some(one) => {
                    one.samples += count;
                    one.rows.push(row);
                }
                None => all.push(Failed {
                    environment: &row.environment,
                    name: *name,
                    samples: *count,
                    rows: vec![row],
                }),
            }
        }
    }
    all
}
