//! One start: create and start, asked for on the engine's thread in one go, while the caller's thread waits for the
//! Hello.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as ApiError;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, LogsOptions, RemoveContainerOptions,
    StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use rustix::event::EventfdFlags;

use super::engine::{API_DEADLINE, Engine};
use super::error::{DockerError, words};
use crate::environment::agent::{AgentConnection, AgentListener, StopSignal, Watch};
use crate::environment::first_instruction::{self, Stamp};
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;

/// What the agent says where it finds the socket closed.
const UNREACHED: &str = "cannot connect to";

/// The mend of that.
const REACH: &str = "a runtime with a kernel of its own must let programs reach a socket of the host; gVisor's does \
                     where it is registered with --host-uds=open";

/// What the engine's thread tells of a container, in this order.
enum Step {
    Created {
        id: String,
        at: Instant,
    },
    Started {
        at: Instant,
    },
    /// Its first process has ended, and the engine knows.
    Ended {
        status: i64,
    },
    /// A call failed; nothing more comes.
    Failed {
        doing: &'static str,
        error: ApiError,
    },
}

/// A container that is or was asked for: what is known of it so far.
pub(super) struct Container {
    name: String,
    tell: Option<Sender<Step>>,
    steps: Receiver<Step>,
    cancelled: Arc<AtomicBool>,
    /// Readable once it is over, or its start has failed.
    over: Arc<OwnedFd>,
    /// Its id, once created.
    pub id: Option<String>,
    created: Option<Instant>,
    started: Option<Instant>,
    ended: Option<i64>,
    failed: Option<(&'static str, ApiError)>,
}

/// A container that has said Hello.
pub(super) struct Started {
    pub agent: AgentConnection,
    /// `ready` and its parts.
    pub span: Span,
    /// When the start call returned.
    pub returned: Instant,
}

/// How long a start may take, and what else ends it.
pub(super) struct Bounds<'a> {
    pub deadline: Duration,
    pub stop: &'a StopSignal,
}

/// What runs on the engine's thread.
struct Task {
    docker: Docker,
    name: String,
    tell: Sender<Step>,
    cancelled: Arc<AtomicBool>,
    over: Arc<OwnedFd>,
}

impl Task {
    async fn run(self, body: ContainerCreateBody) {
        let step = match self.go(body).await {
            Ok(status) => Step::Ended { status },
            Err((doing, error)) => Step::Failed { doing, error },
        };
        self.say(step);
        // Only now: who wakes up by it finds the step.
        let _ = rustix::io::write(&*self.over, &1u64.to_ne_bytes());
    }

    async fn go(&self, body: ContainerCreateBody) -> Result<i64, (&'static str, ApiError)> {
        let options = CreateContainerOptions { name: Some(self.name.clone()), ..Default::default() };
        let created = self.docker.create_container(Some(options), body).await;
        let at = Instant::now();
        let id = created.map_err(|error| ("create the container", error))?.id;
        self.say(Step::Created { id: id.clone(), at });
        if self.cancelled.load(Ordering::Acquire) {
            return Ok(0);
        }
        let started = self.docker.start_container(&id, None::<StartContainerOptions>).await;
        let at = Instant::now();
        started.map_err(|error| ("start the container", error))?;
        self.say(Step::Started { at });
        self.end_of(&id).await.map_err(|error| ("wait for the container", error))
    }

    /// The status it ends with.
    async fn end_of(&self, id: &str) -> Result<i64, ApiError> {
        loop {
            let mut wait = self.docker.wait_container(id, None::<WaitContainerOptions>);
            match wait.next().await {
                Some(Ok(ended)) => return Ok(ended.status_code),
                // bollard's word for a status that is not zero.
                Some(Err(ApiError::DockerContainerWaitError { code, .. })) => return Ok(code),
                // An engine that says nothing until the end, and a container that works for minutes: asked again.
                Some(Err(ApiError::RequestTimeoutError)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// The other end is there for as long as anyone wants to know.
    fn say(&self, step: Step) {
        let _ = self.tell.send(step);
    }
}

impl Container {
    /// One that is not asked for yet, made ready before the clock starts.
    pub(super) fn new(name: String) -> Result<Self, DockerError> {
        let over = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let over = over.map_err(|errno| DockerError::io("make an eventfd for", &name)(errno.into()))?;
        let (tell, steps) = channel();
        Ok(Self {
            name,
            tell: Some(tell),
            steps,
            cancelled: Arc::new(AtomicBool::new(false)),
            over: Arc::new(over),
            id: None,
            created: None,
            started: None,
            ended: None,
            failed: None,
        })
    }

    /// Asks for it and waits for its Hello. Whatever comes of it, the container may be there and is to be removed.
    ///
    /// # Errors
    /// By name.
    pub(super) fn start(
        &mut self,
        engine: &Engine,
        body: ContainerCreateBody,
        listener: AgentListener,
        bounds: &Bounds<'_>,
    ) -> Result<Started, Failure> {
        let Some(tell) = self.tell.take() else {
            let detail = format!("the container {} was started before", self.name);
            return Err(Failure { name: FailureName::NotStarted, detail });
        };
        let task = Task {
            docker: engine.docker(),
            name: self.name.clone(),
            tell,
            cancelled: Arc::clone(&self.cancelled),
            over: Arc::clone(&self.over),
        };
        let watch = Watch { stop: bounds.stop, ended: Some(self.over.as_fd()) };

        let asked = Instant::now();
        engine.start(task.run(body));
        let ready = listener.accept(watch, asked.after(bounds.deadline));
        let agent = ready.map_err(|failure| self.explain(engine, failure))?;
        self.measured(asked, agent)
    }

    /// Takes in what is known by now.
    fn learn(&mut self) {
        while let Ok(step) = self.steps.try_recv() {
            self.take(step);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Created { id, at } => (self.id, self.created) = (Some(id), Some(at)),
            Step::Started { at } => self.started = Some(at),
            Step::Ended { status } => self.ended = Some(status),
            Step::Failed { doing, error } => self.failed = Some((doing, error)),
        }
    }

    /// Waits until `known` is, or until nothing more can come.
    fn learn_until(&mut self, known: impl Fn(&Self) -> bool, until: Instant) -> bool {
        loop {
            if known(self) {
                return true;
            }
            match self.steps.recv_timeout(until.since(Instant::now())) {
                Ok(step) => self.take(step),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return known(self),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ended.is_some() || self.failed.is_some()
    }

    /// Waits until the engine knows that it has ended.
    pub(super) fn ends_by(&mut self, until: Instant) -> Result<i64, Failure> {
        if !self.learn_until(Self::is_over, until) {
            let detail = "the container engine does not say that the container has ended".to_owned();
            return Err(Failure { name: FailureName::TimedOut, detail });
        }
        match (self.ended, self.engine_failure()) {
            (Some(status), _) => Ok(status),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(0),
        }
    }

    /// The stamps of a container whose agent is ready.
    fn measured(&mut self, asked: Instant, mut agent: AgentConnection) -> Result<Started, Failure> {
        let first = first_instruction::mapped(&mut agent)?;
        // The call returns a little before or after the Hello.
        self.learn_until(
            |known| known.started.is_some() || known.is_over(),
            Instant::now().after(API_DEADLINE),
        );
        if let Some(failure) = self.engine_failure() {
            return Err(failure);
        }
        let (Some(created), Some(returned)) = (self.created, self.started) else {
            let detail =
                "the container engine's start call did not return, though the agent is ready".to_owned();
            return Err(Failure { name: FailureName::Engine, detail });
        };
        let span = phases(asked, created, first, agent.ready_at())?;
        Ok(Started { agent, span, returned })
    }

    fn engine_failure(&self) -> Option<Failure> {
        let (doing, error) = self.failed.as_ref()?;
        let text = words(error);
        let source = ApiError::DockerStreamError { error: text };
        Some(DockerError::Api { doing: (*doing).to_owned(), source }.failure())
    }

    /// Why the agent did not answer, from what the engine knows.
    pub(super) fn explain(&mut self, engine: &Engine, failure: Failure) -> Failure {
        self.learn();
        if failure.name != FailureName::ExitedEarly {
            return failure;
        }
        // The agent hangs up before the engine has noticed.
        self.learn_until(Self::is_over, Instant::now().after(Duration::from_secs(5)));
        if let Some(failure) = self.engine_failure() {
            return failure;
        }
        let mut detail = failure.detail;
        if let Some(status) = self.ended {
            detail = format!("{detail}; the container ended with status {status}");
        }
        if let Some(more) = self.id.clone().and_then(|id| last_words(engine, id)) {
            detail = format!("{detail}{more}");
        }
        if detail.contains(UNREACHED) {
            detail = format!("{detail}; {REACH}");
        }
        Failure { name: FailureName::ExitedEarly, detail }
    }

    /// Removes it, whatever state it is in. One that is gone already is no error.
    ///
    /// # Errors
    /// Why it may still be there.
    pub(super) fn remove(&mut self, engine: &Engine, deadline: Duration) -> Result<(), DockerError> {
        self.cancelled.store(true, Ordering::Release);
        // One that is still being created has to be there before it can go.
        let known = |known: &Self| known.tell.is_some() || known.id.is_some() || known.is_over();
        if !self.learn_until(known, Instant::now().after(deadline)) {
            return Err(DockerError::Late { doing: "create the container".into(), after: deadline });
        }
        remove(engine, self.id.as_ref().unwrap_or(&self.name), deadline)
    }
}

fn remove(engine: &Engine, name: &str, deadline: Duration) -> Result<(), DockerError> {
    let (docker, name) = (engine.docker(), name.to_owned());
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    let remove = async move { docker.remove_container(&name, Some(options)).await };
    match engine.call("remove the container", deadline, None, remove) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// Removes what is left of one environment's containers: of a start that failed while the engine did not answer.
pub(super) fn remove_all(engine: &Engine, labels: &HashMap<String, String>) -> Result<(), DockerError> {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let filters = Some(HashMap::from([("label".to_owned(), labels)]));
    let (docker, options) =
        (engine.docker(), ListContainersOptions { all: true, filters, ..Default::default() });
    let list = async move { docker.list_containers(Some(options)).await };
    let left = engine.call("list containers", API_DEADLINE, None, list)?;
    left.into_iter().filter_map(|one| one.id).try_for_each(|id| remove(engine, &id, API_DEADLINE))
}

/// That memory ran out, and the last lines it wrote; `None` where the engine cannot say.
fn last_words(engine: &Engine, id: String) -> Option<String> {
    let docker = engine.docker();
    let ask = async move {
        let state = docker.inspect_container(&id, None).await?.state;
        let options = LogsOptions { stdout: true, stderr: true, tail: "5".into(), ..Default::default() };
        let mut log = docker.logs(&id, Some(options));
        let mut said = String::new();
        while let Some(line) = log.next().await {
            said.push_str(&line?.to_string());
            // A line may have any length.
            if said.len() > 4096 {
                break;
            }
        }
        Ok((state.and_then(|state| state.oom_killed), said))
    };
    let (killed, said) = engine.call("show the container's end", Duration::from_secs(10), None, ask).ok()?;
    let mut text = String::new();
    if killed == Some(true) {
        text.push_str("; its memory was at the limit and the kernel killed it");
    }
    let lines = said.lines().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>());
    let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
    if !lines.is_empty() {
        text = format!("{text}; it said: {}", lines.join(" | "));
    }
    Some(text)
}

fn phases(asked: Instant, created: Instant, first: Stamp, ready: Instant) -> Result<Span, Failure> {
    let mut span =
        Span::from_marks("ready", asked, &[("create", created), ("engine", first.at), ("agent", ready)]);
    if let Some(engine) = span.children.iter_mut().find(|part| part.name == "engine") {
        engine.uncertainty_ns = first.uncertainty_ns;
    }
    span.check().map_err(|error| Failure { name: FailureName::ClockVoid, detail: error.to_string() })?;
    Ok(span)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn phases_sum_and_carry_the_uncertainty_of_another_clock() {
        let first = Stamp { at: Instant(30), uncertainty_ns: 4 };
        let span = phases(Instant(1), Instant(6), first, Instant(41)).unwrap();
        let lengths: Vec<_> =
            span.children.iter().map(|part| (&*part.name, part.ns(), part.uncertainty_ns)).collect();
        assert_eq!(lengths, [("create", 5, 0), ("engine", 24, 4), ("agent", 11, 0)]);
        assert_eq!(span.ns(), 40);
    }

    #[test]
    fn a_first_instruction_before_the_container_was_there_is_void() {
        let first = Stamp { at: Instant(3), uncertainty_ns: 0 };
        let failure = phases(Instant(1), Instant(6), first, Instant(41)).unwrap_err();
        assert_eq!(failure.name, FailureName::ClockVoid);
    }
}
