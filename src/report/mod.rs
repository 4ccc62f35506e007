//! From a run and its summary to what people read.
//!
//! In: [`Run`], [`Summary`], what a comparison says. Out: bytes of CSV, SVG, PNG, HTML, and text for a terminal. All of it is pure but for
//! [`write()`], the one place that writes files. It must never know how anything was measured.

use std::path::{Path, PathBuf};

use crate::analysis::Summary;
use crate::journal::Run;

mod answers;
pub(crate) mod clean;
pub mod clocks;
mod comparison;
pub mod csv;
#[cfg(test)]
mod fixture;
mod html;
pub mod metrics;
pub mod plot;
mod quantity;
mod side_by_side;
mod terminal;
mod trends;
mod view;
mod write;

pub use clocks::clocks;
pub use comparison::Shown;
pub use quantity::change;
pub use side_by_side::{COLUMNS as SIDE_BY_SIDE_COLUMNS, SideBySide, side_by_side};
pub use terminal::terminal;
pub use trends::{ChangeLine, TrendPage, trend_page};
pub use write::ReportError;

/// The files of a report beside the pictures.
pub const FILES: [&str; 3] = ["samples.csv", "summary.csv", "report.html"];

/// All pictures of a run, in the order of its report.
#[must_use]
pub fn plots(run: &Run, summary: &Summary) -> Vec<plot::Plot> {
    plot::all(&view::View::new(run, summary))
}

/// The page of a run, in one file that needs no other.
///
/// # Errors
/// A fault in the page's template.
pub fn page(run: &Run, summary: &Summary) -> Result<String, ReportError> {
    Ok(html::page(&view::View::new(run, summary), &plots(run, summary))?)
}

/// Writes `samples.csv`, `summary.csv`, every picture as SVG and PNG, and `report.html` into `folder`, which is made where
/// it is missing. Each file is replaced as a whole; the page is the last. Returns the files written.
///
/// # Errors
/// The file, why, and what to do.
pub fn write(folder: &Path, run: &Run, summary: &Summary) -> Result<Vec<PathBuf>, ReportError> {
    let mut folder = write::Folder::new(folder)?;
    folder.file("samples.csv", |to| csv::samples(run, to).map_err(write::of_csv))?;
    folder.file("summary.csv", |to| csv::summary(summary, to).map_err(write::of_csv))?;
    let plots = plots(run, summary);
    for plot in &plots {
        pictures(&mut folder, plot)?;
    }
    let page = html::page(&view::View::new(run, summary), &plots)?;
    folder.file("report.html", |to| to.write_all(page.as_bytes()))?;
    folder.done()
}

/// Writes `side-by-side.csv` and `side-by-side.html` of several runs into `folder`, which is made where it is missing.
///
/// # Errors
/// The file, why, and what to do.
pub fn write_side_by_side(folder: &Path, all: &SideBySide) -> Result<Vec<PathBuf>, ReportError> {
    let mut folder = write::Folder::new(folder)?;
    folder.file("side-by-side.csv", |to| all.csv(to).map_err(write::of_csv))?;
    let page = all.page()?;
    folder.file("side-by-side.html", |to| to.write_all(page.as_bytes()))?;
    folder.done()
}

fn pictures(folder: &mut write::Folder<'_>, plot: &plot::Plot) -> Result<(), ReportError> {
    let (svg, png) = (format!("{}.svg", plot.name), format!("{}.png", plot.name));
    let (Ok(drawn), Some(bytes)) = (&plot.drawn, plot.png()) else {
        folder.remove(&svg)?;
        return folder.remove(&png);
    };
    let bytes = bytes?;
    folder.file(&svg, |to| to.write_all(drawn.as_bytes()))?;
    folder.file(&png, |to| to.write_all(&bytes))
}
