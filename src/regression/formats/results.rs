//! What one run measured, in the terms that other tools share.

use crate::measure::metric::Direction;

/// The figures of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// Its id in the history that it comes from.
    pub run: Option<String>,
    /// The suite's name.
    pub suite: Option<String>,
    /// When it was measured.
    pub at: jiff::Timestamp,
    /// Of what.
    pub source: Source,
    /// The figures; all finite.
    pub figures: Vec<Figure>,
}

/// What was measured and where; what a format does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The commit's hash, or whatever orders the history.
    pub commit: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// The repository's address.
    pub repository: Option<String>,
    /// The machine's name.
    pub machine: Option<String>,
}

impl Source {
    /// With what another says where this one is silent.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            commit: self.commit.or_else(|| other.commit.clone()),
            branch: self.branch.or_else(|| other.branch.clone()),
            repository: self.repository.or_else(|| other.repository.clone()),
            machine: self.machine.or_else(|| other.machine.clone()),
        }
    }
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was run: `docker/start`.
    pub benchmark: String,
    /// What was measured of it: `startup.ready`.
    pub measure: String,
    /// Its unit; empty where the format has none.
    pub unit: String,
    /// Which way is good; `None` where the format does not say.
    pub direction: Option<Direction>,
    /// The value.
    pub value: f64,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Samples that it comes from.
    pub n: Option<u32>,
}

/// What a file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imported {
    /// In the file's order.
    pub results: Vec<Results>,
    /// What it had and could not be used, each in a sentence.
    pub left_out: Vec<String>,
    /// It says no time: what stands for it is when the file was written, and tells nothing of what is in it.
    pub undated: bool,
}

impl Imported {
    /// What `said` says is so of every result that does not say it itself.
    #[must_use]
    pub fn said(mut self, said: &Source) -> Self {
        for run in &mut self.results {
            run.source = std::mem::take(&mut run.source).or(said);
        }
        self
    }

    /// Leaves out what a run has twice under one name: a line has one value a run. Each is named.
    #[must_use]
    pub fn each_figure_once(mut self) -> Self {
        for run in &mut self.results {
            let mut seen = std::collections::HashSet::new();
            let (at, left_out) = (run.at, &mut self.left_out);
            run.figures.retain(|figure| {
                let new =
                    seen.insert((figure.benchmark.clone(), figure.measure.clone(), figure.unit.clone()));
                if !new {
                    let name = super::names::joined(figure);
                    left_out.push(format!("the run of {at} has {name} more than once: the first is taken"));
                }
                new
            });
        }
        self
    }
}

/// Why something cannot be read or written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Not this format.
    #[error("this is no {format}: {detail}")]
    Malformed {
        /// Which format was expected.
        format: &'static str,
        /// What is wrong, and where.
        detail: String,
    },
    /// A value that the format has no way to write.
    #[error("{figure} is {value}, which {format} cannot hold")]
    NotFinite {
        /// Which figure.
        figure: String,
        /// Its value.
        value: String,
        /// The format.
        format: &'static str,
    },
    /// The format has one name for a figure, whatever machine it is of.
    #[error(
        "{format} would make one line of {}, which are no line: select one with --machine NAME",
        machines.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
    )]
    Machines {
        /// The format.
        format: &'static str,
        /// Their names.
        machines: Vec<String>,
    },
    /// Nothing to write: the reader of the format would take it for an error.
    #[error("there is no figure to write as {format}{}", hint.map(|hint| format!(": {hint}")).unwrap_or_default())]
    Empty {
        /// The format.
        format: &'static str,
        /// Why that may be.
        hint: Option<&'static str>,
    },
}

impl Results {
    /// Refuses what no format can hold.
    pub(super) fn check(&self, format: &'static str) -> Result<(), FormatError> {
        for figure in &self.figures {
            let numbers = [Some(figure.value), figure.low, figure.high];
            if let Some(value) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
                let figure = super::names::joined(figure);
                return Err(FormatError::NotFinite { figure, value: value.to_string(), format });
            }
        }
        Ok(())
    }
}

/// For formats that do not say which machine a figure is of.
pub(super) fn one_machine(runs: &[Results], format: &'static str) -> Result<(), FormatError> {
    let named = runs.iter().filter_map(|run| run.source.machine.clone());
    let machines: std::collections::BTreeSet<String> = named.collect();
    match machines.len() {
        0 | 1 => Ok(()),
        _ => Err(FormatError::Machines { format, machines: machines.into_iter().collect() }),
    }
}
