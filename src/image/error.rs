//! What can stand in the way of making a guest.

use std::path::{Path, PathBuf};

/// Each says what failed, on what, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `create`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program that is needed is not installed.
    #[error("{program} is not installed; `sudo apt-get install {package}` installs it")]
    ProgramMissing {
        /// The program.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// A program ran and failed.
    #[error("`{command}` failed: {said}; {next}")]
    ProgramFailed {
        /// The command line.
        command: String,
        /// The end of what it wrote to standard error.
        said: String,
        /// What to do next.
        next: &'static str,
    },
    /// A program did not end.
    #[error("`{command}` did not end within {after:?} and was ended; {next}")]
    ProgramLate {
        /// The command line.
        command: String,
        /// How long it had.
        after: std::time::Duration,
        /// What to do next.
        next: &'static str,
    },
    /// The run is to stop.
    #[error("stopped while {doing}")]
    Interrupted {
        /// What was under way.
        doing: String,
    },
    /// apt has no such kernel.
    #[error(
        "apt offers no kernel {wanted}; it offers {}. Refresh its lists with `sudo apt-get update`, or name one of these",
        list(offered)
    )]
    NotOffered {
        /// What was asked for.
        wanted: String,
        /// What there is, as `VERSION (PACKAGE)`.
        offered: Vec<String>,
    },
    /// A kernel of the user's own cannot be used.
    #[error("the kernel {} cannot be used: {why}; {next}", path.display())]
    KernelUnusable {
        /// Where it is or should be.
        path: PathBuf,
        /// Why.
        why: String,
        /// What to do next.
        next: String,
    },
    /// Bytes are not what they should be.
    #[error("{what} is malformed or damaged: {why}")]
    Malformed {
        /// The file, or the part of one.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// More bytes than any honest file of the kind has.
    #[error("{what} is larger than {cap_bytes} bytes, which nothing of its kind is; it was not unpacked")]
    TooLarge {
        /// The file, or the part of one.
        what: String,
        /// The limit.
        cap_bytes: u64,
    },
    /// The guest needs a module that the kernel does not have.
    #[error(
        "kernel {release} has no module `{module}`{}, neither built in nor as a file; choose another kernel, for example `--kernel debian`",
        needed_by.as_deref().map(|by| format!(" (needed by `{by}`)")).unwrap_or_default()
    )]
    ModuleMissing {
        /// Its name.
        module: String,
        /// The module that depends on it, if one does.
        needed_by: Option<String>,
        /// The kernel.
        release: String,
    },
    /// Modules that need each other can never be loaded.
    #[error("the modules of kernel {release} depend on each other in a circle: {}", circle.join(" → "))]
    ModuleCircle {
        /// The modules, the first again at the end.
        circle: Vec<String>,
        /// The kernel.
        release: String,
    },
    /// A path inside an initramfs that cannot be.
    #[error("`{path}` cannot be a file of the initramfs: {why}")]
    BadEntry {
        /// The path.
        path: String,
        /// Why.
        why: &'static str,
    },
}

fn list(offered: &[String]) -> String {
    if offered.is_empty() { "none".into() } else { offered.join(", ") }
}

impl ImageError {
    /// Makes an [`ImageError::Io`] out of a system error: `.map_err(ImageError::io("read", path))`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// Makes an [`ImageError::Malformed`].
    pub(crate) fn malformed(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Malformed { what: what.into(), why: why.to_string() }
    }
}
