//! What a command's exit status says; docs/exit-codes.md is this table in words.

use std::process::ExitCode;

/// Everything that was asked for was done.
pub const DONE: u8 = 0;
/// A fault in isocost itself, or a promise that a check found not kept.
pub const FAULT: u8 = 1;
/// `gate` and `history --gate`: worse by more than its limit. A fault is told apart by its text on standard error.
pub const REGRESSION: u8 = 1;
/// The command line, a suite, a run folder or a place cannot be used. Nothing was measured, or measuring had to stop.
pub const USAGE: u8 = 2;
/// An environment that was asked for cannot run on this host.
pub const UNAVAILABLE: u8 = 3;
/// It was done, and some of it failed: measurements, or things that could not be removed. The rest is there.
pub const FAILED: u8 = 4;
/// `gate` and `history --gate`: neither within its limit nor beyond it can be shown.
pub const UNDECIDED: u8 = 5;
/// A signal ended it in an orderly way: this and the signal's number, as shells say it.
pub const SIGNAL: u8 = 128;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// [`DONE`].
    Done,
    /// [`FAULT`].
    Fault,
    /// [`USAGE`].
    Usage,
    /// [`UNAVAILABLE`].
    Unavailable,
    /// [`FAILED`].
    Failed,
    /// [`REGRESSION`].
    Regression,
    /// [`UNDECIDED`].
    Undecided,
    /// [`SIGNAL`] and this number.
    Signal(i32),
}

impl Exit {
    /// The status for the shell.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => DONE,
            Self::Fault => FAULT,
            Self::Usage => USAGE,
            Self::Unavailable => UNAVAILABLE,
            Self::Failed => FAILED,
            Self::Regression => REGRESSION,
            Self::Undecided => UNDECIDED,
            Self::Signal(number) => SIGNAL + u8::try_from(number).unwrap_or(0),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for `--help` and the manual page.
pub(super) const TABLE: &[(&str, &str)] = &[
    ("0", "done"),
    (
        "1",
        "`gate`, `history --gate`: a regression; `selfcheck`: a promise not kept; all others: a fault in isocost itself",
    ),
    ("2", "usage or bad input: a command line, suite, run folder or place that cannot be used"),
    ("3", "an environment that was asked for cannot run on this host; `isocost doctor` says why"),
    ("4", "done, but some measurements failed or something could not be removed; the rest is reported"),
    ("5", "`gate`, `history --gate`: undecided, neither a pass nor a regression can be shown"),
    ("129, 130, 143", "stopped in an orderly way by SIGHUP, SIGINT (Ctrl-C), SIGTERM; samples are kept"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table_and_in_the_docs() {
        let exits = [
            Exit::Done,
            Exit::Fault,
            Exit::Usage,
            Exit::Unavailable,
            Exit::Failed,
            Exit::Regression,
            Exit::Undecided,
            Exit::Signal(1),
            Exit::Signal(2),
            Exit::Signal(15),
        ];
        let docs = include_str!("../../docs/exit-codes.md");
        for exit in exits {
            let code = exit.code().to_string();
            assert!(TABLE.iter().any(|(codes, _)| codes.split(", ").any(|one| one == code)), "{code}");
            assert!(docs.contains(&format!("| {code} |")), "{code}");
        }
    }
}
