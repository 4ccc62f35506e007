//! What was found, in the formats that continuous integration shows to people.
//!
//! In: [`Findings`], made by the gate or by a look at the history. Out: text in one format. Pure. It must never know
//! how anything was decided.

mod annotations;
mod junit;
mod markdown;

pub use annotations::{GitlabCodeQuality, github, gitlab, in_repository};
pub use junit::junit;
pub use markdown::markdown;

use crate::report::clean::sentence;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What looked: `isocost gate`.
    pub name: String,
    /// One line: the answer.
    pub answer: String,
    /// Is that answer one that fails a build?
    pub fails: bool,
    /// Each figure that was judged.
    pub cases: Vec<Case>,
    /// What a reader must know beside: sentences.
    pub notes: Vec<String>,
}

/// One figure that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What belongs together: the environment.
    pub group: String,
    /// The figure: `startup.ready of docker/start`.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// From and to, in words: `139.0 ms → 171.2 ms`; empty where there is nothing to say.
    pub values: String,
    /// The change with its interval: `+23.2 % (+18.1 % to +28.6 %)`.
    pub change: String,
    /// What passes: `10 %`.
    pub limit: String,
    /// Sentences.
    pub notes: Vec<String>,
}

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Within its limit.
    Passed,
    /// Better than before: told, never failing.
    Improved,
    /// Worse by more than its limit.
    Regressed,
    /// Neither can be said; the notes say why.
    Undecided,
}

impl Findings {
    /// The same with names that steer nothing: they come from run folders, limits and others' histories, and go to terminals and
    /// to a build's log, which is read for commands.
    #[must_use]
    pub fn plain(self) -> Self {
        let case = |case: Case| Case {
            group: plain(&case.group),
            name: plain(&case.name),
            values: plain(&case.values),
            change: plain(&case.change),
            limit: plain(&case.limit),
            notes: case.notes.iter().map(|note| plain(note)).collect(),
            ..case
        };
        Self {
            name: self.name,
            answer: plain(&self.answer),
            fails: self.fails,
            cases: self.cases.into_iter().map(case).collect(),
            notes: self.notes.iter().map(|note| plain(note)).collect(),
        }
    }
}

/// One line without control characters. GitHub's runner reads `##[command]` wherever in a line it stands.
fn plain(text: &str) -> String {
    sentence(text).replace("##[", "#\u{fffd}[")
}

impl Outcome {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Improved => "better",
            Self::Regressed => "regression",
            Self::Undecided => "undecided",
        }
    }
}

impl Case {
    /// All of it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let limit = if self.limit.is_empty() { String::new() } else { format!("limit {}", self.limit) };
        let parts = [self.values.as_str(), self.change.as_str(), limit.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let notes: Vec<String> = self.notes.iter().map(|note| format!("; {note}")).collect();
        format!("{}: {}{}", self.name, parts.join(", "), notes.concat())
    }
}

#[cfg(test)]
mod examples {
    use super::{Case, Findings, Outcome};

    /// One of each outcome, with characters that formats have to escape.
    pub(super) fn findings() -> Findings {
        let case = |group: &str, name: &str, outcome, values: &str, change: &str, notes: &[&str]| Case {
            group: group.into(),
            name: name.into(),
            outcome,
            values: values.into(),
            change: change.into(),
            limit: "10 %".into(),
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        };
        Findings {
            name: "isocost gate".into(),
            answer: "REGRESSION: 1 of 4 gated figures".into(),
            fails: true,
            cases: vec![
                case(
                    "docker",
                    "startup.ready of docker/start",
                    Outcome::Regressed,
                    "139.0 ms → 171.2 ms",
                    "+23.2 % (+18.1 % to +28.6 %)",
                    &["engine: 20.10 → 26.1, 100 % <new>", "confirmed in a fresh session"],
                ),
                case(
                    "docker",
                    "memory.total.idle of docker/idle",
                    Outcome::Passed,
                    "",
                    "+0.1 % (−1.0 % to +1.2 %)",
                    &[],
                ),
                case(
                    "qemu",
                    "startup.ready of qemu/start (tcg)",
                    Outcome::Undecided,
                    "",
                    "",
                    &["not precise enough: a | b\nc"],
                ),
                case(
                    "qemu",
                    "cpu.integer.rate of qemu/cpu-integer (tcg)",
                    Outcome::Improved,
                    "",
                    "−12.0 %",
                    &[],
                ),
            ],
            notes: vec!["1 session of the base & no more".into()],
        }
    }
}
