//! A run that is on disk, turned into a report and shown.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::console::{self, Console};
use super::refusal::Refusal;
use crate::analysis::{self, Settings, Summary};
use crate::journal::record::Ending;
use crate::journal::{self, Run};
use crate::report;

/// Characters of a line where the terminal does not say.
const WIDTH: usize = 100;

/// A run with what can be said of it.
pub(super) struct Reported {
    pub(super) folder: PathBuf,
    pub(super) run: Run,
    pub(super) summary: Summary,
}

/// The same for a program.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    run_id: &'a str,
    folder: &'a Path,
    ending: Ending,
    /// The files that were written.
    files: &'a [PathBuf],
    summary: &'a Summary,
}

impl Reported {
    /// Reads a run folder.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(folder: &Path) -> Result<Self, Refusal> {
        let run = journal::read(folder)?;
        let summary = analysis::summarise(&run, &Settings::of(&run));
        Ok(Self { folder: folder.to_owned(), run, summary })
    }

    /// The files that [`Self::write`] may replace or remove.
    pub(super) fn files(&self) -> Vec<String> {
        let plots = report::plots(&self.run, &self.summary);
        let pictures = plots.iter().flat_map(|plot| ["svg", "png"].map(|end| format!("{}.{end}", plot.name)));
        report::FILES.map(str::to_owned).into_iter().chain(pictures).collect()
    }

    /// Writes its report: into its own folder, or another. Returns the files, the page last.
    ///
    /// # Errors
    /// The file that could not be written.
    pub(super) fn write(&self, into: Option<&Path>) -> Result<Vec<PathBuf>, Refusal> {
        Ok(report::write(into.unwrap_or(&self.folder), &self.run, &self.summary)?)
    }

    /// In one screen.
    pub(super) fn text(&self) -> String {
        report::terminal(&self.run, &self.summary, width())
    }

    pub(super) fn line<'a>(&'a self, files: &'a [PathBuf]) -> Line<'a> {
        Line {
            run_id: &self.run.record.run_id,
            folder: &self.folder,
            ending: self.run.record.ending,
            files,
            summary: &self.summary,
        }
    }

    /// What a reader of the figures must know of the run that made them.
    pub(super) fn remark(&self, console: Console) {
        let folder = self.folder.display();
        if self.run.dropped_tail {
            console.note(&format!(
                "warning: the last line of the journal in {folder} was cut short and is left out"
            ));
        }
        if !self.run.complete {
            console
                .note(&format!("warning: the run in {folder} has no end: it was killed, or it runs still"));
        }
    }
}

/// Shows where a report is.
pub(super) fn point_at(files: &[PathBuf], console: Console) {
    if let Some(page) = files.last() {
        console.note(&format!("report: {}", page.display()));
    }
}

/// Characters in a line of standard output.
pub(super) fn width() -> usize {
    console::columns().unwrap_or(WIDTH)
}
