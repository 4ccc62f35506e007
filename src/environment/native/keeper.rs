//! The thread that starts a child, and then waits until it is wanted no more.
//!
//! The kernel kills the child when this thread ends, however that comes about; in version 1 of control groups it is
//! this thread whose groups the child is born in; and its affinity, while it spawns, is the child's. The wait for the Hello is here too,
//! so that no other thread has to wake up between the call to spawn and the stamp.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::child::Child;
use crate::environment::agent::{AgentConnection, AgentListener, StopSignal, Watch};
use crate::environment::cgroup::limit::{Cradle, Entrance};
use crate::environment::tap::Tap;
use crate::environment::{cpus, first_instruction};
use crate::measure::clock::Instant;
use crate::measure::host::CpuList;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;
use crate::sys::{self, Program};

/// After its end is seen, what a child said is there at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a start needs.
pub(super) struct Order {
    pub program: Program,
    pub entrance: Option<Entrance>,
    pub cpus: CpuList,
    pub listener: AgentListener,
    pub deadline: Duration,
    pub stop: StopSignal,
}

/// A child that has said Hello.
pub(super) struct Started {
    pub begun: Begun,
    pub keeper: Keeper,
}

/// What the keeper hands over.
pub(super) struct Begun {
    pub child: Child,
    pub agent: AgentConnection,
    /// `ready` and its parts.
    pub span: Span,
    /// When the call to spawn returned.
    pub returned: Instant,
}

/// Holds the thread. Dropping it lets the thread end.
#[derive(Debug)]
pub(super) struct Keeper {
    hold: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Lets the thread end, and waits for it.
    pub(super) fn end(&mut self) {
        self.hold.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a child and waits for its Hello.
///
/// # Errors
/// By name; no child and no thread are left then.
pub(super) fn start(order: Order) -> Result<Started, Failure> {
    let (tell, told) = channel();
    let (hold, held) = channel();
    let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || keep(order, &tell, &held));
    let thread = thread.map_err(not_started("make a thread"))?;
    let keeper = Keeper { hold: Some(hold), thread: Some(thread) };
    let panicked =
        || Failure { name: FailureName::NotStarted, detail: "the thread that starts it panicked".into() };
    let begun = told.recv().map_err(|_| panicked())??;
    Ok(Started { begun, keeper })
}

fn keep(order: Order, tell: &Sender<Result<Begun, Failure>>, held: &Receiver<()>) {
    let begun = begin(order);
    let runs = begun.is_ok();
    let sent = tell.send(begun);
    if runs && sent.is_ok() {
        // Ends with an error when the other end is dropped, which is what is waited for.
        let _ = held.recv();
    }
}

fn begin(order: Order) -> Result<Begun, Failure> {
    let cradle = order.entrance.map_or_else(|| Ok(Cradle::none()), |entrance| entrance.enter());
    let cradle = cradle.map_err(not_started("enter the control group"))?;
    let (said, stderr) = io::pipe().map_err(not_started("make a pipe"))?;
    let said = Tap::stream(said);

    let spawn = || {
        let called = Instant::now();
        let spawned = sys::spawn(&order.program, cradle.birth(), stderr.as_fd());
        (called, spawned, Instant::now())
    };
    let spawned = cpus::during(&order.cpus, spawn).map_err(not_started("set the affinity"));
    let (called, spawned, returned) = spawned?;
    drop(stderr);
    let mut child = Child::new(spawned.map_err(not_started("start the agent"))?, said);
    let watch = Watch { stop: &order.stop, ended: Some(child.pidfd()) };
    let ready = order.listener.accept(watch, called.after(order.deadline)).and_then(|agent| {
        let span = phases(called, first_instruction::on_this_kernel(&agent)?.at, agent.ready_at())?;
        Ok((agent, span))
    });
    match ready {
        Ok((agent, span)) => Ok(Begun { child, agent, span, returned }),
        Err(failure) => Err(with_last_words(failure, &mut child)),
    }
}

fn phases(called: Instant, first: Instant, ready: Instant) -> Result<Span, Failure> {
    let span = Span::from_marks("ready", called, &[("exec", first), ("agent", ready)]);
    span.check().map_err(|error| Failure { name: FailureName::ClockVoid, detail: error.to_string() })?;
    Ok(span)
}

/// Adds how the child ended and what it said, and ends it where it has not.
pub(super) fn with_last_words(failure: Failure, child: &mut Child) -> Failure {
    if failure.name == FailureName::ExitedEarly {
        let _ = child.ends_by(Instant::now().after(LAST_WORDS));
    }
    // Before the kill, which is not how it ended.
    let words = child.last_words();
    child.kill();
    Failure { name: failure.name, detail: format!("{}; {words}", failure.detail) }
}

fn not_started(doing: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let mend = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "; the cache folder may be on a file system mounted noexec: name another with --cache"
            }
            _ => "",
        };
        Failure { name: FailureName::NotStarted, detail: format!("cannot {doing}: {error}{mend}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_sum_and_a_first_instruction_before_the_call_is_void() {
        let span = phases(Instant(5), Instant(9), Instant(12));
        assert!(span.is_ok_and(|span| span.ns() == 7 && span.children.len() == 2));
        let void = phases(Instant(5), Instant(3), Instant(12));
        assert!(void.is_err_and(|failure| failure.name == FailureName::ClockVoid));
    }
}
