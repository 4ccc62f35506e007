//! Annotations: lines that GitHub's runner reads from standard output, and the code quality report that GitLab shows
//! beside a merge request.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Case, Findings, Outcome};

/// Workflow commands: an error for each regression, a warning for each undecided figure, a notice for each better one.
#[must_use]
pub fn github(findings: &Findings) -> String {
    let line = |case: &Case| {
        let command = match case.outcome {
            Outcome::Regressed => "error",
            Outcome::Undecided => "warning",
            Outcome::Improved => "notice",
            Outcome::Passed => return None,
        };
        let title = property(&format!("{}: {}", findings.name, case.outcome.word()));
        Some(format!("::{command} title={title}::{}\n", message(&case.line())))
    };
    findings.cases.iter().filter_map(line).collect()
}

/// As GitHub's toolkit escapes what follows the second `::`.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes a property's value.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// One entry of GitLab's code quality report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitlabCodeQuality {
    /// What was found.
    pub description: String,
    /// The name of the rule.
    pub check_name: String,
    /// By it GitLab tells new findings from old ones.
    pub fingerprint: String,
    /// `info`, `minor`, `major`, `critical` or `blocker`.
    pub severity: String,
    /// The file it is shown at.
    pub location: Location,
}

/// Where an entry is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// A file of the repository.
    pub path: String,
    /// Its lines.
    pub lines: Lines,
}

/// The lines of a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The first, from 1.
    pub begin: u32,
}

/// GitLab's code quality report. Findings are shown at `file`, the suite's, because no line of source is to blame.
///
/// # Errors
/// The JSON writer's, which text does not give.
pub fn gitlab(findings: &Findings, file: &str) -> Result<String, serde_json::Error> {
    let entry = |case: &Case| {
        let severity = match case.outcome {
            Outcome::Regressed => "major",
            Outcome::Undecided => "minor",
            Outcome::Improved => "info",
            Outcome::Passed => return None,
        };
        let hash = Sha256::digest(format!("{}\0{}\0{}", findings.name, case.name, case.outcome.word()));
        Some(GitlabCodeQuality {
            description: case.line(),
            check_name: format!("isocost/{}", case.outcome.word()),
            fingerprint: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            severity: severity.to_owned(),
            location: Location { path: file.to_owned(), lines: Lines { begin: 1 } },
        })
    };
    let entries: Vec<GitlabCodeQuality> = findings.cases.iter().filter_map(entry).collect();
    serde_json::to_string_pretty(&entries)
}

/// A file as GitLab names it: from the root of the repository, without `./`. One outside of it, which GitLab can show nowhere, by its name.
#[must_use]
pub fn in_repository(file: &Path, root: &Path) -> String {
    let below = file.strip_prefix(root).unwrap_or(file);
    let outside = below.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    let named = if outside { below.file_name().map(Path::new).unwrap_or(below) } else { below };
    let parts = named.components().filter(|part| matches!(part, Component::Normal(_)));
    parts.collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regression::ci::examples;

    #[test]
    fn commands_are_one_line_each_and_passes_say_nothing() {
        insta::assert_snapshot!(github(&examples::findings()));
    }

    /// What GitLab's documentation asks of each entry.
    fn schema() -> jsonschema::Validator {
        let text = serde_json::json!({"type": "string", "minLength": 1});
        let entry = serde_json::json!({
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": text, "check_name": text, "fingerprint": text,
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "pattern": "^[^./]"},
                        "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"type": "integer"}}}
                    }
                }
            }
        });
        jsonschema::draft7::new(&serde_json::json!({"type": "array", "items": entry})).unwrap()
    }

    #[test]
    fn entries_have_what_gitlab_asks_for() {
        let text = gitlab(&examples::findings(), "suites/mine.toml").unwrap();
        assert!(schema().is_valid(&serde_json::from_str(&text).unwrap()), "{text}");
        let entries: Vec<GitlabCodeQuality> = serde_json::from_str(&text).unwrap();
        let seen: Vec<_> =
            entries.iter().map(|one| (one.severity.as_str(), one.check_name.as_str())).collect();
        assert_eq!(
            seen,
            [("major", "isocost/regression"), ("minor", "isocost/undecided"), ("info", "isocost/better")]
        );
        let mut fingerprints: Vec<_> = entries.iter().map(|one| &one.fingerprint).collect();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), 3);
    }

    #[test]
    fn files_are_named_from_the_root_of_the_repository() {
        let of = |file: &str| in_repository(Path::new(file), Path::new("/builds/p"));
        assert_eq!(of("./perf/x.toml"), "perf/x.toml");
        assert_eq!(of("/builds/p/perf/./x.toml"), "perf/x.toml");
        assert_eq!(of("perf/x.toml"), "perf/x.toml");
        assert_eq!((of("../x.toml"), of("/etc/x.toml")), ("x.toml".into(), "x.toml".into()));
        let text = gitlab(&examples::findings(), &of("./perf/x.toml")).unwrap();
        assert!(schema().is_valid(&serde_json::from_str(&text).unwrap()), "{text}");
    }

    #[test]
    fn the_same_finding_has_the_same_fingerprint_whatever_its_figures() {
        let mut findings = examples::findings();
        let before = gitlab(&findings, "s.toml").unwrap();
        findings.cases[0].change = "+99 %".into();
        let after = gitlab(&findings, "s.toml").unwrap();
        let of =
            |text: &str| serde_json::from_str::<Vec<GitlabCodeQuality>>(text).unwrap()[0].fingerprint.clone();
        assert_eq!(of(&before), of(&after));
    }

    proptest! {
        #[test]
        fn no_name_makes_another_command(name in "(.|\n|\r){0,60}") {
            let mut findings = examples::findings();
            findings.cases[0].name = name;
            prop_assert_eq!(github(&findings).lines().count(), 3);
            prop_assert!(github(&findings).lines().all(|line| line.starts_with("::")));
        }
    }
}
