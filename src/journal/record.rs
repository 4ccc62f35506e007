//! `run.json`: what a run was, so that its samples can be read by anyone, anywhere.

use std::collections::BTreeMap;

use isocost_agent::protocol::Inspection;
use serde::{Deserialize, Serialize};

use crate::environment::{Kind, Prepared};
use crate::measure::clock::rate::ClockTruth;
use crate::measure::host::{CpuPlacement, Host};
use crate::measure::sample::Accelerator;
use crate::plan::Plan;

/// The version of `run.json` and of the journal; a reader refuses a newer one and reads all older ones. 2 added to the
/// journal what the host did in each cell, and blocks that were measured again.
pub const SCHEMA: u32 = 2;

/// A run's record. Written before the first boot and again at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// The run's id.
    pub run_id: String,
    /// Isocost's version.
    pub isocost_version: String,
    /// SHA-256 of the embedded agent, lower-case hex.
    pub agent_sha256: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended; `None` while it runs, and for ever where it was killed.
    pub ended_at: Option<jiff::Timestamp>,
    /// How it ended.
    pub ending: Ending,
    /// The host.
    pub host: Host,
    /// What was planned.
    pub plan: Plan,
    /// The environments as prepared.
    pub environments: Vec<EnvironmentRecord>,
    /// What a reader must know before they believe a figure.
    pub warnings: Vec<String>,
    /// The most of one core that the sampler took in a cell; `None` where it never ran.
    #[serde(default)]
    pub sampler_cpu_share: Option<f64>,
    /// Under what conditions it was measured.
    #[serde(default)]
    pub conditions: Conditions,
    /// Which code it was started on; `None` where nothing says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// What was measured, as version control names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Code {
    /// The commit's hash.
    pub commit: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// The repository's address, where continuous integration says it: a clone's own may have a password in it.
    pub repository: Option<String>,
}

/// What a run learned about its own measuring.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// The clocks inside, by environment.
    pub clocks: BTreeMap<String, ClockTruth>,
    /// How precise it was to be: half the 95 % interval of each headline metric, as a fraction.
    pub precision: Option<f64>,
    /// Which CPUs instances had, and which the harness.
    pub placement: Option<CpuPlacement>,
    /// Measured blocks of the plan that something disturbed.
    pub disturbed: u32,
    /// Blocks beyond the plan, to stand for these.
    pub repeated: u32,
    /// Disturbed blocks for which another stands.
    pub replaced: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It has not: it runs still, or it was killed.
    Unfinished,
    /// Everything planned was done.
    Complete,
    /// Every headline metric was as precise as was asked.
    Precision,
    /// The time budget was spent.
    Budget,
    /// A signal stopped it.
    Interrupted,
}

/// One environment as it was prepared and as it looked from inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentRecord {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// What executed it.
    pub accelerator: Accelerator,
    /// What it was made of.
    pub prepared: Prepared,
    /// What its first instance saw from inside; `None` where none got that far.
    pub inspection: Option<Inspection>,
}
