//! A run that nobody keeps: a pilot, a check. Its folder is in a scratch folder of its own, which goes with it: where it
//! is killed, `clean` and the next run find that as they find any run's.
//!
//! In: a plan. Out: the [`Run`], read back from its journal as any other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::agent::StopSignal;
use crate::journal::{self, JournalError, Run};
use crate::plan::Plan;
use crate::run::state::Registered;
use crate::run::{self, Event, RunError, RunOptions};

/// What such runs are given beside their plan.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Where the states of runs are kept; its disk is the one that is measured.
    pub cache: PathBuf,
    /// The agent's bytes.
    pub agent: Arc<[u8]>,
    /// Ends a run early.
    pub stop: StopSignal,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The run could not be.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its journal could not be read back.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Trial {
    /// Carries the plan out; no block begins after `budget`. `events` is told what happens.
    ///
    /// # Errors
    /// What kept it from measuring, or its journal from being read.
    pub fn run(
        &self,
        plan: &Plan,
        budget: Option<Duration>,
        events: &dyn Fn(Event),
    ) -> Result<Run, TrialError> {
        let place = Registered::new(&self.cache, None)?;
        let output = place.scratch.join("run");
        let options = RunOptions {
            output: output.clone().into(),
            cache: self.cache.clone(),
            agent: Arc::clone(&self.agent),
            others: Default::default(),
            budget,
            precision: None,
            // What is asked is how it wavers here, and the time is for that.
            repeats: Some(0),
            stop: self.stop.clone(),
            code: None,
        };
        run::execute(plan, &options, events)?;
        Ok(journal::read(&output)?)
    }
}
