//! What two runs asked for differently: figures of it are of other work or of another size, and are not held against each other.

use crate::analysis::Row;
use crate::analysis::compare::fingerprint::{self, Mismatch};
use crate::environment::Kind;
use crate::journal::record::RunRecord;
use crate::report::clean::{clean, clean_to};
use crate::suite::{EnvironmentSpec, KindSpec, Suite};

/// What of a run is unlike the first's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unlike {
    /// The size of every instance.
    limits: bool,
    /// Ids of workloads that are of other work.
    workloads: Vec<String>,
    /// Ids of environments that are another thing.
    environments: Vec<String>,
    /// Ids of environments that ran something else all in all.
    work: Vec<String>,
    /// What ratios are stated against is another thing.
    control: bool,
}

impl Unlike {
    pub(super) fn of(first: &Suite, other: &Suite) -> Self {
        let changed = |one: &&crate::suite::WorkloadSpec| {
            other.workloads.iter().any(|theirs| theirs.id == one.id && theirs != *one)
        };
        let both = || {
            let same =
                |one: &EnvironmentSpec| other.environments.iter().position(|theirs| theirs.id == one.id);
            first.environments.iter().filter_map(move |one| Some((one, &other.environments[same(one)?])))
        };
        let ids = |all: Vec<(&EnvironmentSpec, &EnvironmentSpec)>| {
            all.into_iter().map(|(one, _)| one.id.clone()).collect::<Vec<_>>()
        };
        let environments = ids(both().filter(|(a, b)| a.kind != b.kind).collect());
        let work = both().filter(|(a, b)| first.workloads != other.workloads || a.workloads != b.workloads);
        let control = |suite: &Suite| {
            suite.environments.iter().find(|one| matches!(one.kind, KindSpec::Native(_))).cloned()
        };
        Self {
            limits: first.limits != other.limits,
            workloads: first.workloads.iter().filter(changed).map(|one| one.id.clone()).collect(),
            work: ids(work.collect()),
            environments,
            control: control(first).map(|one| one.kind) != control(other).map(|one| one.kind),
        }
    }

    /// Is this figure of something else than the first's of its name? A peak of memory is of all that its instance ran.
    pub(super) fn touches(&self, row: &Row, by_ratio: bool) -> bool {
        let control = by_ratio && self.control && row.kind != Kind::Native;
        let peak = row.metric.ends_with(".peak") && self.work.contains(&row.environment);
        self.limits
            || control
            || peak
            || self.workloads.contains(&row.workload)
            || self.environments.contains(&row.environment)
    }
}

/// A sentence for each thing that was asked for differently.
pub(super) fn cautions(first: &RunRecord, record: &RunRecord) -> Vec<String> {
    let host = fingerprint::hosts(&first.host, &record.host);
    // The host, the agent and accelerators have cautions of their own.
    let asked = |one: &Mismatch| {
        one.forbids && !host.contains(one) && one.environment.is_none() && one.what != fingerprint::AGENT
    };
    let said = |one: Mismatch| {
        let follows = match one.what.split(' ').next() {
            Some("limit") => "none of its figures is held against the first's",
            Some("workload") => "figures of this work, and peaks of memory, are not held against the first's",
            Some("environment") => "figures of it are not held against the first's",
            _ => "only what was asked for alike is held against the first's",
        };
        format!(
            "Run {} had another {} than the first ({} → {}): {follows}.",
            clean(&record.run_id),
            clean_to(&one.what, 80),
            clean(&one.base),
            clean(&one.new)
        )
    };
    fingerprint::mismatches(first, record).into_iter().filter(asked).map(said).collect()
}
