//! Several runs as one page.

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::{SideBySide, text};
use crate::report::ReportError;
use crate::report::csv::accelerator;
use crate::report::html;

const PAGE: &str = include_str!("page.html");

#[derive(Debug, Serialize)]
struct Line {
    environment: String,
    accelerator: &'static str,
    workload: String,
    metric: String,
    cells: Vec<PageCell>,
}

#[derive(Debug, Serialize)]
struct PageCell {
    figure: String,
    ratio: String,
    apart: bool,
}

#[derive(Debug, Serialize)]
struct Head {
    number: usize,
    id: String,
    began: String,
    host: String,
    differences: Vec<[String; 3]>,
}

impl SideBySide {
    /// The page, in one file that needs no other.
    ///
    /// # Errors
    /// A fault in the page's template.
    pub fn page(&self) -> Result<String, ReportError> {
        let head = |(number, head): (usize, &super::RunHead)| Head {
            number,
            id: head.id.clone(),
            began: head.began.clone(),
            host: head.host.clone(),
            differences: head.differences.clone(),
        };
        let heads: Vec<Head> = (1..).zip(&self.runs).map(head).collect();
        let values = context! {
            style => html::style(),
            version => env!("CARGO_PKG_VERSION"),
            runs => Serde(heads),
            cautions => Serde(&self.cautions),
            rows => Serde(self.rows.iter().map(line).collect::<Vec<_>>()),
            agreements => Serde(self.agreements()),
        };
        Ok(html::fill("side-by-side.html", PAGE, values)?)
    }
}

fn line(row: &super::SideRow) -> Line {
    let cell = |cell: &Option<super::Cell>| PageCell {
        figure: text::cell(cell.as_ref()),
        ratio: cell
            .as_ref()
            .and_then(|cell| cell.row.ratio.stated())
            .map_or(String::new(), |ratio| format!("{} native", crate::report::quantity::ratio(&ratio))),
        apart: cell.as_ref().is_some_and(|cell| cell.against.is_apart()),
    };
    Line {
        environment: row.environment.clone(),
        accelerator: accelerator(row.accelerator),
        workload: row.workload.clone(),
        metric: row.metric.clone(),
        cells: row.cells.iter().map(cell).collect(),
    }
}
