//! Which commit is measured, as continuous integration says it, or the repository here.

use std::process::{Command, Stdio};

use crate::regression::formats::Source;

/// Commit, branch, repository and machine; what is not known stays so.
pub(super) fn source(commit: Option<&str>, branch: Option<&str>) -> Source {
    let named = |names: &[&str]| {
        names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    Source {
        commit: commit
            .map(str::to_owned)
            .or_else(|| named(&["GITHUB_SHA", "CI_COMMIT_SHA"]))
            .or_else(|| git(&["rev-parse", "HEAD"])),
        branch: branch
            .map(str::to_owned)
            .or_else(|| named(&["GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"]))
            .or_else(|| git(&["branch", "--show-current"])),
        repository: repository(),
        machine: named(&["ISOCOST_MACHINE"]),
    }
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
