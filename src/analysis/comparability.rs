//! May ratios of an environment to the control be stated?

use std::collections::BTreeSet;

use super::group::kind_of;
use super::summary::{Comparability, DifferenceSeen};
use crate::environment::Kind;
use crate::journal::record::{EnvironmentRecord, RunRecord};
use crate::measure::equality::{self, Difference};

/// For each environment of the plan but the control.
pub(super) fn of(record: &RunRecord, control: Option<&str>) -> Vec<Comparability> {
    let Some(control) = control else { return Vec::new() };
    let ids = record.plan.suite.environments.iter().map(|one| one.id.as_str());
    ids.filter(|id| *id != control).map(|id| pair(record, control, id)).collect()
}

/// May `id` be held against `control`?
pub(super) fn pair(record: &RunRecord, control: &str, id: &str) -> Comparability {
    let differences = differences(record, control, id);
    let withheld = match &differences {
        Ok(all) => withheld(all, control, id),
        Err(missing) => Some(missing.clone()),
    };
    let differences = differences.unwrap_or_default().into_iter().map(seen);
    let differences = differences.chain(slowed(record, control, id)).collect();
    Comparability { environment: id.to_owned(), withheld, differences }
}

/// What someone slowed on purpose is said to be.
fn slowed(record: &RunRecord, control: &str, id: &str) -> Option<DifferenceSeen> {
    let permille = |id: &str| {
        let spec = record.plan.suite.environments.iter().find(|one| one.id == id);
        spec.map_or(0, |one| one.slower_permille)
    };
    let (of_control, of_id) = (permille(control), permille(id));
    let text = |permille: u32| format!("{} %", f64::from(permille) / 10.0);
    (of_control != of_id).then(|| DifferenceSeen {
        what: "slowed on purpose by".to_owned(),
        control: text(of_control),
        environment: text(of_id),
        must_match: false,
    })
}

/// Why `new` may not be held against `base`; `programs`: their agents may differ.
pub(super) fn withheld_between(record: &RunRecord, base: &str, new: &str, programs: bool) -> Option<String> {
    match differences(record, base, new) {
        Ok(mut all) => {
            all.retain(|one| !(programs && one.what == equality::AGENT));
            withheld(&all, base, new)
        }
        Err(missing) => Some(missing),
    }
}

/// Why a metric of two environments is not of the same thing, though their sizes are equal; `None` where it is.
///
/// A peak is of all the work that was done, and `/proc/meminfo` is the machine's: in a process or container it is the host's.
pub(super) fn unlike(metric: &str, a: (&RunRecord, &str), b: (&RunRecord, &str)) -> Option<String> {
    let (first, second) = (a.1, b.1);
    if metric.starts_with("memory.") && metric.ends_with(".peak") && works(a) != works(b) {
        return Some(format!(
            "{first} and {second} do not run the same workloads, so their peaks are not of the same work"
        ));
    }
    let machine = |(record, id): (&RunRecord, &str)| kind(record, id) == Some(Kind::Qemu);
    if metric.starts_with("memory.inside.") && machine(a) != machine(b) {
        let (machine, other) = if machine(a) { (first, second) } else { (second, first) };
        return Some(format!(
            "{machine} sees its own machine's memory and {other} the host's, of which it may use its limit"
        ));
    }
    None
}

/// The workloads that an environment runs.
fn works<'a>((record, id): (&'a RunRecord, &str)) -> BTreeSet<&'a str> {
    let suite = &record.plan.suite;
    let own = suite.environments.iter().find(|one| one.id == id).and_then(|one| one.workloads.as_ref());
    let all = suite.workloads.iter().map(|one| one.id.as_str());
    all.filter(|id| own.is_none_or(|own| own.iter().any(|one| one == id))).collect()
}

fn kind(record: &RunRecord, id: &str) -> Option<Kind> {
    let spec = record.plan.suite.environments.iter().find(|one| one.id == id)?;
    Some(kind_of(&spec.kind))
}

/// Equal size must be proved: what no instance was asked cannot be.
fn differences(record: &RunRecord, control: &str, id: &str) -> Result<Vec<Difference>, String> {
    let find = |id: &str| record.environments.iter().find(|one| one.id == id);
    let inspected = |id: &str| {
        let seen = find(id).and_then(|one: &EnvironmentRecord| one.inspection.as_ref());
        seen.ok_or_else(|| {
            format!("what {id} looks like from inside is not known, so its size is not proved")
        })
    };
    Ok(equality::comparable(inspected(control)?, inspected(id)?, &record.plan.suite.limits))
}

fn withheld(all: &[Difference], control: &str, id: &str) -> Option<String> {
    let forbidding = all.iter().filter(|one| one.must_match);
    let clauses: Vec<String> = forbidding
        .map(|one| format!("{} is {} in {control} and {} in {id}", one.what, one.a, one.b))
        .collect();
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

fn seen(one: Difference) -> DifferenceSeen {
    DifferenceSeen {
        what: one.what.to_owned(),
        control: one.a,
        environment: one.b,
        must_match: one.must_match,
    }
}
