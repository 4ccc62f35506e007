//! Folders for sockets.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The longest path of a Unix socket: `sun_path` less its closing zero.
const LONGEST: usize = 107;

/// Makes a folder in `scratch`, private to this user, in which a socket with the path `socket` has a name that is short
/// enough.
///
/// # Errors
/// The system's, or that the path is too long.
pub(crate) fn make(prefix: &str, scratch: &Path, socket: &str) -> io::Result<TempDir> {
    let made = tempfile::Builder::new().prefix(prefix).tempdir_in(scratch)?;
    if made.path().join(socket).as_os_str().len() > LONGEST {
        return Err(io::Error::other("its path is too long for a Unix socket; choose a shorter one"));
    }
    Ok(made)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(make("x-", scratch.path(), "agent").is_ok());
        let error = make("x-", scratch.path(), &"a".repeat(100)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
