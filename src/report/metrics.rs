//! The catalogue of metrics in words: the table of docs/metrics.md.

use std::fmt::Write as _;

use crate::measure::metric::{CATALOGUE, Direction, Family, Metric};
use crate::report::quantity;

/// The smallest difference a metric's source can show, with its unit; `the clock's` where only that limits it.
#[must_use]
pub fn resolution(metric: &Metric) -> String {
    if metric.resolution > 0.0 {
        quantity::value(metric.resolution, metric.unit)
    } else {
        "the clock's".to_owned()
    }
}

/// Tables in Markdown, one a family, between the lines that docs/metrics.md marks for them.
#[must_use]
pub fn table() -> String {
    let families = [
        (Family::Startup, "Start and end"),
        (Family::Memory, "Memory"),
        (Family::Cpu, "CPU"),
        (Family::Disk, "Disk"),
    ];
    let mut text = String::new();
    for (family, name) in families {
        let _ = writeln!(text, "### {name}\n");
        let _ = writeln!(text, "| metric | unit | what it is | resolution | source |\n|---|---|---|---|---|");
        for metric in CATALOGUE.iter().filter(|metric| metric.family == family) {
            let _ = writeln!(text, "{}", line(metric));
        }
        text.push('\n');
    }
    text
}

fn line(metric: &Metric) -> String {
    let more = match (metric.exact, metric.direction) {
        (true, _) => " Exact: any change is a fact.",
        (false, Direction::Bigger) => " Bigger is better.",
        (false, Direction::Smaller) => "",
    };
    let Metric { name, unit, definition, source, .. } = metric;
    format!("| `{name}` | {unit} | {definition}.{more} | {} | {source} |", resolution(metric))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!-- metrics: made from the catalogue in src/measure/metric.rs -->\n";
    const END: &str = "<!-- end of metrics -->";

    /// With `ISOCOST_BLESS` set, the table in the page is made anew instead.
    #[test]
    fn docs_and_catalogue_agree() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (found, after) = rest.split_once(END).unwrap();
        if std::env::var_os("ISOCOST_BLESS").is_some() {
            std::fs::write(path, format!("{before}{BEGIN}\n{}{END}{after}", table())).unwrap();
            return;
        }
        let how = "ISOCOST_BLESS=1 cargo test --lib docs_and_catalogue_agree";
        assert_eq!(found.trim(), table().trim(), "docs/metrics.md is out of date; type: {how}");
    }

    #[test]
    fn every_metric_is_defined() {
        for metric in CATALOGUE {
            assert!(!metric.definition.is_empty() && !metric.source.is_empty() && !metric.unit.is_empty());
            assert!(!line(metric).replace("\\|", "").trim_matches('|').contains('\n'));
            assert_eq!(line(metric).matches('|').count(), 6, "{}", metric.name);
        }
    }

    #[test]
    fn the_page_names_every_clock() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));
        for clock in crate::report::clocks::CLOCKS {
            assert!(page.contains(clock.whose), "{}", clock.whose);
        }
    }
}
