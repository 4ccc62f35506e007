//! What goes wrong with a QEMU, by name.

use std::path::PathBuf;
use std::time::Duration;

use crate::image::ImageError;
use crate::measure::sample::{Failure, FailureName};

/// Why QEMU could not be started, steered or ended.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// No QEMU where it was looked for.
    #[error("{program} is not installed; type: sudo apt-get install qemu-system-x86")]
    Missing {
        /// What was looked for.
        program: String,
    },
    /// A version that cannot be read, or is too old.
    #[error("QEMU's version: {0}; 7.2 or later is needed")]
    Version(String),
    /// A file, socket or process that the system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It ended while it was needed.
    #[error("QEMU ended while {during}: {detail}")]
    Ended {
        /// During what.
        during: &'static str,
        /// Status, its last words and the guest's.
        detail: String,
    },
    /// Its monitor broke the protocol or refused a command.
    #[error("QEMU's monitor (QMP): {0}")]
    Monitor(String),
    /// A deadline passed.
    #[error("{what} took longer than {after:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// The deadline.
        after: Duration,
    },
    /// The run is to stop.
    #[error("stopped while {0}")]
    Interrupted(&'static str),
    /// KVM was asked for and does not bring the kernel to user space.
    #[error(
        "KVM was asked for and cannot be used: {0}; set accelerator = \"auto\" or \"tcg\", or see `isocost doctor`"
    )]
    NoKvm(String),
    /// More vCPUs than the machine type can be given.
    #[error("microvm takes at most {most} CPUs here, {asked} were asked for; use machine = \"q35\"")]
    TooManyCpus {
        /// How many.
        asked: u32,
        /// The most.
        most: u32,
    },
    /// QEMU runs with another accelerator than was meant.
    #[error("QEMU says that KVM is {}, and it was started the other way", if *.0 { "on" } else { "off" })]
    OtherAccelerator(bool),
    /// Kernel, initramfs or disk.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl QemuError {
    /// For `map_err`.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// The failure that a sample is counted under.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let name = match self {
            Self::Ended { .. } => FailureName::ExitedEarly,
            Self::Late { .. } | Self::Image(ImageError::ProgramLate { .. }) => FailureName::TimedOut,
            Self::Interrupted(_) | Self::Image(ImageError::Interrupted { .. }) => FailureName::Interrupted,
            Self::Monitor(_) => FailureName::Engine,
            _ => FailureName::NotStarted,
        };
        Failure { name, detail: self.to_string() }
    }
}
