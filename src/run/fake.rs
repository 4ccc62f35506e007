//! A deterministic environment without any process: what the engine's tests stand on.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isocost_agent::protocol::{Inspection, WorkDone, WorkOrder};
use tempfile::TempDir;

use crate::environment::agent::{AgentConnection, StopSignal};
use crate::environment::{Environment, EnvironmentError, Instance, Kind, Layer, Prepared, RunContext};
use crate::measure::accounting::{Account, Accounts, Cgroup};
use crate::measure::clock::ClockOffset;
use crate::measure::clock::Instant;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::sense::Worked;
use crate::measure::span::Span;

/// What happens instead of what should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Prepare(FailureName),
    Boot(FailureName),
    /// The run is stopped, and what is made for it fails in another way of that: while it is prepared, or booted.
    StopInStart,
    Inspect(FailureName),
    OtherAgent,
    OtherSize,
    Work(FailureName),
    /// The run is stopped while the work runs.
    StopInWork,
    PanicInWork,
    Stop(FailureName),
    /// Whenever it is tried.
    Dispose,
    BackwardSpan,
    /// The clock inside is not the host's, and runs one per cent fast.
    FastClock,
}

/// What was done to all fakes of one test, in order.
pub(super) type Diary = Arc<Mutex<Vec<String>>>;

/// Faults by the number of the boot (from 1; 0: prepare), each used once.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    pub diary: Diary,
    pub faults: Vec<(u32, Fault)>,
}

pub(super) struct Fake {
    id: String,
    context: RunContext,
    script: Script,
    boots: u32,
}

impl Fake {
    pub(super) fn new(id: &str, context: &RunContext, script: Script) -> Self {
        Self { id: id.into(), context: context.clone(), script, boots: 0 }
    }

    fn failed(&self, name: FailureName) -> EnvironmentError {
        EnvironmentError::new(&self.id, name, "as the script says; type nothing")
    }

    fn note(&self, what: &str) {
        note(&self.script.diary, &self.id, what);
    }
}

fn note(diary: &Diary, id: &str, what: &str) {
    diary.lock().unwrap().push(format!("{id} {what}"));
}

impl Environment for Fake {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Kind {
        Kind::Native
    }

    fn accelerator(&self) -> Accelerator {
        Accelerator::None
    }

    fn prepare(&mut self) -> Result<Prepared, EnvironmentError> {
        self.note("prepare");
        match self.script.faults.first() {
            Some((0, Fault::Prepare(name))) => Err(self.failed(*name)),
            Some((0, Fault::StopInStart)) => {
                self.context.stop.raise();
                Err(self.failed(FailureName::NotStarted))
            }
            _ => {
                Ok(Prepared { image_bytes: Some(1000), facts: Vec::new(), warnings: vec!["made up".into()] })
            }
        }
    }

    fn lay_out(&mut self) -> Result<(), EnvironmentError> {
        self.note("laid out");
        Ok(())
    }

    fn boot(&mut self) -> Result<Box<dyn Instance>, EnvironmentError> {
        self.boots += 1;
        self.note("boot");
        let at = self.boots;
        let faults: VecDeque<Fault> =
            self.script.faults.iter().filter(|(boot, _)| *boot == at).map(|(_, fault)| *fault).collect();
        if let Some(Fault::Boot(name)) = faults.front() {
            return Err(self.failed(*name));
        }
        if faults.contains(&Fault::StopInStart) {
            self.context.stop.raise();
            return Err(self.failed(FailureName::NotStarted));
        }
        let start = Instant::now();
        let end = if faults.contains(&Fault::BackwardSpan) { 1 } else { start.0 + 2_000_000 };
        let parts = [("exec", Instant(start.0 + 1_000_000)), ("agent", Instant(end))];
        Ok(Box::new(FakeInstance {
            id: self.id.clone(),
            span: Span::from_marks("ready", start, &parts),
            layer: Layer::new(Path::new("/dev/shm"), "directory"),
            agent_sha256: self.context.agent_sha256.clone(),
            stop: self.context.stop.clone(),
            diary: Arc::clone(&self.script.diary),
            order: None,
            group: Group::new(),
            faults,
            stopped: false,
        }))
    }

    fn dispose(&mut self) -> Result<(), EnvironmentError> {
        self.note("dispose");
        let stays = self.script.faults.iter().any(|(_, fault)| *fault == Fault::Dispose);
        if stays { Err(self.failed(FailureName::NotRemoved)) } else { Ok(()) }
    }
}

struct FakeInstance {
    id: String,
    span: Span,
    layer: Layer,
    agent_sha256: String,
    stop: StopSignal,
    diary: Diary,
    order: Option<WorkOrder>,
    group: Group,
    faults: VecDeque<Fault>,
    stopped: bool,
}

impl FakeInstance {
    fn fault(&self, which: impl Fn(&Fault) -> Option<FailureName>) -> Result<(), Failure> {
        match self.faults.iter().find_map(which) {
            Some(name) => Err(Failure { name, detail: "as the script says".into() }),
            None => Ok(()),
        }
    }
}

/// A control group of files, because this process's own time is also that of other tests, and of all their children.
struct Group(TempDir);

impl Group {
    fn new() -> Self {
        let group = Self(tempfile::tempdir().unwrap());
        for (file, value) in [
            ("cpuacct.usage", "0"),
            ("memory.usage_in_bytes", "1000000"),
            ("memory.max_usage_in_bytes", "2000000"),
        ] {
            std::fs::write(group.0.path().join(file), value).unwrap();
        }
        group
    }

    fn spend(&self, ns: u64) {
        let file = self.0.path().join("cpuacct.usage");
        let before: u64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        std::fs::write(file, (before + ns).to_string()).unwrap();
    }

    fn named(&self) -> Cgroup {
        let folder = Some(self.0.path().to_owned());
        Cgroup::V1 { memory: folder.clone(), cpuacct: folder, blkio: None }
    }
}

impl Instance for FakeInstance {
    fn start(&self) -> &Span {
        &self.span
    }

    fn agent(&mut self) -> &mut AgentConnection {
        unreachable!("a fake has no connection")
    }

    fn inspect(&mut self, _deadline: Duration) -> Result<Inspection, Failure> {
        self.fault(|fault| if let Fault::Inspect(name) = fault { Some(*name) } else { None })?;
        let other = |fault| self.faults.contains(&fault);
        Ok(Inspection {
            agent_sha256: if other(Fault::OtherAgent) { "other".into() } else { self.agent_sha256.clone() },
            online_cpus: Some(if other(Fault::OtherSize) { 16 } else { 1 }),
            affinity_cpus: None,
            quota_cpus: None,
            cgroup_memory_limit_bytes: None,
            firmware_memory_bytes: Some(1 << 28),
            memory_total_bytes: Some(240 << 20),
            memory_available_bytes: Some(200 << 20),
            cpu_model: None,
            cpu_flags: Vec::new(),
            clock_source: None,
            kernel_release: String::new(),
            kernel_version: String::new(),
            mitigations: Vec::new(),
            layer_file_system: None,
            layer_source: None,
            page_bytes: 4096,
        })
    }

    fn shares_clock(&mut self) -> bool {
        !self.faults.contains(&Fault::FastClock)
    }

    /// One per cent fast.
    fn clock_offset(&mut self, _rounds: u32, _deadline: Duration) -> Result<ClockOffset, Failure> {
        let offset_ns = -i128::from((Instant::now().0 - self.span.start.0) / 100);
        Ok(ClockOffset { offset_ns, uncertainty_ns: 1_000 })
    }

    fn prepare_work(&mut self, order: &WorkOrder, _deadline: Duration) -> Result<(), Failure> {
        note(&self.diary, &self.id, &format!("work {:?} seed {}", order.workload, order.seed));
        self.order = Some(order.clone());
        Ok(())
    }

    fn run_work(&mut self, _deadline: Duration) -> Result<Worked, Failure> {
        self.fault(|fault| if let Fault::Work(name) = fault { Some(*name) } else { None })?;
        assert!(!self.faults.contains(&Fault::PanicInWork), "as the script says");
        if self.faults.contains(&Fault::StopInWork) {
            self.stop.raise();
            return Err(Failure { name: FailureName::Interrupted, detail: "stopped".into() });
        }
        let order = self.order.take().unwrap();
        let elapsed_ns = order.duration_ns.max(1_000_000);
        self.group.spend(elapsed_ns);
        let done = WorkDone {
            units: 1000,
            elapsed_ns,
            cpu_ns: elapsed_ns,
            bytes_written: 0,
            syncs: 0,
            latencies_ns: vec![10; 10],
            checksum: 7,
        };
        let sent = Instant::now();
        Ok(Worked { done, sent, answered: Instant(sent.0 + elapsed_ns + 1000) })
    }

    fn accounts(&self) -> Accounts {
        let roots = vec![std::process::id()];
        let cgroup = Some(self.group.named());
        Accounts { instance: Account { roots, cgroup, ..Account::default() }, ..Accounts::default() }
    }

    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn added_bytes(&mut self) -> Result<u64, EnvironmentError> {
        Ok(4096)
    }

    fn stop(mut self: Box<Self>) -> Result<Span, EnvironmentError> {
        self.stopped = true;
        note(&self.diary, &self.id, "stop");
        self.fault(|fault| if let Fault::Stop(name) = fault { Some(*name) } else { None })
            .map_err(|failure| EnvironmentError { environment: self.id.clone(), failure })?;
        let parts = [("stop", Instant(20)), ("remove", Instant(30))];
        Ok(Span::from_marks("end", Instant(10), &parts))
    }
}

impl Drop for FakeInstance {
    fn drop(&mut self) {
        if !self.stopped {
            note(&self.diary, &self.id, "killed");
        }
    }
}
