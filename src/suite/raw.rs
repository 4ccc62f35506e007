//! A suite file as it is written. Every key is here; docs/suites.md explains them.

use serde::Deserialize;

use super::gate::{RawLimits, Undecided};
use super::units::{Percent, Size, Time};
use super::{AcceleratorChoice, DiskFormat, Machine};

/// The version of the schema that this program reads.
pub(super) const SCHEMA: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub schema: u32,
    pub name: Option<String>,
    #[serde(default)]
    pub description: String,
    pub limits: Limits,
    #[serde(default)]
    pub blocks: Blocks,
    #[serde(default)]
    pub deadlines: Deadlines,
    #[serde(default, rename = "environment")]
    pub environments: Vec<Environment>,
    #[serde(default, rename = "workload")]
    pub workloads: Vec<Workload>,
    #[serde(default)]
    pub gate: Gate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gate {
    pub alpha: Option<f64>,
    pub budget: Option<Time>,
    pub undecided: Option<Undecided>,
    pub limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub cpus: u32,
    pub memory: Size,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Blocks {
    pub count: u32,
    pub warm_up: u32,
    pub cold: u32,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { count: 10, warm_up: 1, cold: 1 }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deadlines {
    pub start: Option<Time>,
    pub work: Option<Time>,
    pub stop: Option<Time>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Native,
    Docker,
    Qemu,
}

/// All kinds' keys; which belong to which is seen when it is resolved, where the message can say so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    pub id: String,
    pub kind: Kind,
    pub workloads: Option<Vec<String>>,
    pub slower: Option<Percent>,
    pub runtime: Option<String>,
    pub network: Option<bool>,
    pub machine: Option<Machine>,
    pub accelerator: Option<AcceleratorChoice>,
    pub kernel: Option<String>,
    pub disk: Option<DiskFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    pub id: String,
    pub run: Option<String>,
    pub duration: Option<Time>,
    pub bytes: Option<Size>,
    #[serde(default)]
    pub direct: bool,
    pub threads: Option<u32>,
}
