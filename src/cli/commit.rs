//! Which commit is measured, as continuous integration says it, or the repository here.

use std::process::{Command, Stdio};

use crate::journal::record::Code;
use crate::regression::formats::Source;

/// The code here; `None` where nothing says which.
pub(super) fn code() -> Option<Code> {
    let code = Code {
        commit: named(&["GITHUB_SHA", "CI_COMMIT_SHA"]).or_else(|| git(&["rev-parse", "HEAD"])),
        branch: named(&["GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"])
            .or_else(|| git(&["branch", "--show-current"])),
        repository: repository(),
    };
    (code != Code::default()).then_some(code)
}

/// What the command line says of runs, and the machine's name; what is not said stays open.
pub(super) fn said(commit: Option<&str>, branch: Option<&str>) -> Source {
    Source {
        commit: commit.map(str::to_owned),
        branch: branch.map(str::to_owned),
        repository: None,
        machine: named(&["ISOCOST_MACHINE"]),
    }
}

/// The same, with the code here for what is not said: right for what was measured just now, and wrong for all else.
pub(super) fn with_the_code_here(said: Source) -> Source {
    let here = code().unwrap_or_default();
    Source {
        commit: said.commit.or(here.commit),
        branch: said.branch.or(here.branch),
        repository: said.repository.or(here.repository),
        machine: said.machine,
    }
}

fn named(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn repository() -> Option<String> {
    let github = || {
        let (server, name) =
            (std::env::var("GITHUB_SERVER_URL").ok()?, std::env::var("GITHUB_REPOSITORY").ok()?);
        Some(format!("{server}/{name}"))
    };
    github().or_else(|| std::env::var("CI_PROJECT_URL").ok())
}

/// The first line that git says; `None` where there is no git, no repository, or nothing to say.
fn git(arguments: &[&str]) -> Option<String> {
    let said =
        Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let line = String::from_utf8(said.stdout).ok()?.lines().next()?.trim().to_owned();
    (said.status.success() && !line.is_empty()).then_some(line)
}
