//! `isocost gate`: may this change go in?

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::args::GateArguments;
use super::{exchange, interleave, sessions};
use crate::agent;
use crate::analysis::compare::Options;
use crate::cli::args::How;
use crate::cli::asked;
use crate::cli::calibration;
use crate::cli::console::Console;
use crate::cli::execution::{self, Others};
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::cli::sessions::{each_once, read};
use crate::image::kernel::sha256_hex;
use crate::journal::{self, Run};
use crate::plan::{self, Plan};
use crate::regression::ci::in_repository;
use crate::regression::gate::{Answer, Decide, DriveError, Gate, Need, decide, drive};
use crate::suite::{self, GateSpec, Undecided};

/// Decides, and measures on where that is allowed and helps.
///
/// # Errors
/// A run that cannot be read or says nothing, sides that may not be compared: never a pass.
pub(in crate::cli) fn gate(
    arguments: &GateArguments,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    match (&arguments.interleave, &arguments.baseline) {
        (Some(what), _) => interleave::gate(arguments, what, console, cache),
        (None, Some(baseline)) => against(arguments, baseline, console, cache),
        (None, None) => Err(Refusal::usage("give --baseline NAME|RUN|DIR or --interleave WHAT=OTHER")),
    }
}

fn against(
    arguments: &GateArguments,
    baseline: &str,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    let base = sessions::of_baseline(baseline, &arguments.place.place()?)?;
    let candidate = read(std::slice::from_ref(&arguments.run))?;
    each_once(base.iter().chain(&candidate))?;
    let Some(first) = candidate.first() else { return Err(Refusal::usage("there is no candidate")) };
    let spec = spec(arguments, &first.record.plan.suite)?;
    let mut options = Options { across: arguments.across, ..Options::default() };
    if let Some(known) = calibration::of_host(&first.record.host, cache)? {
        options = options.calibrated(&known);
    }
    let beside = arguments.run.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
    let budget = arguments.budget.unwrap_or(spec.budget);
    if !budget.is_zero() {
        // Looked at now: whether more is measured must not decide whether it is the right thing.
        same_agent(&candidate, arguments.agent.as_deref())?;
    }
    let more = More {
        plan: first.record.plan.clone(),
        others: Others::new(),
        agent: arguments.agent.clone(),
        into: arguments.output.clone().or(beside).unwrap_or_else(|| PathBuf::from(".")),
        name: file_name(&first.record.run_id),
        budget,
        began: Instant::now(),
        console,
        cache,
        done: 0,
    };
    let base: Vec<&Run> = base.iter().collect();
    answer(arguments, candidate, &|new| decide(&base, new, &spec, &options), more, &spec)
}

/// Would a further session of those runs be made with the agent that they were made with?
fn same_agent(runs: &[Run], named: Option<&Path>) -> Result<(), Refusal> {
    let (would_be, which) = match named {
        Some(path) => (sha256_hex(&asked::program("--agent", path)?), "the one that --agent names"),
        None => (agent::sha256().to_owned(), "the one that is built in"),
    };
    let other = runs.iter().map(|run| &run.record).find(|record| record.agent_sha256 != would_be);
    let Some(record) = other else { return Ok(()) };
    Err(Refusal::usage(format!(
        "run {} was measured with the agent {}, and with a budget further sessions would be measured with {which}, {would_be}: \
         that is another program; give the one that was measured with --agent PATH, or decide without measuring on with --budget 0s",
        record.run_id, record.agent_sha256
    )))
}

/// The limits: of the suite that was named, or of the candidate's own.
pub(super) fn spec(arguments: &GateArguments, own: &suite::Suite) -> Result<GateSpec, Refusal> {
    match &arguments.limits {
        Some(suite) => Ok(suite::load(suite)?.gate),
        None => Ok(own.gate.clone()),
    }
}

/// Decides, shows it, and says how the command ends.
pub(super) fn answer(
    arguments: &GateArguments,
    mut sessions: Vec<Run>,
    decide: Decide<'_>,
    mut more: More<'_>,
    spec: &GateSpec,
) -> Result<Exit, Refusal> {
    let console = more.console;
    let gate = drive(decide, &mut sessions, &mut |need| more.session(need));
    let gate = gate.map_err(|error| match error {
        DriveError::Gate(error) => error.into(),
        DriveError::Measure(refusal) => refusal,
    })?;
    show(&gate, arguments, console)?;
    Ok(exit(&gate, spec, arguments.undecided_fails))
}

fn show(gate: &Gate, arguments: &GateArguments, console: Console) -> Result<(), Refusal> {
    if console.json {
        console.document("gate", gate)?;
    } else {
        console.result(&gate.text())?;
    }
    exchange::tell(&gate.findings(), &arguments.tell, &suite_file(arguments), console)
}

/// The suite's file, by its place in the repository: of the limits, of what is measured, or where people usually have it.
fn suite_file(arguments: &GateArguments) -> String {
    let named = arguments.limits.as_ref().map(PathBuf::from).into_iter().chain([arguments.run.clone()]);
    let file = named.into_iter().find(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("isocost.toml"));
    let root = std::env::var_os("CI_PROJECT_DIR").filter(|root| !root.is_empty()).map(PathBuf::from);
    match (root.or_else(|| std::env::current_dir().ok()), std::path::absolute(&file)) {
        (Some(root), Ok(whole)) => in_repository(&whole, &root),
        _ => in_repository(&file, Path::new("/")),
    }
}

/// A run's id as part of a folder's name: the run may be anyone's.
fn file_name(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    id.chars().take(100).map(plain).collect()
}

fn exit(gate: &Gate, spec: &GateSpec, undecided_fails: bool) -> Exit {
    match gate.answer {
        Answer::Pass => Exit::Done,
        Answer::Regression => Exit::Regression,
        Answer::Undecided(_) if undecided_fails || spec.undecided == Undecided::Fail => Exit::Regression,
        Answer::Undecided(_) => Exit::Undecided,
    }
}

/// Measures sessions of one plan, as long as the budget lasts.
pub(super) struct More<'a> {
    pub(super) plan: Plan,
    pub(super) others: Others,
    pub(super) agent: Option<PathBuf>,
    /// The folder that holds the sessions' folders, and what these are named after.
    pub(super) into: PathBuf,
    pub(super) name: String,
    pub(super) budget: Duration,
    pub(super) began: Instant,
    pub(super) console: Console,
    pub(super) cache: &'a Path,
    /// The number of the last session.
    pub(super) done: u64,
}

impl More<'_> {
    fn session(&mut self, need: Need) -> Result<Option<Run>, Refusal> {
        let left = self.budget.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        // The candidate may be anyone's run, and its plan is about to be made and carried out.
        let suite = &self.plan.suite;
        let checked =
            suite::check(suite).and_then(|()| suite::check_against_host(suite, &asked::host_size()));
        checked.map_err(|misfit| {
            Refusal::usage(format!(
                "no further session of {} can be measured: plan.suite.{misfit}",
                self.name
            ))
        })?;
        let (number, folder) = self.next_folder();
        // Another order than before, and the same one for everybody who repeats this.
        let plan = plan::make(&self.plan.suite, self.plan.seed.wrapping_add(number));
        if plan::estimate(&plan).total() > left {
            return Ok(None);
        }
        self.console.note(match need {
            Need::Precision => "undecided: measuring another session",
            Need::Confirmation => "a regression: measuring a fresh session to confirm it",
        });
        self.done = number;
        self.measure(&plan, folder, Some(left)).map(Some)
    }

    /// The first after those of this gate that is free: an earlier gate may have measured sessions too.
    fn next_folder(&self) -> (u64, PathBuf) {
        let folder = |number: u64| self.into.join(format!("{}-gate-{number}", self.name));
        let free = |number: &u64| folder(*number).symlink_metadata().is_err();
        let number = (self.done + 1..).find(free).unwrap_or(self.done + 1);
        (number, folder(number))
    }

    /// One session.
    ///
    /// # Errors
    /// Why nothing was measured, or the signal that ended it.
    pub(super) fn measure(
        &self,
        plan: &Plan,
        folder: PathBuf,
        budget: Option<Duration>,
    ) -> Result<Run, Refusal> {
        let how = How::into_folder(folder, budget, self.agent.clone());
        let carried = execution::carry_out_with(plan, self.others.clone(), &how, self.console, self.cache)?;
        let folder = &carried.outcome.folder;
        if let exit @ Exit::Signal(_) = carried.exit {
            let text =
                format!("stopped by a signal, so nothing is decided; samples are in {}", folder.display());
            return Err(Refusal { exit, text });
        }
        Ok(journal::read(folder)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_id_leads_nowhere() {
        for id in ["../../x", "/etc/x", "..", "a\n\u{1b}b/.."] {
            let name = file_name(id);
            assert!(!name.contains(['/', '.', '\n', '\u{1b}']), "{name}");
        }
        assert_eq!(file_name("20261127-083723-d2f00"), "20261127-083723-d2f00");
        assert_eq!(file_name(&"x".repeat(5000)).len(), 100);
    }

    #[test]
    fn further_sessions_are_made_with_the_agent_that_was_measured() {
        let mut run = crate::analysis::example::run(2);
        let refusal = |run: &Run, named: Option<&Path>| {
            same_agent(std::slice::from_ref(run), named).err().map(|one| one.text).unwrap_or_default()
        };
        let built_in = refusal(&run, None);
        assert!(
            built_in.contains("run r1 was measured with the agent ab") && built_in.contains("--agent PATH"),
            "{built_in}"
        );
        assert!(built_in.contains("--budget 0s") && built_in.contains("built in"), "{built_in}");
        assert!(refusal(&run, Some(Path::new("/nowhere"))).starts_with("--agent: /nowhere"));
        run.record.agent_sha256 = agent::sha256().to_owned();
        assert_eq!(same_agent(std::slice::from_ref(&run), None), Ok(()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), agent::bytes()).unwrap();
        assert_eq!(same_agent(std::slice::from_ref(&run), Some(file.path())), Ok(()));
        std::fs::write(file.path(), [agent::bytes(), b"more"].concat()).unwrap();
        assert!(refusal(&run, Some(file.path())).contains("--agent names"));
    }

    #[test]
    fn a_session_takes_the_next_free_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut more = more(dir.path());
        let next = |more: &More<'_>| more.next_folder().0;
        assert_eq!(more.next_folder(), (1, dir.path().join("r1-gate-1")));
        std::fs::create_dir(dir.path().join("r1-gate-1")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("r1-gate-2")).unwrap();
        assert_eq!(next(&more), 3);
        more.done = 3;
        assert_eq!(next(&more), 4, "its own are not taken again");
    }

    fn more(into: &Path) -> More<'_> {
        More {
            plan: crate::analysis::example::run(2).record.plan,
            others: Others::new(),
            agent: None,
            into: into.to_owned(),
            name: "r1".into(),
            budget: Duration::ZERO,
            began: Instant::now(),
            console: Console { quiet: true, json: false },
            cache: into,
            done: 0,
        }
    }

    #[test]
    fn a_foreign_plan_is_checked_before_it_is_made() {
        let dir = std::env::temp_dir();
        let mut more = more(&dir);
        more.plan.suite.blocks.count = u32::MAX;
        assert_eq!(more.session(Need::Precision), Ok(None), "nothing is made without a budget");
        more.budget = Duration::from_secs(3600);
        let refusal = more.session(Need::Precision).err().map(|one| one.text).unwrap_or_default();
        assert!(
            refusal.contains("no further session of r1") && refusal.contains("blocks.count"),
            "{refusal}"
        );
    }
}
