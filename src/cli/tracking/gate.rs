//! `isocost gate`: may this change go in?

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::GateArguments;
use super::{exchange, sessions};
use crate::analysis::compare::Options;
use crate::cli::args::How;
use crate::cli::console::Console;
use crate::cli::execution;
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::measure::journal::{self, Run};
use crate::plan;
use crate::regression::gate::{Answer, DriveError, Gate, Need, drive};
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
    let base = sessions::of_baseline(&arguments.baseline, &arguments.place.place())?;
    let mut candidate = sessions::of_folder(&arguments.run)?;
    let Some(first) = candidate.first() else { return Err(Refusal::usage("there is no candidate")) };
    let spec = match &arguments.limits {
        Some(suite) => suite::load(suite)?.gate,
        None => first.record.plan.suite.gate.clone(),
    };
    let options = Options { across: arguments.across, ..Options::default() };
    let mut more = More::new(arguments, &spec, first.clone(), console, cache);
    let base: Vec<&Run> = base.iter().collect();
    let gate = drive(&base, &mut candidate, &spec, &options, &mut |need| more.session(need));
    let gate = gate.map_err(|error| match error {
        DriveError::Gate(error) => error.into(),
        DriveError::Measure(refusal) => refusal,
    })?;
    show(&gate, arguments, console)?;
    Ok(exit(&gate, &spec, arguments.undecided_fails))
}

fn show(gate: &Gate, arguments: &GateArguments, console: Console) -> Result<(), Refusal> {
    if console.json {
        console.document("gate", gate)?;
    } else {
        console.result(&gate.text())?;
    }
    let suite = arguments.limits.as_deref().unwrap_or("isocost.toml");
    exchange::tell(&gate.findings(), &arguments.tell, suite, console)
}

fn exit(gate: &Gate, spec: &GateSpec, undecided_fails: bool) -> Exit {
    match gate.answer {
        Answer::Pass => Exit::Done,
        Answer::Regression => Exit::Regression,
        Answer::Undecided(_) if undecided_fails || spec.undecided == Undecided::Fail => Exit::Regression,
        Answer::Undecided(_) => Exit::Undecided,
    }
}

/// Measures further sessions of the candidate's plan, as long as the budget lasts.
struct More<'a> {
    like: Run,
    began: Instant,
    budget: std::time::Duration,
    into: PathBuf,
    console: Console,
    cache: &'a Path,
    done: u64,
}

impl<'a> More<'a> {
    fn new(arguments: &GateArguments, spec: &GateSpec, like: Run, console: Console, cache: &'a Path) -> Self {
        let beside =
            arguments.run.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
        Self {
            like,
            began: Instant::now(),
            budget: arguments.budget.unwrap_or(spec.budget),
            into: arguments.output.clone().or(beside).unwrap_or_else(|| PathBuf::from(".")),
            console,
            cache,
            done: 0,
        }
    }

    fn session(&mut self, need: Need) -> Result<Option<Run>, Refusal> {
        let left = self.budget.saturating_sub(self.began.elapsed());
        let suite = &self.like.record.plan.suite;
        // Another order than before, and the same one for everybody who repeats this.
        let plan = plan::make(suite, self.like.record.plan.seed.wrapping_add(1 + self.done));
        if plan::estimate(&plan).total() > left {
            return Ok(None);
        }
        self.console.note(match need {
            Need::Precision => "undecided: measuring another session",
            Need::Confirmation => "a regression: measuring a fresh session to confirm it",
        });
        self.done += 1;
        let folder = self.into.join(format!("{}-gate-{}", self.like.record.run_id, self.done));
        let how = How::into_folder(folder, left);
        let carried = execution::carry_out(&plan, &how, self.console, self.cache)?;
        Ok(Some(journal::read(&carried.outcome.folder)?))
    }
}
