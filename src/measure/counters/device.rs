//! The disks behind a path, and what they have counted.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Counts;

/// The whole disks at the bottom of the file system that holds a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Their folders below `/sys`, in order.
    disks: Vec<PathBuf>,
}

const SYS: &str = "/sys/dev/block";

impl Device {
    /// Finds them.
    ///
    /// # Errors
    /// Why there are none: a file system in memory or on the network has no disk here.
    pub fn behind(path: &Path) -> Result<Self, String> {
        let device = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?.dev();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let entry = entry_of(device).or_else(|| entry_of_source(&mounts, device));
        let entry = entry.ok_or_else(|| {
            let what = file_system(&mounts, device).unwrap_or("its file system");
            format!("{} is on {what}, behind which no disk of this host can be seen", path.display())
        })?;
        let mut disks = BTreeSet::new();
        descend(&entry, &mut disks, 0);
        if disks.is_empty() {
            return Err(format!("no disk found behind {}", path.display()));
        }
        Ok(Self { disks: disks.into_iter().collect() })
    }

    /// What they have counted, together.
    ///
    /// # Errors
    /// The file that could not be read.
    pub fn counts(&self) -> Result<Counts, String> {
        let mut sum = Counts { flushes: Some(0), ..Counts::default() };
        for disk in &self.disks {
            let one = counts_of(disk)?;
            sum.bytes_written += one.bytes_written;
            sum.writes += one.writes;
            sum.flushes = sum.flushes.zip(one.flushes).map(|(a, b)| a + b);
            sum.volatile_cache |= one.volatile_cache;
        }
        Ok(sum)
    }

    /// Their names: `vda`, `nvme0n1`.
    #[must_use]
    pub fn names(&self) -> String {
        let name = |disk: &PathBuf| disk.file_name().map(|n| n.to_string_lossy().into_owned());
        self.disks.iter().filter_map(name).collect::<Vec<_>>().join(" ")
    }
}

/// The file system that holds a path and the disks it is on: `ext4 on vda`.
#[must_use]
pub fn file_system_behind(path: &Path) -> Option<String> {
    let device = std::fs::metadata(path).ok()?.dev();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let kind = file_system(&mounts, device)?;
    let disks = Device::behind(path).map(|device| device.names());
    Some(disks.map_or_else(|_| kind.to_owned(), |names| format!("{kind} on {names}")))
}

fn entry_of(device: u64) -> Option<PathBuf> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    std::fs::canonicalize(format!("{SYS}/{major}:{minor}")).ok()
}

/// btrfs and others give files a device number of their own; the mount names the true one.
fn entry_of_source(mounts: &str, device: u64) -> Option<PathBuf> {
    let (_, source) = mount_of(mounts, device)?;
    let device = std::fs::metadata(source).ok().filter(|_| source.starts_with("/dev/"))?.rdev();
    entry_of(device)
}

fn file_system(mounts: &str, device: u64) -> Option<&str> {
    mount_of(mounts, device).map(|(kind, _)| kind)
}

/// File system and source of the mount with that device number.
fn mount_of(mounts: &str, device: u64) -> Option<(&str, &str)> {
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    mounts.lines().find_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        let mut rest = rest.split(' ');
        let found = (rest.next()?, rest.next()?);
        (mount.split(' ').nth(2)? == wanted).then_some(found)
    })
}

/// A partition is its disk; what is stacked (device mapper, RAID) is what it stands on.
fn descend(entry: &Path, disks: &mut BTreeSet<PathBuf>, depth: u32) {
    let disk = match entry.parent() {
        Some(parent) if entry.join("partition").exists() => parent,
        _ => entry,
    };
    let below: Vec<PathBuf> = std::fs::read_dir(disk.join("slaves"))
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::canonicalize(entry.ok()?.path()).ok())
        .collect();
    if below.is_empty() || depth > 8 {
        disks.insert(disk.to_owned());
    }
    for one in below.iter().filter(|_| depth <= 8) {
        descend(one, disks, depth + 1);
    }
}

fn counts_of(disk: &Path) -> Result<Counts, String> {
    let path = disk.join("stat");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cache = std::fs::read_to_string(disk.join("queue/write_cache"));
    // Where it cannot be read, the stricter rule holds.
    let volatile_cache = cache.map_or(true, |mode| mode.trim() != "write through");
    parse(&text, volatile_cache).ok_or_else(|| format!("{} is not a disk's counters", path.display()))
}

/// Documentation/block/stat.rst: 512-byte sectors whatever the device's own.
fn parse(text: &str, volatile_cache: bool) -> Option<Counts> {
    let fields: Vec<u64> = text.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    Some(Counts {
        bytes_written: fields.get(6)?.checked_mul(512)?,
        writes: *fields.get(4)?,
        flushes: fields.get(15).copied(),
        volatile_cache,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::measure::counters::vouch;
    use crate::measure::sample::FailureName;

    #[test]
    fn the_fields_are_where_the_kernel_says() {
        let counts = parse("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", true).unwrap();
        assert_eq!((counts.writes, counts.bytes_written, counts.flushes), (5, 7 * 512, Some(16)));
        assert_eq!(parse("1 2 3 4 5 6 7 8 9 10 11", false).unwrap().flushes, None);
        assert_eq!(parse("1 2", false), None);
    }

    #[test]
    fn a_file_system_in_memory_is_unverified() {
        let why = Device::behind(Path::new("/dev/shm")).unwrap_err();
        assert!(why.contains("tmpfs"), "{why}");
        let failure = vouch(&Err(why.clone()), &Err(why), 4096, 1).unwrap_err();
        assert_eq!(failure.name, FailureName::Unverified);
    }

    #[test]
    fn the_mount_names_the_true_device() {
        let mounts = "22 27 0:40 / /data rw,relatime shared:1 - btrfs /dev/sda2 rw,subvol=/\n";
        let device = rustix::fs::makedev(0, 40);
        assert_eq!(mount_of(mounts, device), Some(("btrfs", "/dev/sda2")));
        assert_eq!(mount_of(mounts, rustix::fs::makedev(0, 41)), None);
    }

    #[test]
    fn partitions_and_stacks_lead_to_disks() {
        let sys = tempfile::tempdir().unwrap();
        let partition = sys.path().join("sda/sda1");
        std::fs::create_dir_all(&partition).unwrap();
        std::fs::write(partition.join("partition"), "1\n").unwrap();
        let mapper = sys.path().join("dm-0");
        std::fs::create_dir_all(mapper.join("slaves")).unwrap();
        std::os::unix::fs::symlink(&partition, mapper.join("slaves/sda1")).unwrap();
        let mut disks = BTreeSet::new();
        descend(&mapper, &mut disks, 0);
        let disk = std::fs::canonicalize(sys.path().join("sda")).unwrap();
        assert_eq!(disks.into_iter().collect::<Vec<_>>(), [disk]);
    }

    /// The rule on the real disk: what was synced is seen, what was only written is not.
    #[test]
    fn this_hosts_disk_sees_syncs() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let Ok(device) = Device::behind(dir.path()) else {
            println!("skipped: this_hosts_disk_sees_syncs: no disk behind the source folder");
            return;
        };
        let mut file = File::create(dir.path().join("f")).unwrap();
        let before = device.counts();
        for _ in 0..20 {
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        }
        let after = device.counts();
        assert_eq!(vouch(&before, &after, 20 * 4096, 20), Ok(()));
        // A disk with cache=unsafe says 'synced' and sends nothing down.
        let claimed = vouch(&after, &device.counts(), 64 << 20, 200);
        assert_eq!(claimed.unwrap_err().name, FailureName::UnseenWrites);
    }
}
