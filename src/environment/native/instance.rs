//! A running child process.

use std::time::Duration;

use super::child::Child;
use super::keeper::{Keeper, Started, with_last_words};
use crate::environment::agent::AgentConnection;
use crate::environment::cgroup::limit::Group;
use crate::environment::socket_folder::SocketFolder;
use crate::environment::{EnvironmentError, Instance, Layer, allocated};
use crate::measure::accounting::{Account, Accounts};
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;

/// A child whose agent is ready. Dropping it kills it and removes its files: fields drop in this order.
pub(super) struct NativeInstance {
    id: String,
    agent: AgentConnection,
    span: Span,
    returned: Instant,
    child: Child,
    keeper: Keeper,
    group: Option<Group>,
    layer: Layer,
    folder: SocketFolder,
    /// From asking the agent to end to the end of its process.
    stop_deadline: Duration,
}

impl NativeInstance {
    pub(super) fn new(
        id: &str,
        started: Started,
        group: Option<Group>,
        layer: Layer,
        folder: SocketFolder,
        stop_deadline: Duration,
    ) -> Self {
        let Started { begun, keeper } = started;
        let (agent, span, returned, child) = (begun.agent, begun.span, begun.returned, begun.child);
        Self { id: id.to_owned(), agent, span, returned, child, keeper, group, layer, folder, stop_deadline }
    }

    fn failed(&self, failure: Failure) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure }
    }

    fn end(&mut self) -> Result<(), Failure> {
        let deadline = self.stop_deadline;
        let until = Instant::now().after(deadline);
        let asked = self.agent.shutdown(deadline);
        let ended = asked.and_then(|()| match self.child.ends_by(until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure {
                name: FailureName::TimedOut,
                detail: format!("the end of the process took longer than {deadline:?}"),
            }),
            Err(error) => Err(Failure {
                name: FailureName::Unreadable,
                detail: format!("cannot wait for the process: {error}"),
            }),
        });
        let ended = ended.map_err(|failure| with_last_words(failure, &mut self.child));
        ended.map_err(|failure| with_kills(failure, self.group.as_ref()))
    }
}

/// Adds that the kernel killed for memory, where it did.
pub(super) fn with_kills(mut failure: Failure, group: Option<&Group>) -> Failure {
    if let Some(kills) = group.and_then(Group::memory_kills).filter(|kills| *kills > 0) {
        failure.detail = format!(
            "{}; its memory was at the limit and the kernel killed {kills} of its processes",
            failure.detail
        );
    }
    failure
}

impl Instance for NativeInstance {
    fn start(&self) -> &Span {
        &self.span
    }

    fn marks(&self) -> Vec<(String, Instant)> {
        vec![("start-returned".into(), self.returned)]
    }

    fn agent(&mut self) -> &mut AgentConnection {
        &mut self.agent
    }

    /// A failure that is the process's end is told with how it ended.
    fn explain(&mut self, failure: Failure) -> Failure {
        if failure.name != FailureName::ExitedEarly {
            return failure;
        }
        with_kills(with_last_words(failure, &mut self.child), self.group.as_ref())
    }

    fn accounts(&self) -> Accounts {
        let cgroup = self.group.as_ref().map(Group::cgroup);
        let instance = Account { roots: vec![self.child.id()], cgroup, guest_ram_bytes: None };
        Accounts { instance, ..Accounts::default() }
    }

    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn added_bytes(&mut self) -> Result<u64, EnvironmentError> {
        let path = &self.layer.host_path;
        allocated::bytes(path).map_err(|error| {
            let detail = format!("cannot look at {}: {error}", path.display());
            EnvironmentError::new(&self.id, FailureName::Unreadable, detail)
        })
    }

    fn stop(mut self: Box<Self>) -> Result<Span, EnvironmentError> {
        let asked = Instant::now();
        self.end().map_err(|failure| self.failed(failure))?;
        let ended = Instant::now();
        self.keeper.end();
        let Self { id, group, folder, .. } = *self;
        let path = folder.path().to_owned();
        let group = group.map_or(Ok(()), Group::remove);
        let removed = group.and(folder.close().map_err(|error| (path, error)));
        removed.map_err(|(path, error)| {
            let detail = format!("cannot remove {}: {error}; type: isocost clean", path.display());
            EnvironmentError::new(&id, FailureName::NotRemoved, detail)
        })?;
        Ok(Span::from_marks("end", asked, &[("stop", ended), ("remove", Instant::now())]))
    }
}
