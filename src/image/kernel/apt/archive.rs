//! Whose packages apt is asked about: the host's own, or Debian's where the host is another distribution's.
//!
//! Debian's are read with lists of our own in the cache, checked with the keys of the package
//! `debian-archive-keyring`; nothing of the host's apt is changed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{APT_CACHE, APT_GET, META, SHOW};
use crate::image::error::ImageError;

/// The layout of the folder; another layout gets another folder.
const LAYOUT: &str = "apt-1";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Debian 12: its signatures are checked by keyrings as old as Ubuntu 22.04's.
const SUITES: [(&str, &str); 2] = [
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
];

/// Made when the lists were fetched.
const STAMP: &str = "refreshed";

/// Lists older than this are fetched again.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// An apt to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::kernel) enum Archive {
    /// As it is set up on this host.
    Host,
    /// Debian's, with all that apt keeps of it in this folder.
    Debian(PathBuf),
}

impl Archive {
    /// The host's where it has the kernel; else Debian's, if its keys are here.
    pub(in crate::image::kernel) fn choose(cache: &Path) -> Self {
        let shown = APT_CACHE.run(&Self::Host.with(&SHOW), Path::new("/"), &[]);
        let has_it = shown.is_ok_and(|text| text.contains(META));
        if has_it || !Path::new(KEYRING).exists() { Self::Host } else { Self::Debian(cache.join(LAYOUT)) }
    }

    /// Fetches the lists where they are missing or old. The host's own are the host's to refresh.
    ///
    /// # Errors
    /// Where there are none and none can be had.
    pub(in crate::image::kernel) fn refresh(&self) -> Result<(), ImageError> {
        let Self::Debian(folder) = self else { return Ok(()) };
        let stamp = folder.join(STAMP);
        if age(&stamp).is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        self.make()?;
        let updated = APT_GET.run(&self.with(&["update", "-q"]), Path::new("/"), &[]);
        match updated {
            Ok(_) => std::fs::write(&stamp, "").map_err(ImageError::io("write", &stamp)),
            // Old lists are better than none: a package that is gone is said when it is fetched.
            Err(_) if stamp.exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Can it be asked without the network?
    pub(in crate::image::kernel) fn has_lists(&self) -> bool {
        match self {
            Self::Host => true,
            Self::Debian(folder) => folder.join(STAMP).exists(),
        }
    }

    fn make(&self) -> Result<(), ImageError> {
        let Self::Debian(folder) = self else { return Ok(()) };
        for name in ["lists/partial", "archives/partial"] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).map_err(ImageError::io("create", &path))?;
        }
        let sources = folder.join("sources.list");
        let line = |(mirror, suite): &(&str, &str)| {
            format!("deb [arch=amd64 signed-by={KEYRING}] {mirror} {suite} main\n")
        };
        let text: String = SUITES.iter().map(line).collect();
        std::fs::write(&sources, text).map_err(ImageError::io("write", &sources))
    }

    /// A command line for apt-get or apt-cache about this archive.
    pub(super) fn with(&self, words: &[&str]) -> Vec<OsString> {
        let options = match self {
            Self::Host => Vec::new(),
            Self::Debian(folder) => options(folder),
        };
        options.into_iter().chain(words.iter().map(OsString::from)).collect()
    }
}

fn options(folder: &Path) -> Vec<OsString> {
    let path = |key: &str, name: &str| {
        let mut option = OsString::from(format!("{key}="));
        option.push(folder.join(name));
        option
    };
    let fixed = |text: &str| OsString::from(text);
    let options = [
        path("Dir::Etc::sourcelist", "sources.list"),
        fixed("Dir::Etc::sourceparts=/dev/null"),
        fixed("Dir::Etc::preferencesparts=/dev/null"),
        path("Dir::State::lists", "lists"),
        path("Dir::Cache::archives", "archives"),
        fixed("Dir::Cache::pkgcache="),
        fixed("Dir::Cache::srcpkgcache="),
        fixed("Dir::State::status=/dev/null"),
        fixed("APT::Architecture=amd64"),
        // The folder is the user's own: another user could not write it.
        fixed("APT::Sandbox::User=root"),
        fixed("Acquire::Languages=none"),
    ];
    options.into_iter().flat_map(|option| [OsString::from("-o"), option]).collect()
}

fn age(path: &Path) -> Option<Duration> {
    std::fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{candidate, download};
    use super::*;

    #[test]
    fn the_hosts_apt_is_asked_as_it_is() {
        assert_eq!(Archive::Host.with(&["update"]), ["update"]);
        Archive::Host.refresh().unwrap();
    }

    /// As on Ubuntu. Needs the network, apt and Debian's keys.
    #[test]
    fn debians_kernel_is_fetched_without_the_hosts_sources() {
        let cache = tempfile::tempdir().unwrap();
        let archive = Archive::Debian(cache.path().join(LAYOUT));
        if let Err(why) = archive.refresh() {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI is set, and Debian's archive cannot be read: {why}"
            );
            println!("SKIPPED debians_kernel_is_fetched_without_the_hosts_sources: {why}");
            return;
        }
        assert!(archive.has_lists());
        let offer = candidate(&archive).unwrap();
        assert!(offer.version.starts_with("6.1."), "{offer:?}");
        let package = download(&archive, &offer, cache.path()).unwrap();
        assert!(std::fs::metadata(package).unwrap().len() > 10 << 20);
        archive.refresh().unwrap();
    }
}
