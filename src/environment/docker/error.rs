//! What goes wrong with a container engine, by name and with the next thing to type.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error as ApiError;

use crate::measure::sample::{Failure, FailureName};

/// Why a container could not be made, started or ended.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// An engine on another machine.
    #[error(
        "DOCKER_HOST is {0}: the agent answers over a Unix socket in a folder of this machine, which an engine elsewhere \
         cannot share; type: unset DOCKER_HOST, or run isocost on that machine"
    )]
    Elsewhere(String),
    /// Nobody listens.
    #[error("no container engine answers at {address} ({why}); type: {next}")]
    NoEngine {
        /// Where it was looked for.
        address: String,
        /// The system's words.
        why: String,
        /// What to type.
        next: String,
    },
    /// The socket is not this user's.
    #[error(
        "this user may not use the container engine at {address}; type: sudo usermod -aG docker $USER, and log in again"
    )]
    Closed {
        /// Where.
        address: String,
    },
    /// A runtime that the engine does not have.
    #[error("the container engine has no runtime {wanted}; it has: {}; name one of these, or register it in \
             /etc/docker/daemon.json and type: sudo systemctl reload docker", known.join(", "))]
    NoRuntime {
        /// The one asked for.
        wanted: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// A file or socket that the system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The engine refused, or the connection broke.
    #[error("the container engine could not {doing}: {}{}", words(source), hint(&words(source)))]
    Api {
        /// What was asked of it, as a verb.
        doing: String,
        /// Its words.
        source: ApiError,
    },
    /// The engine did not answer.
    #[error("the container engine did not {doing} within {after:?}")]
    Late {
        /// What was asked of it, as a verb.
        doing: String,
        /// The deadline.
        after: Duration,
    },
    /// An answer that cannot be.
    #[error("the container engine's answer is not understood: {0}")]
    Odd(String),
    /// The run is to stop.
    #[error("stopped while the container engine was asked to {0}")]
    Interrupted(String),
}

impl DockerError {
    /// For `map_err`.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// The failure that a sample is counted under.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let name = match self {
            Self::Elsewhere(_) | Self::Closed { .. } | Self::NoRuntime { .. } | Self::Io { .. } => {
                FailureName::NotStarted
            }
            Self::NoEngine { .. } | Self::Api { .. } | Self::Odd(_) | Self::Late { .. } => {
                FailureName::Engine
            }
            Self::Interrupted(_) => FailureName::Interrupted,
        };
        Failure { name, detail: self.to_string() }
    }

    /// What was asked about is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { source: ApiError::DockerResponseServerError { status_code: 404, .. }, .. })
    }
}

/// The engine's own words where it sent some, else the error with all that caused it.
pub(super) fn words(error: &ApiError) -> String {
    match error {
        ApiError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        ApiError::DockerStreamError { error } => error.trim().to_owned(),
        other => {
            let mut text = other.to_string();
            let mut cause = other.source();
            while let Some(error) = cause {
                let more = error.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = error.source();
            }
            text
        }
    }
}

/// What to type, where the engine's words are known to have one cause.
fn hint(words: &str) -> &'static str {
    let known = [
        ("apparmor_parser", "; type: sudo apt-get install apparmor"),
        (
            "bind source path does not exist",
            "; it does not see this machine's files, so it runs elsewhere or in a container: name a cache folder that \
             both see",
        ),
        ("no space left", "; type: docker system df, and make room"),
        ("cannot connect", "; type: sudo systemctl start docker"),
        ("Connect", "; type: sudo systemctl start docker"),
        ("connection closed", "; it was stopped, or it crashed: see its log (journalctl -u docker)"),
    ];
    known.iter().find(|(part, _)| words.contains(part)).map_or("", |(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(message: &str) -> DockerError {
        let source = ApiError::DockerResponseServerError { status_code: 500, message: message.into() };
        DockerError::Api { doing: "start the container".into(), source }
    }

    #[test]
    fn the_engines_words_and_the_next_step_are_in_the_message() {
        let text = api("AppArmor enabled on system but apparmor_parser was not found").to_string();
        assert!(
            text.contains("could not start the container") && text.ends_with("install apparmor"),
            "{text}"
        );
        assert_eq!(api("x").to_string(), "the container engine could not start the container: x");
    }

    #[test]
    fn names_are_what_samples_are_counted_under() {
        assert_eq!(api("x").failure().name, FailureName::Engine);
        let late = DockerError::Late { doing: "x".into(), after: Duration::from_secs(1) };
        assert_eq!(late.failure().name, FailureName::Engine);
        assert_eq!(DockerError::Elsewhere("tcp://x".into()).failure().name, FailureName::NotStarted);
        assert_eq!(DockerError::Interrupted("x".into()).failure().name, FailureName::Interrupted);
    }

    #[test]
    fn a_missing_runtime_lists_those_there_are() {
        let error =
            DockerError::NoRuntime { wanted: "runsc".into(), known: vec!["kata".into(), "runc".into()] };
        assert!(error.to_string().contains("no runtime runsc; it has: kata, runc;"), "{error}");
    }
}
