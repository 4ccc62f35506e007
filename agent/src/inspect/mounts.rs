//! `/proc/self/mountinfo`: what is mounted where.

use std::path::{Path, PathBuf};

use super::text;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder of its file system that is mounted.
    pub root: PathBuf,
    /// Where.
    pub at: PathBuf,
    /// `ext4`, `overlay`, `cgroup2`, ….
    pub file_system: String,
    /// The device, or what the file system calls itself.
    pub source: String,
    /// Options of the file system: for `cgroup`, the controllers are among them.
    pub options: Vec<String>,
}

pub(super) fn all() -> Vec<Mount> {
    text("/proc/self/mountinfo").unwrap_or_default().lines().filter_map(parse).collect()
}

/// `36 35 98:0 /root /at rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`
fn parse(line: &str) -> Option<Mount> {
    let (first, second) = line.split_once(" - ")?;
    let mut first = first.split(' ').skip(3);
    let (root, at) = (path(first.next()?), path(first.next()?));
    let mut second = second.split(' ');
    let (file_system, source) = (second.next()?.to_owned(), second.next()?.to_owned());
    let options = second.next().unwrap_or_default().split(',').map(str::to_owned).collect();
    Some(Mount { root, at, file_system, source, options })
}

/// Blanks in paths are written as octal numbers.
fn path(text: &str) -> PathBuf {
    let plain = text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n");
    plain.replace("\\134", "\\").into()
}

/// The mount that holds `path`: the deepest, and of several at one place the last.
pub(super) fn under<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let holding = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    holding.max_by_key(|mount| mount.at.components().count())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let line = r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let mount = parse(line).unwrap();
        assert_eq!((&*mount.root, &*mount.at), (Path::new("/mnt1"), Path::new("/mnt 2")));
        assert_eq!((&*mount.file_system, &*mount.source), ("ext3", "/dev/root"));
        assert_eq!(mount.options, ["rw", "errors=continue"]);
        assert_eq!(parse("36 35 98:0 / /"), None);
    }

    #[test]
    fn the_deepest_and_last_mount_holds_a_path() {
        let lines = [
            "1 0 0:1 / / rw - rootfs rootfs rw",
            "2 1 0:2 / /no rw - tmpfs first rw",
            "3 1 0:3 / /no rw - ext4 second rw",
            "4 1 0:4 / /nothing rw - xfs third rw",
        ];
        let mounts: Vec<Mount> = lines.iter().filter_map(|line| parse(line)).collect();
        let source = |path: &str| under(&mounts, Path::new(path)).unwrap().source.clone();
        assert_eq!([source("/no/such/folder"), source("/other")], ["second", "rootfs"]);
    }
}
