//! Run folders into the history.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::entry::{ASKED, Description, Entry, Facts, Measured, SLOWED, SeriesKey, hex};
use crate::analysis::{Ratio, Row, Settings, Summary, summarise};
use crate::journal::record::{Code, EnvironmentRecord};
use crate::journal::{JOURNAL_FILE, JournalError, Run, read};
use crate::measure::host::Host;
use crate::measure::metric;
use crate::regression::formats::Source;
use crate::suite::{Size, Suite, Time, WorkloadSpec, workload_name};

/// Why a run folder cannot become an entry.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A folder that cannot be listed, or a file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

impl IngestError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The run in `dir` as an entry, with its summary made anew from its samples. Which code it was is said by `source`, and where
/// that is silent by the run itself.
///
/// # Errors
/// It cannot be read.
pub fn entry_of(dir: &Path, source: &Source) -> Result<Entry, IngestError> {
    let run = read(dir)?;
    let path = dir.join(JOURNAL_FILE);
    let journal = std::fs::read(&path).map_err(|e| IngestError::io(&path, e))?;
    let summary = summarise(&run, &Settings::of(&run));
    // How it ended is in run.json alone, and known a moment later than the journal's last line.
    let digest = format!("{}-{}", hex(&Sha256::digest(&journal)), name_of(&run.record.ending));
    Ok(entry(&run, &summary, digest, source))
}

fn entry(run: &Run, summary: &Summary, digest: String, source: &Source) -> Entry {
    let record = &run.record;
    let made_of = |row: &Row| {
        let environment = record.environments.iter().find(|one| one.id == row.environment)?;
        let mut facts = environment_facts(environment);
        facts.extend(asked(&record.plan.suite, row));
        Some(Description::of(facts))
    };
    Entry {
        run_id: record.run_id.clone(),
        digest,
        origin: "isocost".into(),
        started_at: record.started_at,
        ending: Some(name_of(&record.ending)).filter(|name| !name.is_empty()),
        suite: Some(record.plan.suite.name.clone()),
        version: Some(record.isocost_version.clone()),
        program: Some(record.agent_sha256.clone()),
        source: which(source, record.code.as_ref()),
        host: Some(Description::of(host_facts(&record.host))),
        measured: summary.rows.iter().map(|row| measured(row, made_of(row))).collect(),
    }
}

fn which(said: &Source, code: Option<&Code>) -> Source {
    let code = code.cloned().unwrap_or_default();
    Source {
        commit: said.commit.clone().or(code.commit),
        branch: said.branch.clone().or(code.branch),
        repository: said.repository.clone().or(code.repository),
        machine: said.machine.clone(),
    }
}

fn measured(row: &Row, environment: Option<Description>) -> Measured {
    let ratio = match &row.ratio {
        Ratio::Stated { estimate, .. } => Some(*estimate),
        Ratio::Control | Ratio::Missing(_) => None,
    };
    let interval =
        |estimate: Option<crate::analysis::Estimate>| estimate?.interval.map(|it| (it.low, it.high));
    Measured {
        key: SeriesKey {
            environment: row.environment.clone(),
            accelerator: name_of(&row.accelerator),
            workload: row.workload.clone(),
            metric: row.metric.clone(),
            unit: row.unit.clone(),
        },
        direction: metric::find(&row.metric).map(|metric| metric.direction),
        value: row.median.map(|estimate| estimate.value),
        interval: interval(row.median),
        n: Some(row.n),
        failed: row.failures(),
        ratio: ratio.map(|estimate| estimate.value),
        ratio_interval: interval(ratio),
        environment,
    }
}

fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a host is, as far as figures depend on it. CPU frequency is not among it: it moves by itself, and a key that
/// holds it makes every run a host of its own.
fn host_facts(host: &Host) -> Facts {
    let text = |text: &Option<String>| text.clone();
    let facts = [
        ("kernel", Some(host.kernel_release.clone())),
        ("os", text(&host.os)),
        ("cpu", text(&host.cpu_model)),
        ("microcode", text(&host.microcode)),
        ("cpus", Some(host.online_cpus.to_string())),
        // To the GiB: what firmware and kernel keep for themselves differs from boot to boot.
        ("memory", Some(format!("{} GiB", host.memory_bytes.div_ceil(1 << 30)))),
        ("cgroup", Some(host.cgroup.clone())),
        ("virtualised", host.virtualised.map(|yes| yes.to_string())),
        ("clock source", text(&host.clock_source)),
        ("kvm modules", Some(host.kvm_modules.join(", "))),
        ("scratch file system", text(&host.scratch_file_system)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Facts that name a place, a reason or this one run, not a version: they differ from run to run and move no figure. What an
/// image holds is said by its layers.
pub const PLACES: [&str; 8] = [
    "qemu.path",
    "qemu.arguments",
    "accelerator.why",
    "kernel.booted",
    "kernel.line",
    "kernel.source",
    "image",
    "image.id",
];

fn environment_facts(environment: &EnvironmentRecord) -> Facts {
    let facts = environment.prepared.facts.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    facts.cloned().collect()
}

/// What was asked of that environment for a figure of that row.
fn asked(suite: &Suite, row: &Row) -> Facts {
    let mut facts = Facts::new();
    let [cpus, memory, work] = ASKED.map(str::to_owned);
    facts.insert(cpus, suite.limits.cpus.to_string());
    facts.insert(memory, Size(suite.limits.memory_bytes).to_string());
    let Some(own) = suite.environments.iter().find(|one| one.id == row.environment) else { return facts };
    facts.insert(SLOWED.to_owned(), format!("{} %", f64::from(own.slower_permille) / 10.0));
    // A peak is of all the work that was done.
    let of_all = row.metric.ends_with(".peak");
    let ids = |id: &String| own.workloads.as_ref().is_none_or(|some| some.contains(id));
    let of_it = |one: &&WorkloadSpec| if of_all { ids(&one.id) } else { one.id == row.workload };
    let works: Vec<String> = suite.workloads.iter().filter(of_it).map(work_of).collect();
    if !works.is_empty() {
        facts.insert(work, works.join("; "));
    }
    facts
}

fn work_of(spec: &WorkloadSpec) -> String {
    let parts = [
        Some(workload_name(spec.run).to_owned()),
        (!spec.duration.is_zero()).then(|| Time(spec.duration).to_string()),
        (spec.bytes > 0).then(|| Size(spec.bytes).to_string()),
        spec.threads.map(|threads| format!("{threads} threads")),
        spec.direct.then(|| "direct".to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
