//! From what was written to what is meant: defaults filled in, filters spelt out, keys held against their kind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::similar;
use super::filter::Filter;
use super::locate::Step;
use super::workloads::{WORKLOADS, named};
use super::{
    AcceleratorChoice, Blocks, Deadlines, DiskFormat, DockerSpec, EnvironmentSpec, KernelChoice, KindSpec,
    Machine, Misfit, NativeSpec, QemuSpec, Suite, WorkloadSpec, raw,
};
use crate::analysis::matters;
use crate::measure::equality::Limits;

const START: Duration = Duration::from_secs(60);
const WORK: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// `file` gives the suite its name where it has none, and is what paths in it are relative to.
pub(super) fn resolve(raw: raw::Raw, file: &Path) -> Result<Suite, Misfit> {
    let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let workloads: Result<Vec<_>, _> = raw.workloads.into_iter().enumerate().map(workload).collect();
    let workloads = workloads?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let environments = raw.environments.into_iter().enumerate();
    let environments: Result<Vec<_>, _> =
        environments.map(|(index, one)| environment(index, one, &workloads, folder)).collect();
    let environments = environments?;
    let ids: Vec<&str> = environments.iter().map(|one| one.id.as_str()).collect();
    let gate = super::gate::resolve(raw.gate, &ids, |metric| matters::smallest(metric).relative)?;
    let time = |asked: Option<super::Time>, usual| asked.map_or(usual, |time| time.0);
    Ok(Suite {
        name: raw.name.unwrap_or_else(stem),
        description: raw.description,
        limits: Limits { cpus: raw.limits.cpus, memory_bytes: raw.limits.memory.0 },
        blocks: Blocks { count: raw.blocks.count, warm_up: raw.blocks.warm_up, cold: raw.blocks.cold },
        deadlines: Deadlines {
            start: time(raw.deadlines.start, START),
            work: time(raw.deadlines.work, WORK),
            stop: time(raw.deadlines.stop, STOP),
        },
        environments,
        workloads,
        gate,
    })
}

fn workload((index, raw): (usize, raw::Workload)) -> Result<WorkloadSpec, Misfit> {
    let name = raw.run.as_deref().unwrap_or(&raw.id);
    let Some(run) = named(name) else {
        let key = if raw.run.is_some() { "run" } else { "id" };
        let known: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).collect();
        let hint = similar(name, known.iter().copied()).map(|name| format!(", did you mean `{name}`?"));
        let what = format!(
            "is `{name}`, which is no piece of work{}; `run` is one of {}, and may be left out where `id` is",
            hint.unwrap_or_default(),
            known.join(", ")
        );
        return Err(Misfit { path: vec![Step::Key("workload"), Step::Index(index), Step::Key(key)], what });
    };
    Ok(WorkloadSpec {
        run,
        duration: raw.duration.map_or(Duration::ZERO, |time| time.0),
        bytes: raw.bytes.map_or(0, |size| size.0),
        direct: raw.direct,
        threads: raw.threads,
        id: raw.id,
    })
}

fn environment(
    index: usize,
    raw: raw::Environment,
    workloads: &[WorkloadSpec],
    folder: &Path,
) -> Result<EnvironmentSpec, Misfit> {
    let wrong =
        |key, what| Misfit { path: vec![Step::Key("environment"), Step::Index(index), Step::Key(key)], what };
    let (kind, own): (&str, &[&str]) = match raw.kind {
        raw::Kind::Native => ("native", &[]),
        raw::Kind::Docker => ("docker", &["runtime", "network"]),
        raw::Kind::Qemu => ("qemu", &["machine", "accelerator", "kernel", "disk"]),
    };
    if let Some(key) = settings(&raw).into_iter().find(|key| !own.contains(key)) {
        let allowed = [&["id", "kind", "workloads", "slower"], own].concat().join(", ");
        return Err(wrong(
            key,
            format!("does not belong to kind {kind} (in {}), whose keys are {allowed}", raw.id),
        ));
    }
    let spec = match raw.kind {
        raw::Kind::Native => KindSpec::Native(NativeSpec {}),
        raw::Kind::Docker => KindSpec::Docker(DockerSpec {
            runtime: raw.runtime.unwrap_or_else(|| "runc".to_owned()),
            network: raw.network.unwrap_or(false),
        }),
        raw::Kind::Qemu => KindSpec::Qemu(QemuSpec {
            machine: raw.machine.unwrap_or(Machine::Microvm),
            accelerator: raw.accelerator.unwrap_or(AcceleratorChoice::Auto),
            kernel: kernel(raw.kernel.unwrap_or_else(|| "debian".to_owned()), folder),
            disk: raw.disk.unwrap_or(DiskFormat::Qcow2),
        }),
    };
    let filter = raw.workloads.as_deref();
    let chosen = filter.map(|filter| spelt_out(filter, workloads)).transpose();
    let chosen = chosen.map_err(|what| wrong("workloads", format!("of {} {what}", raw.id)))?;
    let slower = raw.slower.map_or(0.0, |part| part.fraction * 1000.0);
    Ok(EnvironmentSpec { id: raw.id, workloads: chosen, slower_permille: slower.round() as u32, kind: spec })
}

/// The keys that are set and belong to some kinds only.
fn settings(raw: &raw::Environment) -> Vec<&'static str> {
    let set = [
        ("runtime", raw.runtime.is_some()),
        ("network", raw.network.is_some()),
        ("machine", raw.machine.is_some()),
        ("accelerator", raw.accelerator.is_some()),
        ("kernel", raw.kernel.is_some()),
        ("disk", raw.disk.is_some()),
    ];
    set.into_iter().filter_map(|(key, is_set)| is_set.then_some(key)).collect()
}

fn kernel(written: String, folder: &Path) -> KernelChoice {
    match KernelChoice::from(written) {
        KernelChoice::Path(path) => KernelChoice::Path(below(folder, path)),
        other => other,
    }
}

fn below(folder: &Path, path: PathBuf) -> PathBuf {
    if path.is_absolute() { path } else { folder.join(path) }
}

/// The ids a filter means, in the suite's order.
fn spelt_out(filter: &[String], workloads: &[WorkloadSpec]) -> Result<Vec<String>, String> {
    for one in filter {
        if !workloads.iter().any(|workload| Filter(one).matches(&workload.id)) {
            let known: Vec<&str> = workloads.iter().map(|workload| workload.id.as_str()).collect();
            let hint = similar(one, known.iter().copied()).map(|id| format!(", did you mean `{id}`?"));
            return Err(format!(
                "names `{one}`, which no workload of this suite is called{}; they are {}, and `*` stands for anything",
                hint.unwrap_or_default(),
                known.join(", ")
            ));
        }
    }
    let meant = |workload: &&WorkloadSpec| filter.iter().any(|one| Filter(one).matches(&workload.id));
    Ok(workloads.iter().filter(meant).map(|workload| workload.id.clone()).collect())
}
