//! The command line as it is typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::tracking::args::{BaselineArguments, GateArguments, HistoryArguments};
use crate::suite::{AcceleratorChoice, KernelChoice, Percent, Time};

/// Measures what isolation costs: the same work as a plain process, a Docker container and a QEMU virtual machine.
#[derive(Debug, Parser)]
#[command(
    name = "isocost",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "`isocost doctor` says what this host can run; `isocost run` measures."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Say results and errors only
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub(super) quiet: bool,
    /// Write results as one JSON document on standard output
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(super) json: bool,
    /// Where kernels, decisions and the states of runs are kept [default: ~/.cache/isocost]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ISOCOST_CACHE",
        hide_env_values = true,
        // An empty one is refused by name where the cache is needed.
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        value_hint = ValueHint::DirPath,
        help_heading = "Everywhere"
    )]
    pub(super) cache: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what this host can run, and what mends what it cannot
    Doctor(DoctorArguments),
    /// Show suites, environments, workloads and metrics
    List(ListArguments),
    /// Measure what a suite says, and report
    Run(RunArguments),
    /// Make the report of a run again from its folder
    Report(ReportArguments),
    /// Do the same plan again, from anyone's run folder, and show both side by side
    Rerun(RerunArguments),
    /// Say what has changed from one run to another, how surely, and how small a change would have been missed
    Compare(CompareArguments),
    /// Say how many blocks, and how much time, a suite needs to show a change of a given size
    Plan(PlanArguments),
    /// Learn from runs in which nothing changed what this host can call a change
    Calibrate(CalibrateArguments),
    /// Check on this host that equal things are not told apart, and that what was slowed on purpose is found
    Selfcheck(SelfcheckArguments),
    /// Decide whether a run may go in: hold it against a baseline, with limits
    Gate(GateArguments),
    /// Give names to runs that others are held against
    Baseline(BaselineArguments),
    /// Show where the level of a figure changed over many runs; import and export them
    History(HistoryArguments),
    /// Remove what killed runs have left: containers, virtual machines, images, folders
    Clean,
    /// Write completions for a shell to standard output
    Completions(CompletionsArguments),
    /// Write the manual page to standard output
    Man(ManArguments),
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// Let the kernel race to user space under KVM and under emulation now, whatever is remembered
    #[arg(long)]
    pub(super) race: bool,
    /// Print commands that make this host quieter, and those that put it back; run none of them
    #[arg(long, conflicts_with_all = ["race", "noise"])]
    pub(super) tune: bool,
    /// Measure this host's own noise, and say how small a change it can show [default: 2min]
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = budget, conflicts_with = "race")]
    pub(super) noise: Option<Option<Duration>>,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// What to show [default: all]
    pub(super) topic: Option<Topic>,
    /// Print the text of a built-in suite, to begin one of your own with
    #[arg(long, value_name = "SUITE", conflicts_with = "topic")]
    pub(super) text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Topic {
    /// The built-in suites
    Suites,
    /// The kinds of environment and their settings
    Environments,
    /// The pieces of work
    Workloads,
    /// What is measured, with unit and source
    Metrics,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// A built-in suite, or a suite file: a name with a `/` or with `.toml` at its end
    #[arg(default_value = "quick", value_hint = ValueHint::FilePath)]
    pub(super) suite: String,
    /// Only these environments of the suite; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) env: Vec<String>,
    /// Only these workloads of the suite; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) workload: Vec<String>,
    /// Measured blocks, instead of the suite's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), allow_hyphen_values = true)]
    pub(super) blocks: Option<u32>,
    /// What the order of everything is drawn from [default: drawn, and recorded]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(super) seed: Option<u64>,
    /// Continue a run that was cut off, in its own folder and by its own plan
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        conflicts_with_all = ["suite", "env", "workload", "blocks", "seed", "output", "kernel", "accel", "dry_run"]
    )]
    pub(super) resume: Option<PathBuf>,
    #[command(flatten)]
    pub(super) how: How,
}

/// How a plan is carried out, wherever it came from.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct How {
    /// The run folder [default: reports/RUN-ID]
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) output: Option<PathBuf>,
    /// Stop at 10, 20, 40, … blocks once half the 95 % interval of every headline metric is at most this, such as 2% (40 blocks at most, unless --blocks says otherwise)
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    pub(super) precision: Option<f64>,
    /// Measure at most so many blocks again that others disturbed [default: a quarter of them]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(super) repeats: Option<u32>,
    /// Begin no block after this long, such as 90s, 10min or 2h
    #[arg(long, value_name = "TIME", value_parser = budget, allow_hyphen_values = true)]
    pub(super) budget: Option<Duration>,
    /// The kernel of every virtual machine: debian, debian:VERSION, host, or a path
    #[arg(long, value_name = "KERNEL", value_parser = kernel, value_hint = ValueHint::AnyPath)]
    pub(super) kernel: Option<KernelChoice>,
    /// Who executes every virtual machine
    #[arg(long, value_enum, value_name = "ACCELERATOR")]
    pub(super) accel: Option<Accel>,
    /// Another agent than the one that is built in: a static program
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(super) agent: Option<PathBuf>,
    /// Print the whole plan and how long it will take, and start nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl How {
    /// Into this folder, for no longer than that, with this agent; all else as the plan says.
    pub(super) fn into_folder(output: PathBuf, budget: Option<Duration>, agent: Option<PathBuf>) -> Self {
        let (precision, repeats) = (None, None);
        Self {
            output: Some(output),
            precision,
            repeats,
            budget,
            kernel: None,
            accel: None,
            agent,
            dry_run: false,
        }
    }
}

/// [`AcceleratorChoice`] as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Accel {
    /// Whichever brings the kernel to user space first
    Auto,
    /// KVM or nothing
    Kvm,
    /// Software emulation
    Tcg,
}

impl From<Accel> for AcceleratorChoice {
    fn from(accel: Accel) -> Self {
        match accel {
            Accel::Auto => Self::Auto,
            Accel::Kvm => Self::Kvm,
            Accel::Tcg => Self::Tcg,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// Run folders
    #[arg(required = true, value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(super) runs: Vec<PathBuf>,
    /// Where the report's files go [default: the run folder itself]
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) output: Option<PathBuf>,
    /// Print one start of each environment on the clocks that other tools use
    #[arg(long, conflicts_with = "output")]
    pub(super) clocks: bool,
}

#[derive(Debug, Args)]
pub(super) struct RerunArguments {
    /// The folder of the run to do again
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// The base: a run folder, or a folder of run folders, each of which is a session
    #[arg(value_name = "BASE", value_hint = ValueHint::DirPath)]
    pub(super) base: PathBuf,
    /// What is held against it: run folders, or folders of run folders
    #[arg(value_name = "NEW", required_unless_present = "between", value_hint = ValueHint::DirPath)]
    pub(super) new: Vec<PathBuf>,
    /// More runs of the base
    #[arg(long, value_name = "RUN", value_delimiter = ',', value_hint = ValueHint::DirPath)]
    pub(super) also: Vec<PathBuf>,
    /// Two environments of the run BASE, instead of runs: two ids with a comma
    #[arg(long, value_name = "ID,ID", value_delimiter = ',', conflicts_with_all = ["new", "also", "across", "env"])]
    pub(super) between: Vec<String>,
    /// Compare runs of different hosts, kernels or suites by their ratios to their own native control
    #[arg(long)]
    pub(super) across: bool,
    /// Only these environments; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) env: Vec<String>,
    /// Only these workloads; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) workload: Vec<String>,
    /// Only these metrics, such as `startup.ready,*.rate`: fewer questions can be answered more exactly
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) metric: Vec<String>,
    /// Show every row, not only headline metrics and what moved
    #[arg(long)]
    pub(super) all: bool,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub(super) form: Form,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For a terminal
    Text,
    /// For a pull request or a page
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// A built-in suite, or a suite file: a name with a `/` or with `.toml` at its end
    #[arg(default_value = "quick", value_hint = ValueHint::FilePath)]
    pub(super) suite: String,
    /// The change to be seen, such as 5%
    #[arg(long, value_name = "PERCENT", default_value = "5%", allow_hyphen_values = true)]
    pub(super) detect: Percent,
    /// Blocks of the pilot
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(6..=1000), allow_hyphen_values = true)]
    pub(super) pilot: u32,
    /// Take this run as the pilot instead of running one
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath, conflicts_with_all = ["suite", "pilot", "env", "workload"])]
    pub(super) from: Option<PathBuf>,
    /// Only these environments of the suite; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) env: Vec<String>,
    /// Only these workloads of the suite; ids, `*` allowed, several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) workload: Vec<String>,
    /// Plan for `compare` with the same --metric, such as `startup.ready,*.rate`: fewer questions take fewer blocks
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) metric: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    /// Run folders, or folders of run folders, of one suite on this host, in which nothing was changed
    #[arg(required = true, value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub(super) runs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SelfcheckArguments {
    /// How long at most; fewer than 300 comparisons prove nothing
    #[arg(long = "for", value_name = "TIME", default_value = "15min", value_parser = budget, allow_hyphen_values = true)]
    pub(super) duration: Duration,
    /// What is run under two names
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',', default_values = ["native", "docker"])]
    pub(super) kinds: Vec<CheckedKind>,
}

/// What a check runs: the cheap ones, for a check needs thousands of starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckedKind {
    /// Processes
    Native,
    /// Containers, where the engine answers
    Docker,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// The page of one command, such as `run` or `history import` [default: the page of isocost]
    pub(super) command: Vec<String>,
}

fn budget(text: &str) -> Result<Duration, String> {
    match text.parse::<Time>() {
        Ok(Time(time)) if time.is_zero() => Err("nothing can be done in no time".to_owned()),
        Ok(Time(time)) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// A time in which something can be done, or none at all.
pub(super) fn budget_or_none(text: &str) -> Result<Duration, String> {
    text.parse::<Time>().map(|Time(time)| time).map_err(|error| error.to_string())
}

/// `2%`, as a fraction.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim_end();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("it is a percentage between 0 and 100, such as 2%".to_owned()),
    }
}

/// A path is made absolute: it is recorded, and the record is read elsewhere.
pub(super) fn kernel(text: &str) -> Result<KernelChoice, String> {
    match KernelChoice::from(text.to_owned()) {
        KernelChoice::Debian(Some(version)) if version.is_empty() => {
            Err("a version is missing, such as debian:6.1.192-2".to_owned())
        }
        KernelChoice::Path(path) => {
            std::path::absolute(&path).map(KernelChoice::Path).map_err(|error| error.to_string())
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_kernel_is_named_or_a_path() {
        assert_eq!(kernel("debian"), Ok(KernelChoice::Debian(None)));
        assert_eq!(kernel("debian:6.1"), Ok(KernelChoice::Debian(Some("6.1".into()))));
        assert_eq!(kernel("host"), Ok(KernelChoice::Host));
        assert!(kernel("debian:").is_err() && kernel("").is_err());
        assert!(matches!(kernel("x/bzImage"), Ok(KernelChoice::Path(path)) if path.is_absolute()));
    }

    #[test]
    fn a_precision_is_a_percentage() {
        assert_eq!(percent("2%"), Ok(0.02));
        assert_eq!(percent("0.5 %"), Ok(0.005));
        assert!(["0%", "100", "x", "", "-1%", "NaN", "inf"].iter().all(|text| percent(text).is_err()));
    }

    #[test]
    fn a_budget_is_a_time() {
        assert_eq!(budget("90s"), Ok(Duration::from_secs(90)));
        assert!(budget("0s").is_err() && budget("90").is_err());
    }
}
