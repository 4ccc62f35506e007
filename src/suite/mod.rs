//! What to measure, as the user wrote it.
//!
//! In: a TOML file (schema: docs/suites.md) or the name of a built-in one. Out: a checked [`Suite`]. It must
//! never touch the host beyond reading that file.
//!
//! What was written (`raw`) becomes what is meant ([`Suite`]) in one step, is held against the rules that need no
//! host (`check`), and against the host by [`check_against_host`] only.

use std::path::PathBuf;
use std::time::Duration;

use isocost_agent::protocol::Workload;
use serde::{Deserialize, Serialize};

use crate::measure::equality::Limits;

mod built_in;
mod check;
mod error;
mod file;
mod filter;
mod gate;
mod host;
mod locate;
mod raw;
mod resolve;
mod units;
mod workloads;

pub use built_in::built_in;
pub use check::{Misfit, check, warnings};
pub use error::{Place, SuiteError, similar};
pub use file::{Source, load, parse};
pub use filter::Filter;
pub use gate::{GateSpec, LimitSpec, Undecided};
pub use host::{HostSize, check_against_host};
pub use locate::Step;
pub use units::{Percent, Size, Time, UnitError};
pub use workloads::{
    WORKLOADS, is_disk as uses_disk, name_of as workload_name, named as workload_named,
    purpose as workload_purpose,
};

/// What to measure. Serialises into `run.json`, so that a run folder can be rerun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    /// Its name: the file's stem for a user's own.
    pub name: String,
    /// One sentence for `isocost list`.
    pub description: String,
    /// Size of every instance.
    pub limits: Limits,
    /// How often, and for how long at most.
    pub blocks: Blocks,
    /// Deadlines of single steps.
    pub deadlines: Deadlines,
    /// Where; the first of kind native is the control.
    pub environments: Vec<EnvironmentSpec>,
    /// What.
    pub workloads: Vec<WorkloadSpec>,
    /// Which changes fail a build.
    #[serde(default)]
    pub gate: GateSpec,
}

/// How often each cell is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blocks {
    /// Measured blocks; in each, every environment has one cell.
    pub count: u32,
    /// Blocks before them that are kept and not analysed.
    pub warm_up: u32,
    /// Cold first boots of each environment before the blocks (page cache dropped where permitted).
    pub cold: u32,
}

/// Deadlines of single steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From asking for an instance to its Hello.
    pub start: Duration,
    /// For one piece of work, beyond its duration.
    pub work: Duration,
    /// For an orderly end.
    pub stop: Duration,
}

/// One environment as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// Unique in the suite: what samples and reports call it.
    pub id: String,
    /// Ids of the workloads it runs; `None`: all.
    pub workloads: Option<Vec<String>>,
    /// Its work is slowed on purpose, by so many thousandths: for those who check whether that is found.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slower_permille: u32,
    /// What it is.
    pub kind: KindSpec,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The settings of each kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum KindSpec {
    /// A child process of the harness.
    Native(NativeSpec),
    /// A container.
    Docker(DockerSpec),
    /// A virtual machine.
    Qemu(QemuSpec),
}

/// A child process: nothing to set yet but where its writable folder is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NativeSpec {}

/// A container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DockerSpec {
    /// The runtime by the name the engine registered it under.
    pub runtime: String,
    /// Give it the engine's default network (`bridge`); without, `none`.
    pub network: bool,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QemuSpec {
    /// The emulated board.
    pub machine: Machine,
    /// Who executes it.
    pub accelerator: AcceleratorChoice,
    /// Which kernel.
    pub kernel: KernelChoice,
    /// The writable layer.
    pub disk: DiskFormat,
}

/// QEMU machine types that are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    /// Minimal board, virtio-mmio, PVH boot of an uncompressed kernel.
    Microvm,
    /// PCI Express board.
    Q35,
    /// The i440FX board.
    Pc,
}

/// Which accelerator was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorChoice {
    /// Whichever brings the kernel to user space first.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Software emulation.
    Tcg,
}

/// Which kernel was asked for. Written `debian`, `debian:VERSION`, `host` or a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum KernelChoice {
    /// Debian's cloud kernel, the version apt offers, or one pinned.
    Debian(Option<String>),
    /// The kernel this host runs, from /boot and /lib/modules.
    Host,
    /// A bzImage or an uncompressed vmlinux; modules from `lib/modules` beside it, if it has any.
    Path(PathBuf),
}

impl From<String> for KernelChoice {
    fn from(text: String) -> Self {
        match text.as_str() {
            "debian" => Self::Debian(None),
            "host" => Self::Host,
            other => match other.strip_prefix("debian:") {
                Some(version) => Self::Debian(Some(version.to_owned())),
                None => Self::Path(PathBuf::from(other)),
            },
        }
    }
}

impl From<KernelChoice> for String {
    fn from(choice: KernelChoice) -> Self {
        match choice {
            KernelChoice::Debian(None) => "debian".into(),
            KernelChoice::Debian(Some(version)) => format!("debian:{version}"),
            KernelChoice::Host => "host".into(),
            KernelChoice::Path(path) => path.display().to_string(),
        }
    }
}

/// How the writable layer of a virtual machine is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFormat {
    /// A qcow2 overlay on a read-only base image.
    Qcow2,
    /// A raw file of its own, a sparse copy of the base image.
    Raw,
}

/// One workload as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    /// Unique in the suite.
    pub id: String,
    /// What the agent runs.
    pub run: Workload,
    /// How long at least; zero for a fixed amount of bytes.
    pub duration: Duration,
    /// Bytes of file or buffer; 0: the workload's own default.
    pub bytes: u64,
    /// Around the page cache.
    pub direct: bool,
    /// Threads; `None`: 1, or the CPU limit for `threads`.
    pub threads: Option<u32>,
}
