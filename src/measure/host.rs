//! What the host is and does, for `run.json`: what a measurement's noise comes from.
//!
//! In: `/proc` and `/sys`. Out: [`Host`], what is wrong with it ([`warnings`]), what would mend it ([`tune`]). Nothing of
//! the host is ever changed. What cannot be read is `None`.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counters::device;

pub mod activity;
pub mod cpu;
mod cpu_list;
mod cpu_times;
mod files;
pub mod frequency;
pub mod memory;
pub mod pin;
pub mod placement;
pub mod pressure;
pub mod tune;
mod warning;

pub use activity::{Activity, Look, Loud};
pub use cpu_list::{CpuList, NoCpuList};
pub use placement::CpuPlacement;
pub use warning::{BUSY_SHARE, HostWarning, STOLEN_SHARE, warnings};

use cpu::Cpus;
use files::Files;
use memory::Memory;

/// How long a host is watched before a run: at 100 ticks a second two of its CPUs show 1 %.
const WATCHED: Duration = Duration::from_millis(500);

/// The host. What could not be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -r`.
    pub kernel_release: String,
    /// `PRETTY_NAME` of /etc/os-release.
    pub os: Option<String>,
    /// First `model name` of /proc/cpuinfo.
    pub cpu_model: Option<String>,
    /// First `microcode`.
    pub microcode: Option<String>,
    /// CPUs online.
    pub online_cpus: u32,
    /// RAM in bytes.
    pub memory_bytes: u64,
    /// `v1`, `v2` or `none`.
    pub cgroup: String,
    /// Inside a virtual machine, by the `hypervisor` CPU flag or systemd-detect-virt's sources.
    pub virtualised: Option<bool>,
    /// The clock source.
    pub clock_source: Option<String>,
    /// `/sys/module` names that begin with `kvm`.
    pub kvm_modules: Vec<String>,
    /// File system of the run's scratch folder, and its device.
    pub scratch_file_system: Option<String>,
    /// Bytes that file system can still take.
    #[serde(default)]
    pub scratch_free_bytes: Option<u64>,
    /// What kind of virtual machine, in its firmware's words; `None` where it is none.
    #[serde(default)]
    pub virtualised_by: Option<String>,
    /// Settings and state of its CPUs.
    #[serde(default)]
    pub cpus: Cpus,
    /// Settings and state of its memory.
    #[serde(default)]
    pub memory: Memory,
    /// The load average over one minute: what it does now is in [`Host::before`].
    #[serde(default)]
    pub load_average: Option<f64>,
    /// It is a laptop that is not plugged in.
    #[serde(default)]
    pub on_battery: Option<bool>,
    /// What it did in half a second before the run.
    #[serde(default)]
    pub before: Option<Activity>,
}

/// Looks at the host, and half a second long at what it does.
#[must_use]
pub fn watch(scratch: &Path) -> Host {
    let before = Look::now();
    std::thread::sleep(WATCHED);
    let activity = before.until(&Look::now(), &[std::process::id()]);
    Host { before: Some(activity), ..look(scratch) }
}

/// Looks at the host; `scratch` is on the disk that will be measured.
#[must_use]
pub fn look(scratch: &Path) -> Host {
    let free = rustix::fs::statvfs(scratch).ok().map(|stat| stat.f_bavail * stat.f_frsize);
    Host {
        scratch_file_system: device::file_system_behind(scratch),
        scratch_free_bytes: free,
        ..read(&Files::here())
    }
}

fn read(files: &Files) -> Host {
    let cpuinfo = files.text("/proc/cpuinfo").unwrap_or_default();
    let virtualised = first(&cpuinfo, "flags").map(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let meminfo = files.text("/proc/meminfo");
    Host {
        kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        os: files.text("/etc/os-release").and_then(|text| pretty_name(&text)),
        cpu_model: first(&cpuinfo, "model name"),
        microcode: first(&cpuinfo, "microcode"),
        online_cpus: online_cpus(),
        memory_bytes: meminfo.and_then(|text| memory::meminfo_bytes(&text, "MemTotal")).unwrap_or(0),
        cgroup: cgroup(files).to_owned(),
        virtualised,
        virtualised_by: virtualised.filter(|virtualised| *virtualised).and_then(|_| hypervisor(files)),
        clock_source: files.text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        kvm_modules: kvm_modules(files),
        scratch_file_system: None,
        scratch_free_bytes: None,
        cpus: cpu::look(files),
        memory: memory::look(files),
        load_average: files.text("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
        on_battery: on_battery(files),
        before: None,
    }
}

/// CPUs this machine has online.
#[must_use]
pub fn online_cpus() -> u32 {
    let list = Files::here().text("/sys/devices/system/cpu/online");
    let counted = list.and_then(|list| list.parse().ok()).map(|list: CpuList| list.len());
    let or_allowed = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(counted.unwrap_or_else(or_allowed)).unwrap_or(1)
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
    memory::look(&Files::here()).available_bytes
}

fn cgroup(files: &Files) -> &'static str {
    if files.path("/sys/fs/cgroup/cgroup.controllers").exists() {
        "v2"
    } else if files.path("/sys/fs/cgroup/memory").exists() {
        "v1"
    } else {
        "none"
    }
}

/// How the machine names itself: the firmware's words, or those of Xen without firmware.
fn hypervisor(files: &Files) -> Option<String> {
    let words = ["sys_vendor", "product_name"].map(|name| files.text(&format!("/sys/class/dmi/id/{name}")));
    let words: Vec<String> = words.into_iter().flatten().collect();
    if words.is_empty() { files.text("/sys/hypervisor/type") } else { Some(words.join(" ")) }
}

fn kvm_modules(files: &Files) -> Vec<String> {
    files.names("/sys/module").into_iter().filter(|name| name.starts_with("kvm")).collect()
}

/// Any battery that is being emptied, of the machine and not of its mouse.
fn on_battery(files: &Files) -> Option<bool> {
    let folder = "/sys/class/power_supply";
    let text = |name: &str, file: &str| files.text(&format!("{folder}/{name}/{file}"));
    let ours = |name: &String| {
        text(name, "type").as_deref() == Some("Battery") && text(name, "scope").as_deref() != Some("Device")
    };
    let batteries = files.names(folder).into_iter().filter(ours);
    let states: Vec<String> = batteries.filter_map(|name| text(&name, "status")).collect();
    (!states.is_empty()).then(|| states.iter().any(|state| state == "Discharging"))
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
    }

    #[test]
    fn a_machine_is_named_by_its_firmware_and_only_where_it_is_virtual() {
        let dmi = [
            ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
            ("sys/class/dmi/id/product_name", "Standard PC (Q35 + ICH9, 2009)\n"),
            ("proc/loadavg", "1.56 2.07 1.57 1/200 7\n"),
        ];
        let virtual_one = [&dmi[..], &[("proc/cpuinfo", "flags\t: a hypervisor b\n")]].concat();
        let (_dir, files) = files::made_up(&virtual_one);
        let host = read(&files);
        assert_eq!(host.virtualised_by.unwrap(), "QEMU Standard PC (Q35 + ICH9, 2009)");
        assert_eq!(host.load_average, Some(1.56));
        let physical = [&dmi[..], &[("proc/cpuinfo", "flags\t: a b\n")]].concat();
        let (_dir, files) = files::made_up(&physical);
        assert_eq!((read(&files).virtualised, read(&files).virtualised_by), (Some(false), None));
    }

    #[test]
    fn a_battery_counts_where_it_is_the_machine_s() {
        let mouse = [
            ("sys/class/power_supply/m/type", "Battery"),
            ("sys/class/power_supply/m/scope", "Device"),
            ("sys/class/power_supply/m/status", "Discharging"),
        ];
        let (_dir, files) = files::made_up(&mouse);
        assert_eq!(on_battery(&files), None);
        let own = [
            ("sys/class/power_supply/B/type", "Battery"),
            ("sys/class/power_supply/B/status", "Discharging"),
        ];
        let (_dir, files) = files::made_up(&[&mouse[..], &own].concat());
        assert_eq!(on_battery(&files), Some(true));
    }

    #[test]
    fn this_host_has_a_kernel_memory_and_cpus() {
        let host = watch(Path::new("/"));
        assert!(!host.kernel_release.is_empty());
        assert!(host.memory_bytes > 0 && host.online_cpus > 0);
        assert!(host.scratch_free_bytes.is_some() && host.cpus.allowed.is_some());
        assert!(host.before.unwrap().seconds >= WATCHED.as_secs_f64());
    }
}
