//! The commands that make a host quieter, and those that put it back. Printed, never done.

use std::collections::BTreeMap;

use super::CpuList;
use super::cpu::Turbo;
use super::warning::{HostWarning, warnings};
use crate::measure::host::Host;

/// One setting to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it changes, in a few words.
    pub what: String,
    /// To type now.
    pub command: String,
    /// To type afterwards; a line each.
    pub undo: String,
}

const GOVERNORS: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

/// Each CPU gets back what it had.
fn governors(had: &BTreeMap<String, CpuList>) -> Step {
    let back = |(governor, cpus): (&String, &CpuList)| {
        let cpus: Vec<String> = cpus.iter().map(|cpu| cpu.to_string()).collect();
        let file = GOVERNORS.replace('*', "$cpu");
        format!("for cpu in {}; do {}; done", cpus.join(" "), write(&file, governor))
    };
    let undo = match had.keys().next() {
        Some(only) if had.len() == 1 => write(GOVERNORS, only),
        _ => had.iter().filter(|(governor, _)| *governor != FASTEST).map(back).collect::<Vec<_>>().join("\n"),
    };
    Step { what: "the CPU governor".to_owned(), command: write(GOVERNORS, FASTEST), undo }
}

const FASTEST: &str = "performance";

/// The command for a warning, where a command mends it.
pub(super) fn step(warning: &HostWarning) -> Option<Step> {
    let set = |what: &str, file: &str, new: &str, old: &str| {
        Some(Step { what: what.to_owned(), command: write(file, new), undo: write(file, old) })
    };
    match warning {
        HostWarning::Governor { governors: had } => Some(governors(had)),
        HostWarning::Turbo(Turbo::OnIntel) => {
            set("turbo off", "/sys/devices/system/cpu/intel_pstate/no_turbo", "1", "0")
        }
        HostWarning::Turbo(_) => set("turbo off", "/sys/devices/system/cpu/cpufreq/boost", "0", "1"),
        HostWarning::Smt => set("one CPU a core", "/sys/devices/system/cpu/smt/control", "off", "on"),
        HostWarning::HugePages { .. } => set(
            "huge pages where asked for",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "madvise",
            "always",
        ),
        HostWarning::SamePageMerging => set("no same-page merging", "/sys/kernel/mm/ksm/run", "0", "1"),
        HostWarning::NoAddressRandomisation { level } => {
            set("addresses drawn anew", "/proc/sys/kernel/randomize_va_space", "2", &level.to_string())
        }
        HostWarning::SwappedOut { .. } => Some(Step {
            what: "no swap".to_owned(),
            command: "sudo swapoff -a".to_owned(),
            // What /etc/fstab does not name, whoever switched it on must switch on again.
            undo: "sudo swapon -a".to_owned(),
        }),
        _ => None,
    }
}

fn write(file: &str, value: &str) -> String {
    format!("echo {value} | sudo tee {file}")
}

/// What `doctor --tune` prints: a line each, commands as they are to be typed, all else behind `#`.
#[must_use]
pub fn lines(host: &Host) -> Vec<String> {
    let all = warnings(host);
    let steps: Vec<Step> = all.iter().filter_map(HostWarning::step).collect();
    let by_hand: Vec<&HostWarning> = all.iter().filter(|one| one.step().is_none()).collect();
    let mut lines = Vec::new();
    if steps.is_empty() {
        lines.push("# There is no setting of this host that a command would mend.".to_owned());
    } else {
        lines.push("# Type these before a run; isocost changes nothing by itself.".to_owned());
        lines.extend(steps.iter().flat_map(|step| [format!("# {}", step.what), step.command.clone()]));
        lines.push("# And these afterwards: they put it back.".to_owned());
        lines.extend(steps.iter().rev().flat_map(|step| step.undo.lines().map(str::to_owned)));
    }
    if !by_hand.is_empty() {
        lines.push("# No command mends these:".to_owned());
        lines.extend(by_hand.iter().map(|one| format!("#   {}", one.sentence())));
    }
    lines
}
