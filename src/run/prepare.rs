//! Before the first cell: the plan is checked, environments are made ready, all or none.

use std::collections::BTreeMap;
use std::path::Path;

use super::cached_work;
use super::engine::Build;
use super::state::{LeftBehind, Registered};
use super::{Event, Other, RunError, RunOptions, Unavailable};
use crate::environment::{Environment, EnvironmentError, Prepared, RunContext, docker};
use crate::image::kernel::sha256_hex;
use crate::journal::record::{Code, Conditions, Ending, EnvironmentRecord, RunRecord, SCHEMA};
use crate::journal::{JOURNAL_FILE, RUN_FILE};
use crate::measure::host::{self, CpuPlacement, HostWarning};
use crate::measure::sample::FailureName;
use crate::plan::Plan;
use crate::suite::KindSpec;

/// Every name in the plan is in its suite.
pub(super) fn check(plan: &Plan) -> Result<(), RunError> {
    let suite = &plan.suite;
    for cell in plan.blocks.iter().flat_map(|block| &block.cells) {
        if !suite.environments.iter().any(|one| one.id == cell.environment) {
            return Err(RunError::BadPlan { what: format!("the environment {}", cell.environment) });
        }
        let unknown = |id: &&String| !suite.workloads.iter().any(|one| one.id == **id);
        if let Some(id) = cell.workloads.iter().find(unknown) {
            return Err(RunError::BadPlan { what: format!("the workload {id}") });
        }
    }
    Ok(())
}

/// The address of the container engine, where the plan needs one.
pub(super) fn engine(plan: &Plan) -> Option<String> {
    let any = plan.suite.environments.iter().any(|one| matches!(one.kind, KindSpec::Docker(_)));
    any.then(docker::address)
}

/// What all environments share.
pub(super) fn context(
    plan: &Plan,
    options: &RunOptions,
    registered: &Registered,
    cpus: CpuPlacement,
) -> RunContext {
    RunContext {
        run_id: registered.run_id.clone(),
        agent: options.agent.clone(),
        agent_sha256: sha256_hex(&options.agent),
        scratch: registered.scratch.clone(),
        qemu: None,
        cache: options.cache.clone(),
        limits: plan.suite.limits,
        cpus,
        start_deadline: plan.suite.deadlines.start,
        stop_deadline: plan.suite.deadlines.stop,
        stop: options.stop.clone(),
    }
}

/// What one environment shares with the others, but for what it is to be made of instead.
fn of_one(context: &RunContext, other: Option<&Other>) -> RunContext {
    let mut own = context.clone();
    if let Some(agent) = other.and_then(|other| other.agent.as_ref()) {
        own.agent_sha256 = sha256_hex(agent);
        own.agent = agent.clone();
    }
    own.qemu = other.and_then(|other| other.qemu.clone());
    own
}

/// `run.json` as it is before the first boot.
pub(super) fn record(plan: &Plan, context: &RunContext, code: Option<Code>) -> RunRecord {
    let host = host::watch(&context.scratch);
    let mut warnings: Vec<String> = host::warnings(&host).iter().map(HostWarning::sentence).collect();
    warnings.extend(cached_work::warning(&plan.suite, &host));
    RunRecord {
        schema: SCHEMA,
        run_id: context.run_id.clone(),
        isocost_version: env!("CARGO_PKG_VERSION").to_owned(),
        agent_sha256: context.agent_sha256.clone(),
        started_at: jiff::Timestamp::now(),
        ended_at: None,
        ending: Ending::Unfinished,
        host,
        plan: plan.clone(),
        environments: Vec::new(),
        warnings,
        sampler_cpu_share: None,
        conditions: Conditions::default(),
        code,
    }
}

/// A run folder in which nothing was measured is no run: the next one may use it. One that was there before stays, with the
/// owner and the rights it was given.
pub(super) fn take_back(folder: &Path, made: bool) {
    let _ = std::fs::remove_file(folder.join(JOURNAL_FILE));
    let _ = std::fs::remove_file(folder.join(RUN_FILE));
    if made {
        // Only where it is empty.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Environments that are ready. Dropping it disposes of them, in a panic too.
pub(super) struct Ready {
    all: Vec<(Box<dyn Environment>, Prepared)>,
    pub(super) left: LeftBehind,
}

impl Ready {
    pub(super) fn find(&mut self, id: &str) -> Option<&mut dyn Environment> {
        let one = self.all.iter_mut().find(|(environment, _)| environment.id() == id)?;
        Some(&mut *one.0)
    }

    pub(super) fn records(&self) -> Vec<EnvironmentRecord> {
        let record = |(environment, prepared): &(Box<dyn Environment>, Prepared)| EnvironmentRecord {
            id: environment.id().to_owned(),
            kind: environment.kind(),
            accelerator: environment.accelerator(),
            prepared: prepared.clone(),
            inspection: None,
        };
        self.all.iter().map(record).collect()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let all = self.all.iter();
        let lines = all.flat_map(|(environment, prepared)| {
            prepared.warnings.iter().map(|text| format!("{}: {text}", environment.id()))
        });
        lines.collect()
    }

    /// Removes what they made; returns what could not be.
    pub(super) fn dispose(&mut self) -> Vec<String> {
        self.all.drain(..).filter_map(|(mut one, _)| dispose(&mut *one, &self.left)).collect()
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.dispose();
    }
}

/// Makes all environments of the plan ready, in the suite's order. Where one fails, what all made so far goes.
pub(super) fn all(
    plan: &Plan,
    context: &RunContext,
    left: LeftBehind,
    others: &BTreeMap<String, Other>,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<Ready, RunError> {
    let mut ready = Ready { all: Vec::new(), left };
    let done = each(&mut ready, plan, context, others, build, events);
    if done.is_err() {
        for what in ready.dispose() {
            events(not_removed(&what));
        }
    }
    done.map(|()| ready)
}

fn each(
    ready: &mut Ready,
    plan: &Plan,
    context: &RunContext,
    others: &BTreeMap<String, Other>,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<(), RunError> {
    let mut missing = Vec::new();
    let used =
        |id: &str| plan.blocks.iter().flat_map(|block| &block.cells).any(|cell| cell.environment == id);
    for spec in plan.suite.environments.iter().filter(|spec| used(&spec.id)) {
        if context.stop.is_raised() {
            return Err(RunError::Interrupted);
        }
        events(Event::Preparing { environment: spec.id.clone() });
        let made = build(spec, &of_one(context, others.get(&spec.id))).and_then(|mut environment| {
            let prepared = environment.prepare();
            if prepared.is_err()
                && let Some(stays) = dispose(&mut *environment, &ready.left)
            {
                events(not_removed(&stays));
            }
            Ok((environment, prepared?))
        });
        match made {
            Ok((environment, prepared)) => {
                events(told(&*environment, &prepared));
                ready.all.push((environment, prepared));
            }
            // What failed meanwhile may have failed of the stop.
            Err(error) if context.stop.is_raised() || error.failure.name == FailureName::Interrupted => {
                return Err(RunError::Interrupted);
            }
            Err(EnvironmentError { environment, failure }) => {
                missing.push(Unavailable { environment, failure })
            }
        }
    }
    // A stop that came since is seen before a run folder is kept that has nothing in it.
    match missing {
        _ if context.stop.is_raised() => Err(RunError::Interrupted),
        missing if missing.is_empty() => Ok(()),
        missing => Err(RunError::Unavailable(missing)),
    }
}

/// What could not be removed, which is then left to `clean`.
fn dispose(environment: &mut dyn Environment, left: &LeftBehind) -> Option<String> {
    let stays = environment.dispose().err()?;
    left.note();
    Some(stays.to_string())
}

fn not_removed(what: &str) -> Event {
    Event::Warning(format!("not removed: {what}"))
}

fn told(environment: &dyn Environment, prepared: &Prepared) -> Event {
    Event::Prepared {
        environment: environment.id().to_owned(),
        accelerator: environment.accelerator(),
        prepared: prepared.clone(),
    }
}
