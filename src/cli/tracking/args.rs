//! The arguments of these commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::cli::args::Accel;
use crate::regression::history::{HistoryError, Place};
use crate::suite::KernelChoice;

/// Where the history is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Where {
    /// The history: an SQLite file, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(
        long,
        global = true,
        value_name = "PLACE",
        env = "ISOCOST_HISTORY",
        hide_env_values = true,
        default_value = "reports/history.db",
        value_hint = ValueHint::FilePath
    )]
    history: String,
}

impl Where {
    pub(super) fn place(&self) -> Result<Place, HistoryError> {
        Place::try_from(self.history.as_str())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GateArguments {
    /// The candidate: a run folder, or a folder of several of its sessions; with --interleave a suite or a run folder
    #[arg(value_name = "RUN", value_hint = ValueHint::AnyPath)]
    pub(super) run: PathBuf,
    /// What it is held against: a baseline's name, a run folder, or a folder of several sessions
    #[arg(
        long,
        value_name = "NAME|RUN|DIR",
        required_unless_present = "interleave",
        conflicts_with = "interleave"
    )]
    pub(super) baseline: Option<String>,
    /// Measure both in the same blocks; the base has this other program, virtual machine, kernel or runtime:
    /// agent=PATH, qemu=PATH, kernel=KERNEL or runtime=NAME
    #[arg(long, value_name = "WHAT=OTHER", conflicts_with = "across")]
    pub(super) interleave: Option<Interleaved>,
    /// The candidate's agent, for further sessions and --interleave [default: the one that is built in]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(super) agent: Option<PathBuf>,
    /// The candidate's kernel in every virtual machine of --interleave
    #[arg(long, value_name = "KERNEL", requires = "interleave", value_parser = crate::cli::args::kernel)]
    pub(super) kernel: Option<KernelChoice>,
    /// Who executes every virtual machine of --interleave
    #[arg(long, value_enum, value_name = "ACCELERATOR", requires = "interleave")]
    pub(super) accel: Option<Accel>,
    /// Measured blocks of each session of --interleave, instead of the suite's
    #[arg(long, value_name = "N", requires = "interleave", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) blocks: Option<u32>,
    /// What the order of --interleave is drawn from [default: drawn, and recorded]
    #[arg(long, value_name = "N", requires = "interleave")]
    pub(super) seed: Option<u64>,
    /// Take the limits from this suite instead of the candidate's own
    #[arg(long, value_name = "SUITE", value_hint = ValueHint::FilePath)]
    pub(super) limits: Option<String>,
    /// Measure on for this long where the answer is undecided, and to confirm a failure [default: the suite's]
    #[arg(long, value_name = "TIME", value_parser = super::super::args::budget_or_none)]
    pub(super) budget: Option<Duration>,
    /// Where further sessions go [default: beside the candidate]
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) output: Option<PathBuf>,
    /// Hold runs of different hosts against each other, by their ratios to native only
    #[arg(long)]
    pub(super) across: bool,
    /// End with 1 instead of 5 where the answer is undecided
    #[arg(long)]
    pub(super) undecided_fails: bool,
    #[command(flatten)]
    pub(super) place: Where,
    #[command(flatten)]
    pub(super) tell: Tell,
}

/// What the base has instead, where both are measured in the same blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interleaved {
    /// Another agent, in every environment: the program that an image is made of.
    Agent(PathBuf),
    /// Another QEMU, in every virtual machine.
    Qemu(PathBuf),
    /// Another kernel, in every virtual machine.
    Kernel(KernelChoice),
    /// Another runtime, in every container.
    Runtime(String),
}

impl std::str::FromStr for Interleaved {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "it is agent=PATH, qemu=PATH, kernel=KERNEL or runtime=NAME";
        let (what, other) = text.split_once('=').filter(|(_, other)| !other.is_empty()).ok_or(form)?;
        let path = || std::path::absolute(other).map_err(|error| error.to_string());
        match what {
            "agent" => Ok(Self::Agent(path()?)),
            "qemu" => Ok(Self::Qemu(path()?)),
            "kernel" => crate::cli::args::kernel(other).map(Self::Kernel),
            "runtime" => Ok(Self::Runtime(other.to_owned())),
            _ => Err(form.to_owned()),
        }
    }
}

/// Files and lines for continuous integration.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tell {
    /// Write a JUnit report
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "For continuous integration")]
    pub(super) junit: Option<PathBuf>,
    /// Write Markdown for a comment; added to $GITHUB_STEP_SUMMARY where that is set
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "For continuous integration")]
    pub(super) markdown: Option<PathBuf>,
    /// Write GitLab's code quality report
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "For continuous integration")]
    pub(super) gitlab: Option<PathBuf>,
    /// Print GitHub's annotations [default: where $GITHUB_ACTIONS is set]
    #[arg(long, help_heading = "For continuous integration")]
    pub(super) annotations: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BaselineArguments {
    #[command(subcommand)]
    pub(super) command: BaselineCommand,
    #[command(flatten)]
    pub(super) place: Where,
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineCommand {
    /// Give a name to runs, and keep them in the history with their samples
    Save {
        /// The name
        name: String,
        /// Run folders, or folders of them: one session each, five or more to be sure
        #[arg(required = true, value_name = "RUN", value_hint = ValueHint::DirPath)]
        runs: Vec<PathBuf>,
        /// Give the name to these runs although others have it
        #[arg(long)]
        replace: bool,
        /// Why, for those who read the list
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Show all baselines
    List,
    /// Show one with its runs
    Show {
        /// The name
        name: String,
    },
    /// Remove the name; its runs stay in the history
    Remove {
        /// The name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    #[command(subcommand)]
    pub(super) command: Option<HistoryCommand>,
    #[command(flatten)]
    pub(super) place: Where,
    #[command(flatten)]
    pub(super) which: Which,
    /// Write a page of all lines with their changes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) html: Option<PathBuf>,
    /// End with 1 where the newest run completes the evidence for a regression
    #[arg(long)]
    pub(super) gate: bool,
    /// Judge this run instead of the newest, with the history as it was when it began: its folder or its id
    #[arg(long, value_name = "RUN", value_hint = ValueHint::AnyPath)]
    pub(super) run: Option<PathBuf>,
    /// The least change that is told [default: 2%]
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "2%", hide_default_value = true)]
    pub(super) smallest: f64,
    #[command(flatten)]
    pub(super) tell: Tell,
}

/// Which runs of the history.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only runs of this branch
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) branch: Option<String>,
    /// Only runs begun at or after this, such as 2026-01-31
    #[arg(long, global = true, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<jiff::Timestamp>,
    /// Only runs of this machine, by its name or a part of it
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) machine: Option<String>,
    /// Only the newest so many runs
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) newest: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// Add run folders, or another tool's file; what is there already stays as it is
    #[command(visible_alias = "add")]
    Import {
        /// Run folders, folders of them, or files of another tool
        #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// What the files are
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Option<Import>,
        /// The commit that was measured [default: that of the build, or of the repository here]
        #[arg(long, value_name = "HASH")]
        commit: Option<String>,
        /// Its branch
        #[arg(long = "of-branch", value_name = "NAME")]
        of_branch: Option<String>,
    },
    /// Write runs in a format of others
    Export {
        /// Which
        #[arg(value_enum)]
        format: Export,
        /// The file [default: standard output]
        #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Show the runs
    #[command(visible_alias = "list")]
    Runs,
    /// Judge how well changes are found, on a folder of histories that people have labelled
    Score {
        /// The folder: docs/history.md says what is in it
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Import {
    /// Bencher Metric Format: the file's own time, and the commit that is named
    Bencher,
    /// github-action-benchmark's data.js
    GithubActionBenchmark,
    /// LNT's report of format version 2
    Lnt,
    /// Nyrkiö's JSON
    Nyrkio,
    /// Otava's CSV
    Otava,
}

impl Import {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bencher => "bencher",
            Self::GithubActionBenchmark => "github-action-benchmark",
            Self::Lnt => "lnt",
            Self::Nyrkio => "nyrkio",
            Self::Otava => "otava",
        }
    }
}

/// What can be written. Those marked so hold one run: the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Export {
    /// Bencher Metric Format, one run
    Bencher,
    /// github-action-benchmark's customBiggerIsBetter, one run
    CustomBiggerIsBetter,
    /// github-action-benchmark's customSmallerIsBetter, one run
    CustomSmallerIsBetter,
    /// CSV, a line a figure
    Csv,
    /// Nyrkiö's JSON
    Nyrkio,
    /// OpenMetrics text, one run
    Openmetrics,
    /// Otava's CSV
    Otava,
    /// Otava's configuration for that CSV
    OtavaConfiguration,
    /// Apache Parquet
    Parquet,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').map(str::trim).unwrap_or_default();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("it is a percentage, such as 2%".to_owned()),
    }
}

fn since(text: &str) -> Result<jiff::Timestamp, String> {
    let day = || {
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(date.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    text.parse()
        .ok()
        .or_else(day)
        .ok_or_else(|| "it is a day or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The lines of a template or a page that call isocost, with what a shell would put for its variables.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
        let calls = lines.filter(|line| line.starts_with("isocost ") && !line.starts_with("isocost:"));
        let word = |word: &str| match word.trim_matches('"') {
            "$INTERLEAVE" => "agent=value".to_owned(),
            "$BUDGET" => "10min".to_owned(),
            plain if plain.starts_with('$') => "value".to_owned(),
            plain => plain.to_owned(),
        };
        let until_shell = |line: &'_ str| -> Vec<String> {
            let words =
                line.split_whitespace().take_while(|word| !["||", "|", "&&", "#", ">"].contains(word));
            // An array of the shell may be empty.
            words.filter(|word| !word.starts_with("\"${")).map(word).collect()
        };
        calls.map(until_shell).collect()
    }

    #[test]
    fn every_command_in_the_templates_is_one() {
        use clap::Parser as _;
        let files = [
            include_str!("../../../docs/ci/github/isocost/action.yml"),
            include_str!("../../../docs/ci/github/measure.yml"),
            include_str!("../../../docs/ci/github/history.yml"),
            include_str!("../../../docs/ci/gitlab.yml"),
            include_str!("../../../docs/history.md"),
            include_str!("../../../docs/formats.md"),
            include_str!("../../../docs/gate.md"),
        ];
        let all: Vec<Vec<String>> = files.into_iter().flat_map(commands).collect();
        assert!(all.len() > 20, "{} commands", all.len());
        for words in all {
            let parsed = crate::cli::args::Arguments::try_parse_from(&words);
            assert!(
                parsed.is_ok(),
                "{}: {}",
                words.join(" "),
                parsed.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }

    #[test]
    fn percentages_and_days() {
        assert_eq!(percent("2%"), Ok(0.02));
        assert!(percent("2").is_err() && percent("-1%").is_err() && percent("NaN%").is_err());
        assert_eq!(since("2026-01-31").unwrap(), since("2026-01-31T00:00:00Z").unwrap());
        assert!(since("tomorrow").is_err());
    }
}
