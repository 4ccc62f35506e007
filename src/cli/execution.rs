//! A plan carried out under the eyes of the user: progress, signals, the outcome's exit code.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::How;
use super::asked;
use super::commit;
use super::console::Console;
use super::exit::Exit;
use super::place;
use super::plan_text;
use super::progress::Progress;
use super::refusal::Refusal;
use crate::analysis::compare::fingerprint;
use crate::environment::agent::StopSignal;
use crate::journal;
use crate::journal::record::Ending;
use crate::measure::host;
use crate::plan::{Plan, estimate};
use crate::run::{self, Event, Other, Output, RunError, RunOptions, RunOutcome, signal};

/// A run that measured.
pub(super) struct Carried {
    pub(super) outcome: RunOutcome,
    /// How the command ends, if nothing else goes wrong.
    pub(super) exit: Exit,
}

/// Shows the plan and starts nothing.
///
/// # Errors
/// What keeps the plan from being carried out, as far as can be seen before anything boots.
pub(super) fn dry_run(
    command: &str,
    plan: &Plan,
    how: &How,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    look(plan, how, cache)?;
    asked::agent(how)?;
    let warnings = asked::warnings(plan, how);
    if console.json {
        console.document(command, plan_text::PlanDocument::new(plan, &warnings))?;
    } else {
        warnings.iter().for_each(|text| console.note(&format!("warning: {text}")));
        console.result(&plan_text::text(plan))?;
        console.note("nothing was started (--dry-run)");
    }
    Ok(Exit::Done)
}

/// Environments that are made of something else, by id.
pub(super) type Others = BTreeMap<String, Other>;

/// Carries the plan out.
///
/// # Errors
/// Why nothing was measured, or why measuring had to stop.
pub(super) fn carry_out(plan: &Plan, how: &How, console: Console, cache: &Path) -> Result<Carried, Refusal> {
    carry_out_with(plan, Others::new(), how, console, cache)
}

/// The same with environments that are made of something else.
///
/// # Errors
/// As [`carry_out`].
pub(super) fn carry_out_with(
    plan: &Plan,
    others: Others,
    how: &How,
    console: Console,
    cache: &Path,
) -> Result<Carried, Refusal> {
    let output = look(plan, how, cache)?;
    let options = RunOptions { others, ..options(how, output, cache)? };
    for text in asked::warnings(plan, how) {
        console.note(&format!("warning: {text}"));
    }
    console.note(&format!("{} with seed {}: {}", plan.suite.name, plan.seed, plan_text::how_long(plan)));
    let made = place::will_make(&options.output);
    let carried = watched(plan, &options, console, &|events| run::execute(plan, &options, events));
    carried.inspect_err(|_| place::take_back(made))
}

/// Where the run goes, once that place and the cache were looked at.
fn look(plan: &Plan, how: &How, cache: &Path) -> Result<Output, Refusal> {
    let output = place::output(how.output.as_deref());
    place::check(&output)?;
    place::check_cache(cache, &plan.suite)?;
    Ok(output)
}

/// Continues a run that was cut off.
///
/// # Errors
/// It cannot be continued, or as [`carry_out`].
pub(super) fn resume(folder: &Path, how: &How, console: Console, cache: &Path) -> Result<Carried, Refusal> {
    let cut = journal::read(folder)?;
    let record = &cut.record;
    if !fingerprint::same_host(&record.host, &host::watch(cache)) {
        return Err(Refusal::usage(format!(
            "{} was begun on another host, or on this one under other settings; `isocost rerun` measures its plan anew",
            record.run_id
        )));
    }
    asked::plan_again(&record.plan, how, &folder.join(journal::RUN_FILE))?;
    place::check_cache(cache, &record.plan.suite)?;
    let options = options(how, Output::Folder(folder.to_owned()), cache)?;
    run::can_go_on(&cut, &options)?;
    console.note(&format!("continuing {} of {}", record.run_id, record.plan.suite.name));
    watched(&record.plan, &options, console, &|events| run::resume(folder, &options, events))
}

/// What measures, told where its events go.
type Measure<'a> = &'a dyn Fn(&dyn Fn(Event)) -> Result<RunOutcome, RunError>;

fn watched(
    plan: &Plan,
    options: &RunOptions,
    console: Console,
    measure: Measure<'_>,
) -> Result<Carried, Refusal> {
    let cells = plan.blocks.iter().map(|block| block.cells.len() as u64).sum();
    let progress = Progress::new(console, cells, estimate(plan).total());
    let sink = progress.sink();
    let watching = signal::watch(options.stop.clone(), move |text| sink.say(text))
        .map_err(|error| Refusal::usage(format!("cannot watch for signals: {error}")))?;
    let result = measure(&|event| {
        if let Event::Created { folder, .. } = &event {
            signal::name_folder_on_panic(folder.clone());
        }
        progress.take(event);
    });
    progress.end();
    let signal = watching.seen();
    let outcome = result.map_err(|error| refusal(error, signal))?;
    tell(&outcome, &options.output, console);
    let exit = exit(&outcome, signal);
    Ok(Carried { outcome, exit })
}

fn options(how: &How, output: Output, cache: &Path) -> Result<RunOptions, Refusal> {
    let stop =
        StopSignal::new().map_err(|error| Refusal::usage(format!("cannot make an eventfd: {error}")))?;
    let agent = asked::agent(how)?;
    Ok(RunOptions {
        output,
        cache: cache.to_owned(),
        agent,
        others: Others::new(),
        budget: how.budget,
        precision: how.precision,
        repeats: how.repeats,
        stop,
        code: commit::code(),
    })
}

/// Why a run came to nothing, and which signal it was that ended it.
pub(super) fn refusal(error: RunError, signal: Option<i32>) -> Refusal {
    let refusal = Refusal::from(error);
    match (refusal.exit, signal) {
        (Exit::Signal(_), Some(number)) => Refusal { exit: Exit::Signal(number), ..refusal },
        _ => refusal,
    }
}

/// How it ended, beside its figures.
fn tell(outcome: &RunOutcome, output: &Output, console: Console) {
    if let Output::Below(reports) = output
        && let Err(why) = place::link_latest(reports, &outcome.record.run_id)
    {
        console.note(&format!("warning: {why}"));
    }
    match outcome.record.ending {
        Ending::Budget => console.note("the budget was spent before the plan was: fewer blocks than planned"),
        Ending::Interrupted => console.note("a signal stopped it: fewer blocks than planned"),
        Ending::Precision => console.note("it is as precise as was asked: fewer blocks than planned"),
        Ending::Complete | Ending::Unfinished => {}
    }
    for what in &outcome.left_behind {
        super::console::say(&format!("left behind: {what}; `isocost clean` removes it"));
    }
}

fn exit(outcome: &RunOutcome, signal: Option<i32>) -> Exit {
    match (outcome.record.ending, signal) {
        (Ending::Interrupted, Some(number)) => Exit::Signal(number),
        _ if outcome.failed > 0 || !outcome.left_behind.is_empty() => Exit::Failed,
        _ => Exit::Done,
    }
}
