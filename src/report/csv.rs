//! `samples.csv` and `summary.csv`, written line by line into anything.
//!
//! RFC 4180, UTF-8, `.` as decimal point, one header. A missing figure is an empty field, never 0. Numbers have as many
//! digits as bring back the same number. Spreadsheets run a text that begins with `=`, `+`, `-` or `@` as a formula: such a
//! text, and one that begins with a tab, a line end or an apostrophe, gets an apostrophe in front; [`unguarded`] takes it off.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

use crate::analysis::{Missing, Ratio, Row, Summary};
use crate::journal::Run;
use crate::measure::metric::CATALOGUE;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Outcome, Sample};
use crate::report::clean::sentence;

/// The columns of `samples.csv`.
pub const SAMPLE_COLUMNS: [&str; 14] = [
    "run",
    "block",
    "position",
    "environment",
    "accelerator",
    "workload",
    "metric",
    "unit",
    "value",
    "started_at",
    "role",
    "failure",
    "detail",
    "operations",
];

/// The columns of `summary.csv`.
pub const SUMMARY_COLUMNS: [&str; 19] = [
    "environment",
    "accelerator",
    "workload",
    "metric",
    "unit",
    "n",
    "failed",
    "median",
    "low",
    "high",
    "ratio_to_native",
    "ratio_low",
    "ratio_high",
    "pairs",
    "ratio_status",
    "failures",
    "outliers",
    "confidence",
    "notes",
];

/// Writes one row a sample.
///
/// # Errors
/// What the writer says.
pub fn samples(run: &Run, to: impl Write) -> csv::Result<()> {
    let mut file = csv::WriterBuilder::new().buffer_capacity(1 << 18).from_writer(to);
    file.write_record(SAMPLE_COLUMNS)?;
    let units: HashMap<&str, &str> = CATALOGUE.iter().map(|metric| (metric.name, metric.unit)).collect();
    let mut line = Line::new(&mut file);
    for sample in &run.samples {
        line.text(&run.record.run_id)?;
        let unit = units.get(sample.metric.as_str()).copied().unwrap_or("");
        sample_fields(&mut line, run, sample, unit)?;
        line.end()?;
    }
    file.flush()?;
    Ok(())
}

fn sample_fields<W: Write>(
    line: &mut Line<'_, W>,
    run: &Run,
    sample: &Sample,
    unit: &str,
) -> csv::Result<()> {
    line.number(sample.block)?;
    line.number(sample.position)?;
    line.text(&sample.environment)?;
    line.text(accelerator(sample.accelerator))?;
    line.text(&sample.workload)?;
    line.text(&sample.metric)?;
    line.text(unit)?;
    line.figure(sample.value())?;
    line.number(sample.started_at)?;
    line.number(run.role(sample.block, sample.warm_up))?;
    match &sample.outcome {
        Outcome::Value(_) => (line.text("")?, line.text("")?),
        Outcome::Failed(failure) => (line.number(failure.name)?, line.text(&sentence(&failure.detail))?),
    };
    line.number(sample.latencies_ns.len())
}

/// Writes one row for each environment, workload and metric.
///
/// # Errors
/// What the writer says.
pub fn summary(summary: &Summary, to: impl Write) -> csv::Result<()> {
    let mut file = csv::Writer::from_writer(to);
    file.write_record(SUMMARY_COLUMNS)?;
    let mut line = Line::new(&mut file);
    for row in &summary.rows {
        row_fields(&mut line, row)?;
        line.figure(Some(summary.confidence))?;
        line.text(&row.notes.join("; "))?;
        line.end()?;
    }
    file.flush()?;
    Ok(())
}

fn row_fields<W: Write>(line: &mut Line<'_, W>, row: &Row) -> csv::Result<()> {
    line.text(&row.environment)?;
    line.text(accelerator(row.accelerator))?;
    line.text(&row.workload)?;
    line.text(&row.metric)?;
    line.text(&row.unit)?;
    line.number(row.n)?;
    line.number(row.failures())?;
    for estimate in [row.median, row.ratio.stated()] {
        let interval = estimate.and_then(|estimate| estimate.interval);
        line.figure(estimate.map(|estimate| estimate.value))?;
        line.figure(interval.map(|interval| interval.low))?;
        line.figure(interval.map(|interval| interval.high))?;
    }
    let pairs = if let Ratio::Stated { pairs, .. } = row.ratio { pairs.to_string() } else { String::new() };
    line.text(&pairs)?;
    line.text(ratio_status(&row.ratio))?;
    let failures = row.failed.iter().map(|(name, count)| format!("{name}:{count}"));
    line.text(&failures.collect::<Vec<_>>().join(" "))?;
    line.number(row.outliers.len())
}

/// One word for each way a ratio can be.
pub(super) fn ratio_status(ratio: &Ratio) -> &'static str {
    match ratio {
        Ratio::Control => "control",
        Ratio::Stated { .. } => "stated",
        Ratio::Missing(Missing::NoControl) => "no-control",
        Ratio::Missing(Missing::NoPair) => "no-pair",
        Ratio::Missing(Missing::Withheld) => "withheld",
        Ratio::Missing(Missing::Zero) => "zero",
        Ratio::Missing(Missing::Unlike) => "unlike",
        Ratio::Missing(Missing::FewOperations) => "few-operations",
    }
}

/// As it stands in a sample.
pub(super) fn accelerator(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::None => "none",
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "tcg",
    }
}

/// One line, field by field.
pub(super) struct Line<'a, W: Write> {
    file: &'a mut csv::Writer<W>,
    scratch: String,
}

impl<'a, W: Write> Line<'a, W> {
    pub(super) fn new(file: &'a mut csv::Writer<W>) -> Self {
        Self { file, scratch: String::new() }
    }

    pub(super) fn text(&mut self, text: &str) -> csv::Result<()> {
        self.file.write_field(guarded(text).as_bytes())
    }

    /// What is displayed as a number or a fixed word and can be no formula.
    pub(super) fn number(&mut self, value: impl std::fmt::Display) -> csv::Result<()> {
        self.scratch.clear();
        let _ = write!(self.scratch, "{value}");
        self.file.write_field(self.scratch.as_bytes())
    }

    pub(super) fn figure(&mut self, value: Option<f64>) -> csv::Result<()> {
        match value {
            Some(value) => self.number(value),
            None => self.file.write_field(b""),
        }
    }

    pub(super) fn end(&mut self) -> csv::Result<()> {
        self.file.write_record(None::<&[u8]>)
    }
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

/// What a field held before it was guarded.
#[must_use]
pub fn unguarded(field: &str) -> &str {
    field.strip_prefix('\'').unwrap_or(field)
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
