//! Reads what an instance writes, stamps it, and keeps only the end of it: it may write for ever.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::measure::clock::Instant;

/// How much of a stream's end is kept.
pub const KEPT_BYTES: usize = 64 * 1024;

/// A stream that is read by a thread of its own, which stamps right after each read(2).
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    first: Option<Instant>,
    last: Option<Instant>,
    total: u64,
    tail: VecDeque<u8>,
    closed: bool,
}

impl Heard {
    fn take(&mut self, at: Instant, bytes: &[u8]) {
        self.first.get_or_insert(at);
        self.last = Some(at);
        self.total += bytes.len() as u64;
        self.tail.extend(bytes);
        let excess = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..excess);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_all(&self, mut from: impl Read) {
        let mut buffer = [0; 4096];
        loop {
            let read = from.read(&mut buffer);
            let at = Instant::now();
            match read {
                Ok(0) => return,
                Ok(n) => {
                    self.lock().take(at, &buffer[..n]);
                    self.changed.notify_all();
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Tap {
    /// Reads `from` to its end.
    pub fn stream(from: impl Read + Send + 'static) -> Self {
        Self::spawn(move |shared| shared.read_all(from))
    }

    /// Waits for one connection, or for `ended` to become readable, and reads it to its end.
    #[must_use]
    pub fn connection(listener: UnixListener, ended: OwnedFd) -> Self {
        Self::spawn(move |shared| {
            if !readable_before(listener.as_fd(), ended.as_fd()) {
                return;
            }
            if let Ok((stream, _)) = listener.accept() {
                drop(listener);
                shared.read_all(stream);
            }
        })
    }

    fn spawn(work: impl FnOnce(&Shared) + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            work(&theirs);
            theirs.close();
        });
        Self { shared }
    }

    /// When the first byte came. Waits up to `patience` for a byte that is known to be under way.
    #[must_use]
    pub fn first(&self, patience: Duration) -> Option<Instant> {
        let wait = |heard: &mut Heard| heard.first.is_none() && !heard.closed;
        let held = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, wait);
        held.unwrap_or_else(PoisonError::into_inner).0.first
    }

    /// When the latest byte came.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        self.shared.lock().last
    }

    /// Bytes seen and bytes kept.
    #[must_use]
    pub fn counts(&self) -> (u64, usize) {
        let heard = self.shared.lock();
        (heard.total, heard.tail.len())
    }

    /// The end of what was read, at most `lines` lines, without control characters.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        let all = self.lines();
        all[all.len().saturating_sub(lines)..].join(" | ")
    }

    /// What was kept, in lines that are not blank, without control characters.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes: Vec<u8> = self.shared.lock().tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let clean = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
        text.lines().map(clean).filter(|line| !line.trim().is_empty()).collect()
    }

    /// Waits until the stream has ended, at most `patience`: a writer's child may hold it open for ever.
    pub(crate) fn ends_within(&self, patience: Duration) -> bool {
        let wait = |heard: &mut Heard| !heard.closed;
        let held = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, wait);
        held.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

/// Blocks until `wanted` is readable (true) or `ended` is and `wanted` is not (false).
fn readable_before(wanted: BorrowedFd<'_>, ended: BorrowedFd<'_>) -> bool {
    loop {
        let mut fds =
            [PollFd::from_borrowed_fd(wanted, PollFlags::IN), PollFd::from_borrowed_fd(ended, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return true,
            Ok(_) if !fds[1].revents().is_empty() => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_its_end_kept() {
        let flood = std::io::repeat(b'x').take(10 << 20).chain(&b"\n\x1b[1mthe end\n"[..]);
        let tap = Tap::stream(flood);
        assert!(tap.ends_within(Duration::from_secs(60)));
        assert_eq!(tap.counts(), (((10 << 20) + 13), KEPT_BYTES));
        assert_eq!(tap.tail(1), "[1mthe end");
        assert!(tap.first(Duration::ZERO).unwrap() <= tap.last().unwrap());
    }

    #[test]
    fn one_that_never_connects_is_given_up_when_the_other_end_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let tap = Tap::connection(listener, theirs.into());
        drop(ours);
        assert!(tap.ends_within(Duration::from_secs(60)));
        assert_eq!(tap.first(Duration::ZERO), None);
    }
}
