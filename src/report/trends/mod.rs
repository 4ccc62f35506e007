//! A page of lines over many runs: their changes first, then each line with its picture.
//!
//! In: lines and changes in words, as the history has them. Out: one HTML file that needs no other.

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::clean::clean;
use super::plot::trend::{Picture, draw};
use super::{ReportError, html};

const PAGE: &str = include_str!("page.html");

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendPage {
    /// How many runs, of when, from where.
    pub lead: String,
    /// Every change, those that moved together beneath one another.
    pub changes: Vec<ChangeLine>,
    /// Each line.
    pub lines: Vec<Picture>,
}

/// A row of the table of changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeLine {
    /// When.
    pub when: String,
    /// Worse, better, changed.
    pub way: String,
    /// Which figure.
    pub figure: String,
    /// From and to.
    pub values: String,
    /// How much.
    pub size: String,
    /// Between which commits.
    pub commits: String,
    /// What else is known of it.
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Line {
    title: String,
    svg: String,
    changes: usize,
}

/// The page.
///
/// # Errors
/// A fault in the page's template.
pub fn trend_page(page: &TrendPage) -> Result<String, ReportError> {
    // What changed is what is looked for: those lines come first, each group in its own order.
    let (changed, steady): (Vec<&Picture>, Vec<&Picture>) =
        page.lines.iter().partition(|one| !one.changes.is_empty());
    let line = |one: &Picture| Line {
        title: clean(&one.title).into_owned(),
        svg: draw(one),
        changes: one.changes.len(),
    };
    let lines = |all: Vec<&Picture>| Serde(all.into_iter().map(line).collect::<Vec<_>>());
    let values = context! {
        style => html::style(),
        version => env!("CARGO_PKG_VERSION"),
        lead => clean(&page.lead),
        changes => Serde(page.changes.iter().map(cleaned).collect::<Vec<_>>()),
        changed => lines(changed),
        steady => lines(steady),
    };
    Ok(html::fill("trends.html", PAGE, values)?)
}

/// Names come from others' files too.
fn cleaned(one: &ChangeLine) -> ChangeLine {
    let text = |text: &String| clean(text).into_owned();
    ChangeLine {
        when: text(&one.when),
        way: text(&one.way),
        figure: text(&one.figure),
        values: text(&one.values),
        size: text(&one.size),
        commits: text(&one.commits),
        notes: one.notes.iter().map(text).collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::report::plot::trend::{Point, Step};

    fn picture(title: &str, changes: usize) -> Picture {
        Picture {
            title: title.into(),
            subtitle: "one machine".into(),
            unit: "ms".into(),
            points: (0..20).map(|i| Point { value: 100.0 + f64::from(i % 3), interval: None }).collect(),
            changes: (0..changes)
                .map(|i| Step { at: 5 + i, worse: Some(true), label: "+20 %".into() })
                .collect(),
            moves: Vec::new(),
        }
    }

    #[test]
    fn changes_come_first_and_text_stays_text() {
        let change = ChangeLine {
            when: "2026-01-01".into(),
            way: "worse".into(),
            figure: "<b>startup.ready</b>".into(),
            values: "100 → 120 ms".into(),
            size: "+20.0 %".into(),
            commits: "after a, at the latest with b".into(),
            notes: vec!["<script>alert(1)</script>".into()],
        };
        let page = TrendPage {
            lead: "40 runs".into(),
            changes: vec![change],
            lines: vec![picture("steady", 0), picture("changed", 1)],
        };
        let text = trend_page(&page).unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>startup"));
        assert!(text.find("changed</h3>").unwrap() < text.find("steady</h3>").unwrap());
        assert_eq!(text.matches("<svg").count(), 2);
        for outside in ["http://", "https://"] {
            let others = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!others.contains(outside), "the page needs nothing from elsewhere");
        }
    }

    #[test]
    fn no_lines_are_a_page_too() {
        let page = TrendPage { lead: "no runs".into(), changes: Vec::new(), lines: Vec::new() };
        assert!(trend_page(&page).unwrap().contains("No level has changed"));
    }
}
