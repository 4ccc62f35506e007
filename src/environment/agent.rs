//! The host's end of the agent's channel: bounded frames, a deadline for each request, and waits that end
//! early when the instance dies or the run is to stop.
//!
//! What comes from an agent is not trusted: lengths are checked before they are read, a flood is cut off.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use isocost_agent::protocol::{FromAgent, Hello, Inspection, MAX_LATENCIES, ToAgent, WorkOrder};
use rustix::event::PollFlags;

use crate::measure::clock::{ClockOffset, Instant};
use crate::measure::sample::{Failure, FailureName};
use crate::measure::sense::Worked;
use channel::{Channel, Late, Wait};

pub use crate::wait::StopSignal;

/// What else ends a wait for an agent.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// The run's stop signal.
    pub stop: &'a StopSignal,
    /// Readable when the instance has ended (a pidfd, or one end of a pipe).
    pub ended: Option<BorrowedFd<'a>>,
}

/// A Unix socket that waits for exactly one agent.
#[derive(Debug)]
pub struct AgentListener {
    listener: UnixListener,
}

impl AgentListener {
    /// Listens on `path` (mode 0666 so that a container's user may connect; the folder is private).
    ///
    /// # Errors
    /// Where the socket cannot be made; the path is named.
    pub fn bind(path: &Path) -> std::io::Result<Self> {
        let named =
            |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let listener = UnixListener::bind(path).map_err(named)?;
        listener.set_nonblocking(true).map_err(named)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(named)?;
        Ok(Self { listener })
    }

    /// Waits for the agent to connect and to say Hello. The moment that counts as ready is when the last byte
    /// of the Hello was read.
    ///
    /// # Errors
    /// `NeverReady`, `ExitedEarly`, `Garbage`, `WrongAgent` or `Interrupted`.
    pub fn accept(self, watch: Watch<'_>, deadline: Instant) -> Result<AgentConnection, Failure> {
        let late = Late { name: FailureName::NeverReady, what: "the agent's Hello" };
        let wait = Wait { stop: watch.stop, ended: watch.ended, until: deadline, late };
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait.until_ready(self.listener.as_fd(), PollFlags::IN)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(channel::broken("accept a connection", &error)),
            }
        };
        let mut channel = Channel::new(stream)?;
        let (message, ready_at) = channel.receive(&wait)?;
        let FromAgent::Hello(hello) = message else {
            return Err(channel::unexpected("Hello", &message));
        };
        let cloned = watch.ended.map(|fd| fd.try_clone_to_owned()).transpose();
        let ended = cloned.map_err(|error| channel::broken("watch the instance", &error))?;
        Ok(AgentConnection { channel, hello, ready_at, stop: watch.stop.clone(), ended })
    }
}

/// A connection to a ready agent. After a failure other than `WorkFailed` it is of no use any more: an answer
/// that comes late would be taken for the answer to another request.
#[derive(Debug)]
pub struct AgentConnection {
    channel: Channel,
    hello: Hello,
    ready_at: Instant,
    stop: StopSignal,
    ended: Option<OwnedFd>,
}

impl AgentConnection {
    /// What it said first.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// When the last byte of the Hello was read.
    #[must_use]
    pub fn ready_at(&self) -> Instant {
        self.ready_at
    }

    /// Asks what the program sees from inside.
    ///
    /// # Errors
    /// By name.
    pub fn inspect(&mut self, deadline: Duration) -> Result<Inspection, Failure> {
        match self.ask(&ToAgent::Inspect, "what it sees", deadline)?.0 {
            FromAgent::Inspection(seen) => plausible::plausible(*seen),
            other => Err(channel::unexpected("Inspection", &other)),
        }
    }

    /// Measures the offset of the inside clock over `rounds` round trips, keeping the shortest.
    ///
    /// # Errors
    /// By name.
    pub fn clock_offset(&mut self, rounds: u32, deadline: Duration) -> Result<ClockOffset, Failure> {
        let until = after(deadline);
        let mut best: Option<ClockOffset> = None;
        for _ in 0..rounds.max(1) {
            let left = until.since(Instant::now());
            let sent = Instant::now();
            let (answer, received) = self.ask(&ToAgent::ReadClock, "its clock", left)?;
            let FromAgent::Clock(inside) = answer else {
                return Err(channel::unexpected("Clock", &answer));
            };
            let found = offset(sent, inside, received);
            let better = |known: &ClockOffset| known.uncertainty_ns <= found.uncertainty_ns;
            best = best.filter(better).or(Some(found));
        }
        best.ok_or_else(|| Failure { name: FailureName::ClockVoid, detail: "no round trip".into() })
    }

    /// Has a piece of work made ready (files, caches).
    ///
    /// # Errors
    /// By name.
    pub fn prepare(&mut self, order: &WorkOrder, deadline: Duration) -> Result<(), Failure> {
        match self.ask(&ToAgent::Prepare(order.clone()), "that the work is prepared", deadline)?.0 {
            FromAgent::Prepared => Ok(()),
            other => Err(channel::unexpected("Prepared", &other)),
        }
    }

    /// Has the prepared work done.
    ///
    /// # Errors
    /// By name.
    pub fn run(&mut self, deadline: Duration) -> Result<Worked, Failure> {
        let sent = Instant::now();
        match self.ask(&ToAgent::Run, "that the work is done", deadline)? {
            (FromAgent::Done(done), answered) if done.latencies_ns.len() <= MAX_LATENCIES => {
                Ok(Worked { done, sent, answered })
            }
            (FromAgent::Done(done), _) => {
                let detail =
                    format!("it sent {} latencies, the most is {MAX_LATENCIES}", done.latencies_ns.len());
                Err(Failure { name: FailureName::Garbage, detail })
            }
            (other, _) => Err(channel::unexpected("Done", &other)),
        }
    }

    /// Asks it to end; returns when it said Bye or hung up.
    ///
    /// # Errors
    /// By name.
    pub fn shutdown(&mut self, deadline: Duration) -> Result<(), Failure> {
        match self.ask(&ToAgent::Shutdown, "its Bye", deadline) {
            Ok((FromAgent::Bye, _)) => Ok(()),
            Ok((other, _)) => Err(channel::unexpected("Bye", &other)),
            Err(failure) if failure.name == FailureName::ExitedEarly => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// One request and its answer, and when the answer was there.
    fn ask(
        &mut self,
        request: &ToAgent,
        what: &'static str,
        deadline: Duration,
    ) -> Result<(FromAgent, Instant), Failure> {
        let late = Late { name: FailureName::TimedOut, what };
        let ended = self.ended.as_ref().map(|fd| fd.as_fd());
        let wait = Wait { stop: &self.stop, ended, until: after(deadline), late };
        self.channel.send(request, &wait)?;
        let (answer, at) = self.channel.receive(&wait)?;
        match answer {
            FromAgent::Failed { name, detail } => Err(channel::refused(&name, &detail)),
            answer => Ok((answer, at)),
        }
    }
}

fn after(deadline: Duration) -> Instant {
    let ns = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    Instant(Instant::now().0.saturating_add(ns))
}

/// The inside clock was read somewhere between `sent` and `received`: in the middle, give or take half.
fn offset(sent: Instant, inside_ns: u64, received: Instant) -> ClockOffset {
    let round_trip = received.0.saturating_sub(sent.0);
    let middle = i128::from(sent.0) + i128::from(round_trip / 2);
    ClockOffset { offset_ns: middle - i128::from(inside_ns), uncertainty_ns: round_trip.div_ceil(2) }
}

mod channel;
mod plausible;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "agent/peer_tests.rs"]
mod peer_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_seen_by_all_clones_and_stays() {
        let stop = StopSignal::new().unwrap();
        let clone = stop.clone();
        assert!(!stop.is_raised() && !stop.raised_within(Duration::from_millis(1)));
        std::thread::spawn(move || clone.raise());
        assert!(stop.raised_within(Duration::from_secs(10)));
        stop.raise();
        assert!(stop.is_raised() && stop.is_raised());
    }
}
