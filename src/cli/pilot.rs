//! `isocost plan`: how long a suite must be measured to show a change of a given size.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::args::{How, PlanArguments, RunArguments};
use super::console::Console;
use super::exit::Exit;
use super::progress::Progress;
use super::refusal::Refusal;
use super::{asked, calibration, execution, plan_text, words};
use crate::analysis::compare::Options;
use crate::analysis::power::{self, Detection, Needed};
use crate::environment::agent::StopSignal;
use crate::journal::{self, Run};
use crate::measure::metric::CATALOGUE;
use crate::plan::{Plan, estimate};
use crate::run::signal;
use crate::suite::Filter;
use crate::trial::{Trial, TrialError};

#[derive(Serialize)]
struct Document<'a> {
    suite: &'a str,
    /// Measured blocks of the pilot.
    pilot_blocks: u32,
    /// For all blocks that are needed.
    seconds: Option<f64>,
    #[serde(flatten)]
    detection: &'a Detection,
}

/// Runs a pilot, or takes one, and says what it teaches.
///
/// # Errors
/// What cannot be used, or why the pilot measured nothing.
pub(super) fn plan(arguments: &PlanArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    known(&arguments.metric)?;
    let (run, exit) = match &arguments.from {
        Some(folder) => (journal::read(folder)?, Exit::Done),
        None => pilot(arguments, console, cache)?,
    };
    let mut options = Options::default();
    if let Some(known) = calibration::of_host(&run.record.host, cache)? {
        options = options.calibrated(&known);
    }
    options.only.metrics.clone_from(&arguments.metric);
    let found = power::detect(&run, arguments.detect.fraction, &options);
    let suite = &run.record.plan.suite.name;
    let pilot_blocks = power::blocks_of(&run);
    if console.json {
        let seconds = found.time().map(|time| time.as_secs_f64());
        console.document("plan", Document { suite, pilot_blocks, seconds, detection: &found })?;
    } else {
        console.result(&text(&found, suite, pilot_blocks, &arguments.metric))?;
    }
    Ok(exit)
}

/// A pilot takes minutes: what no metric is called is refused before it.
fn known(metrics: &[String]) -> Result<(), Refusal> {
    let unknown = metrics.iter().find(|filter| !CATALOGUE.iter().any(|one| Filter(filter).matches(one.name)));
    unknown.map_or(Ok(()), |filter| {
        Err(Refusal::usage(format!(
            "--metric {filter}: no metric has such a name; `isocost list metrics` shows them"
        )))
    })
}

fn pilot(arguments: &PlanArguments, console: Console, cache: &Path) -> Result<(Run, Exit), Refusal> {
    let plan = asked::plan(&RunArguments {
        suite: arguments.suite.clone(),
        env: arguments.env.clone(),
        workload: arguments.workload.clone(),
        blocks: Some(arguments.pilot),
        seed: None,
        resume: None,
        how: How::default(),
    })?;
    console.note(&format!(
        "a pilot of {} of {}: {}",
        words::count(u64::from(arguments.pilot), "block"),
        plan.suite.name,
        plan_text::how_long(&plan)
    ));
    watched(&plan, console, cache)
}

/// Runs it under the eyes of the user.
fn watched(plan: &Plan, console: Console, cache: &Path) -> Result<(Run, Exit), Refusal> {
    let stop =
        StopSignal::new().map_err(|error| Refusal::usage(format!("cannot make an eventfd: {error}")))?;
    let cells = plan.blocks.iter().map(|block| block.cells.len() as u64).sum();
    let progress = Progress::new(console, cells, estimate(plan).total());
    let sink = progress.sink();
    let watching = signal::watch(stop.clone(), move |text| sink.say(text))
        .map_err(|error| Refusal::usage(format!("cannot watch for signals: {error}")))?;
    let trial = Trial { cache: cache.to_owned(), agent: crate::agent::shared(), stop };
    let result = trial.run(plan, None, &|event| progress.take(event));
    progress.end();
    let signal = watching.seen();
    let run = result.map_err(|error| refusal(error, signal))?;
    Ok((run, signal.map_or(Exit::Done, Exit::Signal)))
}

/// As of a run; the signal that ended it is the caller's to know.
fn refusal(error: TrialError, signal: Option<i32>) -> Refusal {
    match error {
        TrialError::Run(error) => execution::refusal(error, signal),
        other => Refusal::usage(other.to_string()),
    }
}

fn text(found: &Detection, suite: &str, pilot_blocks: u32, metrics: &[String]) -> String {
    let percent = |part: f64| format!("{} %", part * 100.0);
    let choice = match metrics {
        [] => "without `--metric`".to_owned(),
        chosen => format!("with `--metric {}`", chosen.join(",")),
    };
    let mut lines = vec![format!(
        "A change of {} of each of {} beside native, in {suite}, seen with {} probability at {} false alarms\n\
         over all that `compare` tests {choice}; from a pilot of {}:",
        percent(found.change),
        words::count(found.rows.len() as u64, "figure"),
        percent(found.power),
        percent(found.alpha),
        words::count(u64::from(pilot_blocks), "block"),
    )];
    lines.push(match (found.blocks, found.time()) {
        (Some(blocks), Some(time)) => {
            format!(
                "{} are enough, about {}.",
                words::count(u64::from(blocks), "block"),
                words::duration(time)
            )
        }
        (Some(blocks), None) => format!("{} are enough.", words::count(u64::from(blocks), "block")),
        (None, _) => "no number of blocks can be named for all of them.".to_owned(),
    });
    lines.push(String::new());
    lines.push(table(found));
    lines.push(
        "blocks: inside one run, for a difference between two of its environments. sessions: runs a side of so many blocks,\n\
         for a difference between runs. wavers: standard deviation of the ratio to native from block to block."
            .to_owned(),
    );
    if metrics.is_empty() {
        lines.push(
            "Fewer figures, chosen beforehand by `--metric` here and in `compare`, take fewer blocks."
                .to_owned(),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

fn table(found: &Detection) -> String {
    let head = ["environment", "workload", "metric", "wavers", "blocks", "time", "sessions"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(found.rows.iter().map(|row| line(row, found.per_block)));
    words::columns(&rows)
}

fn line(row: &Needed, per_block: Option<Duration>) -> Vec<String> {
    let not = || "not enough".to_owned();
    let number = |number: Option<u32>| number.map_or_else(not, |number| number.to_string());
    let time = row.blocks.zip(per_block).map(|(blocks, one)| words::duration(one * blocks));
    vec![
        row.environment.clone(),
        row.workload.clone(),
        row.metric.clone(),
        row.deviation.map_or_else(not, |part| format!("{:.1} %", part * 100.0)),
        number(row.blocks),
        time.unwrap_or_else(|| "–".to_owned()),
        number(row.sessions),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::sample::Accelerator;

    #[test]
    fn what_it_looks_like() {
        let row = |metric: &str, deviation, blocks, sessions| Needed {
            environment: "docker".into(),
            accelerator: Accelerator::None,
            workload: "start".into(),
            metric: metric.into(),
            deviation,
            blocks,
            sessions,
        };
        let found = Detection {
            change: 0.05,
            alpha: 0.01,
            power: 0.95,
            rows: vec![
                row("startup.ready", Some(0.081), Some(47), Some(6)),
                row("memory.total.idle", None, None, None),
            ],
            blocks: None,
            per_block: Some(Duration::from_secs(12)),
        };
        insta::assert_snapshot!("needed", text(&found, "quick", 10, &[]));
        let all = Detection { blocks: Some(47), ..found };
        let chosen = text(&all, "quick", 10, &["startup.*".into()]);
        assert!(chosen.contains("47 blocks are enough, about 9 min 24 s."));
        assert!(chosen.contains("tests with `--metric startup.*`;") && !chosen.contains("Fewer"), "{chosen}");
    }
}
