//! Waiting for descriptors, with a deadline and without polling.

use std::io;

use rustix::event::{PollFd, Timespec, poll};

use crate::measure::clock::Instant;

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
