//! Control groups of this host: where both versions are mounted, and which ones a process is in.
//!
//! In: `/proc`. Out: folders whose files are read or written by others. It must never know what a limit is for.

use std::path::{Path, PathBuf};

use crate::measure::accounting::Cgroup;

pub(crate) mod limit;

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// Where it is mounted.
    point: PathBuf,
    /// Which of its groups is seen there: `/`, or a part of the tree in a container.
    root: PathBuf,
}

impl Mount {
    /// The folder of a group, if it can be seen here.
    fn folder(&self, group: &Path) -> Option<PathBuf> {
        let below = group.strip_prefix(&self.root).ok()?;
        Some(if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) })
    }
}

/// All mounted hierarchies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mounts {
    v2: Option<Mount>,
    /// By controller; several may share one mount.
    v1: Vec<(String, Mount)>,
}

impl Mounts {
    /// Those of this process.
    pub(crate) fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
    }

    /// The format is in proc_pid_mountinfo(5). Of several mounts of one hierarchy the first is the usual one.
    fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self::default();
        for (kind, mount, options) in mountinfo.lines().filter_map(entry) {
            match kind {
                "cgroup2" => mounts.v2 = mounts.v2.or(Some(mount)),
                "cgroup" => {
                    for controller in options.split(',') {
                        if !mounts.v1.iter().any(|(known, _)| known == controller) {
                            mounts.v1.push((controller.to_owned(), mount.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
        mounts
    }

    fn v1(&self, controller: &str) -> Option<&Mount> {
        self.v1.iter().find(|(name, _)| name == controller).map(|(_, mount)| mount)
    }

    /// The groups that a process is in: those of version 1 where its memory is counted there.
    ///
    /// `None` where it is in the root, which is nobody's own, or where nothing can be seen of it.
    pub(crate) fn of(&self, pid: u32) -> Option<Cgroup> {
        self.of_text(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
    }

    fn of_text(&self, text: &str) -> Option<Cgroup> {
        let v1 = |controller: &str| {
            let group = groups(text).find(|(names, _)| names.split(',').any(|name| name == controller))?.1;
            let folder = self.v1(controller)?.folder(Path::new(group))?;
            (group != "/").then_some(folder)
        };
        let (memory, cpuacct, blkio) = (v1("memory"), v1("cpuacct"), v1("blkio"));
        if memory.is_some() {
            return Some(Cgroup::V1 { memory, cpuacct, blkio });
        }
        let group = groups(text).find(|(names, _)| names.is_empty())?.1;
        let folder = self.v2.as_ref()?.folder(Path::new(group))?;
        (group != "/" && folder.join("memory.current").exists()).then_some(Cgroup::V2(folder))
    }
}

/// Controllers (none for version 2) and path of each line of `/proc/PID/cgroup`.
fn groups(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// File system type, mount and the file system's own options of a line of mountinfo.
fn entry(line: &str) -> Option<(&str, Mount, &str)> {
    let (mount, rest) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let mut rest = rest.split(' ');
    let (kind, options) = (rest.next()?, rest.nth(1)?);
    Some((kind, Mount { point: unescape(point), root: unescape(root) }, options))
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    PathBuf::from(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "27 22 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        29 27 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
        30 27 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n\
        31 27 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn groups_of_version_1_are_found_below_their_mounts() {
        let text = "12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n2:blkio:/docker/ab\n0::/docker/ab\n";
        let below = |mount: &str| Some(PathBuf::from(format!("/sys/fs/cgroup/{mount}/docker/ab")));
        let expected = Cgroup::V1 { memory: below("memory"), cpuacct: below("cpu,cpuacct"), blkio: None };
        assert_eq!(Mounts::parse(OLD).of_text(text), Some(expected));
    }

    #[test]
    fn the_root_is_nobodys() {
        assert_eq!(Mounts::parse(OLD).of_text("12:memory:/\n0::/\n"), None);
    }

    #[test]
    fn a_mount_that_shows_a_part_of_the_tree_shows_only_what_is_in_it() {
        let mount = Mount { point: "/sys/fs/cgroup".into(), root: "/kubepods/x".into() };
        assert_eq!(mount.folder(Path::new("/kubepods/x/y")), Some("/sys/fs/cgroup/y".into()));
        assert_eq!(mount.folder(Path::new("/kubepods/x")), Some("/sys/fs/cgroup".into()));
        assert_eq!(mount.folder(Path::new("/kubepods/xy")), None);
    }

    #[test]
    fn escaped_paths_are_read() {
        assert_eq!(unescape("/a\\040b\\134c"), PathBuf::from("/a b\\c"));
        assert_eq!(unescape("/a\\04"), PathBuf::from("/a\\04"));
    }

    #[test]
    fn this_host_has_hierarchies() {
        let mounts = Mounts::read();
        assert!(mounts.v2.is_some() || !mounts.v1.is_empty());
    }

    proptest! {
        #[test]
        fn no_mountinfo_makes_it_panic(text in "[ -~\\\\\n]{0,200}") {
            let _ = Mounts::parse(&text).of_text(&text);
            let _ = unescape(&text);
        }
    }
}
