//! A running virtual machine.

use std::path::PathBuf;
use std::time::Duration;

use super::boot::{Started, with_last_words};
use crate::environment::agent::AgentConnection;
use crate::environment::socket_folder::SocketFolder;
use crate::environment::{EnvironmentError, Instance, Layer};
use crate::image::disk::allocated_bytes;
use crate::measure::accounting::{Account, Accounts};
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;

/// A virtual machine whose agent is ready. Dropping it kills QEMU and removes its files.
pub(crate) struct QemuInstance {
    pub(crate) id: String,
    pub(crate) started: Started,
    pub(crate) layer: Layer,
    pub(crate) memory_bytes: u64,
    /// From asking the agent to end to QEMU's end: 20 ms is usual, a guest that syncs its disk takes longer.
    pub(crate) stop_deadline: Duration,
    /// Last: removed when QEMU is gone.
    pub(crate) folder: SocketFolder,
}

impl QemuInstance {
    fn failed(&self, failure: Failure) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure }
    }

    /// Orderly by the agent, else by the monitor, else by SIGKILL; an error where it was not the first.
    fn end(&mut self) -> Result<(), Failure> {
        let until = Instant::now().after(self.stop_deadline);
        let asked = self.started.agent.shutdown(self.stop_deadline);
        let ended = match asked {
            Ok(()) => self.started.process.wait(until.since(Instant::now()), None).map_err(|e| e.failure()),
            Err(failure) => Err(failure),
        };
        let Err(failure) = ended else { return Ok(()) };
        // What comes of these two does not matter: the group is killed and reaped next, whatever they did.
        let _ = self.started.monitor.quit(Duration::from_secs(2));
        let _ = self.started.process.wait(Duration::from_secs(2), None);
        Err(with_last_words(failure, &mut self.started.process, &self.started.console))
    }
}

impl Instance for QemuInstance {
    fn start(&self) -> &Span {
        &self.started.span
    }

    fn marks(&self) -> Vec<(String, Instant)> {
        vec![("start-returned".into(), self.started.process.returned)]
    }

    fn agent(&mut self) -> &mut AgentConnection {
        &mut self.started.agent
    }

    /// A guest that panicked, or that stands still, says so on its console and nowhere else.
    fn explain(&mut self, failure: Failure) -> Failure {
        if !matches!(failure.name, FailureName::ExitedEarly | FailureName::TimedOut) {
            return failure;
        }
        with_last_words(failure, &mut self.started.process, &self.started.console)
    }

    fn accounts(&self) -> Accounts {
        let roots = vec![self.started.process.id()];
        let engine = Account { roots, cgroup: None, guest_ram_bytes: Some(self.memory_bytes) };
        Accounts { engine, ..Accounts::default() }
    }

    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn added_bytes(&mut self) -> Result<u64, EnvironmentError> {
        let name = FailureName::Unreadable;
        allocated_bytes(&self.layer.host_path)
            .map_err(|e| EnvironmentError::new(&self.id, name, e.to_string()))
    }

    fn stop(mut self: Box<Self>) -> Result<Span, EnvironmentError> {
        let asked = Instant::now();
        self.end().map_err(|failure| self.failed(failure))?;
        let ended = Instant::now();
        let path: PathBuf = self.folder.path().to_owned();
        let id = self.id.clone();
        let QemuInstance { folder, .. } = *self;
        folder.close().map_err(|e| {
            EnvironmentError::new(
                &id,
                FailureName::NotRemoved,
                format!("cannot remove {}: {e}", path.display()),
            )
        })?;
        Ok(Span::from_marks("end", asked, &[("stop", ended), ("remove", Instant::now())]))
    }
}
