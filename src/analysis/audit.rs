//! The fairness audit: for each pair of environments what was the same, what was not and why, and what nobody can tell.
//!
//! In: a [`RunRecord`]. Out: one [`PairAudit`] for each pair. Every question is answered for every pair: what differs is
//! beside what is the same, and what could not be seen is neither.

use serde::Serialize;

use crate::environment::Kind;
use crate::journal::record::{EnvironmentRecord, RunRecord};
use crate::suite::{EnvironmentSpec, WorkloadSpec};

mod questions;

/// Two environments held against each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairAudit {
    /// The id of the one that comes first in the suite.
    pub a: String,
    /// The id of the other.
    pub b: String,
    /// An answer to each question, in the same order for every pair.
    pub points: Vec<Point>,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// What was asked about.
    pub subject: Subject,
    /// In the one; `None` where it could not be seen.
    pub a: Option<String>,
    /// In the other.
    pub b: Option<String>,
    /// The answer.
    pub standing: Standing,
}

/// What the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Standing {
    /// Alike.
    Same,
    /// Not alike.
    Differs {
        /// Why it does, and what that means for a ratio of the two; a clause.
        why: &'static str,
        /// Ratios of the two mean nothing while it does.
        must_match: bool,
    },
    /// It could not be seen in one or both.
    Unproved {
        /// Ratios of the two mean nothing while it is not.
        must_match: bool,
    },
}

/// What a pair is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// SHA-256 of the program that does the work, read from inside.
    Agent,
    /// Which workloads.
    Workloads,
    /// Threads of each workload.
    Threads,
    /// CPUs it can use at once.
    Cpus,
    /// What keeps it to them.
    CpuLimit,
    /// Memory it can use.
    Memory,
    /// What keeps it to that.
    MemoryLimit,
    /// Who executes its instructions.
    Accelerator,
    /// Release and version of the kernel it runs on.
    Kernel,
    /// Mitigations of CPU vulnerabilities.
    Mitigations,
    /// Filters between the program and its kernel.
    Confinement,
    /// The CPU as the program sees it.
    CpuModel,
    /// Its instructions.
    CpuFlags,
    /// Bytes of a page.
    PageSize,
    /// Where the time comes from.
    ClockSource,
    /// The file system of the writable layer.
    FileSystem,
    /// What that is stored in.
    Storage,
    /// Through or around the page cache, as each workload asks.
    InputOutput,
    /// Whose page cache it is, and its state.
    PageCache,
    /// Network.
    Network,
}

impl Subject {
    /// In a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "program",
            Self::Workloads => "workloads",
            Self::Threads => "threads",
            Self::Cpus => "CPUs",
            Self::CpuLimit => "what limits CPUs",
            Self::Memory => "memory",
            Self::MemoryLimit => "what limits memory",
            Self::Accelerator => "executed by",
            Self::Kernel => "kernel",
            Self::Mitigations => "mitigations",
            Self::Confinement => "confinement",
            Self::CpuModel => "CPU model",
            Self::CpuFlags => "CPU flags",
            Self::PageSize => "page size",
            Self::ClockSource => "clock source",
            Self::FileSystem => "file system",
            Self::Storage => "stored in",
            Self::InputOutput => "I/O mode",
            Self::PageCache => "page cache",
            Self::Network => "network",
        }
    }
}

impl PairAudit {
    /// What differs or is not proved.
    pub fn open(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.standing != Standing::Same)
    }

    /// Is there anything that forbids a ratio?
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.points.iter().any(|point| {
            let (Standing::Differs { must_match, .. } | Standing::Unproved { must_match }) = point.standing
            else {
                return false;
            };
            must_match
        })
    }
}

/// Audits all pairs of environments of a run, in the suite's order.
#[must_use]
pub fn audit(record: &RunRecord) -> Vec<PairAudit> {
    let sides: Vec<Side<'_>> = record.environments.iter().filter_map(|one| Side::of(record, one)).collect();
    let pair = |a: &Side<'_>, b: &Side<'_>| PairAudit {
        a: a.record.id.clone(),
        b: b.record.id.clone(),
        points: questions::ALL.iter().map(|question| question.ask(a, b)).collect(),
    };
    let pairs = sides.iter().enumerate().flat_map(|(at, a)| sides[at + 1..].iter().map(move |b| pair(a, b)));
    pairs.collect()
}

/// One environment, with what is known of it.
struct Side<'a> {
    run: &'a RunRecord,
    record: &'a EnvironmentRecord,
    spec: &'a EnvironmentSpec,
}

impl<'a> Side<'a> {
    fn of(run: &'a RunRecord, record: &'a EnvironmentRecord) -> Option<Self> {
        let spec = run.plan.suite.environments.iter().find(|one| one.id == record.id)?;
        Some(Self { run, record, spec })
    }

    fn virtual_machine(&self) -> bool {
        self.record.kind == Kind::Qemu
    }

    fn fact(&self, name: &str) -> Option<&str> {
        let facts = self.record.prepared.facts.iter();
        facts.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn workloads(&self) -> impl Iterator<Item = &'a WorkloadSpec> + '_ {
        let own = self.spec.workloads.as_ref();
        let all = self.run.plan.suite.workloads.iter();
        all.filter(move |one| own.is_none_or(|own| own.contains(&one.id)))
    }
}

#[cfg(test)]
mod tests;
