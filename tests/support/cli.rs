//! Runs the built `isocost` as a user would.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// How it ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command with nothing of the caller's surroundings in it, in a folder and with a cache of the test's own.
pub(crate) fn isocost(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isocost"));
    command.current_dir(folder).stdin(Stdio::null());
    command.env("ISOCOST_CACHE", folder.join("cache")).env("COLUMNS", "100").env("HOME", folder);
    for name in ["NO_COLOR", "DOCKER_HOST", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    command
}

/// Runs it with these arguments.
pub(crate) fn run(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Ran {
    ran(&isocost(folder).args(arguments).output().expect("isocost starts"))
}

/// What came of it.
pub(crate) fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
