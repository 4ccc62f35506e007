//! Base and candidate that were measured in the same blocks.

use super::answer::Gate;
use super::decide::{control, gate};
use super::missing::{self, Planned};
use super::void::{GateError, check};
use crate::analysis::compare::fingerprint::{self, Mismatch};
use crate::analysis::compare::{self, Comparison, Options};
use crate::journal::Run;
use crate::journal::record::RunRecord;
use crate::suite::GateSpec;

/// Holds environments against others of the same runs, by their ids: base, candidate. Blocks of several runs are put one after another: what is
/// compared is inside a block, wherever it was measured.
///
/// # Errors
/// A run that says nothing, environments that may not be compared, or nothing gated of them.
pub fn decide_inside(
    runs: &[&Run],
    pairs: &[(String, String)],
    spec: &GateSpec,
    options: &Options,
) -> Result<Gate, GateError> {
    runs.iter().try_for_each(|run| check(run))?;
    let Some(run) = joined(runs) else { return Err(compare::Refusal::NoRuns.into()) };
    let options = Options { alpha: spec.alpha, programs: true, ..options.clone() };
    let mut all: Option<Comparison> = None;
    for (base, new) in pairs {
        let mut one = compare::inside(&run, base, new, &options)?;
        one.differences = differences(&run.record, base, new);
        // They are of all rows of the pair: the gate's family is what is gated, and its answer says what is too few for it.
        one.warnings.clear();
        match &mut all {
            None => all = Some(one),
            Some(all) => {
                all.rows.append(&mut one.rows);
                all.differences.append(&mut one.differences);
            }
        }
    }
    let Some(comparison) = all else { return Err(compare::Refusal::NothingInCommon.into()) };
    // Inside blocks the spread is that of the ratios, and the test by ranks sees for itself where there is none.
    let candidates: Vec<_> = missing::environments(&[&run])
        .into_iter()
        .filter(|(_, one)| pairs.iter().any(|(_, new)| *new == one.id))
        .collect();
    let planned = Planned { base: candidates.clone(), new: candidates };
    gate(comparison, spec, control(&run), &planned, (runs.len(), runs.len()), &|_| false)
}

/// The runs' blocks in a row, each under a number of its own.
fn joined(runs: &[&Run]) -> Option<Run> {
    let (first, others) = runs.split_first()?;
    let mut all = (*first).clone();
    for run in others {
        let from = all.record.plan.blocks.iter().map(|block| block.index + 1).max().unwrap_or(0);
        all.record.plan.blocks.extend(run.record.plan.blocks.iter().cloned().map(|mut block| {
            block.index += from;
            block
        }));
        all.samples.extend(run.samples.iter().cloned().map(|mut sample| {
            sample.block += from;
            sample
        }));
    }
    Some(all)
}

/// What the two are made of that differs: it is what was changed.
fn differences(record: &RunRecord, base: &str, new: &str) -> Vec<Mismatch> {
    let find = |id: &str| record.environments.iter().find(|one| one.id == id);
    let (Some(of_base), Some(of_new)) = (find(base), find(new)) else { return Vec::new() };
    let mut as_new = record.clone();
    as_new.environments = vec![of_base.clone()];
    as_new.environments[0].id = new.to_owned();
    let mut all = fingerprint::artefacts(&as_new, record, new);
    let agent = |one: &crate::journal::record::EnvironmentRecord| {
        one.inspection.as_ref().map(|seen| seen.agent_sha256.chars().take(12).collect::<String>())
    };
    if let (Some(base), Some(now)) = (agent(of_base), agent(of_new))
        && base != now
    {
        let what = crate::measure::equality::AGENT.to_owned();
        all.insert(0, Mismatch { what, environment: Some(new.to_owned()), base, new: now, forbids: false });
    }
    all
}
