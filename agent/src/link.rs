//! The byte stream to the harness: a Unix socket, or a virtio-serial port.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// An open stream.
#[derive(Debug)]
pub struct Link(File);

impl Link {
    /// Connects to the harness's socket.
    ///
    /// # Errors
    /// The system's own.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        Ok(OwnedFd::from(UnixStream::connect(socket)?).into())
    }

    /// Has the other end hung up?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|_| fds[0].revents().intersects(gone))
    }

    /// For poll(2).
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Link {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_up_is_seen_without_reading() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let link = Link::from(OwnedFd::from(theirs));
        assert!(!link.is_gone());
        drop(ours);
        assert!(link.is_gone());
    }
}
