//! Where work runs: as a process, in a container, in a virtual machine, behind one trait.
//!
//! In: an [`EnvironmentSpec`](crate::suite::EnvironmentSpec) that was resolved, and limits. Out: a running [`Instance`] with the spans
//! of its start, a connection to its agent, and the accounts of who spends on its behalf. Nothing outside
//! this folder knows what a container or a virtual machine is; nothing in it knows what is measured or why.

use std::path::{Path, PathBuf};
use std::time::Duration;

use isocost_agent::protocol::{Inspection, WorkOrder};
use serde::{Deserialize, Serialize};

use crate::measure::accounting::Accounts;
use crate::measure::clock::{self, ClockOffset, Instant};
use crate::measure::equality::Limits;
use crate::measure::host::CpuPlacement;
use crate::measure::sample::{Accelerator, Failure, FailureName};
use crate::measure::sense::Worked;
use crate::measure::span::Span;

/// The kinds of environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A child process.
    Native,
    /// A container made through the Docker API.
    Docker,
    /// A QEMU virtual machine.
    Qemu,
}

/// What every environment of one run shares.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The run's id, in the label of everything made: lower-case letters, digits and hyphens.
    pub run_id: String,
    /// The agent's bytes, as files are made of them, and their SHA-256 in lower-case hex.
    pub agent: std::sync::Arc<[u8]>,
    /// See [`RunContext::agent`].
    pub agent_sha256: String,
    /// A folder of this run's own for sockets, disks and logs.
    /// It is on the file system whose disk is measured, never a RAM disk.
    pub scratch: PathBuf,
    /// Where kernels and decisions are kept between runs.
    pub cache: PathBuf,
    /// The limits.
    pub limits: Limits,
    /// The CPUs of every instance, and of the harness.
    pub cpus: CpuPlacement,
    /// How long a start may take before it is a failed sample.
    pub start_deadline: Duration,
    /// How long an orderly end may take before the instance is killed and its end is a failed sample.
    pub stop_deadline: Duration,
    /// Another QEMU than the one on the path.
    pub qemu: Option<PathBuf>,
    /// Set once the run is to stop: every wait ends early with [`FailureName::Interrupted`].
    pub stop: agent::StopSignal,
}

/// A failure to do something to an environment: becomes a failed sample, the run goes on.
#[derive(Debug, thiserror::Error)]
#[error("{environment}: {}", failure.detail)]
pub struct EnvironmentError {
    /// The environment's id.
    pub environment: String,
    /// By name, with what, on what, and where it helps the next thing to type.
    pub failure: Failure,
}

impl EnvironmentError {
    /// A new one.
    pub fn new(environment: &str, name: FailureName, detail: impl Into<String>) -> Self {
        Self { environment: environment.to_owned(), failure: Failure { name, detail: detail.into() } }
    }
}

/// What a prepared environment is made of, for run.json and the exact metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// Bytes of image that a start reads from: container image, or kernel and initramfs and disk.
    pub image_bytes: Option<u64>,
    /// Versions, hashes, command lines, drivers: name and value, in a stable order.
    pub facts: Vec<(String, String)>,
    /// What was not as asked (limits that could not be set, another kernel than the host's), for the reader.
    pub warnings: Vec<String>,
}

/// The facts that say what an environment is, and not where it lies or what this run called it.
pub const ARTEFACTS: &[&str] = &[
    "engine",
    "engine.containerd",
    "engine.kernel",
    "engine.security",
    "storage.driver",
    "storage.file-system",
    "log.driver",
    "cgroup",
    "runtime",
    "runtime.version",
    "image.layers",
    "qemu",
    "kernel.release",
    "kernel.booted.sha256",
    "kernel.line",
    "initramfs.sha256",
    "disk.digest",
    "disk.cache",
];

/// In the environment of every process that is made: by it `clean` finds what a crash left.
pub const RUN_VARIABLE: &str = "ISOCOST_RUN";

/// A way to run the agent isolated.
pub trait Environment: Send {
    /// The id from the suite.
    fn id(&self) -> &str;

    /// Its kind.
    fn kind(&self) -> Kind;

    /// What will execute it; known after [`Environment::prepare`].
    fn accelerator(&self) -> Accelerator;

    /// Makes what all its instances share (image, kernel, initramfs), once.
    ///
    /// # Errors
    /// Whatever stands in the way, by name.
    fn prepare(&mut self) -> Result<Prepared, EnvironmentError>;

    /// Makes what the next start needs and its time does not have in it (a virtual machine's writable layer). Without this
    /// [`Environment::boot`] does so itself; with it nothing but the start comes after what is done in between.
    ///
    /// # Errors
    /// By name; the boot will say it again.
    fn lay_out(&mut self) -> Result<(), EnvironmentError> {
        Ok(())
    }

    /// Starts one instance and returns when it is ready: when its Hello has come.
    ///
    /// # Errors
    /// By name; nothing of the instance is left behind.
    fn boot(&mut self) -> Result<Box<dyn Instance>, EnvironmentError>;

    /// Removes what [`Environment::prepare`] made outside the cache.
    ///
    /// # Errors
    /// What could not be removed.
    fn dispose(&mut self) -> Result<(), EnvironmentError>;
}

/// A running instance. Dropping it kills and removes it as well as a synchronous drop can;
/// [`Instance::stop`] is the way to end it.
pub trait Instance: Send {
    /// The start, from the request to the Hello: a span `ready` with its parts.
    fn start(&self) -> &Span;

    /// Moments of the start that are not parts of the sum, on the same clock (`start-returned`).
    fn marks(&self) -> Vec<(String, Instant)> {
        Vec::new()
    }

    /// The connection to its agent.
    fn agent(&mut self) -> &mut agent::AgentConnection;

    /// Adds to a failure of its agent what is known outside of it: how it ended, what it last said.
    fn explain(&mut self, failure: Failure) -> Failure {
        failure
    }

    /// What the program sees from inside.
    ///
    /// # Errors
    /// By name.
    fn inspect(&mut self, deadline: Duration) -> Result<Inspection, Failure> {
        self.agent().inspect(deadline).map_err(|failure| self.explain(failure))
    }

    /// Does it run on the host's kernel, and so by the host's clock?
    fn shares_clock(&mut self) -> bool {
        clock::boot_id().is_some_and(|id| id == self.agent().hello().boot_id)
    }

    /// The offset of the clock inside to the host's.
    ///
    /// # Errors
    /// By name.
    fn clock_offset(&mut self, rounds: u32, deadline: Duration) -> Result<ClockOffset, Failure> {
        self.agent().clock_offset(rounds, deadline).map_err(|failure| self.explain(failure))
    }

    /// Has a piece of work made ready.
    ///
    /// # Errors
    /// By name.
    fn prepare_work(&mut self, order: &WorkOrder, deadline: Duration) -> Result<(), Failure> {
        self.agent().prepare(order, deadline).map_err(|failure| self.explain(failure))
    }

    /// Has the prepared work done.
    ///
    /// # Errors
    /// By name.
    fn run_work(&mut self, deadline: Duration) -> Result<Worked, Failure> {
        self.agent().run(deadline).map_err(|failure| self.explain(failure))
    }

    /// Who spends on its behalf.
    fn accounts(&self) -> Accounts;

    /// Where its writable layer lives on the host.
    fn layer(&self) -> &Layer;

    /// Bytes it has added on the host's disk so far (allocated blocks).
    ///
    /// # Errors
    /// What could not be read.
    fn added_bytes(&mut self) -> Result<u64, EnvironmentError>;

    /// Stops it in an orderly way and removes it: a span `end` with the parts `stop` and `remove`.
    ///
    /// # Errors
    /// By name; whatever remains is still found by `clean`.
    fn stop(self: Box<Self>) -> Result<Span, EnvironmentError>;
}

/// Where an instance's writable layer lives on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// A file or folder on the host whose block device takes the writes.
    pub host_path: PathBuf,
    /// What it is: `overlay2`, `qcow2`, `raw`, `directory`.
    pub driver: String,
    /// How long it took to make, where that was before the start and is in no start.
    pub took: Option<Duration>,
}

impl Layer {
    /// A new one.
    #[must_use]
    pub fn new(host_path: &Path, driver: &str) -> Self {
        Self { host_path: host_path.to_owned(), driver: driver.to_owned(), took: None }
    }
}

mod allocated;
mod cgroup;
mod cpus;
mod first_instruction;
mod socket_folder;

pub mod agent;
pub mod check;
pub mod docker;
pub mod factory;
pub mod native;
pub mod qemu;
pub mod tap;
