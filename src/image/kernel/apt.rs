//! Asks apt for Debian's cloud kernel. apt checks the signatures; none of ours is needed.

use std::path::{Path, PathBuf};

use super::super::error::ImageError;
use super::super::program::Program;

mod archive;

pub(super) use archive::Archive;

/// The package that always depends on the newest cloud kernel.
const META: &str = "linux-image-cloud-amd64";

const APT_CACHE: Program = Program {
    name: "apt-cache",
    package: "apt",
    next: "refresh apt's lists with `sudo apt-get update`; where the distribution has no such package (Ubuntu), `sudo apt-get install debian-archive-keyring` lets isocost fetch Debian's, or take `--kernel host` or `--kernel PATH`",
};
const APT_GET: Program = Program {
    name: "apt-get",
    package: "apt",
    next: "refresh apt's lists with `sudo apt-get update` and look at the network",
};

/// A package in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) package: String,
    pub(super) version: String,
}

impl Offer {
    /// What `uname -r` says under this kernel.
    pub(super) fn release(&self) -> &str {
        self.package.strip_prefix("linux-image-").unwrap_or(&self.package)
    }
}

/// The kernel apt would install now.
pub(super) fn candidate(archive: &Archive) -> Result<Offer, ImageError> {
    let shown = APT_CACHE.run(&archive.with(&SHOW), Path::new("/"), &[])?;
    parse_dependency(&shown).ok_or_else(|| ImageError::NotOffered {
        wanted: META.into(),
        offered: offered(archive).unwrap_or_default(),
    })
}

/// The kernel with this package version or release.
pub(super) fn pinned(archive: &Archive, pin: &str) -> Result<Offer, ImageError> {
    let offers = all(archive)?;
    let found = offers.iter().find(|offer| offer.version == pin || offer.release() == pin);
    found.cloned().ok_or_else(|| ImageError::NotOffered { wanted: pin.to_owned(), offered: names(&offers) })
}

fn offered(archive: &Archive) -> Result<Vec<String>, ImageError> {
    Ok(names(&all(archive)?))
}

fn names(offers: &[Offer]) -> Vec<String> {
    offers.iter().map(|offer| format!("{} ({})", offer.version, offer.release())).collect()
}

/// All cloud kernels apt has, newest first as apt sorts them.
fn all(archive: &Archive) -> Result<Vec<Offer>, ImageError> {
    let found = APT_CACHE.run(&archive.with(&SEARCH), Path::new("/"), &[])?;
    let packages: Vec<&str> = found.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let madison: Vec<&str> = ["madison"].into_iter().chain(packages).collect();
    let table = APT_CACHE.run(&archive.with(&madison), Path::new("/"), &[])?;
    Ok(parse_madison(&table))
}

/// Downloads a package into `folder` and returns its path.
pub(super) fn download(archive: &Archive, offer: &Offer, folder: &Path) -> Result<PathBuf, ImageError> {
    let exact = exact(offer);
    APT_GET.run(&archive.with(&["download", &exact]), folder, &[])?;
    let entries = std::fs::read_dir(folder).map_err(ImageError::io("read", folder))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or_else(|| ImageError::ProgramFailed {
            command: format!("apt-get download {exact}"),
            said: "it left no .deb file".into(),
            next: APT_GET.next,
        })
}

const SHOW: [&str; 3] = ["show", "--no-all-versions", META];
const SEARCH: [&str; 3] = ["search", "--names-only", "^linux-image-[0-9].*-cloud-amd64$"];

fn exact(offer: &Offer) -> String {
    format!("{}={}", offer.package, offer.version)
}

/// The kernel in `Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)`.
fn parse_dependency(shown: &str) -> Option<Offer> {
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends:"))?;
    depends.split([',', '|']).find_map(|dependency| {
        let (package, rest) = dependency.trim().split_once(" (= ")?;
        let version = rest.strip_suffix(')')?;
        sane(package, version)
    })
}

/// The rows of `PACKAGE | VERSION | SOURCE`.
fn parse_madison(table: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for line in table.lines() {
        let mut cells = line.split('|').map(str::trim);
        let (Some(package), Some(version)) = (cells.next(), cells.next()) else { continue };
        if let Some(offer) = sane(package, version).filter(|offer| !offers.contains(offer)) {
            offers.push(offer);
        }
    }
    offers
}

/// Package and version become part of a path: nothing but what Debian allows in them.
fn sane(package: &str, version: &str) -> Option<Offer> {
    let release = package.strip_prefix("linux-image-")?;
    let version_ok = version.chars().all(|c| c.is_ascii_alphanumeric() || ".+-~:".contains(c));
    let ok = super::is_release(release) && version_ok && version.starts_with(|c: char| c.is_ascii_digit());
    ok.then(|| Offer { package: package.to_owned(), version: version.to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn offer(package: &str, version: &str) -> Offer {
        Offer { package: package.into(), version: version.into() }
    }

    #[test]
    fn the_dependency_names_package_and_version() {
        let shown = "Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\n\
                     Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\nDescription-en: x\n";
        let expected = offer("linux-image-6.1.0-56-cloud-amd64", "6.1.192-2");
        assert_eq!(expected.release(), "6.1.0-56-cloud-amd64");
        assert_eq!(parse_dependency(shown), Some(expected));
        assert_eq!(parse_dependency(""), None);
        assert_eq!(parse_dependency("Depends: linux-image-6/../../etc (= 1)"), None);
    }

    #[test]
    fn madison_rows_are_read_once_each() {
        let table = " linux-image-6.1.0-56-cloud-amd64 |  6.1.192-2 | http://deb.debian.org/debian-security x Packages\n\
                     \x20linux-image-6.1.0-56-cloud-amd64 |  6.1.192-2 | http://mirror x Packages\n\
                     \x20linux-image-6.1.0-50-cloud-amd64 |  6.1.176-1 | http://deb.debian.org/debian x Packages\nnoise\n";
        let offers = parse_madison(table);
        assert_eq!(offers.len(), 2);
        assert_eq!(offers[1], offer("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1"));
    }

    #[test]
    fn a_download_asks_for_the_exact_version() {
        let exact = exact(&offer("linux-image-6.1.0-56-cloud-amd64", "6.1.192-2"));
        assert_eq!(exact, "linux-image-6.1.0-56-cloud-amd64=6.1.192-2");
    }

    #[test]
    fn what_is_not_offered_is_said_with_what_is() {
        let error = ImageError::NotOffered {
            wanted: "9.9".into(),
            offered: names(&[offer("linux-image-6.1.0-56-cloud-amd64", "6.1.192-2")]),
        };
        let text = error.to_string();
        assert!(text.contains("9.9") && text.contains("6.1.192-2 (6.1.0-56-cloud-amd64)"), "{text}");
    }
}
