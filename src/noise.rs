//! How much this host wavers by itself, and so how small a change it can show.
//!
//! In: a time to spend. Out: [`Noise`]. It is an ordinary run of one environment under two names, in a folder that is
//! removed again: what wavers here is what wavers in a run, with the same program and the same statistics.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::analysis::noise::{Wavering, wavering};
use crate::environment::agent::StopSignal;
use crate::journal::{self, JournalError};
use crate::measure::clock::Instant;
use crate::measure::host::{Activity, Look};
use crate::plan;
use crate::run::state::Registered;
use crate::run::{self, Event, RunError, RunOptions};
use crate::suite::{self, Suite, SuiteError};

mod text;

pub use text::lines;

/// The usual time to spend.
pub const USUAL: Duration = Duration::from_secs(120);

/// What is asked about, and the metric that answers.
const PROBES: [(&str, &str); 5] = [
    ("compute", "cpu.integer.rate"),
    ("cache", "cpu.memory-latency.rate"),
    ("I/O", "disk.sync.rate"),
    ("fork", "cpu.fork-exec.rate"),
    ("start", "startup.ready"),
];

/// The two names.
const NAMES: (&str, &str) = ("a", "b");

/// What a look at a host's noise is given.
#[derive(Debug, Clone)]
pub struct NoiseOptions {
    /// Where the states of runs are kept; its disk is the one that is measured.
    pub cache: std::path::PathBuf,
    /// The agent's bytes.
    pub agent: Arc<[u8]>,
    /// How long; the last block may take a second or two more.
    pub duration: Duration,
    /// Ends it early: what was seen until then is said.
    pub stop: StopSignal,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noise {
    /// What the host did meanwhile beside it.
    pub activity: Activity,
    /// For each thing that was asked about.
    pub probes: Vec<Probe>,
    /// What the run warned of.
    pub warnings: Vec<String>,
}

/// One thing that was asked about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// `compute`, `cache`, `I/O`, `fork`, `start`.
    pub what: &'static str,
    /// How it wavers; `None` where there is no figure at all.
    pub wavering: Option<Wavering>,
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum NoiseError {
    /// The run could not be.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its journal could not be read back.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The suite of this program is not one.
    #[error(transparent)]
    Suite(#[from] SuiteError),
}

/// Looks. `progress` is told after each cell what part of the time is over: 0 to 1.
///
/// # Errors
/// What kept it from measuring anything.
pub fn measure(options: &NoiseOptions, progress: &dyn Fn(f64)) -> Result<Noise, NoiseError> {
    measure_by(&suite()?, options, progress)
}

fn measure_by(suite: &Suite, options: &NoiseOptions, progress: &dyn Fn(f64)) -> Result<Noise, NoiseError> {
    let plan = plan::make(suite, SEED);
    // Where this is killed, `clean` finds it as it finds any run's.
    let place = Registered::new(&options.cache, None)?;
    let began = Instant::now();
    let output = place.scratch.join("run");
    let run_options = RunOptions {
        output: output.clone().into(),
        cache: options.cache.clone(),
        agent: Arc::clone(&options.agent),
        others: Default::default(),
        budget: Some(options.duration),
        precision: None,
        // A host's own noise is all of it.
        repeats: Some(0),
        stop: options.stop.clone(),
        code: None,
    };
    let before = Look::now();
    run::execute(&plan, &run_options, &|event| {
        if let Event::CellFinished { .. } = event {
            let part = Instant::now().since(began).as_secs_f64() / options.duration.as_secs_f64().max(1e-9);
            progress(part.min(1.0));
        }
    })?;
    let activity = before.until(&Look::now(), &[std::process::id()]);
    let run = journal::read(&output)?;
    let probe = |(what, metric)| Probe { what, wavering: wavering(&run, metric, NAMES, SEED) };
    let probes = PROBES.into_iter().map(probe).collect();
    Ok(Noise { activity, probes, warnings: run.record.warnings })
}

/// The order of the two in each block and everything resampled come from it.
const SEED: u64 = 1;

fn suite() -> Result<Suite, SuiteError> {
    suite::parse(include_str!("noise/suite.toml"), "noise.toml")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measure::metric;

    #[test]
    fn the_suite_is_one_environment_twice_and_has_every_probe() {
        let suite = suite().unwrap();
        assert_eq!(suite.environments.len(), 2);
        assert_eq!(suite.environments[0].kind, suite.environments[1].kind);
        assert_eq!([&*suite.environments[0].id, &*suite.environments[1].id], [NAMES.0, NAMES.1]);
        for (_, name) in PROBES {
            let work = suite.workloads.iter().map(|one| metric::prefix(one.run));
            assert!(metric::find(name).is_some());
            assert!(name.starts_with("startup.") || work.into_iter().any(|prefix| name.starts_with(prefix)));
        }
    }

    /// The real thing, short: everything was asked, and nothing of it is left.
    #[test]
    fn this_host_is_looked_at_and_nothing_is_left() {
        let cache = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let options = NoiseOptions {
            cache: cache.path().to_owned(),
            agent: crate::agent::shared(),
            duration: Duration::from_secs(3),
            stop: StopSignal::new().unwrap(),
        };
        let told = std::cell::RefCell::new(Vec::new());
        // Without a warm-up the first block counts, however slow this host is just now.
        let mut suite = suite().unwrap();
        suite.blocks.warm_up = 0;
        let noise = measure_by(&suite, &options, &|part| told.borrow_mut().push(part)).unwrap();
        assert_eq!(noise.probes.len(), PROBES.len());
        for probe in &noise.probes {
            let wavering = probe.wavering.as_ref().unwrap_or_else(|| panic!("{} has no figure", probe.what));
            assert!(wavering.median.unwrap() > 0.0 && wavering.blocks > 0, "{probe:?}");
        }
        assert!(noise.activity.seconds >= 3.0);
        assert!(told.borrow().is_sorted() && *told.borrow().last().unwrap() > 0.5);
        let left = |folder: &std::path::Path| -> Vec<_> {
            std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect()
        };
        assert_eq!(left(cache.path()), ["runs"], "nothing is where `clean` does not look");
        assert!(left(&cache.path().join("runs")).is_empty());
        assert!(!lines(&noise).is_empty());
    }
}
