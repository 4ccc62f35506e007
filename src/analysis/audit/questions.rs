//! The questions that every pair is asked, and why an answer may be no.

use isocost_agent::protocol::{Inspection, Workload};

use super::{Point, Side, Standing, Subject};
use crate::environment::Kind;
use crate::measure::equality;
use crate::measure::sample::Accelerator;
use crate::suite::{DiskFormat, KindSpec, Size, WorkloadSpec, uses_disk};

/// One question.
pub(super) struct Question {
    subject: Subject,
    /// What one side is, in words; `None`: it cannot be seen.
    read: fn(&Side<'_>) -> Option<String>,
    /// Are two sides alike, where more than equal words make them so?
    alike: Option<fn(&Side<'_>, &Side<'_>) -> bool>,
    must_match: bool,
    why: fn(&Side<'_>, &Side<'_>) -> &'static str,
}

impl Question {
    pub(super) fn ask(&self, a: &Side<'_>, b: &Side<'_>) -> Point {
        let (in_a, in_b) = ((self.read)(a), (self.read)(b));
        let alike = || self.alike.map_or(in_a == in_b, |alike| alike(a, b));
        let must_match = self.must_match;
        let standing = match (&in_a, &in_b) {
            (Some(_), Some(_)) if alike() => Standing::Same,
            (Some(_), Some(_)) => Standing::Differs { why: (self.why)(a, b), must_match },
            _ => Standing::Unproved { must_match },
        };
        Point { subject: self.subject, a: in_a, b: in_b, standing }
    }
}

/// A question whose answer is a matter of words.
const fn question(
    subject: Subject,
    read: fn(&Side<'_>) -> Option<String>,
    why: fn(&Side<'_>, &Side<'_>) -> &'static str,
) -> Question {
    Question { subject, read, alike: None, must_match: false, why }
}

/// All of them, in the order they are shown.
pub(super) const ALL: &[Question] = &[
    Question {
        must_match: true,
        ..question(
            Subject::Agent,
            |side| seen(side, |seen| Some(seen.agent_sha256.clone())),
            |_, _| "another program is other work",
        )
    },
    question(
        Subject::Workloads,
        |side| Some(list(side, |one| Some(one.id.clone()))),
        |_, _| "the suite asks for it; ratios are of what both ran",
    ),
    Question {
        alike: Some(|a, b| in_both(a, b, |side, one| Some(threads(side, one)))),
        ..question(
            Subject::Threads,
            |side| Some(list(side, |one| Some(threads(side, one)))),
            |_, _| "the suite asks for it",
        )
    },
    Question {
        alike: Some(|a, b| both(a, b, equality::same_cpus)),
        must_match: true,
        ..question(Subject::Cpus, cpus, |_, _| "more CPUs do more work")
    },
    question(Subject::CpuLimit, cpu_limit, |a, b| {
        if a.virtual_machine() || b.virtual_machine() {
            "a machine has no other CPUs; a process has them and is kept off"
        } else {
            "a quota stops a program in the middle of a period; a mask never does"
        }
    }),
    Question {
        alike: Some(|a, b| both(a, b, equality::same_memory_inside)),
        must_match: true,
        ..question(Subject::Memory, memory, |_, _| "more memory caches more")
    },
    question(
        Subject::MemoryLimit,
        memory_limit,
        |_, _| "a machine's own kernel lives in its memory; a control group's limit counts page cache and gives it up first",
    ),
    question(
        Subject::Accelerator,
        |side| Some(executed_by(side).to_owned()),
        |a, b| {
            if [a, b].iter().any(|side| side.record.accelerator == Accelerator::Tcg) {
                "instructions are emulated: CPU figures say nothing of KVM"
            } else {
                "what is asked"
            }
        },
    ),
    question(Subject::Kernel, kernel, |a, b| {
        if a.virtual_machine() || b.virtual_machine() {
            "a virtual machine brings its own; `--kernel host` gives it the host's, where that can boot"
        } else {
            "the host's kernel was replaced while it was measured"
        }
    }),
    question(
        Subject::Mitigations,
        mitigations,
        |_, _| "each kernel decides for the CPU it sees; they change what system calls and switches cost",
    ),
    question(
        Subject::Confinement,
        |side| Some(confinement(side)),
        |_, _| "an engine's default filters are part of what its containers cost",
    ),
    question(
        Subject::CpuModel,
        |side| seen(side, |seen| seen.cpu_model.clone()),
        |_, _| "a virtual CPU has a name of its own",
    ),
    Question {
        alike: Some(|a, b| both(a, b, |a, b| a.cpu_flags == b.cpu_flags)),
        ..question(
            Subject::CpuFlags,
            flags,
            |_, _| "a virtual CPU shows fewer or more; the program is compiled for the oldest and uses none of them by choice",
        )
    },
    question(
        Subject::PageSize,
        |side| seen(side, |seen| Some(format!("{} bytes", seen.page_bytes))),
        |_, _| "it changes what memory and faults cost",
    ),
    question(
        Subject::ClockSource,
        |side| seen(side, |seen| seen.clock_source.clone()),
        |_, _| "reading the time may cost more or less; it counts in latencies of single operations",
    ),
    question(
        Subject::FileSystem,
        |side| seen(side, |seen| seen.layer_file_system.clone()),
        |_, _| "each writes to the layer it would have in use; that is part of what it costs",
    ),
    question(
        Subject::Storage,
        storage,
        |_, _| "each stores its layer in its own way: that is what is compared; what a machine's took before its start is startup.layer",
    ),
    Question {
        alike: Some(|a, b| in_both(a, b, |_, one| io_mode(one))),
        ..question(Subject::InputOutput, |side| Some(list(side, io_mode)), |_, _| "the suite asks for it")
    },
    question(
        Subject::PageCache,
        |side| Some(page_cache(side)),
        |_, _| "a machine has a page cache of its own, no larger than its memory; the others share the host's",
    ),
    question(
        Subject::Network,
        |side| Some(network(side).to_owned()),
        |_, _| "a process is in the host's network; making another takes time in a start",
    ),
];

fn seen<T>(side: &Side<'_>, read: impl Fn(&Inspection) -> Option<T>) -> Option<T> {
    side.record.inspection.as_ref().and_then(read)
}

fn both(a: &Side<'_>, b: &Side<'_>, alike: fn(&Inspection, &Inspection) -> bool) -> bool {
    a.record.inspection.as_ref().zip(b.record.inspection.as_ref()).is_some_and(|(a, b)| alike(a, b))
}

/// What each workload of a side has, `id: value`; a value for all is said once.
fn list(side: &Side<'_>, of: impl Fn(&WorkloadSpec) -> Option<String>) -> String {
    let all: Vec<(&str, String)> =
        side.workloads().filter_map(|one| Some((one.id.as_str(), of(one)?))).collect();
    let Some((_, first)) = all.first() else { return "none".to_owned() };
    if all.iter().all(|(_, value)| value == first) {
        return first.clone();
    }
    let words =
        all.iter().map(|(id, value)| if id == value { value.clone() } else { format!("{id}: {value}") });
    words.collect::<Vec<_>>().join(", ")
}

/// Alike in each workload that both have.
fn in_both(a: &Side<'_>, b: &Side<'_>, of: impl Fn(&Side<'_>, &WorkloadSpec) -> Option<String>) -> bool {
    let other = |id: &str| b.workloads().find(|one| one.id == id);
    a.workloads().all(|one| other(&one.id).is_none_or(|other| of(a, one) == of(b, other)))
}

fn threads(side: &Side<'_>, one: &WorkloadSpec) -> String {
    let usual = if one.run == Workload::Threads { side.run.plan.suite.limits.cpus } else { 1 };
    one.threads.unwrap_or(usual).to_string()
}

fn io_mode(one: &WorkloadSpec) -> Option<String> {
    let mode = if one.direct { "around the page cache (O_DIRECT)" } else { "through the page cache" };
    uses_disk(one.run).then(|| mode.to_owned())
}

fn cpus(side: &Side<'_>) -> Option<String> {
    seen(side, equality::cpus).map(|cpus| cpus.to_string())
}

fn cpu_limit(side: &Side<'_>) -> Option<String> {
    let seen = side.record.inspection.as_ref()?;
    let online = seen.online_cpus?;
    if side.virtual_machine() {
        return Some(format!("{online} virtual CPUs"));
    }
    let mask = seen.affinity_cpus.filter(|mask| *mask < online).map(|mask| format!("a mask of {mask}"));
    let quota = seen.quota_cpus.map(|quota| format!("a quota of {quota}"));
    let all: Vec<String> = [mask, quota].into_iter().flatten().collect();
    let by = if all.is_empty() { "nothing".to_owned() } else { all.join(" and ") };
    Some(format!("{by}, of {online} CPUs"))
}

fn memory(side: &Side<'_>) -> Option<String> {
    let size = seen(side, equality::memory)?;
    let beside = if size.less_kernel { " beside its kernel's own" } else { "" };
    Some(format!("{} MiB{beside}", size.bytes >> 20))
}

fn memory_limit(side: &Side<'_>) -> Option<String> {
    let seen = side.record.inspection.as_ref()?;
    let group =
        seen.cgroup_memory_limit_bytes.map(|bytes| format!("a control group's limit of {} MiB", bytes >> 20));
    let machine = || seen.memory_total_bytes.map(|_| "the machine's RAM".to_owned());
    if side.virtual_machine() { machine() } else { group.or_else(machine) }
}

fn executed_by(side: &Side<'_>) -> &'static str {
    match side.record.accelerator {
        Accelerator::None => "the CPU",
        Accelerator::Kvm => "the CPU, through KVM",
        Accelerator::Tcg => "QEMU's emulation (TCG)",
    }
}

fn kernel(side: &Side<'_>) -> Option<String> {
    seen(side, |seen| Some(format!("{} {}", seen.kernel_release, seen.kernel_version).trim().to_owned()))
}

fn mitigations(side: &Side<'_>) -> Option<String> {
    let mut all = side.record.inspection.as_ref()?.mitigations.clone();
    all.sort_unstable();
    let lines: Vec<String> = all.iter().map(|(name, state)| format!("{name}: {state}")).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn flags(side: &Side<'_>) -> Option<String> {
    let flags = &side.record.inspection.as_ref()?.cpu_flags;
    (!flags.is_empty()).then(|| flags.join(" "))
}

fn confinement(side: &Side<'_>) -> String {
    match side.record.kind {
        Kind::Docker => {
            let filters = side.fact("engine.security").filter(|filters| !filters.is_empty());
            filters.map_or("the engine's defaults".to_owned(), |filters| format!("the engine's: {filters}"))
        }
        Kind::Native | Kind::Qemu => "none".to_owned(),
    }
}

fn storage(side: &Side<'_>) -> Option<String> {
    let host = side.run.host.scratch_file_system.as_deref();
    match &side.spec.kind {
        KindSpec::Native(_) => Some(format!("a folder on {}, made before the start", host?)),
        KindSpec::Docker(_) => {
            let below = side.fact("storage.file-system").map(|below| format!(" on {below}"));
            let below = below.unwrap_or_default();
            Some(format!("{}{below}, made in the start", side.fact("storage.driver")?))
        }
        KindSpec::Qemu(spec) => {
            let format = match spec.disk {
                DiskFormat::Qcow2 => "a qcow2 image",
                DiskFormat::Raw => "a raw image",
            };
            Some(format!("{format} on {}, made before the start", host?))
        }
    }
}

/// Files are made before each measurement, by the same program in the same way.
fn page_cache(side: &Side<'_>) -> String {
    let beside = side.fact("disk.cache").map(|mode| format!(", the host's beside it: {mode}"));
    match side.virtual_machine() {
        true => {
            let memory = Size(side.run.plan.suite.limits.memory_bytes);
            format!("its own, at most {memory}; warm{}", beside.unwrap_or_default())
        }
        false => "the host's; warm".to_owned(),
    }
}

fn network(side: &Side<'_>) -> &'static str {
    match &side.spec.kind {
        KindSpec::Native(_) => "the host's, unused",
        KindSpec::Docker(spec) if spec.network => "bridge",
        KindSpec::Docker(_) | KindSpec::Qemu(_) => "none",
    }
}
