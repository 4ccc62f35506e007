//! The limits of the control groups that the agent is in, version 1 or 2: the least of each group and those above it.

use std::path::{Path, PathBuf};

use super::mounts::Mount;
use super::text;

/// Limits that hold; `None` where there is none or it cannot be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Limits {
    /// Quota / period.
    pub quota_cpus: Option<f64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
}

/// Above this a limit of version 1 means none: it is the largest number of whole pages that fits.
const NO_LIMIT: u64 = 1 << 62;

pub(super) fn limits(mounts: &[Mount]) -> Limits {
    of(mounts, &text("/proc/self/cgroup").unwrap_or_default())
}

/// `groups` is `/proc/self/cgroup`: lines of `number:controllers:/group`, version 2 has number 0 and no controllers.
fn of(mounts: &[Mount], groups: &str) -> Limits {
    let mut quotas = Vec::new();
    let mut memories = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let controllers: Vec<&str> = controllers.split(',').filter(|name| !name.is_empty()).collect();
        for folder in folders(mounts, &controllers, Path::new(group)) {
            if controllers.is_empty() {
                quotas.extend(text(folder.join("cpu.max")).and_then(|line| quota_2(&line)));
                memories.extend(text(folder.join("memory.max")).and_then(|line| line.parse::<u64>().ok()));
            }
            if controllers.contains(&"cpu") {
                let [quota, period] =
                    ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|name| text(folder.join(name)));
                quotas.extend(quota.zip(period).and_then(|(quota, period)| cpus(&quota, &period)));
            }
            if controllers.contains(&"memory") {
                let limit =
                    text(folder.join("memory.limit_in_bytes")).and_then(|line| line.parse::<u64>().ok());
                memories.extend(limit.filter(|bytes| *bytes < NO_LIMIT));
            }
        }
    }
    Limits { quota_cpus: quotas.into_iter().reduce(f64::min), memory_bytes: memories.into_iter().min() }
}

/// The group's folder and those above it, as far as they are mounted here.
fn folders(mounts: &[Mount], controllers: &[&str], group: &Path) -> Vec<PathBuf> {
    let fits = |mount: &&Mount| match controllers {
        [] => mount.file_system == "cgroup2",
        some => {
            mount.file_system == "cgroup"
                && some.iter().all(|name| mount.options.iter().any(|option| option == name))
        }
    };
    let Some(mount) = mounts.iter().find(fits) else { return Vec::new() };
    // A container sees its own group mounted as if it were the top one, and may still be told its place on the host.
    let below = group.strip_prefix(&mount.root).or_else(|_| group.strip_prefix("/")).unwrap_or(group);
    let inside = mount.at.join(below);
    let deepest = if inside.is_dir() { inside } else { mount.at.clone() };
    deepest.ancestors().take_while(|folder| folder.starts_with(&mount.at)).map(Path::to_owned).collect()
}

/// `max 100000` or `150000 100000`.
fn quota_2(line: &str) -> Option<f64> {
    let (quota, period) = line.split_once(' ')?;
    cpus(quota, period)
}

/// A quota of -1 or `max` is none.
fn cpus(quota: &str, period: &str) -> Option<f64> {
    let [quota, period] = [quota, period].map(|text| text.trim().parse::<u32>().ok().filter(|n| *n > 0));
    Some(f64::from(quota?) / f64::from(period?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mount(file_system: &str, root: &str, at: PathBuf, options: &[&str]) -> Mount {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Mount { root: root.into(), at, file_system: file_system.into(), source: "cgroup".into(), options }
    }

    fn write(folder: &Path, files: &[(&str, &str)]) {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn version_2_takes_the_least_on_the_way_up() {
        let scratch = tempfile::tempdir().unwrap();
        let top = scratch.path().to_owned();
        write(&top.join("a"), &[("cpu.max", "150000 100000"), ("memory.max", "1000")]);
        write(&top.join("a/b"), &[("cpu.max", "max 100000"), ("memory.max", "2000")]);
        let mounts = [mount("cgroup2", "/", top, &["rw"])];
        let found = of(&mounts, "0::/a/b\n");
        assert_eq!(found, Limits { quota_cpus: Some(1.5), memory_bytes: Some(1000) });
        assert_eq!(of(&mounts, "0::/"), Limits::default());
    }

    #[test]
    fn version_1_has_a_folder_a_controller_and_numbers_for_none() {
        let scratch = tempfile::tempdir().unwrap();
        let (cpu, memory) = (scratch.path().join("cpu,cpuacct"), scratch.path().join("memory"));
        write(&cpu.join("g"), &[("cpu.cfs_quota_us", "200000"), ("cpu.cfs_period_us", "100000")]);
        write(&memory, &[("memory.limit_in_bytes", "9223372036854771712")]);
        write(&memory.join("g"), &[("memory.limit_in_bytes", "268435456")]);
        let mounts = [
            mount("cgroup", "/", cpu.clone(), &["rw", "cpuacct", "cpu"]),
            mount("cgroup", "/", memory, &["rw", "memory"]),
        ];
        let groups = "4:memory:/g\n3:cpu,cpuacct:/g\n1:name=systemd:/g\n0::/\n";
        let found = of(&mounts, groups);
        assert_eq!(found, Limits { quota_cpus: Some(2.0), memory_bytes: Some(1 << 28) });
        write(&cpu.join("g"), &[("cpu.cfs_quota_us", "-1")]);
        assert_eq!(of(&mounts, groups).quota_cpus, None);
    }

    /// The group's name is the host's, what is mounted is the group itself.
    #[test]
    fn a_container_finds_its_group_where_it_is_mounted() {
        let scratch = tempfile::tempdir().unwrap();
        let memory = scratch.path().join("memory");
        write(&memory, &[("memory.limit_in_bytes", "1048576")]);
        let mounts = [mount("cgroup", "/docker/abc", memory.clone(), &["memory"])];
        assert_eq!(of(&mounts, "4:memory:/docker/abc").memory_bytes, Some(1 << 20));
        // With a name space of its own for groups, it is told `/`.
        let mounts = [mount("cgroup", "/", memory, &["memory"])];
        assert_eq!(of(&mounts, "4:memory:/").memory_bytes, Some(1 << 20));
        assert_eq!(of(&mounts, "4:memory:/docker/abc").memory_bytes, Some(1 << 20));
    }
}
