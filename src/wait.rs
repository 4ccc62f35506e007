//! Waiting without polling: for descriptors with a deadline, and for the signal that a run is to stop.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, poll};

use crate::measure::clock::Instant;

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

/// Waits until one of `fds` is readable (true) or `until` has come (false).
///
/// # Errors
/// The system's.
pub(crate) fn any_readable(fds: &mut [PollFd<'_>], until: Instant) -> io::Result<bool> {
    loop {
        let left = until.since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(fds, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
