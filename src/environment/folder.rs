//! Folders for sockets.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The longest path of a Unix socket: `sun_path` less its closing zero.
const LONGEST: usize = 107;

/// The longest that a run adds to the path of its cache.
const LONGEST_BELOW: &str = "/runs/20261124-120000-00000/docker-123456/s/agent";

/// The longest path of a cache.
pub(crate) const LONGEST_CACHE: usize = LONGEST - LONGEST_BELOW.len();

/// Have all sockets of a run room behind the path of that cache, which need not be there yet? Nothing is made.
///
/// # Errors
/// How long the path is, and how long it may be.
pub(crate) fn check_cache(cache: &Path) -> io::Result<()> {
    let length = real(cache).as_os_str().len();
    if length <= LONGEST_CACHE {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidFilename,
        format!(
            "its path has {length} bytes and may have {LONGEST_CACHE}, as Unix sockets below it need the rest of their {LONGEST}"
        ),
    ))
}

/// Without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let whole = there.and_then(|(part, real)| Some(real.join(path.strip_prefix(part).ok()?)));
    whole.unwrap_or_else(|| path.to_owned())
}

/// Makes a folder in `scratch`, private to this user, in which a socket with the path `socket` has a name that is short
/// enough.
///
/// # Errors
/// The system's, or that the path is too long.
pub(crate) fn make(prefix: &str, scratch: &Path, socket: &str) -> io::Result<TempDir> {
    debug_assert!(
        prefix.len() + socket.len() <= "docker-s/agent".len() || socket.len() > LONGEST / 2,
        "{prefix}{socket} is longer than LONGEST_BELOW says"
    );
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
    fn a_cache_is_refused_by_its_real_path_before_anything_is_in_it() {
        let scratch = tempfile::tempdir().unwrap();
        let scratch = scratch.path().canonicalize().unwrap();
        let of = |length: usize| scratch.join("x".repeat(length - scratch.as_os_str().len() - 1));
        check_cache(&of(LONGEST_CACHE)).unwrap();
        let error = check_cache(&of(LONGEST_CACHE + 1)).unwrap_err().to_string();
        assert!(error.contains(&format!("has {} bytes", LONGEST_CACHE + 1)), "{error}");
        let long = of(LONGEST_CACHE + 1);
        std::fs::create_dir(&long).unwrap();
        let link = scratch.join("l");
        std::os::unix::fs::symlink(&long, &link).unwrap();
        assert!(check_cache(&link).is_err() && check_cache(&link.join("below")).is_err());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(make("x-", scratch.path(), "agent").is_ok());
        let error = make("x-", scratch.path(), &"a".repeat(100)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
