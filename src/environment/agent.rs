//! The host's end of the agent's channel: bounded frames, a deadline for each request, and waits that end
//! early when the instance dies or the run is to stop.
//!
//! What comes from an agent is not trusted: lengths are checked before they are read, a flood is cut off.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use isocost_agent::protocol::{Hello, Inspection, WorkDone, WorkOrder};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use crate::measure::clock::Instant;
use crate::measure::sample::Failure;

/// Says that the run is to stop; every wait sees it at once. An eventfd that is written and never read.
#[derive(Debug, Clone)]
pub struct StopSignal {
    event: Arc<OwnedFd>,
}

impl StopSignal {
    /// A new one, not raised.
    ///
    /// # Errors
    /// Where the system gives no eventfd.
    pub fn new() -> std::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self { event: Arc::new(rustix::event::eventfd(0, flags)?) })
    }

    /// Raises it, for all clones, for ever. Async-signal-safe: one write(2).
    pub fn raise(&self) {
        // It can only fail where the counter is full, which is raised too.
        let _ = rustix::io::write(&*self.event, &1u64.to_ne_bytes());
    }

    /// Was it raised?
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.raised_within(Duration::ZERO)
    }

    /// Waits until it is raised, at most this long: was it?
    #[must_use]
    pub fn raised_within(&self, most: Duration) -> bool {
        let mut fds = [PollFd::new(&*self.event, PollFlags::IN)];
        let most = Timespec::try_from(most).ok();
        // A signal that interrupts the wait is what raises it, most often: look again, without waiting.
        match rustix::event::poll(&mut fds, most.as_ref()) {
            Ok(count) => count > 0,
            Err(_) => rustix::event::poll(&mut fds, Some(&Timespec::default())).is_ok_and(|count| count > 0),
        }
    }

    /// Readable once raised, for poll(2).
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

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
pub struct AgentListener {}

impl AgentListener {
    /// Listens on `path` (mode 0666 so that a container's user may connect; the folder is private).
    ///
    /// # Errors
    /// Where the socket cannot be made; the path is named.
    pub fn bind(path: &Path) -> std::io::Result<Self> {
        let _ = path;
        todo!()
    }

    /// Waits for the agent to connect and to say Hello. The moment that counts as ready is when the last byte
    /// of the Hello was read.
    ///
    /// # Errors
    /// `NeverReady`, `ExitedEarly`, `Garbage`, `WrongAgent` or `Interrupted`.
    pub fn accept(self, watch: Watch<'_>, deadline: Instant) -> Result<AgentConnection, Failure> {
        let _ = (watch, deadline);
        todo!()
    }
}

/// A connection to a ready agent.
#[derive(Debug)]
pub struct AgentConnection {
    #[allow(dead_code)]
    stream: UnixStream,
}

/// The offset of another kernel's clock to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// host = inside + this, nanoseconds.
    pub offset_ns: i128,
    /// Half the shortest round trip it was measured with: the truth is within ± this.
    pub uncertainty_ns: u64,
}

/// A piece of work as the host saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Worked {
    /// What the agent said.
    pub done: WorkDone,
    /// When the host sent Run.
    pub sent: Instant,
    /// When the host had the answer.
    pub answered: Instant,
}

impl AgentConnection {
    /// What it said first.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        todo!()
    }

    /// When the last byte of the Hello was read.
    #[must_use]
    pub fn ready_at(&self) -> Instant {
        todo!()
    }

    /// Asks what the program sees from inside.
    ///
    /// # Errors
    /// By name.
    pub fn inspect(&mut self, deadline: Duration) -> Result<Inspection, Failure> {
        let _ = deadline;
        todo!()
    }

    /// Measures the offset of the inside clock over `rounds` round trips, keeping the shortest.
    ///
    /// # Errors
    /// By name.
    pub fn clock_offset(&mut self, rounds: u32, deadline: Duration) -> Result<ClockOffset, Failure> {
        let _ = (rounds, deadline);
        todo!()
    }

    /// Has a piece of work made ready (files, caches).
    ///
    /// # Errors
    /// By name.
    pub fn prepare(&mut self, order: &WorkOrder, deadline: Duration) -> Result<(), Failure> {
        let _ = (order, deadline);
        todo!()
    }

    /// Has the prepared work done.
    ///
    /// # Errors
    /// By name.
    pub fn run(&mut self, deadline: Duration) -> Result<Worked, Failure> {
        let _ = deadline;
        todo!()
    }

    /// Asks it to end; returns when it said Bye or hung up.
    ///
    /// # Errors
    /// By name.
    pub fn shutdown(&mut self, deadline: Duration) -> Result<(), Failure> {
        let _ = deadline;
        todo!()
    }
}

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
