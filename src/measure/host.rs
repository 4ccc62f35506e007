//! What the host is, for `run.json`.

use std::path::Path;

use super::counters::device;
use super::record::Host;

/// Looks at the host; `scratch` is on the disk that will be measured.
#[must_use]
pub fn look(scratch: &Path) -> Host {
    let cpuinfo = text("/proc/cpuinfo").unwrap_or_default();
    Host {
        kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        os: text("/etc/os-release").and_then(|text| pretty_name(&text)),
        cpu_model: first(&cpuinfo, "model name"),
        microcode: first(&cpuinfo, "microcode"),
        online_cpus: online_cpus(),
        memory_bytes: text("/proc/meminfo").and_then(|text| memory_total(&text)).unwrap_or(0),
        cgroup: cgroup().to_owned(),
        virtualised: first(&cpuinfo, "flags").map(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        kvm_modules: kvm_modules(),
        scratch_file_system: device::file_system_behind(scratch),
    }
}

/// CPUs this machine has online.
#[must_use]
pub fn online_cpus() -> u32 {
    let list = text("/sys/devices/system/cpu/online");
    let counted = list.and_then(|list| count(&list));
    let or_allowed = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    counted.unwrap_or_else(|| u32::try_from(or_allowed()).unwrap_or(1))
}

fn text(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The first value of a key in /proc/cpuinfo.
fn first(cpuinfo: &str, key: &str) -> Option<String> {
    cpuinfo.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// RAM that programs could have now without swapping, in bytes.
#[must_use]
pub fn available_memory() -> Option<u64> {
    memory(&text("/proc/meminfo")?, "MemAvailable:")
}

fn memory_total(meminfo: &str) -> Option<u64> {
    memory(meminfo, "MemTotal:")
}

fn memory(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

/// How many numbers a list such as `0-3,6` names.
fn count(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0, |sum, range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        Some(sum + to.checked_sub(from)? + 1)
    })
}

fn cgroup() -> &'static str {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "v2"
    } else if Path::new("/sys/fs/cgroup/memory").exists() {
        "v1"
    } else {
        "none"
    }
}

fn kvm_modules() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/module").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut kvm: Vec<String> = names.filter(|name| name.starts_with("kvm")).collect();
    kvm.sort_unstable();
    kvm
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_they_are_written() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: Xeon: big\nflags\t\t: sse hypervisor\nmodel name\t: other\n";
        assert_eq!(first(cpuinfo, "model name").unwrap(), "Xeon: big");
        assert_eq!(first(cpuinfo, "microcode"), None);
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"Debian 12\"\n").unwrap(), "Debian 12");
        assert_eq!(memory_total("MemTotal:    2048 kB\n"), Some(2 << 20));
        assert_eq!((count("0-3,6"), count("0"), count("x"), count("3-1")), (Some(5), Some(1), None, None));
    }

    #[test]
    fn this_host_has_a_kernel_memory_and_cpus() {
        let host = look(Path::new("/"));
        assert!(!host.kernel_release.is_empty());
        assert!(host.memory_bytes > 0 && host.online_cpus > 0);
    }
}
