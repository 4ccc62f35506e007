//! OpenMetrics 1.0 text, for GitLab's metrics reports and for Prometheus' text collector.

use std::fmt::Write as _;

use super::{Figure, FormatError, Results};

const FORMAT: &str = "OpenMetrics";

/// A family of samples: its name, what it is, and the number a figure has for it.
type Family = (&'static str, &'static str, fn(&Figure) -> Option<f64>);

const FAMILIES: [Family; 4] = [
    ("isocost_median", "Median of the samples, in the unit of its label.", |figure| Some(figure.value)),
    ("isocost_interval_low", "Lower end of the median's interval.", |figure| figure.low),
    ("isocost_interval_high", "Upper end of the median's interval.", |figure| figure.high),
    ("isocost_samples", "Samples that the median comes from.", |figure| figure.n.map(f64::from)),
];

/// One run's figures as gauges.
///
/// # Errors
/// A figure that is not finite.
pub fn write(results: &Results) -> Result<String, FormatError> {
    results.check(FORMAT)?;
    let mut text = String::new();
    for (family, help, number) in FAMILIES {
        let lines: Vec<String> =
            results.figures.iter().filter_map(|figure| line(family, figure, number(figure)?)).collect();
        if !lines.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "# TYPE {family} gauge\n# HELP {family} {help}\n{}", lines.concat());
        }
    }
    Ok(text + "# EOF\n")
}

fn line(family: &str, figure: &Figure, number: f64) -> Option<String> {
    let labels = [("benchmark", &figure.benchmark), ("measure", &figure.measure), ("unit", &figure.unit)];
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    Some(format!("{family}{{{}}} {number}\n", labels.join(",")))
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn families_stay_together_and_the_end_is_marked() {
        let mut results = examples::results();
        results.figures[1].benchmark = "a \"quoted\\ name\"\n".into();
        insta::assert_snapshot!(write(&results).unwrap());
    }

    #[test]
    fn no_figures_are_a_valid_text() {
        let none = Results { figures: Vec::new(), ..examples::results() };
        assert_eq!(write(&none).unwrap(), "# EOF\n");
    }
}
