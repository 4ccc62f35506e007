//! Folders for sockets.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

/// The longest path of a Unix socket: `sun_path` less its closing zero.
const LONGEST: usize = 107;

/// A folder private to this user, removed with all that is in it. Sockets can be made in it however long its path is.
#[derive(Debug)]
pub(crate) struct SocketFolder {
    made: TempDir,
    for_sockets: PathBuf,
    /// Kept open where [`SocketFolder::for_sockets`] goes through it.
    held: Option<OwnedFd>,
}

impl SocketFolder {
    /// Makes it in `scratch`; `socket` is the longest name, or path below it, that a socket in it has.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn make(prefix: &str, scratch: &Path, socket: &str) -> io::Result<Self> {
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(scratch)?;
        if made.path().join(socket).as_os_str().len() <= LONGEST {
            return Ok(Self { for_sockets: made.path().to_owned(), made, held: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = rustix::fs::open(made.path(), flags, Mode::empty())?;
        // By this process's id: whom it starts is to find the socket by the same name.
        let for_sockets = format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd()).into();
        Ok(Self { made, for_sockets, held: Some(held) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.made.path()
    }

    /// The same folder by a name that leaves room for a socket's: its path or, where that is too long, its place among what
    /// this process has open.
    pub(crate) fn for_sockets(&self) -> &Path {
        &self.for_sockets
    }

    /// Removes it.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn close(self) -> io::Result<()> {
        drop(self.held);
        self.made.close()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_socket_has_room_however_long_the_path_is() {
        let scratch = tempfile::tempdir().unwrap();
        for length in [1, 120, 200] {
            let long = scratch.path().join("x".repeat(length));
            std::fs::create_dir(&long).unwrap();
            let folder = SocketFolder::make("x-", &long, "s/agent").unwrap();
            std::fs::create_dir(folder.path().join("s")).unwrap();
            let socket = folder.for_sockets().join("s/agent");
            let fits = folder.path().join("s/agent").as_os_str().len() <= LONGEST;
            assert_eq!(folder.for_sockets() == folder.path(), fits, "{}", socket.display());
            let _listener = UnixListener::bind(&socket).unwrap();
            UnixStream::connect(&socket).unwrap();
            assert!(folder.path().join("s/agent").exists());
            folder.close().unwrap();
            assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_name_that_just_fits_is_used_as_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let room = LONGEST - scratch.path().as_os_str().len() - "/x-123456/".len();
        for (length, as_it_is) in [(room, true), (room + 1, false)] {
            let folder = SocketFolder::make("x-", scratch.path(), &"a".repeat(length)).unwrap();
            assert_eq!(folder.for_sockets() == folder.path(), as_it_is);
            UnixListener::bind(folder.for_sockets().join("a".repeat(length.min(60)))).unwrap();
        }
    }
}
