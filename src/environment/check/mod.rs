//! Can this host run each kind of environment, and what mends it where not?
//!
//! In: the host. Out: [`Finding`]s. Nothing boots, and nothing is changed but for a control group that is removed at
//! once. Each file looks first and judges then, in a pure function of what it saw.

use std::path::{Path, PathBuf};

use serde::Serialize;

mod docker;
mod host;
mod native;
mod packages;
mod qemu;

pub use packages::Manager;

use crate::environment::Kind;
use crate::suite::Suite;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// In a word or two: `engine`, `kernel`.
    pub subject: &'static str,
    /// Is it as it should be?
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to type, or do, where it is not as it should be.
    pub mend: Option<String>,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// All environments, and the measuring itself.
    Host,
    /// Processes.
    Native,
    /// Containers.
    Docker,
    /// Virtual machines.
    Qemu,
}

/// Is it as it should be?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Yes.
    Fine,
    /// What it is about runs, and something is less than it could be.
    Limited,
    /// What it is about cannot run.
    Missing,
}

impl Finding {
    fn new(area: Area, subject: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self { area, subject, state, detail: detail.into(), mend: None }
    }

    fn mended_by(self, line: impl Into<String>) -> Self {
        Self { mend: Some(line.into()), ..self }
    }
}

/// Looks at everything that `suite` needs of this host.
#[must_use]
pub fn look(suite: &Suite, cache: &Path) -> Vec<Finding> {
    let user = User::of_this_process();
    let mut all = host::look(suite, cache, &user);
    all.extend(native::look(&suite.limits, &user));
    all.extend(docker::look(&user));
    all.extend(qemu::look(cache, &user));
    all
}

/// Can environments of that kind run, as far as these findings say?
#[must_use]
pub fn can_run(kind: Kind, findings: &[Finding]) -> bool {
    let needs = |area: Area| match (area, kind) {
        (Area::Host, _)
        | (Area::Native, Kind::Native)
        | (Area::Docker, Kind::Docker)
        | (Area::Qemu, Kind::Qemu) => true,
        (Area::Native | Area::Docker | Area::Qemu, _) => false,
    };
    !findings.iter().any(|one| one.state == State::Missing && needs(one.area))
}

/// Who would type what mends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    root: bool,
    manager: Option<Manager>,
}

impl User {
    fn of_this_process() -> Self {
        Self { root: rustix::process::geteuid().is_root(), manager: Manager::find() }
    }

    /// A command that needs root.
    fn as_root(&self, command: &str) -> String {
        if self.root { command.to_owned() } else { format!("sudo {command}") }
    }

    /// What installs a program.
    fn install(&self, program: &str) -> String {
        match self.manager.and_then(|manager| manager.install(program)) {
            Some(command) => self.as_root(&command),
            None => format!("install the package that has {program}"),
        }
    }
}

/// A program on `PATH`, or where administrators' programs live.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_stops_what_needs_it_only() {
        let finding = |area, state| Finding::new(area, "x", state, "");
        let docker = [finding(Area::Docker, State::Missing), finding(Area::Qemu, State::Limited)];
        assert!(can_run(Kind::Native, &docker) && can_run(Kind::Qemu, &docker));
        assert!(!can_run(Kind::Docker, &docker));
        assert!(!can_run(Kind::Native, &[finding(Area::Host, State::Missing)]));
    }

    #[test]
    fn root_needs_no_sudo() {
        let user = |root| User { root, manager: Some(Manager::Apt) };
        assert_eq!(user(true).install("mke2fs"), "apt-get install e2fsprogs");
        assert_eq!(user(false).install("mke2fs"), "sudo apt-get install e2fsprogs");
        let nobody = User { root: false, manager: None };
        assert_eq!(nobody.install("mke2fs"), "install the package that has mke2fs");
    }
}
