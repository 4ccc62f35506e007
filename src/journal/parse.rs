//! One line of a journal, fast for what nearly all lines are: samples.

use std::borrow::Cow;

use serde::Deserialize;

use super::Record;
use crate::measure::name::Names;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, Outcome, Sample};

/// How the writer begins a sample's line. Another order of keys is read as well, only slower.
const SAMPLE: &str = r#"{"record":"sample","#;

/// A sample as it stands in a line: nothing tagged or flattened, which serde would have to buffer.
#[derive(Deserialize)]
struct Line<'a> {
    block: u32,
    position: u32,
    #[serde(borrow)]
    environment: Cow<'a, str>,
    accelerator: Accelerator,
    #[serde(borrow)]
    workload: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    value: Option<f64>,
    failed: Option<Failure>,
    started_at: jiff::Timestamp,
    #[serde(default)]
    warm_up: bool,
    #[serde(default)]
    latencies_ns: Vec<u32>,
}

/// Reads one line, without its end.
pub(super) fn line(text: &str, names: &mut Names) -> Result<Record, String> {
    let record = if text.starts_with(SAMPLE) {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        sample(line, names).map(Record::Sample)?
    } else {
        serde_json::from_str(text).map_err(|e| e.to_string())?
    };
    match &record {
        // No metric can be negative: the writer makes a failure of one that would be.
        Record::Sample(Sample { outcome: Outcome::Value(value), .. }) if *value < 0.0 => {
            Err(format!("a sample with the negative value {value}"))
        }
        _ => Ok(record),
    }
}

fn sample(mut line: Line<'_>, names: &mut Names) -> Result<Sample, String> {
    // Grown one by one, it has room for nearly twice as many.
    line.latencies_ns.shrink_to_fit();
    let outcome = match (line.value, line.failed) {
        (Some(value), None) => Outcome::Value(value),
        (None, Some(failure)) => Outcome::Failed(failure),
        (None, None) => return Err("a sample with neither value nor failure".to_owned()),
        (Some(_), Some(_)) => return Err("a sample with a value and a failure".to_owned()),
    };
    Ok(Sample {
        block: line.block,
        position: line.position,
        environment: names.named(&line.environment),
        accelerator: line.accelerator,
        workload: names.named(&line.workload),
        metric: names.named(&line.metric),
        outcome,
        started_at: line.started_at,
        warm_up: line.warm_up,
        latencies_ns: line.latencies_ns,
    })
}
