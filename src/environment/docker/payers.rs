//! Who spends on a container's behalf, and where its writable layer is: read from the host's `/proc`.

use std::path::{Path, PathBuf};

use crate::environment::cgroup::Mounts;
use crate::measure::accounting::{Account, Accounts};

/// Finds the payers of one container whose first process has that number on this host.
pub(super) fn of_container(mounts: &Mounts, pid: u32, standing: &[u32]) -> Accounts {
    let account = |roots: Vec<u32>| Account { roots, ..Account::default() };
    let shim = parent_of(pid).filter(|parent| is_shim(&name_of(*parent)));
    Accounts {
        instance: Account { cgroup: mounts.of(pid), ..account(vec![pid]) },
        engine: account(shim.into_iter().collect()),
        standing: account(standing.to_vec()),
    }
}

/// dockerd and containerd, or what stands for them. `listener` made the engine's socket; where that is who starts
/// daemons on demand, the daemon is found by its name.
pub(super) fn standing(listener: Option<u32>) -> Vec<u32> {
    let all = processes();
    let called = |wanted: &str| -> Vec<u32> {
        all.iter().filter(|(_, name)| name == wanted).map(|(pid, _)| *pid).collect()
    };
    let engines = match listener {
        Some(pid) if !ON_DEMAND.contains(&&*name_of(pid)) => vec![pid],
        _ => called("dockerd"),
    };
    let containerds = called("containerd");
    let child = |pid: &&u32| parent_of(**pid).is_some_and(|parent| engines.contains(&parent));
    // A containerd of the engine's own is its child, and the only one that counts.
    let own: Vec<u32> = containerds.iter().filter(child).copied().collect();
    let containerds = if own.is_empty() { containerds } else { own };
    engines.into_iter().chain(containerds).collect()
}

/// Who makes sockets for daemons that are not there yet; and one that has gone.
const ON_DEMAND: [&str; 3] = ["systemd", "init", ""];

/// Number and name of each.
fn processes() -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| (pid, name_of(pid))).collect()
}

/// `containerd-shim-runc-v2`, of which the kernel keeps 15 letters; other runtimes have shims of other names.
fn is_shim(name: &str) -> bool {
    name.starts_with("containerd-shim") || name.starts_with("conmon")
}

fn name_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Is this number the container's first process here? Where the engine counts processes otherwise than this host, it
/// is somebody else, whose account it must not become.
pub(super) fn is_of_container(pid: u32, id: &str) -> bool {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.contains(id)
}

/// The upper folder of the overlay that a process has as its root.
pub(super) fn upper_of(pid: u32) -> Option<PathBuf> {
    upper(&std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?)
}

fn upper(mountinfo: &str) -> Option<PathBuf> {
    let root = mountinfo.lines().find(|line| line.split(' ').nth(4) == Some("/"))?;
    let (_, rest) = root.split_once(" - overlay ")?;
    let options = rest.split(' ').nth(1)?;
    let upper = options.split(',').find_map(|option| option.strip_prefix("upperdir="))?;
    upper.starts_with('/').then(|| PathBuf::from(upper))
}

/// `path` itself where this user may look at it, else the mount that holds it: both are on the disk that takes the
/// writes.
pub(super) fn visible(path: &Path) -> PathBuf {
    if std::fs::symlink_metadata(path).is_ok() {
        return path.to_owned();
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount_of(&mounts, path).unwrap_or_else(|| path.to_owned())
}

fn mount_of(mountinfo: &str, path: &Path) -> Option<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let above = points.filter(|point| path.starts_with(point));
    above.max_by_key(|point| point.components().count()).map(Path::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_folder_is_that_of_the_root() {
        let text = "1 0 0:5 / /isocost rw - ext4 /dev/sda rw\n\
            2 1 0:9 / / rw,relatime - overlay overlay rw,lowerdir=l/A:l/B,upperdir=/var/lib/x/diff,workdir=/w\n";
        assert_eq!(upper(text), Some("/var/lib/x/diff".into()));
        assert_eq!(upper("2 1 0:9 / / rw - ext4 /dev/sda rw\n"), None);
        assert_eq!(upper(""), None);
    }

    #[test]
    fn a_closed_folder_is_stood_for_by_the_deepest_mount_above_it() {
        let text = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /var/lib/docker rw - xfs b rw\n3 1 8:3 / /var rw - xfs c rw\n";
        let of = |path: &str| mount_of(text, Path::new(path)).unwrap();
        assert_eq!(of("/var/lib/docker/overlay2/x"), Path::new("/var/lib/docker"));
        assert_eq!(of("/var/lib/dockers"), Path::new("/var"));
        assert_eq!(of("/srv"), Path::new("/"));
        assert_eq!(visible(Path::new("/proc")), Path::new("/proc"));
    }

    #[test]
    fn this_process_has_a_name_and_a_parent() {
        let own = std::process::id();
        assert!(!name_of(own).is_empty() && parent_of(own).is_some());
        assert!(is_shim("containerd-shim") && !is_shim("containerd"));
        assert!(!is_of_container(own, "0123456789abcdef"));
    }
}
