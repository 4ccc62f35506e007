//! A run from its plan to its last record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isocost_agent::protocol::Inspection;

use super::cell::{self, CellPlan, CellResult};
use super::log::{At, Log};
use super::prepare::{self, Ready};
use super::repeats::Repeats;
use super::resume::{self, Rest};
use super::state::Registered;
use super::surroundings::{Here, Surroundings};
use super::{Event, Other, RunError, RunOptions, RunOutcome, clean};
use crate::analysis::precision;
use crate::environment::{Environment, EnvironmentError, RunContext, factory};
use crate::image::kernel::sha256_hex;
use crate::journal::record::{Ending, RunRecord};
use crate::journal::{self, Record, Repeat, SetAside, WriteError, Writer};
use crate::measure::clock::Instant;
use crate::measure::clock::rate::{ClockTruth, MOST_RATE_ERROR};
use crate::measure::disturbance::Ground;
use crate::measure::host::pin::Pinned;
use crate::measure::timeline::MOST_CPU_SHARE;
use crate::plan::{self, Block, Cell, Plan, Role};
use crate::suite::EnvironmentSpec;

/// Makes an environment of what was asked for.
pub type Build<'a> =
    &'a dyn Fn(&EnvironmentSpec, &RunContext) -> Result<Box<dyn Environment>, EnvironmentError>;

/// Does what was planned.
///
/// # Errors
/// What kept it from measuring anything, or a run folder that could no longer be written.
pub fn execute(plan: &Plan, options: &RunOptions, events: &dyn Fn(Event)) -> Result<RunOutcome, RunError> {
    execute_with(plan, options, &factory::build, events)
}

/// The same with environments made otherwise.
///
/// # Errors
/// As [`execute`].
pub fn execute_with(
    plan: &Plan,
    options: &RunOptions,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<RunOutcome, RunError> {
    execute_in(&Here, plan, options, build, events)
}

/// The same in other surroundings.
pub(super) fn execute_in(
    surroundings: &dyn Surroundings,
    plan: &Plan,
    options: &RunOptions,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<RunOutcome, RunError> {
    prepare::check(plan)?;
    for line in clean::stale_runs(&options.cache) {
        events(Event::Cleaned(line));
    }
    let registered = Registered::new(&options.cache, prepare::engine(plan).as_deref())?;
    let placement = surroundings.placement(plan.suite.limits.cpus);
    let context = prepare::context(plan, options, &registered, placement);
    let folder = options.output.folder(&registered.run_id);
    // It watches the host for a while: whoever is killed meanwhile leaves no folder without a record.
    let record = prepare::record(plan, &context, options.code.clone());
    let writer = Writer::create(&folder, &registered.run_id)?;
    let made = writer.made_folder();
    journal::write_run(&folder, &record).inspect_err(|_| prepare::take_back(&folder, made))?;
    events(Event::Created { run_id: registered.run_id.clone(), folder: folder.clone() });

    // Declared after `registered`: dropped before it, so the scratch folder outlives what is in it.
    let ready = prepare::all(plan, &context, registered.left(), &options.others, build, events);
    let ready = ready.inspect_err(|_| prepare::take_back(&folder, made))?;
    let log = Log::new(writer, events);
    let given = Given { plan, options, surroundings };
    let run = Running::new(given, folder, context, record, ready, log);
    run.through()
}

/// Can that run be continued with these options, as far as is known before anything is touched?
///
/// # Errors
/// It is complete, or was made of something else.
pub fn can_go_on(cut: &journal::Run, options: &RunOptions) -> Result<(), RunError> {
    resume::rest(cut, options).map(drop)
}

/// Continues the run in `folder`, which was cut off.
///
/// # Errors
/// It is complete, runs still, cannot be read, or was made of something else; else as [`execute`].
pub fn resume(folder: &Path, options: &RunOptions, events: &dyn Fn(Event)) -> Result<RunOutcome, RunError> {
    resume_with(folder, options, &factory::build, events)
}

/// The same with environments made otherwise.
///
/// # Errors
/// As [`resume`].
pub fn resume_with(
    folder: &Path,
    options: &RunOptions,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<RunOutcome, RunError> {
    resume_in(&Here, folder, options, build, events)
}

/// The same in other surroundings.
pub(super) fn resume_in(
    surroundings: &dyn Surroundings,
    folder: &Path,
    options: &RunOptions,
    build: Build<'_>,
    events: &dyn Fn(Event),
) -> Result<RunOutcome, RunError> {
    for line in clean::stale_runs(&options.cache) {
        events(Event::Cleaned(line));
    }
    let cut = journal::read(folder)?;
    let Rest { plan, record, taken, images, torn } = resume::rest(&cut, options)?;
    prepare::check(&plan)?;
    // Of the whole plan: repeats need environments that no block of the rest may have.
    let engine = prepare::engine(&record.plan);
    let registered = Registered::again(&options.cache, &record.run_id, engine.as_deref())?;
    let placement = surroundings.placement(plan.suite.limits.cpus);
    let context = prepare::context(&plan, options, &registered, placement);
    events(Event::Created { run_id: registered.run_id.clone(), folder: folder.to_owned() });
    let ready = prepare::all(&record.plan, &context, registered.left(), &options.others, build, events)?;
    resume::same(&record, &ready.records())?;
    let writer = Writer::resume(folder)?;
    let log = Log { measured: taken.0, failed: taken.1, ..Log::new(writer, events) };
    let before = record.environments.clone();
    let given = Given { plan: &plan, options, surroundings };
    let mut run = Running::new(given, folder.to_owned(), context, record, ready, log);
    run.goes_on_from(&cut);
    run.torn = torn;
    run.images.retain(|id, _| !images.contains(id));
    resume::join(&mut run.record.environments, &before);
    run.through()
}

/// What a run is given.
#[derive(Clone, Copy)]
struct Given<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    surroundings: &'a dyn Surroundings,
}

struct Running<'a> {
    given: Given<'a>,
    plan: &'a Plan,
    folder: PathBuf,
    context: RunContext,
    /// SHA-256 of the agents of environments that have another one.
    agents: BTreeMap<String, String>,
    record: RunRecord,
    ready: Ready,
    log: Log<'a>,
    began: Instant,
    pace: Pace,
    repeats: Repeats,
    images: BTreeMap<String, u64>,
    /// The block that is to stand for the one in which the run was cut off.
    torn: Option<Repeat>,
    left_behind: Vec<String>,
}

impl<'a> Running<'a> {
    fn new(
        given: Given<'a>,
        folder: PathBuf,
        context: RunContext,
        mut record: RunRecord,
        ready: Ready,
        log: Log<'a>,
    ) -> Self {
        // A run that is continued keeps to the precision it was begun for, unless another is asked for.
        record.conditions.precision = given.options.precision.or(record.conditions.precision);
        record.environments = ready.records();
        record.warnings.extend(ready.warnings());
        let image = |one: &crate::journal::record::EnvironmentRecord| {
            Some((one.id.clone(), one.prepared.image_bytes?))
        };
        let images = record.environments.iter().filter_map(image).collect();
        let plan = given.plan;
        let pace = Pace::new(plan);
        let other = |(id, other): (&String, &Other)| Some((id.clone(), sha256_hex(other.agent.as_ref()?)));
        let agents = given.options.others.iter().filter_map(other).collect();
        let repeats = repeats(plan, 0, given.options.repeats);
        let began = Instant::now();
        Self {
            given,
            plan,
            folder,
            context,
            agents,
            record,
            ready,
            log,
            began,
            pace,
            repeats,
            images,
            torn: None,
            left_behind: Vec::new(),
        }
    }

    /// Takes into account what the first part of it measured.
    fn goes_on_from(&mut self, cut: &journal::Run) {
        let before = resume::before(cut);
        self.repeats = repeats(self.plan, before.done.len(), self.given.options.repeats);
        self.repeats.go_on(&before);
        let count = |blocks: usize| u32::try_from(blocks).unwrap_or(u32::MAX);
        let conditions = &mut self.record.conditions;
        conditions.disturbed = count(before.disturbed.len());
        conditions.repeated = before.repeated;
        conditions.replaced = count(before.replaced.len());
        // It is told anew at the end, of both parts.
        self.record.warnings.retain(|text| !text.contains(DISTURBED));
    }

    /// All blocks, and the end.
    fn through(mut self) -> Result<RunOutcome, RunError> {
        let pinned = self.pin();
        let ending = self.blocks()?;
        drop(pinned);
        self.finish(ending)
    }

    /// The harness leaves the instances' CPUs, where there are others. Preparing may use all.
    fn pin(&mut self) -> Option<Pinned> {
        let placement = self.context.cpus.clone();
        let pinned = self.given.surroundings.pin(&placement);
        if let Some(text) = placement.warning() {
            self.warn(text);
        }
        self.record.conditions.placement = Some(placement);
        pinned.unwrap_or_else(|error| {
            self.warn(format!("isocost could not leave its instances' CPUs to them: {error}"));
            None
        })
    }

    fn blocks(&mut self) -> Result<Ending, WriteError> {
        journal::write_run(&self.folder, &self.record)?;
        for block in &self.plan.blocks {
            if self.context.stop.is_raised() {
                return Ok(self.stopping(Ending::Interrupted, "a signal came"));
            }
            if self.spent() {
                return Ok(self.stopping(Ending::Budget, "the budget is spent"));
            }
            let torn = self.torn.filter(|repeat| repeat.block == block.index);
            self.log.take(Vec::new(), torn.map(Record::Repeat).into_iter().collect())?;
            let disturbed = self.block(block)?;
            if self.context.stop.is_raised() {
                return Ok(self.stopping(Ending::Interrupted, "a signal came"));
            }
            let aside = torn.map(|repeat| SetAside { block: repeat.of, by: Some(repeat.block) });
            self.log.take(Vec::new(), aside.map(Record::SetAside).into_iter().collect())?;
            if block.role == Role::Measured {
                self.record.conditions.disturbed += u32::from(disturbed);
                self.repeats.done(block.index, disturbed);
                if self.is_precise() {
                    (self.log.events)(Event::Stopping("it is as precise as was asked".to_owned()));
                    return self.again(Ending::Precision);
                }
            }
        }
        self.again(Ending::Complete)
    }

    /// Asked of what is on disk: a run that is read again later gives the same answer.
    fn is_precise(&self) -> bool {
        let Some(target) = self.record.conditions.precision else { return false };
        precision::is_look(self.repeats.measured())
            && journal::read(&self.folder).is_ok_and(|run| precision::enough(&run, target))
    }

    fn spent(&self) -> bool {
        self.given.options.budget.is_some_and(|budget| Instant::now().since(self.began) >= budget)
    }

    /// Blocks that are to stand for disturbed ones. The plan is done, so a budget that is spent ends it as it is.
    fn again(&mut self, ending: Ending) -> Result<Ending, WriteError> {
        while !self.spent()
            && let Some((index, of)) = self.repeats.next()
        {
            let block = plan::block(&self.plan.suite, self.plan.seed, index, Role::Measured);
            self.pace.add(&block);
            self.record.conditions.repeated += 1;
            self.log.take(Vec::new(), vec![Record::Repeat(Repeat { block: index, of })])?;
            let disturbed = self.block(&block)?;
            if self.context.stop.is_raised() {
                return Ok(self.stopping(Ending::Interrupted, "a signal came"));
            }
            let Some(settled) = self.repeats.ended(index, disturbed) else { continue };
            self.record.conditions.replaced += u32::from(settled.by.is_some());
            let aside = SetAside { block: settled.set_aside, by: settled.by };
            self.log.take(Vec::new(), vec![Record::SetAside(aside)])?;
        }
        Ok(ending)
    }

    /// All cells of a block: was any of them disturbed?
    fn block(&mut self, block: &Block) -> Result<bool, WriteError> {
        let (index, role) = (block.index, block.role);
        let of = u32::try_from(self.plan.blocks.len()).unwrap_or(u32::MAX).max(index + 1);
        // What was learned before outlives `kill -9`. Where it cannot be written the journal cannot either, and says so.
        let _ = journal::write_run(&self.folder, &self.record);
        (self.log.events)(Event::BlockStarted { index, of, role });
        let mut grounds = Vec::new();
        for (position, cell) in (0..).zip(&block.cells) {
            grounds.extend(self.cell(block, position, cell)?);
            if self.context.stop.is_raised() {
                break;
            }
        }
        if let Some(first) = grounds.first() {
            (self.log.events)(Event::Disturbed { block: index, why: first.to_string() });
        }
        Ok(!grounds.is_empty())
    }

    fn stopping(&self, ending: Ending, why: &str) -> Ending {
        (self.log.events)(Event::Stopping(why.to_owned()));
        ending
    }

    /// One cell; on what grounds it was disturbed.
    fn cell(&mut self, block: &Block, position: u32, cell: &Cell) -> Result<Vec<Ground>, WriteError> {
        let (index, environment) = (block.index, cell.environment.clone());
        (self.log.events)(Event::CellStarted { block: index, position, environment: environment.clone() });
        if block.role == Role::Cold {
            self.make_cold(&environment);
        }
        let began = Instant::now();
        let mut result = self.run_cell(block, position, cell)?;
        self.images.retain(|id, _| !self.log.images.contains(id));
        self.pace.took(&environment, block.role, Instant::now().since(began));
        let disturbed = std::mem::take(&mut result.disturbed);
        self.learn(&environment, result)?;
        (self.log.events)(Event::CellFinished { block: index, environment });
        (self.log.events)(self.pace.progress());
        Ok(disturbed)
    }

    /// What would warm the page cache comes before it is dropped, so that the start alone is after it.
    fn make_cold(&mut self, environment: &str) {
        if let Some(environment) = self.ready.find(environment) {
            // Where it cannot be made the boot says so.
            let _ = environment.lay_out();
        }
        if let Err(why) = self.given.surroundings.drop_page_cache() {
            self.warn(why);
        }
    }

    fn run_cell(&mut self, block: &Block, position: u32, cell: &Cell) -> Result<CellResult, WriteError> {
        let suite = &self.plan.suite;
        let Some(environment) = self.ready.find(&cell.environment) else { return Ok(CellResult::default()) };
        let at = At {
            block: block.index,
            position,
            environment: cell.environment.clone(),
            accelerator: environment.accelerator(),
            warm_up: block.role == Role::WarmUp,
        };
        let known = self.record.environments.iter().find(|one| one.id == cell.environment);
        let wanted = |id: &String| suite.workloads.iter().find(|workload| workload.id == *id);
        let spec = suite.environments.iter().find(|one| one.id == cell.environment);
        let measured = block.role == Role::Measured;
        let plan = CellPlan {
            at,
            workloads: cell.workloads.iter().filter_map(wanted).collect(),
            deadlines: &suite.deadlines,
            limits: suite.limits,
            seed: self.plan.seed ^ u64::from(block.index),
            expected: known.and_then(|one| one.inspection.as_ref()),
            agent_sha256: self.agents.get(&cell.environment).unwrap_or(&self.context.agent_sha256),
            // An exact figure: once is enough, but a start that failed has not taken it.
            image_bytes: self.images.get(&cell.environment).copied().filter(|_| measured),
            stop: &self.context.stop,
            slower_permille: spec.map_or(0, |one| one.slower_permille),
            cpus: &self.context.cpus.instances,
            surroundings: measured.then_some(self.given.surroundings),
        };
        match block.role {
            Role::Cold => cell::run_cold(&plan, environment, &mut self.log),
            Role::WarmUp | Role::Measured | Role::SetAside => cell::run(&plan, environment, &mut self.log),
        }
    }

    fn learn(&mut self, environment: &str, result: CellResult) -> Result<(), WriteError> {
        if let Some(share) = result.sampler_cpu_share {
            if share > MOST_CPU_SHARE {
                self.warn(format!(
                    "the sampler took more than {:.0} % of one core in some cells",
                    MOST_CPU_SHARE * 1e2
                ));
            }
            let most = self.record.sampler_cpu_share.map_or(share, |most| most.max(share));
            self.record.sampler_cpu_share = Some(most);
        }
        if let Some(text) = result.warning {
            self.warn(text);
        }
        if let Some(what) = result.left_behind {
            self.ready.left.note();
            self.left_behind.push(what);
        }
        if let Some(clock) = result.clock {
            self.clock(environment, &clock);
        }
        let Some(inspection) = result.inspection else { return Ok(()) };
        self.saw(environment, inspection)
    }

    fn clock(&mut self, environment: &str, learned: &ClockTruth) {
        self.record.conditions.clocks.entry(environment.to_owned()).or_default().join(learned);
        if learned.wrong > 0 {
            self.warn(format!(
                "{environment}: its clock ran more than {} % fast or slow in some cells; what was timed by it is not a \
                 figure but a failure (clock-void)",
                MOST_RATE_ERROR * 1e2
            ));
        }
    }

    /// On disk at once: a run that is killed later still proves its sizes.
    fn saw(&mut self, environment: &str, inspection: Inspection) -> Result<(), WriteError> {
        let mut all = self.record.environments.iter_mut();
        let Some(one) = all.find(|one| one.id == environment && one.inspection.is_none()) else {
            return Ok(());
        };
        one.inspection = Some(inspection);
        journal::write_run(&self.folder, &self.record)
    }

    /// Each warning once, however often its cause comes.
    fn warn(&mut self, text: String) {
        if !self.record.warnings.contains(&text) {
            (self.log.events)(Event::Warning(text.clone()));
            self.record.warnings.push(text);
        }
    }

    /// What a reader must know of the blocks that others disturbed.
    fn tell_of_disturbances(&mut self) {
        let conditions = &self.record.conditions;
        let (disturbed, replaced) = (conditions.disturbed, conditions.replaced);
        let left = disturbed.saturating_sub(replaced);
        if disturbed == 0 {
            return;
        }
        let measured = self.record.plan.blocks.iter().filter(|block| block.role == Role::Measured).count();
        let left = match left {
            0 => "all of them were measured again, undisturbed".to_owned(),
            left => {
                format!("{replaced} were measured again, undisturbed; {left} are in the figures as they are")
            }
        };
        self.warn(format!(
            "{disturbed} of {measured} blocks {DISTURBED} (load of others, steal, heat or \
             swapping; see `conditions` in journal.jsonl): {left}"
        ));
    }

    fn finish(mut self, ending: Ending) -> Result<RunOutcome, RunError> {
        self.tell_of_disturbances();
        self.left_behind.extend(self.ready.dispose());
        self.record.ending = ending;
        self.record.ended_at = Some(jiff::Timestamp::now());
        self.log.writer.append(&[Record::End])?;
        journal::write_run(&self.folder, &self.record)?;
        Ok(RunOutcome {
            folder: self.folder,
            record: self.record,
            measured: self.log.measured,
            failed: self.log.failed,
            left_behind: self.left_behind,
        })
    }
}

/// How the warning of [`Running::tell_of_disturbances`] is known again.
const DISTURBED: &str = "were disturbed by what is not part of them";

/// Indices of repeats go on behind the plan's. `before`: blocks that were measured before `plan`, which is what is left.
fn repeats(plan: &Plan, before: usize, limit: Option<u32>) -> Repeats {
    let measured = before + plan.blocks.iter().filter(|block| block.role == Role::Measured).count();
    let next = plan.blocks.iter().map(|block| block.index + 1).max().unwrap_or(0);
    Repeats::new(u32::try_from(measured).unwrap_or(u32::MAX), limit, next)
}

/// How long cells take, and so how long is left.
struct Pace {
    left: BTreeMap<(String, bool), u32>,
    taken: BTreeMap<(String, bool), (u32, Duration)>,
    done: u32,
    of: u32,
}

impl Pace {
    fn new(plan: &Plan) -> Self {
        let mut pace = Self { left: BTreeMap::new(), taken: BTreeMap::new(), done: 0, of: 0 };
        plan.blocks.iter().for_each(|block| pace.add(block));
        pace
    }

    fn add(&mut self, block: &Block) {
        for cell in &block.cells {
            *self.left.entry((cell.environment.clone(), block.role == Role::Cold)).or_default() += 1;
            self.of += 1;
        }
    }

    fn took(&mut self, environment: &str, role: Role, time: Duration) {
        let key = (environment.to_owned(), role == Role::Cold);
        if let Some(left) = self.left.get_mut(&key) {
            *left = left.saturating_sub(1);
        }
        let taken = self.taken.entry(key).or_default();
        *taken = (taken.0 + 1, taken.1 + time);
        self.done += 1;
    }

    fn progress(&self) -> Event {
        let one = |(key, count): (&(String, bool), &u32)| {
            if *count == 0 {
                return Some(Duration::ZERO);
            }
            self.taken.get(key).map(|(times, total)| *total * *count / (*times).max(1))
        };
        let left = self.left.iter().map(one).sum::<Option<Duration>>();
        Event::Progress { done: self.done, of: self.of, left }
    }
}
