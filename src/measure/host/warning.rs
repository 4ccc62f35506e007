//! What about a host spoils a measurement, and the mend of each.

use std::collections::BTreeMap;
use std::fmt;

use super::CpuList;
use super::activity::{Activity, Loud};
use super::cpu::Turbo;
use super::tune::{self, Step};
use crate::measure::host::Host;

/// One thing about the host that a measurement suffers from.
#[derive(Debug, Clone, PartialEq)]
pub enum HostWarning {
    /// Others use its CPUs.
    Busy {
        /// How many.
        cpus: f64,
        /// Who most of all.
        loudest: Option<Loud>,
    },
    /// Its hypervisor gives part of its CPU time to other machines.
    Stolen {
        /// Of what it wanted: 0 to 1.
        share: f64,
    },
    /// It swaps right now.
    Swapping {
        /// Pages, while it was watched.
        pages: u64,
    },
    /// A governor that slows CPUs between bursts of work.
    Governor {
        /// Those in use, and the CPUs of each.
        governors: BTreeMap<String, CpuList>,
    },
    /// Frequencies depend on heat and on what other cores do.
    Turbo(Turbo),
    /// Two CPUs share a core.
    Smt,
    /// Heat has slowed it since boot.
    Throttled {
        /// How often.
        times: u64,
    },
    /// It runs on its battery.
    Battery,
    /// Some of its memory is swapped out.
    SwappedOut {
        /// Bytes.
        bytes: u64,
    },
    /// Huge pages come and go by themselves.
    HugePages {
        /// What decides when one is made.
        defrag: Option<String>,
    },
    /// Pages of several virtual machines are merged into one.
    SamePageMerging,
    /// Every start has the same layout of addresses.
    NoAddressRandomisation {
        /// `randomize_va_space`.
        level: u32,
    },
    /// Reading the clock takes a microsecond or more.
    SlowClock {
        /// The clock source.
        source: String,
    },
    /// The host is a virtual machine.
    Virtualised {
        /// Of what make, where it says so.
        by: Option<String>,
    },
    /// The measured disk is nearly full.
    DiskNearlyFull {
        /// Bytes free.
        free_bytes: u64,
    },
    /// Isocost may not use all CPUs.
    RestrictedCpus {
        /// Those it may.
        allowed: CpuList,
        /// All there are.
        online: u32,
    },
}

/// CPUs that others may use before it is worth a warning, per CPU of the host: 5 %.
pub const BUSY_SHARE: f64 = 0.05;

/// Stolen CPU time that is worth a warning: 2 % of what was wanted.
pub const STOLEN_SHARE: f64 = 0.02;

/// A file system with less than this has few choices left where to put a file.
const LEAST_FREE_BYTES: u64 = 2 << 30;

/// Clock sources that are read without leaving user space, or by one cheap call.
const FAST_CLOCKS: [&str; 6] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "tsc-early", "xen"];

/// What spoils a measurement on `host`, the worst first.
#[must_use]
pub fn warnings(host: &Host) -> Vec<HostWarning> {
    let mut all = host.before.as_ref().map(|before| of_activity(before, host)).unwrap_or_default();
    all.extend(of_cpus(host));
    all.extend(of_memory(host));
    let slow = host.clock_source.as_deref().filter(|source| !FAST_CLOCKS.contains(source));
    all.extend(slow.map(|source| HostWarning::SlowClock { source: source.to_owned() }));
    let little = host.scratch_free_bytes.filter(|free| *free < LEAST_FREE_BYTES);
    all.extend(little.map(|free_bytes| HostWarning::DiskNearlyFull { free_bytes }));
    if host.virtualised == Some(true) {
        all.push(HostWarning::Virtualised { by: host.virtualised_by.clone() });
    }
    all
}

fn of_activity(before: &Activity, host: &Host) -> Vec<HostWarning> {
    let mut all = Vec::new();
    let many = BUSY_SHARE * f64::from(host.online_cpus);
    if let Some(cpus) = before.others_cpus.filter(|cpus| *cpus > many) {
        all.push(HostWarning::Busy { cpus, loudest: before.loudest.clone() });
    }
    if let Some(share) = before.stolen.filter(|share| *share > STOLEN_SHARE) {
        all.push(HostWarning::Stolen { share });
    }
    if let Some(pages) = before.swapped_pages.filter(|pages| *pages > 0) {
        all.push(HostWarning::Swapping { pages });
    }
    all
}

fn of_cpus(host: &Host) -> Vec<HostWarning> {
    let cpus = &host.cpus;
    let mut all = Vec::new();
    let slowing = cpus.governors.as_ref().filter(|all| all.keys().any(|one| one != "performance"));
    all.extend(slowing.map(|governors| HostWarning::Governor { governors: governors.clone() }));
    all.extend(cpus.turbo.filter(|turbo| *turbo != Turbo::Off).map(HostWarning::Turbo));
    all.extend((cpus.smt == Some(true)).then_some(HostWarning::Smt));
    all.extend(cpus.throttled.filter(|times| *times > 0).map(|times| HostWarning::Throttled { times }));
    all.extend((host.on_battery == Some(true)).then_some(HostWarning::Battery));
    let fewer = cpus.allowed.as_ref().filter(|allowed| allowed.len() < host.online_cpus as usize);
    all.extend(
        fewer.map(|allowed| HostWarning::RestrictedCpus {
            allowed: allowed.clone(),
            online: host.online_cpus,
        }),
    );
    all
}

fn of_memory(host: &Host) -> Vec<HostWarning> {
    let memory = &host.memory;
    let mut all = Vec::new();
    let out = memory.swap_used_bytes.filter(|bytes| *bytes > 0);
    all.extend(out.map(|bytes| HostWarning::SwappedOut { bytes }));
    if memory.huge_pages.as_deref() == Some("always") {
        all.push(HostWarning::HugePages { defrag: memory.huge_pages_defrag.clone() });
    }
    all.extend((memory.same_page_merging == Some(true)).then_some(HostWarning::SamePageMerging));
    let few = memory.address_randomisation.filter(|level| *level < 2);
    all.extend(few.map(|level| HostWarning::NoAddressRandomisation { level }));
    all
}

impl HostWarning {
    /// What it is about, in a word or two.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "load",
            Self::Stolen { .. } => "steal",
            Self::Swapping { .. } | Self::SwappedOut { .. } => "swap",
            Self::Governor { .. } => "governor",
            Self::Turbo(_) => "turbo",
            Self::Smt => "SMT",
            Self::Throttled { .. } => "heat",
            Self::Battery => "battery",
            Self::HugePages { .. } => "huge pages",
            Self::SamePageMerging => "KSM",
            Self::NoAddressRandomisation { .. } => "ASLR",
            Self::SlowClock { .. } => "clock",
            Self::Virtualised { .. } => "hypervisor",
            Self::DiskNearlyFull { .. } => "disk",
            Self::RestrictedCpus { .. } => "affinity",
        }
    }

    /// What to do about it, in a sentence that may name a command.
    #[must_use]
    pub fn mend(&self) -> String {
        if let Some(step) = self.step() {
            return step.command;
        }
        match self {
            Self::Busy { .. } => "close it, or measure when it is done".into(),
            Self::Stolen { .. } => "use an instance type with CPUs of its own, or another hour".into(),
            Self::Swapping { .. } | Self::SwappedOut { .. } => "close what needs the memory".into(),
            Self::Throttled { .. } => {
                "let it cool and clean its fans; blocks in which it happens are told".into()
            }
            Self::Battery => "plug it in".into(),
            Self::SlowClock { .. } => {
                "boot with `clocksource=tsc` where the CPU's counter is reliable".into()
            }
            Self::Virtualised { .. } => "use a physical machine where figures for one are wanted".into(),
            Self::DiskNearlyFull { .. } => "make space, or give another cache folder".into(),
            Self::RestrictedCpus { .. } => {
                "start isocost without taskset, cpuset or a container around it".into()
            }
            _ => String::new(),
        }
    }

    /// The command that mends it, if a command can.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        tune::step(self)
    }

    /// What is wrong and what to do, for `run.json` and a terminal.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{self}; mend: {}", self.mend())
    }
}

impl fmt::Display for HostWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { cpus, loudest } => {
                write!(f, "other programs use {cpus:.2} CPUs of this host")?;
                loudest.as_ref().map_or(Ok(()), |one| write!(f, ", most of all {}", one.name))
            }
            Self::Stolen { share } => {
                let percent = share * 1e2;
                write!(f, "the hypervisor takes {percent:.1} % of the CPU time that this host wants (steal)")
            }
            Self::Swapping { pages } => {
                write!(f, "this host is swapping: {pages} pages while it was looked at")
            }
            Self::Governor { governors } => {
                let governors = governors.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "the CPU governor is {governors}: short work is measured at a lower frequency than long work"
                )
            }
            Self::Turbo(_) => {
                f.write_str("turbo is on: the frequency depends on heat and on what other cores do")
            }
            Self::Smt => f.write_str("CPUs share cores (SMT): what runs on one slows the other"),
            Self::Throttled { times } => {
                write!(f, "heat has slowed this host's CPUs {times} times since boot")
            }
            Self::Battery => f.write_str("this host runs on its battery"),
            Self::SwappedOut { bytes } => {
                write!(f, "{} MiB of this host's memory are swapped out", bytes >> 20)
            }
            Self::HugePages { defrag } => {
                f.write_str("transparent huge pages are made unasked (`always`")?;
                defrag.as_ref().map_or(Ok(()), |defrag| write!(f, ", defrag `{defrag}`"))?;
                f.write_str("): memory and speed depend on when")
            }
            Self::SamePageMerging => f.write_str(
                "same-page merging (KSM) is on: several instances seem smaller the longer they run",
            ),
            Self::NoAddressRandomisation { level } => {
                write!(
                    f,
                    "address randomisation is {level}, not 2: every start has one and the same layout, and its luck is in all samples"
                )
            }
            Self::SlowClock { source } => write!(f, "the clock source is {source}, which is slow to read"),
            Self::Virtualised { by } => {
                f.write_str("this host is a virtual machine")?;
                by.as_ref().map_or(Ok(()), |by| write!(f, " ({by})"))?;
                f.write_str(": its neighbours are in the noise, and virtual machines in it are nested")
            }
            Self::DiskNearlyFull { free_bytes } => {
                write!(f, "the measured disk has {} MiB left", free_bytes >> 20)
            }
            Self::RestrictedCpus { allowed, online } => {
                write!(f, "isocost may run on the CPUs {allowed} only, of {online} online")
            }
        }
    }
}

#[cfg(test)]
#[path = "warning_tests.rs"]
mod tests;
