//! What a control group's files say, in both versions.

use std::path::Path;

use super::{Figure, unreadable};
use crate::measure::accounting::Cgroup;
use crate::measure::sample::Failure;

/// Bytes the group holds now, page cache included.
///
/// # Errors
/// `Unreadable`, with the file.
pub fn memory_now(group: &Cgroup) -> Result<Figure, Failure> {
    match group {
        Cgroup::V2(folder) => number(folder, "memory.current"),
        Cgroup::V1 { memory, .. } => number(mounted(memory.as_deref(), "memory")?, "memory.usage_in_bytes"),
    }
}

/// The most it ever held.
///
/// # Errors
/// `Unreadable`, with the file (`memory.peak` came with Linux 5.19).
pub fn memory_peak(group: &Cgroup) -> Result<Figure, Failure> {
    match group {
        Cgroup::V2(folder) => number(folder, "memory.peak"),
        Cgroup::V1 { memory, .. } => {
            number(mounted(memory.as_deref(), "memory")?, "memory.max_usage_in_bytes")
        }
    }
}

/// CPU time of all that ever ran in it, nanoseconds.
///
/// # Errors
/// `Unreadable`, with the file.
pub fn cpu_ns(group: &Cgroup) -> Result<Figure, Failure> {
    match group {
        Cgroup::V2(folder) => usage(folder),
        Cgroup::V1 { cpuacct, .. } => number(mounted(cpuacct.as_deref(), "cpuacct")?, "cpuacct.usage"),
    }
}

fn mounted<'a>(folder: Option<&'a Path>, controller: &str) -> Result<&'a Path, Failure> {
    folder.ok_or_else(|| unreadable(format!("no cgroup of the controller {controller}")))
}

fn text_of(folder: &Path, file: &str) -> Result<String, Failure> {
    let path = folder.join(file);
    std::fs::read_to_string(&path).map_err(|e| unreadable(format!("{}: {e}", path.display())))
}

fn number(folder: &Path, file: &str) -> Result<Figure, Failure> {
    let text = text_of(folder, file)?;
    let value = text.trim().parse();
    let value = value.map_err(|_| unreadable(format!("{}/{file} holds no number", folder.display())))?;
    Ok(Figure { value, source: format!("cgroup {file}") })
}

fn usage(folder: &Path) -> Result<Figure, Failure> {
    let text = text_of(folder, "cpu.stat")?;
    let microseconds =
        text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse::<u64>().ok());
    let microseconds =
        microseconds.ok_or_else(|| unreadable(format!("{}/cpu.stat has no usage_usec", folder.display())))?;
    Ok(Figure { value: microseconds * 1000, source: "cgroup cpu.stat".into() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measure::sample::FailureName;

    #[test]
    fn both_versions_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("memory.current", "4096\n");
        write("memory.max_usage_in_bytes", "8192\n");
        write("cpu.stat", "usage_usec 12\nuser_usec 4\n");
        write("cpuacct.usage", "345\n");
        let folder = || Some(dir.path().to_owned());
        let v2 = Cgroup::V2(dir.path().to_owned());
        let v1 = Cgroup::V1 { memory: folder(), cpuacct: folder(), blkio: None };
        assert_eq!(memory_now(&v2).unwrap().value, 4096);
        assert_eq!(memory_peak(&v1).unwrap().value, 8192);
        assert_eq!(cpu_ns(&v2).unwrap().value, 12_000);
        assert_eq!(cpu_ns(&v1).unwrap().value, 345);
    }

    #[test]
    fn what_is_not_there_is_unreadable_and_named() {
        let v1 = Cgroup::V1 { memory: None, cpuacct: None, blkio: None };
        assert_eq!(memory_now(&v1).unwrap_err().name, FailureName::Unreadable);
        let v2 = Cgroup::V2("/nonexistent".into());
        assert!(memory_peak(&v2).unwrap_err().detail.contains("/nonexistent/memory.peak"));
    }
}
