//! A running container.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::InspectContainerOptions;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::engine::{API_DEADLINE, Engine};
use super::error::DockerError;
use super::payers;
use super::start::{Container, Started};
use crate::environment::agent::AgentConnection;
use crate::environment::cgroup::Mounts;
use crate::environment::socket_folder::SocketFolder;
use crate::environment::{EnvironmentError, Instance, Layer, allocated};
use crate::measure::accounting::Accounts;
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;
use crate::wait;

/// A drop does not wait longer for an engine that does not answer.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// A container whose agent is ready. Dropping it removes it, or kills it where the engine does not answer.
pub(super) struct DockerInstance {
    id: String,
    engine: Arc<Engine>,
    container: Container,
    agent: AgentConnection,
    span: Span,
    returned: Instant,
    place: Place,
    removed: bool,
    folder: Option<SocketFolder>,
    /// From asking the agent to end to the engine's word that its container has ended: 25 ms are usual.
    stop_deadline: Duration,
}

/// Where a container is, on this host.
pub(super) struct Place {
    accounts: Accounts,
    layer: Layer,
    /// Its writable layer, where this user may look into it.
    upper: Option<PathBuf>,
    /// Readable once its first process has ended; `None` where that cannot be seen from here.
    process: Option<OwnedFd>,
}

/// Finds out where it is.
pub(super) fn place(
    engine: &Engine,
    container: &Container,
    root: &str,
    driver: &str,
) -> Result<Place, DockerError> {
    let id = container.id.clone().ok_or_else(|| DockerError::Odd("a container without an id".into()))?;
    let (docker, name) = (engine.docker(), id.clone());
    let look = async move { docker.inspect_container(&name, None).await };
    let seen = engine.call("show the container", API_DEADLINE, None, look)?;
    let pid = seen.state.and_then(|state| u32::try_from(state.pid?).ok());
    let pid = pid.filter(|pid| *pid > 0 && payers::is_of_container(*pid, &id));
    let graph = seen.graph_driver.and_then(|driver| driver.data.get("UpperDir").map(PathBuf::from));
    let upper = graph.or_else(|| payers::upper_of(pid?));
    let accounts =
        pid.map(|pid| payers::of_container(&Mounts::read(), pid, &payers::standing(engine.listener)));
    let host_path = payers::visible(&upper.clone().unwrap_or_else(|| PathBuf::from(root)));
    Ok(Place {
        accounts: accounts.unwrap_or_default(),
        layer: Layer::new(&host_path, driver),
        upper: upper.filter(|upper| *upper == host_path && std::fs::read_dir(upper).is_ok()),
        process: pid.and_then(|pid| pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()),
    })
}

impl DockerInstance {
    pub(super) fn new(
        id: &str,
        engine: Arc<Engine>,
        container: Container,
        started: Started,
        place: Place,
        folder: SocketFolder,
        stop_deadline: Duration,
    ) -> Self {
        let Started { agent, span, returned } = started;
        let (id, folder) = (id.to_owned(), Some(folder));
        Self { id, engine, container, agent, span, returned, place, removed: false, folder, stop_deadline }
    }

    fn failed(&self, failure: Failure) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure }
    }

    /// Orderly by the agent; when the container's first process ended.
    fn end(&mut self, until: Instant) -> Result<Instant, Failure> {
        let asked = self.agent.shutdown(self.stop_deadline);
        asked.map_err(|failure| self.container.explain(&self.engine, failure))?;
        if let Some(process) = &self.place.process {
            let mut fds = [PollFd::new(process, PollFlags::IN)];
            let seen = wait::any_readable(&mut fds, until).map_err(|error| Failure {
                name: FailureName::Unreadable,
                detail: format!("cannot wait for the container's process: {error}"),
            })?;
            if seen {
                return Ok(Instant::now());
            }
        }
        self.container.ends_by(until)?;
        Ok(Instant::now())
    }

    fn remove(&mut self) -> Result<(), Failure> {
        let not_removed = |detail: String| Failure { name: FailureName::NotRemoved, detail };
        self.container
            .remove(&self.engine, API_DEADLINE)
            .map_err(|error| not_removed(format!("{error}; once the engine answers, type: isocost clean")))?;
        self.removed = true;
        let Some(folder) = self.folder.take() else { return Ok(()) };
        let path = folder.path().to_owned();
        folder.close().map_err(|error| {
            not_removed(format!("cannot remove {}: {error}; type: isocost clean", path.display()))
        })
    }
}

impl Instance for DockerInstance {
    fn start(&self) -> &Span {
        &self.span
    }

    fn marks(&self) -> Vec<(String, Instant)> {
        vec![("start-returned".into(), self.returned)]
    }

    fn agent(&mut self) -> &mut AgentConnection {
        &mut self.agent
    }

    fn explain(&mut self, failure: Failure) -> Failure {
        self.container.explain(&self.engine, failure)
    }

    fn accounts(&self) -> Accounts {
        self.place.accounts.clone()
    }

    fn layer(&self) -> &Layer {
        &self.place.layer
    }

    /// Allocated blocks of the writable layer; where this user may not look into it, the sum of its files' lengths as
    /// the engine says.
    fn added_bytes(&mut self) -> Result<u64, EnvironmentError> {
        let unreadable = |detail: String| EnvironmentError::new(&self.id, FailureName::Unreadable, detail);
        if let Some(upper) = &self.place.upper {
            let bytes = allocated::bytes(upper);
            return bytes.map_err(|error| unreadable(format!("cannot look at {}: {error}", upper.display())));
        }
        let (docker, id) = (self.engine.docker(), self.container.id.clone().unwrap_or_default());
        let options = InspectContainerOptions { size: true };
        let look = async move { docker.inspect_container(&id, Some(options)).await };
        let seen = self.engine.call("show the container's size", API_DEADLINE, None, look);
        let size = seen.map_err(|error| unreadable(error.to_string()))?.size_rw;
        let size = size.and_then(|bytes| u64::try_from(bytes).ok());
        size.ok_or_else(|| unreadable("the container engine does not say the container's size".into()))
    }

    fn stop(mut self: Box<Self>) -> Result<Span, EnvironmentError> {
        let asked = Instant::now();
        let until = asked.after(self.stop_deadline);
        let ended = self.end(until);
        // A running container can be removed only by force, which is not how it is meant to end.
        let known = ended.and_then(|ended| self.container.ends_by(until).map(|_| ended));
        let removed = self.remove();
        // What remains matters more than how it ended.
        removed.map_err(|failure| self.failed(failure))?;
        let ended = known.map_err(|failure| self.failed(failure))?;
        Ok(Span::from_marks("end", asked, &[("stop", ended), ("remove", Instant::now())]))
    }
}

impl Drop for DockerInstance {
    fn drop(&mut self) {
        if self.removed || self.container.remove(&self.engine, DROP_DEADLINE).is_ok() {
            return;
        }
        // Its process goes at least; what the engine knows of it is `clean`'s.
        if let Some(process) = &self.place.process {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}
