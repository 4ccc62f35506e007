//! One run as a history holds it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::measure::metric::Direction;
use crate::regression::formats::Source;

/// One run: what was measured, of what, where.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Unique: the same run added twice is there once.
    pub run_id: String,
    /// Of what it was made from: another one means that the run has gone on since, or that what is there has.
    pub digest: String,
    /// `isocost`, or the name of another tool's format.
    pub origin: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended; `None` where that is not known.
    pub ending: Option<String>,
    /// The suite's name.
    pub suite: Option<String>,
    /// The version of isocost.
    pub version: Option<String>,
    /// SHA-256 of the program that did the work.
    pub program: Option<String>,
    /// Commit, branch, repository, machine.
    pub source: Source,
    /// The host; `None` in others' formats.
    pub host: Option<Description>,
    /// The figures.
    pub measured: Vec<Measured>,
}

/// One figure of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Which.
    pub key: SeriesKey,
    /// Which way is good; `None` where nobody said.
    pub direction: Option<Direction>,
    /// The median; `None` where every sample failed.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Samples with a value; `None` where a format does not say.
    pub n: Option<u32>,
    /// Samples that failed.
    pub failed: u32,
    /// The ratio to the control in the same blocks.
    pub ratio: Option<f64>,
    /// Its interval.
    pub ratio_interval: Option<(f64, f64)>,
    /// What the environment was made of.
    pub environment: Option<Description>,
}

/// What makes a series: figures that differ in one of these are never in one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The environment's id; the benchmark's name where it comes from another tool.
    pub environment: String,
    /// `none`, `kvm` or `tcg`; `unknown` where it comes from another tool.
    pub accelerator: String,
    /// The workload's id; empty where it comes from another tool.
    pub workload: String,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
}

impl std::fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.metric, self.environment)?;
        if !self.workload.is_empty() {
            write!(f, "/{}", self.workload)?;
        }
        if matches!(self.accelerator.as_str(), "kvm" | "tcg") {
            write!(f, " ({})", self.accelerator)?;
        }
        Ok(())
    }
}

/// Name and value of what something is made of.
pub type Facts = BTreeMap<String, String>;

/// Facts of what was asked for, beside those of what was found: figures that differ in one of these are of different things.
pub const ASKED: [&str; 3] = ["limit of CPUs", "limit of memory", "work"];

/// By how much work was slowed on purpose, for those who check whether that is found.
pub const SLOWED: &str = "slowed on purpose by";

/// What something is made of, and a fingerprint of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// SHA-256 of the facts, lower-case hex.
    pub fingerprint: String,
    /// The facts.
    pub facts: Facts,
}

impl Description {
    /// Of these facts.
    #[must_use]
    pub fn of(facts: Facts) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in &facts {
            for text in [name, value] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        Self { fingerprint: hex(&hash.finalize()), facts }
    }

    /// What differs: name, value here, value there; an absent one is empty.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let names: std::collections::BTreeSet<_> = self.facts.keys().chain(other.facts.keys()).collect();
        let values = names.into_iter().map(|name| {
            let value = |facts: &Facts| facts.get(name).cloned().unwrap_or_default();
            (name.clone(), value(&self.facts), value(&other.facts))
        });
        values.filter(|(_, here, there)| here != there).collect()
    }
}

/// The facts that stay while a machine is the same one.
const STAYING: [&str; 4] = ["cpu", "cpus", "memory", "virtualised"];

/// A machine as lines name it: what it was called at import, and what stays of it. Empty where nothing is known of it.
pub(crate) fn machine(named: Option<&str>, host: Option<&Description>) -> String {
    let facts = STAYING.iter().filter_map(|name| host?.facts.get(*name)).map(String::as_str);
    named.into_iter().chain(facts).collect::<Vec<_>>().join(", ")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(facts: &[(&str, &str)]) -> Description {
        Description::of(facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_fingerprint_is_of_names_and_values_and_of_where_they_end() {
        let one = description(&[("kernel", "6.1"), ("cpu", "x")]);
        assert_eq!(one, description(&[("cpu", "x"), ("kernel", "6.1")]));
        assert_ne!(one.fingerprint, description(&[("kernel", "6.2"), ("cpu", "x")]).fingerprint);
        assert_ne!(description(&[("ab", "c")]).fingerprint, description(&[("a", "bc")]).fingerprint);
    }

    #[test]
    fn differences_name_what_is_new_gone_and_changed() {
        let (before, after) =
            (description(&[("a", "1"), ("b", "2")]), description(&[("b", "3"), ("c", "4")]));
        let expected = [("a", "1", ""), ("b", "2", "3"), ("c", "", "4")];
        let found = before.differences(&after);
        assert!(found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).eq(expected));
        assert_eq!(before.differences(&before), []);
    }
}
