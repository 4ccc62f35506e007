//! One cell: an instance is started, looked at, worked and ended; each step's samples are on disk before the next.

use std::time::Duration;

use isocost_agent::protocol::{Inspection, WorkOrder};

use super::Event;
use super::inside_clock::InsideClock;
use super::log::{At, Log, Piece};
use super::surroundings::Surroundings;
use super::{memory, start, work};
use crate::environment::agent::StopSignal;
use crate::environment::{Environment, EnvironmentError, Instance};
use crate::journal::{CellConditions, Record, Timeline, WriteError};
use crate::measure::accounting::{Bill, Reading};
use crate::measure::clock::rate::ClockTruth;
use crate::measure::disturbance::{self, Ground};
use crate::measure::equality;
use crate::measure::host::frequency::Frequency;
use crate::measure::host::{self, CpuList, Look};
use crate::measure::sample::{Failure, FailureName, Sample};
use crate::measure::timeline::{Peaks, Sampler, Watched};
use crate::suite::{Deadlines, WorkloadSpec};

/// Between the Hello and the readings of the idle instance: page faults of its start are over by then.
const SETTLE: Duration = Duration::from_millis(300);

/// A request that is answered at once has this long.
const QUICK: Duration = Duration::from_secs(30);

/// What a cell needs to know.
pub(super) struct CellPlan<'a> {
    pub at: At,
    pub workloads: Vec<&'a WorkloadSpec>,
    pub deadlines: &'a Deadlines,
    pub limits: crate::measure::equality::Limits,
    pub seed: u64,
    /// What the environment's first instance saw; the others must see the same.
    pub expected: Option<&'a Inspection>,
    pub agent_sha256: &'a str,
    pub image_bytes: Option<u64>,
    pub stop: &'a StopSignal,
    /// By how much its work is slowed on purpose.
    pub slower_permille: u32,
    /// Where instances run.
    pub cpus: &'a CpuList,
    /// The host around it; `None` where what it does is not asked, for the block is not analysed.
    pub surroundings: Option<&'a dyn Surroundings>,
}

/// What a cell leaves beside its samples.
#[derive(Debug, Default)]
pub(super) struct CellResult {
    pub inspection: Option<Inspection>,
    /// Of one core.
    pub sampler_cpu_share: Option<f64>,
    pub left_behind: Option<String>,
    /// For the record.
    pub warning: Option<String>,
    pub clock: Option<ClockTruth>,
    /// On these grounds it was disturbed.
    pub disturbed: Vec<Ground>,
}

/// Runs it. Whatever fails in it is a failed sample; only a journal that cannot be written ends the run.
pub(super) fn run(
    cell: &CellPlan<'_>,
    environment: &mut dyn Environment,
    log: &mut Log<'_>,
) -> Result<CellResult, WriteError> {
    let before = cell.surroundings.map(|host| host.look());
    let piece = Piece::begin(&cell.at, "start");
    let instance = match environment.boot() {
        Ok(instance) => instance,
        Err(error) => {
            not_started(cell, &piece, named(error.failure, cell.stop), log)?;
            return Ok(CellResult::default());
        }
    };
    match start::samples(&piece, instance.start(), &instance.marks(), cell.deadlines.start) {
        Ok((mut samples, tree)) => {
            samples.extend(start::layer(&piece, instance.layer()));
            log.take(samples, vec![Record::Start(tree)])?;
        }
        Err(failure) => {
            log.take(piece.failed(&log.seen.of(&cell.at.environment, "start"), &failure), Vec::new())?
        }
    }
    let (peaks, result) = (Peaks::default(), CellResult::default());
    let mut running = Running { cell, log, instance, before, peaks, result };
    running.measure()?;
    running.end()
}

/// A first boot on a cold page cache: its time, and nothing else.
pub(super) fn run_cold(
    cell: &CellPlan<'_>,
    environment: &mut dyn Environment,
    log: &mut Log<'_>,
) -> Result<CellResult, WriteError> {
    let piece = Piece::begin(&cell.at, "start");
    let booted = environment.boot().map_err(|error| named(error.failure, cell.stop));
    let ready = booted.as_ref().map_err(Clone::clone).and_then(|instance| {
        crate::measure::sense::span(instance.start(), cell.deadlines.start)?;
        Ok(instance.start().ns() as f64 / 1e6)
    });
    if let Err(failure) = &ready {
        let (environment, failure) = (cell.at.environment.clone(), failure.clone());
        (log.events)(Event::CellFailed { environment, failure });
    }
    log.take(vec![piece.sample("startup.cold.ready", ready)], Vec::new())?;
    let ended = booted.ok().map(|instance| instance.stop());
    let error = ended.and_then(Result::err).filter(|_| !cell.stop.is_raised());
    let left_behind = error.as_ref().and_then(not_removed);
    Ok(CellResult { left_behind, ..CellResult::default() })
}

/// What fails once the run is to stop may fail of that: it says nothing of the environment.
fn named(failure: Failure, stop: &StopSignal) -> Failure {
    if stop.is_raised() { Failure { name: FailureName::Interrupted, ..failure } } else { failure }
}

/// Everything the cell would have measured has failed.
fn not_started(
    cell: &CellPlan<'_>,
    piece: &Piece<'_>,
    failure: Failure,
    log: &mut Log<'_>,
) -> Result<(), WriteError> {
    let mut samples = Vec::new();
    if failure.name == FailureName::Interrupted {
        samples.push(piece.sample("startup.ready", Err(failure.clone())));
    } else {
        for stage in ["start", "idle", "stop"] {
            let piece = Piece { workload: stage, ..piece.clone() };
            samples.extend(piece.failed(&log.seen.of(&cell.at.environment, stage), &failure));
        }
        for workload in &cell.workloads {
            let piece = Piece { workload: &workload.id, ..piece.clone() };
            samples.extend(piece.failed(&work::metrics(workload.run), &failure));
        }
    }
    let environment = cell.at.environment.clone();
    (log.events)(Event::CellFailed { environment, failure });
    log.take(samples, Vec::new())
}

struct Running<'a, 'b, 'c> {
    cell: &'a CellPlan<'a>,
    log: &'b mut Log<'c>,
    instance: Box<dyn Instance>,
    /// The host before it.
    before: Option<Look>,
    peaks: Peaks,
    result: CellResult,
}

impl Running<'_, '_, '_> {
    fn measure(&mut self) -> Result<(), WriteError> {
        let asked = self.instance.start().start;
        let clock = InsideClock::begin(&mut *self.instance);
        let sampler = Sampler::start(self.instance.accounts(), asked, self.cell.cpus);
        let _ = self.cell.stop.raised_within(SETTLE);
        let measured = match self.idle()?.and(clock) {
            Ok(mut clock) => {
                let worked = self.work(&mut clock);
                self.result.clock = Some(clock.truth());
                worked
            }
            Err(failure) => self.give_up(0, &failure),
        };
        let mut frequency = None;
        match sampler.map(Sampler::finish) {
            Ok(Some(watched)) => {
                frequency = watched.frequency;
                self.watched(watched)?;
            }
            Ok(None) => self.unwatched("the sampler's thread did not survive")?,
            Err(error) => self.unwatched(&format!("there was no sampler: {error}"))?,
        }
        self.conditions(frequency)?;
        measured
    }

    /// What the host did meanwhile. Looked at while the instance lives: its processes are told from those of others.
    fn conditions(&mut self, frequency: Option<Frequency>) -> Result<(), WriteError> {
        let (Some(surroundings), Some(before)) = (self.cell.surroundings, &self.before) else {
            return Ok(());
        };
        let at = &self.cell.at;
        let accounts = self.instance.accounts();
        let all = [&accounts.instance, &accounts.engine, &accounts.standing];
        let mut ours: Vec<u32> = all.into_iter().flat_map(|account| account.roots.clone()).collect();
        ours.push(std::process::id());
        let activity = surroundings.since(before, &ours, at.block);
        let disturbed = disturbance::grounds(&activity, host::online_cpus());
        self.result.disturbed.clone_from(&disturbed);
        let (block, position, environment) = (at.block, at.position, at.environment.clone());
        let conditions = CellConditions { block, position, environment, activity, frequency, disturbed };
        self.log.take(Vec::new(), vec![Record::Conditions(conditions)])
    }

    /// The idle instance; the inner failure says that nothing more can be asked of it.
    fn idle(&mut self) -> Result<Result<(), Failure>, WriteError> {
        let piece = Piece::begin(&self.cell.at, "idle");
        let seen = self.instance.inspect(QUICK);
        let accounts = self.instance.accounts();
        let mut samples = memory::idle(&piece, &accounts);
        let added = self.instance.added_bytes().map_err(|error| error.failure);
        samples.push(piece.sample("disk.added", added.map(|bytes| bytes as f64)));
        if let Some(bytes) = self.cell.image_bytes {
            let image = Piece { workload: "image", ..piece.clone() };
            samples.push(image.sample("disk.image", Ok(bytes as f64)));
        }
        if let Ok(seen) = &seen {
            samples.extend(memory::inside(&piece, seen));
        }
        self.log.take(samples, Vec::new())?;
        Ok(seen.and_then(|seen| {
            let checked = check_inspection(&seen, self.cell);
            self.result.inspection = Some(seen);
            checked
        }))
    }

    fn work(&mut self, clock: &mut InsideClock) -> Result<(), WriteError> {
        for (index, spec) in self.cell.workloads.iter().enumerate() {
            let environment = self.cell.at.environment.clone();
            (self.log.events)(Event::WorkStarted { environment, workload: spec.id.clone() });
            let piece = Piece::begin(&self.cell.at, &spec.id);
            let order = work::order(spec, &self.cell.limits, self.cell.seed);
            let order = WorkOrder { slower_permille: self.cell.slower_permille, ..order };
            let done = work::carry_out(&mut *self.instance, order, self.cell.deadlines.work, clock);
            match done {
                Ok(done) => self.log.take(work::samples(&piece, &done), Vec::new())?,
                // It said so itself: the next piece may go well.
                Err(failure) if failure.name == FailureName::WorkFailed => {
                    self.log.take(piece.failed(&work::metrics(spec.run), &failure), Vec::new())?;
                }
                Err(failure) => return self.give_up(index, &failure),
            }
            self.peaks.see(&Bill::without_standing(&self.instance.accounts()));
        }
        Ok(())
    }

    /// Fails the workloads from `index` on: their agent can no longer be relied on. A stop fails only what it cut.
    fn give_up(&mut self, index: usize, failure: &Failure) -> Result<(), WriteError> {
        let most = if failure.name == FailureName::Interrupted { 1 } else { usize::MAX };
        let left = self.cell.workloads.iter().skip(index).take(most);
        let samples = left
            .flat_map(|spec| Piece::begin(&self.cell.at, &spec.id).failed(&work::metrics(spec.run), failure));
        let samples: Vec<Sample> = samples.collect();
        let environment = self.cell.at.environment.clone();
        (self.log.events)(Event::CellFailed { environment, failure: failure.clone() });
        self.log.take(samples, Vec::new())
    }

    fn watched(&mut self, watched: Watched) -> Result<(), WriteError> {
        let share = watched.own_cpu.as_secs_f64() / watched.lasted.as_secs_f64().max(1e-9);
        self.result.sampler_cpu_share = Some(share);
        let mut peaks = std::mem::take(&mut self.peaks);
        peaks.join(watched.peaks);
        let accounts = self.instance.accounts();
        let at = &self.cell.at;
        let (block, environment, accelerator) = (at.block, at.environment.clone(), at.accelerator);
        let (points, sampler_cpu_share) = (watched.points, Some(share));
        let timeline = Timeline { block, environment, accelerator, points, sampler_cpu_share };
        let samples = memory::peak(&Piece::begin(at, "idle"), &accounts, peaks);
        self.log.take(samples, vec![Record::Timeline(timeline)])
    }

    /// A cell without a time line has no peaks but its control group's.
    fn unwatched(&mut self, why: &str) -> Result<(), WriteError> {
        let environment = &self.cell.at.environment;
        self.result.warning = Some(format!("{environment}: a cell has no time line and no peaks: {why}"));
        let accounts = self.instance.accounts();
        let bill = Bill::without_standing(&accounts);
        let failure = Failure { name: FailureName::Unreadable, detail: why.to_owned() };
        let lost = |reading: Reading| reading.map(|_| Err(failure.clone()));
        let total = lost(bill.total());
        let peaks = Peaks { instance: lost(bill.instance), engine: lost(bill.engine), total };
        let samples = memory::peak(&Piece::begin(&self.cell.at, "idle"), &accounts, peaks);
        self.log.take(samples, Vec::new())
    }

    /// After a stop what is left of the instance is killed rather than measured.
    fn end(self) -> Result<CellResult, WriteError> {
        let Running { cell, log, instance, mut result, .. } = self;
        let piece = Piece::begin(&cell.at, "stop");
        let ended = instance.stop();
        if cell.stop.is_raised() {
            return Ok(result);
        }
        if let Err(error) = &ended {
            result.left_behind = not_removed(error);
        }
        let deadline = cell.deadlines.stop;
        let ended = ended.map_err(|error| error.failure);
        let samples = ended.and_then(|span| start::end_samples(&piece, &span, deadline));
        let samples = samples
            .unwrap_or_else(|failure| piece.failed(&log.seen.of(&cell.at.environment, "stop"), &failure));
        log.take(samples, Vec::new())?;
        Ok(result)
    }
}

fn not_removed(error: &EnvironmentError) -> Option<String> {
    (error.failure.name == FailureName::NotRemoved).then(|| error.to_string())
}

/// The same program as everywhere, in an instance of the same size as the environment's first.
fn check_inspection(seen: &Inspection, cell: &CellPlan<'_>) -> Result<(), Failure> {
    let wrong = |detail: String| Err(Failure { name: FailureName::WrongAgent, detail });
    if seen.agent_sha256 != cell.agent_sha256 {
        return wrong(format!(
            "the agent inside is {}, it should be {}",
            seen.agent_sha256, cell.agent_sha256
        ));
    }
    let Some(first) = cell.expected else { return Ok(()) };
    let differences = equality::comparable(first, seen, &cell.limits);
    match differences.iter().find(|difference| difference.must_match && difference.a != difference.b) {
        Some(one) => wrong(format!("{} was {} in the first cell and is {} now", one.what, one.a, one.b)),
        None => Ok(()),
    }
}
