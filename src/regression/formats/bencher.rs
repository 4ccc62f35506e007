//! Bencher Metric Format: `{benchmark: {measure: {value, lower_value, upper_value}}}`. It has no unit, no direction,
//! no number of samples, no time and no commit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Figure, FormatError, Results};

const FORMAT: &str = "Bencher Metric Format";

/// What Bencher cuts names to; a longer one would not be found again there.
const LONGEST_MEASURE: usize = 64;

#[derive(Serialize, Deserialize)]
struct Metric {
    value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

type File = BTreeMap<String, BTreeMap<String, Metric>>;

/// The figures of a file; the caller knows when and of what.
///
/// # Errors
/// It is not this format, or holds no figure.
pub fn read(text: &str) -> Result<Vec<Figure>, FormatError> {
    let malformed = |e: serde_json::Error| FormatError::Malformed { format: FORMAT, detail: e.to_string() };
    let file: File = serde_json::from_str(text).map_err(malformed)?;
    if file.values().all(BTreeMap::is_empty) {
        return Err(FormatError::Malformed { format: FORMAT, detail: "it holds no figure".to_owned() });
    }
    let figures = file.into_iter().flat_map(|(benchmark, measures)| {
        measures.into_iter().map(move |(measure, metric)| Figure {
            benchmark: benchmark.clone(),
            measure,
            unit: String::new(),
            direction: None,
            value: metric.value,
            low: metric.lower_value,
            high: metric.upper_value,
            n: None,
        })
    });
    Ok(figures.collect())
}

/// One run's figures.
///
/// # Errors
/// A figure that is not finite, or a name longer than Bencher takes.
pub fn write(results: &Results) -> Result<String, FormatError> {
    results.check(FORMAT)?;
    let mut file = File::new();
    for figure in &results.figures {
        if figure.measure.chars().count() > LONGEST_MEASURE {
            let detail =
                format!("the measure {} is longer than {LONGEST_MEASURE} characters", figure.measure);
            return Err(FormatError::Malformed { format: FORMAT, detail });
        }
        let metric = Metric { value: figure.value, lower_value: figure.low, upper_value: figure.high };
        file.entry(figure.benchmark.clone()).or_default().insert(figure.measure.clone(), metric);
    }
    let failed = |e: serde_json::Error| FormatError::Malformed { format: FORMAT, detail: e.to_string() };
    serde_json::to_string_pretty(&file).map_err(failed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regression::formats::examples;

    /// As published at <https://bencher.dev/bmf.json>.
    fn schema() -> jsonschema::Validator {
        let metric = serde_json::json!({
            "type": "object",
            "properties": {
                "value": {"type": "number"},
                "lower_value": {"type": "number"},
                "upper_value": {"type": "number"}
            },
            "required": ["value"]
        });
        let measures = serde_json::json!({"type": "object", "patternProperties": {".+": metric}});
        let schema = serde_json::json!({
            "$schema": "http://json-schema.org/draft-07/schema",
            "type": "object",
            "patternProperties": {".+": measures}
        });
        jsonschema::draft7::new(&schema).unwrap()
    }

    #[test]
    fn what_is_written_keeps_the_published_schema() {
        let text = write(&examples::results()).unwrap();
        assert!(schema().is_valid(&serde_json::from_str(&text).unwrap()));
        insta::assert_snapshot!(text);
        assert!(
            !schema().is_valid(&serde_json::json!({"a": {"b": {"lower_value": 1}}})),
            "the schema checks"
        );
    }

    #[test]
    fn what_it_cannot_hold_is_refused() {
        let mut results = examples::results();
        results.figures[0].high = Some(f64::NAN);
        let error = write(&results).unwrap_err();
        assert_eq!(
            error.to_string(),
            "docker/start: startup.ready is NaN, which Bencher Metric Format cannot hold"
        );
        results.figures[0].high = None;
        results.figures[0].measure = "m".repeat(65);
        assert!(matches!(write(&results), Err(FormatError::Malformed { .. })));
        for bad in ["{}", "{\"a\": {}}"] {
            assert!(read(bad).unwrap_err().to_string().ends_with("it holds no figure"), "{bad}");
        }
        for bad in ["", "[]", "{\"a\": 1}", "{\"a\": {\"b\": {\"value\": null}}}", "{\"a\": {\"b\": {}}}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(results in examples::any_results()) {
            let text = write(&results).unwrap();
            let mut expected: Vec<_> = results.figures.iter().map(|figure| {
                (figure.benchmark.clone(), figure.measure.clone(), figure.value, figure.low, figure.high)
            }).collect();
            expected.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            let found: Vec<_> = read(&text).unwrap().into_iter()
                .map(|figure| (figure.benchmark, figure.measure, figure.value, figure.low, figure.high)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = read(&text);
        }
    }
}
