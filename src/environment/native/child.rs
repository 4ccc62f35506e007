//! The child process: waited for by its pidfd, killed with all its children, reaped once.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use crate::environment::tap::Tap;
use crate::measure::clock::Instant;
use crate::sys::Spawned;
use crate::wait;

/// After its end, what a child said is read at once.
const SILENCE: Duration = Duration::from_millis(200);

/// A child and what it says on standard error. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct Child {
    spawned: Spawned,
    said: Tap,
    ended: Option<WaitIdStatus>,
}

impl Child {
    pub(super) fn new(spawned: Spawned, said: Tap) -> Self {
        Self { spawned, said, ended: None }
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.spawned.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Readable once it has ended.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.spawned.pidfd.as_fd()
    }

    /// Waits for its end and reaps it: has it ended by `until`?
    pub(super) fn ends_by(&mut self, until: Instant) -> io::Result<bool> {
        if self.ended.is_some() {
            return Ok(true);
        }
        if !wait::any_readable(&mut [PollFd::from_borrowed_fd(self.pidfd(), PollFlags::IN)], until)? {
            return Ok(false);
        }
        self.reap()?;
        Ok(true)
    }

    fn reap(&mut self) -> io::Result<()> {
        self.ended = waitid(WaitId::PidFd(self.spawned.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        Ok(())
    }

    /// Kills it with its children, and reaps it.
    pub(super) fn kill(&mut self) {
        if self.ended.is_none() {
            // Not reaped yet, so the group is still its own; an error means that it has just ended.
            let _ = kill_process_group(self.spawned.pid, Signal::KILL);
            let _ = self.reap();
        }
    }

    /// How it ended, if it has, and the last it said.
    pub(super) fn last_words(&self) -> String {
        if self.ended.is_some() {
            let _ = self.said.ends_within(SILENCE);
        }
        let ended = match &self.ended {
            None => "the process still ran".to_owned(),
            Some(status) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => format!("the process ended with exit status {code}"),
                (_, Some(signal)) => format!("the process was killed by signal {signal}"),
                _ => "the process ended".to_owned(),
            },
        };
        match self.said.tail(5) {
            said if said.is_empty() => ended,
            said => format!("{ended}; it said: {said}"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
