//! A run that was cut off, continued where it stopped.
//!
//! In: its folder. Out: what is left of its plan. The block that was cut stays in the journal as far as it came and is measured again, whole,
//! under a number of its own, which stands for it then: only what was measured in one go is compared inside a block. A run that warmed up does
//! so again.

use std::collections::BTreeSet;

use super::repeats::Before;
use super::{RunError, RunOptions};
use crate::environment::ARTEFACTS;
use crate::image::kernel::sha256_hex;
use crate::journal::record::{Ending, EnvironmentRecord, RunRecord};
use crate::journal::{Repeat, Run};
use crate::measure::sample::{FailureName, Outcome, Sample};
use crate::plan::{Block, Plan, Role};

/// Each cell that came to its end has this, as a value or a failure.
const END: &str = "end.total";

/// What is left to do.
#[derive(Debug)]
pub(super) struct Rest {
    /// The blocks that are left, in their order.
    pub plan: Plan,
    /// `run.json`, with the blocks that were added.
    pub record: RunRecord,
    /// Samples with a value, and failures, that are there already.
    pub taken: (u64, u64),
    /// Environments whose image was counted.
    pub images: BTreeSet<String>,
    /// The block of `plan` that is to stand for the one that was cut.
    pub torn: Option<Repeat>,
}

/// What is left of a run.
///
/// # Errors
/// It is complete, or is to be continued with another agent.
pub(super) fn rest(run: &Run, options: &RunOptions) -> Result<Rest, RunError> {
    let refused = |what: String| RunError::Resume { what };
    let mut record = run.record.clone();
    let id = record.run_id.clone();
    if record.ending == Ending::Precision {
        return Err(refused(format!(
            "{id} is as precise as was asked; `isocost rerun` measures its plan again"
        )));
    }
    if record.ending == Ending::Complete {
        return Err(refused(format!("{id} is complete; `isocost rerun` measures the same plan again")));
    }
    let agent = sha256_hex(&options.agent);
    if record.agent_sha256 != agent {
        return Err(refused(format!(
            "{id} was measured with the agent {}, and this would be {agent}; use the isocost or the --agent that began it",
            record.agent_sha256
        )));
    }
    let begun: BTreeSet<u32> = run.samples.iter().map(|sample| sample.block).collect();
    let mut left: Vec<Block> =
        record.plan.blocks.iter().filter(|block| !begun.contains(&block.index)).cloned().collect();
    // The budget ends a run between blocks; all else in the middle of one.
    let cut = run.samples.last().filter(|_| record.ending != Ending::Budget).map(|sample| sample.block);
    let before = before(run);
    let cut = cut.filter(|block| !before.done.contains(block));
    let cut = record.plan.blocks.iter().find(|block| Some(block.index) == cut).cloned();
    let again: Vec<Block> = cut.iter().cloned().collect();
    let repeated = Some(&before).filter(|before| options.repeats != Some(0) && before.waits());
    let repeated =
        repeated.and_then(|_| record.plan.blocks.iter().find(|block| block.role == Role::Measured));
    let first = again.first().or(left.first()).or(repeated);
    let warms_up =
        record.plan.suite.blocks.warm_up > 0 && first.is_some_and(|block| block.role == Role::Measured);
    let warm_up = first.filter(|_| warms_up).map(|block| Block { role: Role::WarmUp, ..block.clone() });
    let mut added: Vec<Block> = warm_up.into_iter().chain(again).collect();
    // Repeats of disturbed blocks have numbers behind the plan's.
    let beyond = run.repeats.iter().map(|repeat| repeat.block + 1).max().unwrap_or(0);
    let planned = u32::try_from(record.plan.blocks.len()).unwrap_or(u32::MAX);
    for (block, index) in added.iter_mut().zip(planned.max(beyond)..) {
        block.index = index;
        record.plan.blocks.push(block.clone());
    }
    // Where what stood for a block was cut as well, another one stands for that.
    let torn = cut.zip(added.last()).filter(|(cut, _)| cut.role == Role::Measured).map(|(cut, by)| {
        let of = run.repeats.iter().find(|repeat| repeat.block == cut.index).map_or(cut.index, |it| it.of);
        Repeat { block: by.index, of }
    });
    added.append(&mut left);
    let (measured, failed): (Vec<_>, Vec<_>) =
        run.samples.iter().partition(|sample| matches!(sample.outcome, Outcome::Value(_)));
    // What was stopped is measured again: that is no failure of the whole.
    let failed = failed.into_iter().filter(|sample| !was_stopped(sample)).count();
    record.warnings.push(format!(
        "continued at {} after {} blocks were begun",
        jiff::Timestamp::now(),
        begun.len()
    ));
    record.ending = Ending::Unfinished;
    record.ended_at = None;
    let counted = run.samples.iter().filter(|sample| &*sample.workload == "image");
    Ok(Rest {
        plan: Plan { blocks: added, ..record.plan.clone() },
        taken: (measured.len() as u64, failed as u64),
        torn,
        images: counted.map(|sample| sample.environment.to_string()).collect(),
        record,
    })
}

fn was_stopped(sample: &Sample) -> bool {
    matches!(&sample.outcome, Outcome::Failed(failure) if failure.name == FailureName::Interrupted)
}

/// What became of its blocks, by the journal alone: `run.json` of a run that was killed is as old as the block it was in.
pub(super) fn before(run: &Run) -> Before {
    let planned = run.record.plan.blocks.iter().filter(|block| block.role == Role::Measured);
    let ended = run.samples.iter().filter(|sample| &*sample.metric == END);
    let ended: BTreeSet<_> = ended.map(|sample| (sample.block, &*sample.environment)).collect();
    let is_whole =
        |block: &&Block| block.cells.iter().all(|cell| ended.contains(&(block.index, &*cell.environment)));
    let whole: BTreeSet<u32> = planned.clone().filter(is_whole).map(|block| block.index).collect();
    let planned: BTreeSet<u32> = planned.map(|block| block.index).collect();
    // What stands for a block that was cut is of the plan.
    let repeats = run.repeats.iter().filter(|repeat| !planned.contains(&repeat.block));
    let repeats: BTreeSet<u32> = repeats.map(|repeat| repeat.block).collect();
    let settled = run.set_aside.iter().filter(|one| repeats.contains(&one.by.unwrap_or(one.block)));
    // In the order of their samples, which is not that of the plan where blocks were added to it.
    let mut met = BTreeSet::new();
    let order = run.samples.iter().map(|sample| sample.block).filter(|block| met.insert(*block));
    let done = order.filter(|block| whole.contains(block)).collect();
    let disturbed = run.conditions.iter().filter(|cell| !cell.disturbed.is_empty()).map(|cell| cell.block);
    Before {
        done,
        disturbed: disturbed.filter(|block| planned.contains(block)).collect(),
        replaced: settled.clone().filter(|one| one.by.is_some()).map(|one| one.block).collect(),
        settled: u32::try_from(settled.count()).unwrap_or(u32::MAX),
        next: run.repeats.iter().map(|repeat| repeat.block + 1).max().unwrap_or(0),
        repeated: u32::try_from(repeats.len()).unwrap_or(u32::MAX),
    }
}

/// Is everything made of what it was made of? A run is one thing from its first block to its last.
///
/// # Errors
/// What is not.
pub(super) fn same(record: &RunRecord, now: &[EnvironmentRecord]) -> Result<(), RunError> {
    let refused = |what: String| {
        Err(RunError::Resume { what: format!("{} cannot be continued: {what}", record.run_id) })
    };
    for was in &record.environments {
        let Some(is) = now.iter().find(|one| one.id == was.id) else { continue };
        if was.accelerator != is.accelerator {
            return refused(format!(
                "{} was executed by {:?}, and would be by {:?}",
                was.id, was.accelerator, is.accelerator
            ));
        }
        if was.prepared.image_bytes != is.prepared.image_bytes {
            return refused(format!("the image of {} has another size", was.id));
        }
        for (name, value) in was.prepared.facts.iter().filter(|(name, _)| ARTEFACTS.contains(&name.as_str()))
        {
            let found = is.prepared.facts.iter().find(|(other, _)| other == name);
            if let Some((_, other)) = found.filter(|(_, other)| other != value) {
                return refused(format!("{name} of {} was {value}, and is {other}", was.id));
            }
        }
    }
    Ok(())
}

/// What the first part learned of its environments, beside what they are made of now.
pub(super) fn join(now: &mut Vec<EnvironmentRecord>, before: &[EnvironmentRecord]) {
    for was in before {
        match now.iter_mut().find(|one| one.id == was.id) {
            Some(one) => one.inspection.clone_from(&was.inspection),
            None => now.push(was.clone()),
        }
    }
}
