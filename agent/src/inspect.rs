//! What the program sees from where it runs. What cannot be read is `None`, never zero.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::protocol::Inspection;

mod cgroup;
mod mounts;

pub use mounts::Mount;

/// The most of any text file of the kernel's that is looked at.
const TEXT_BYTES: u64 = 1 << 20;

/// Looks at everything. `layer` is the folder that disk work goes to.
///
/// # Errors
/// Where the program cannot read itself: nothing it says would be believed.
pub fn inspect(layer: &Path) -> io::Result<Inspection> {
    let mounts = mounts::all();
    let limits = cgroup::limits(&mounts);
    let under = mounts::under(&mounts, layer);
    let [cpu_model, flags] = cpu_info();
    let memory = text("/proc/meminfo").unwrap_or_default();
    let name = rustix::system::uname();
    let affinity = rustix::thread::sched_getaffinity(None).ok().map(|set| set.count());
    Ok(Inspection {
        agent_sha256: own_sha256()?,
        online_cpus: text("/sys/devices/system/cpu/online").and_then(|list| count_of_list(&list)),
        affinity_cpus: affinity,
        quota_cpus: limits.quota_cpus,
        cgroup_memory_limit_bytes: limits.memory_bytes,
        firmware_memory_bytes: firmware_memory_bytes(),
        memory_total_bytes: kib_line(&memory, "MemTotal:"),
        memory_available_bytes: kib_line(&memory, "MemAvailable:"),
        cpu_model,
        cpu_flags: sorted(&flags.unwrap_or_default()),
        clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        kernel_release: name.release().to_string_lossy().into_owned(),
        kernel_version: name.version().to_string_lossy().into_owned(),
        mitigations: mitigations(),
        layer_file_system: under.map(|mount| mount.file_system.clone()),
        layer_source: under.map(|mount| mount.source.clone()),
        page_bytes: u32::try_from(rustix::param::page_size()).unwrap_or(u32::MAX),
    })
}

/// Memory that may still be used: the least of what the machine has free and what the control group allows, in bytes.
#[must_use]
pub fn usable_memory_bytes() -> Option<u64> {
    let memory = text("/proc/meminfo").unwrap_or_default();
    let limit = cgroup::limits(&mounts::all()).memory_bytes;
    [kib_line(&memory, "MemAvailable:"), limit].into_iter().flatten().min()
}

/// A text file, trimmed; `None` where it cannot be read or is not text.
pub(crate) fn text(path: impl AsRef<Path>) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(TEXT_BYTES).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

fn own_sha256() -> io::Result<String> {
    let mut file = File::open("/proc/self/exe")?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How many numbers are in a list of the kernel's: `0-3,8` has five.
fn count_of_list(list: &str) -> Option<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let [first, last] = [first, last].map(|end| end.trim().parse::<u32>().ok());
        last?.checked_sub(first?)?.checked_add(1)
    };
    list.trim().split(',').try_fold(0u32, |sum, part| sum.checked_add(range(part)?))
}

fn kib_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Model name and flags of the first CPU.
fn cpu_info() -> [Option<String>; 2] {
    let text = text("/proc/cpuinfo").unwrap_or_default();
    ["model name", "flags"].map(|wanted| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
    })
}

fn sorted(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

fn mitigations() -> Vec<(String, String)> {
    let entries =
        std::fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
    let line = |entry: std::fs::DirEntry| {
        Some((entry.file_name().to_string_lossy().into_owned(), text(entry.path())?))
    };
    let mut all: Vec<_> = entries.filter_map(line).collect();
    all.sort();
    all
}

/// RAM as the firmware told the kernel.
fn firmware_memory_bytes() -> Option<u64> {
    let entries = std::fs::read_dir("/sys/firmware/memmap").into_iter().flatten().flatten();
    let ram = entries.filter(|entry| text(entry.path().join("type")).as_deref() == Some("System RAM"));
    let bytes = ram.map(|entry| {
        let [start, end] = ["start", "end"].map(|name| hexadecimal(&text(entry.path().join(name))?));
        length(start?, end?)
    });
    let sum = bytes.sum::<Option<u64>>().filter(|bytes| *bytes > 0);
    sum.or_else(|| ram_of_iomem(&text("/proc/iomem")?))
}

/// Those who may not see addresses are shown zeroes: no answer.
fn ram_of_iomem(text: &str) -> Option<u64> {
    let ranges = text.lines().filter_map(|line| line.strip_suffix(" : System RAM"));
    let bytes = ranges.map(|range| {
        let (start, end) = range.split_once('-')?;
        let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
        if end == 0 { None } else { length(start, end) }
    });
    bytes.sum::<Option<u64>>().filter(|bytes| *bytes > 0)
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

fn length(start: u64, end: u64) -> Option<u64> {
    end.checked_sub(start)?.checked_add(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_counted() {
        let of = count_of_list;
        assert_eq!([of("0"), of("0-3"), of("0-3,8\n"), of("1,3")], [Some(1), Some(4), Some(5), Some(2)]);
        assert_eq!([of(""), of("3-1"), of("a"), of("0-4294967295")], [None; 4]);
    }

    #[test]
    fn ram_is_what_the_firmware_says_it_is() {
        let seen = "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n00100000-0fffffff : System RAM\n  01000000-01ffffff : Kernel code";
        assert_eq!(ram_of_iomem(seen), Some(0x9fc00 - 0x1000 + 0x0ff0_0000));
        assert_eq!(ram_of_iomem("00000000-00000000 : System RAM\n00000000-00000000 : System RAM"), None);
        assert_eq!(ram_of_iomem(""), None);
    }

    #[test]
    fn meminfo_is_in_kib() {
        let memory = "MemTotal:       24684092 kB\nMemFree: 1 kB\nMemAvailable:   22 kB\n";
        assert_eq!(kib_line(memory, "MemTotal:"), Some(24_684_092 * 1024));
        assert_eq!(kib_line(memory, "MemAvailable:"), Some(22 * 1024));
        assert_eq!(kib_line(memory, "Swap:"), None);
    }

    #[test]
    fn flags_are_sorted_and_once() {
        assert_eq!(sorted("sse fpu  sse avx"), ["avx", "fpu", "sse"]);
    }

    #[test]
    fn this_machine_is_seen() {
        let seen = inspect(Path::new("/")).unwrap();
        assert_eq!(seen.agent_sha256.len(), 64);
        assert!(seen.online_cpus >= seen.affinity_cpus && seen.affinity_cpus > Some(0), "{seen:?}");
        assert!(seen.memory_total_bytes > seen.memory_available_bytes, "{seen:?}");
        assert!(usable_memory_bytes().is_some_and(|bytes| Some(bytes) < seen.memory_total_bytes), "{seen:?}");
        assert!(seen.cpu_model.is_some() && seen.cpu_flags.iter().any(|flag| flag == "sse2"), "{seen:?}");
        assert!(seen.layer_file_system.is_some() && seen.page_bytes >= 4096, "{seen:?}");
    }
}
