//! Where samples go the moment they are known: to disk first, then to whoever watches.

use std::collections::BTreeSet;

use super::Event;
use super::seen::Seen;
use crate::journal::{Record, WriteError, Writer};
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, Outcome, Sample};
use crate::measure::sense;

/// The journal, the watcher, and the count of what came.
pub(super) struct Log<'a> {
    pub writer: Writer,
    pub events: &'a dyn Fn(Event),
    pub measured: u64,
    pub failed: u64,
    /// Environments whose image's size is in the journal.
    pub images: BTreeSet<String>,
    /// What instances were measured by so far.
    pub seen: Seen,
}

impl<'a> Log<'a> {
    pub(super) fn new(writer: Writer, events: &'a dyn Fn(Event)) -> Self {
        Self { writer, events, measured: 0, failed: 0, images: BTreeSet::new(), seen: Seen::default() }
    }

    /// Puts what became known together on disk together.
    pub(super) fn take(&mut self, samples: Vec<Sample>, others: Vec<Record>) -> Result<(), WriteError> {
        if samples.is_empty() && others.is_empty() {
            return Ok(());
        }
        let mut records = others;
        records.extend(samples.iter().cloned().map(Record::Sample));
        self.writer.append(&records)?;
        for sample in samples {
            self.seen.note(&sample);
            if &*sample.workload == "image" {
                self.images.insert(sample.environment.to_string());
            }
            match sample.outcome {
                Outcome::Value(_) => self.measured += 1,
                Outcome::Failed(_) => self.failed += 1,
            }
            (self.events)(Event::SampleTaken(Box::new(sample)));
        }
        Ok(())
    }
}

/// Which cell a sample is of.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub block: u32,
    pub position: u32,
    pub environment: String,
    pub accelerator: Accelerator,
    pub warm_up: bool,
}

/// A piece of a cell: all its samples carry when it began.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    pub at: &'a At,
    pub workload: &'a str,
    pub started_at: jiff::Timestamp,
}

impl<'a> Piece<'a> {
    pub(super) fn begin(at: &'a At, workload: &'a str) -> Self {
        Self { at, workload, started_at: jiff::Timestamp::now() }
    }

    /// A value is held against sense once more: none that is not finite ever gets into a journal.
    pub(super) fn sample(&self, metric: &str, figure: Result<f64, Failure>) -> Sample {
        let outcome = match figure.and_then(sense::value) {
            Ok(value) => Outcome::Value(value),
            Err(failure) => Outcome::Failed(failure),
        };
        Sample {
            block: self.at.block,
            position: self.at.position,
            environment: self.at.environment.as_str().into(),
            accelerator: self.at.accelerator,
            workload: self.workload.into(),
            metric: metric.into(),
            outcome,
            started_at: self.started_at,
            warm_up: self.at.warm_up,
            latencies_ns: Vec::new(),
        }
    }

    /// The same failure for each of `metrics`.
    pub(super) fn failed(&self, metrics: &[String], failure: &Failure) -> Vec<Sample> {
        metrics.iter().map(|metric| self.sample(metric, Err(failure.clone()))).collect()
    }
}
