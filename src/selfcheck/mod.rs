//! Does Isocost keep its promises on this host? Equal things must not be told apart, and what was slowed on purpose must be
//! found.
//!
//! In: a time to spend. Out: a [`Selfcheck`]. Each experiment is an ordinary run of one environment under two names, some
//! with others whose work is slowed; its comparison is the one that `isocost compare` makes, with its default settings.
//! Nothing is kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::environment::Kind;
use crate::environment::agent::StopSignal;
use crate::journal::Run;
use crate::journal::record::Ending;
use crate::measure::clock::Instant;
use crate::plan;
use crate::run::{Event, RunError};
use crate::suite::SuiteError;
use crate::trial::{Trial, TrialError};

mod design;
mod tally;
mod text;

#[cfg(test)]
mod tests;

use design::Design;
pub use tally::{Count, Injected, Selfcheck};
pub use text::lines;

/// False alarms promised at most, as a fraction of the comparisons.
pub const PROMISED: f64 = 0.01;

/// Fewer comparisons than this prove nothing of 1 %, though none of them be an alarm.
pub const ENOUGH: u64 = 300;

/// What a check is given.
#[derive(Debug, Clone)]
pub struct SelfcheckOptions {
    /// Where the states of runs are kept; its disk is the one that is measured.
    pub cache: PathBuf,
    /// The agent's bytes.
    pub agent: Arc<[u8]>,
    /// How long at most: no experiment is begun that would take longer.
    pub duration: Duration,
    /// What is run under two names: native, docker.
    pub kinds: Vec<Kind>,
    /// Ends it early: what was seen until then is said.
    pub stop: StopSignal,
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum SelfcheckError {
    /// An experiment could not be run.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The suite of this program is not one.
    #[error(transparent)]
    Suite(#[from] SuiteError),
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Far {
    /// Part of the time that is over: 0 to 1.
    pub part: f64,
    /// Comparisons so far.
    pub comparisons: u64,
    /// False alarms so far.
    pub alarms: u64,
}

/// Checks.
///
/// # Errors
/// What kept it from measuring anything.
pub fn check(options: &SelfcheckOptions, progress: &dyn Fn(Far)) -> Result<Selfcheck, SelfcheckError> {
    let mut kinds = options.kinds.clone();
    let mut tally = tally::Tally::default();
    let began = Instant::now();
    let mut took: Vec<(Design, Duration)> = Vec::new();
    let mut number = 0;
    loop {
        let spent = Instant::now().since(began);
        let left = options.duration.saturating_sub(spent);
        let design = Design::of(number, &kinds);
        let alike = took.iter().filter(|(of, _)| of.kind == design.kind && of.slowed == design.slowed);
        let longest = alike.map(|(_, took)| *took).max().unwrap_or_default();
        if left <= longest.mul_f64(1.05) || options.stop.is_raised() || kinds.is_empty() {
            break;
        }
        let at = |_: Event| {
            let part = Instant::now().since(began).as_secs_f64() / options.duration.as_secs_f64().max(1e-9);
            progress(tally.far(part.min(1.0)));
        };
        match experiment(&design, left, options, &at) {
            Ok(Some(run)) => tally.take(&design, run),
            Ok(None) => break,
            Err(SelfcheckError::Trial(TrialError::Run(RunError::Unavailable(why)))) if kinds.len() > 1 => {
                kinds.retain(|kind| *kind != design.kind);
                let why = RunError::Unavailable(why);
                tally.warn(format!("without {}: {why}", design.kind_name()));
                continue;
            }
            Err(SelfcheckError::Trial(TrialError::Run(RunError::Interrupted))) => break,
            Err(error) => return Err(error),
        }
        took.push((design, Instant::now().since(began).saturating_sub(spent)));
        number += 1;
    }
    Ok(tally.done(Instant::now().since(began)))
}

/// One run; `None` where its time did not suffice.
fn experiment(
    design: &Design,
    left: Duration,
    options: &SelfcheckOptions,
    events: &dyn Fn(Event),
) -> Result<Option<Run>, SelfcheckError> {
    let plan = plan::make(&design.suite()?, design.seed());
    let SelfcheckOptions { cache, agent, stop, .. } = options;
    let trial = Trial { cache: cache.clone(), agent: Arc::clone(agent), stop: stop.clone() };
    let run = trial.run(&plan, Some(left), events)?;
    Ok(Some(run).filter(|run| run.record.ending == Ending::Complete))
}
