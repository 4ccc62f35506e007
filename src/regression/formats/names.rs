//! Formats that have one name for a figure, where we have two.

use super::Figure;

/// Between benchmark and measure.
const BETWEEN: &str = ": ";

/// The measure of a figure that had one name only.
const ONLY: &str = "value";

/// `docker/start: startup.ready`.
pub(super) fn joined(figure: &Figure) -> String {
    if figure.measure == ONLY {
        return figure.benchmark.clone();
    }
    format!("{}{BETWEEN}{}", figure.benchmark, figure.measure)
}

/// Benchmark and measure of a name.
pub(super) fn split(name: &str) -> (String, String) {
    match name.rsplit_once(BETWEEN) {
        Some((benchmark, measure)) if !benchmark.is_empty() && !measure.is_empty() => {
            (benchmark.to_owned(), measure.to_owned())
        }
        _ => (name.to_owned(), ONLY.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn two_names_become_one_and_come_back() {
        let figure = &examples::results().figures[0];
        assert_eq!(joined(figure), "docker/start: startup.ready");
        assert_eq!(split("docker/start: startup.ready"), ("docker/start".into(), "startup.ready".into()));
        for only in ["sort 1000", ": ", "a: "] {
            assert_eq!(split(only), (only.to_owned(), "value".to_owned()));
        }
    }
}
