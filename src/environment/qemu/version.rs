//! Which QEMU this is.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::error::QemuError;

/// QEMU's emulator for this host's architecture.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// The oldest QEMU that is supported (Debian 12's).
pub const OLDEST: Version = Version { major: 7, minor: 2, micro: 0 };

/// A version; ordered as versions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third; 0 where there is none.
    pub micro: u32,
}

impl Version {
    /// Reads the first line of `--version`: `QEMU emulator version 10.0.2 (Debian …)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.lines().next()?.split_once(" version ")?.1.split_whitespace().next()?;
        let digits = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().ok()
        };
        let mut parts = word.split('.');
        let (major, minor) = (digits(parts.next()?)?, digits(parts.next()?)?);
        Some(Self { major, minor, micro: parts.next().and_then(digits).unwrap_or(0) })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// A QEMU on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Where.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// The first line of `--version`, with the packager's own number.
    pub banner: String,
    /// Size in bytes and time of change in nanoseconds since 1970: another build of the same version differs in them.
    pub stamp: (u64, i128),
}

/// Asks the QEMU that was named, or the one on `PATH`, for its version.
///
/// # Errors
/// [`QemuError::Missing`], or [`QemuError::Version`] where it is too old or says nothing that can be read.
pub fn named(program: Option<&Path>) -> Result<Binary, QemuError> {
    program.map_or_else(find, examine)
}

/// Finds QEMU on `PATH` and asks it for its version.
///
/// # Errors
/// [`QemuError::Missing`], or [`QemuError::Version`] where it is too old or says nothing that can be read.
pub fn find() -> Result<Binary, QemuError> {
    let missing = || QemuError::Missing { program: PROGRAM.into() };
    let folders = std::env::var_os("PATH").ok_or_else(missing)?;
    let path = std::env::split_paths(&folders).map(|f| f.join(PROGRAM)).find(|p| p.is_file());
    examine(&path.ok_or_else(missing)?)
}

fn examine(path: &Path) -> Result<Binary, QemuError> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).map_err(QemuError::io("look at", path))?;
    let mut command = Command::new(path);
    // In a group of its own: a terminal's Ctrl-C is this program's to heed.
    crate::sys::harden(&mut command, Vec::new());
    let said = command.arg("--version").output().map_err(QemuError::io("run", path))?;
    let banner = String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().to_owned();
    let version = Version::parse(&banner)
        .ok_or_else(|| QemuError::Version(format!("{} --version says {banner:?}", path.display())))?;
    if version < OLDEST {
        return Err(QemuError::Version(format!("{} is {version}", path.display())));
    }
    let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Ok(Binary { path: path.to_owned(), version, banner, stamp: (meta.len(), changed) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let of = |text: &str| Version::parse(&format!("QEMU emulator version {text}"));
        let v = |major, minor, micro| Some(Version { major, minor, micro });
        assert_eq!(of("10.0.2 (Debian 1:10.0.2+ds-2)"), v(10, 0, 2));
        assert_eq!(of("7.2.22 (Debian 1:7.2+dfsg-7)"), v(7, 2, 22));
        assert_eq!(of("9.1"), v(9, 1, 0));
        assert_eq!(of("8.1.50-rc1"), v(8, 1, 50));
        assert_eq!(of("x"), None);
        assert_eq!(Version::parse(""), None);
        assert!(v(8, 2, 0) < v(9, 0, 0) && v(10, 0, 0) > v(9, 2, 4) && v(7, 2, 22) >= Some(OLDEST));
    }
}
