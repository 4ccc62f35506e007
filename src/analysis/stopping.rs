//! When has a run measured enough? A sequential rule on precision, never on significance.
//!
//! Looking at a p after each block until it is small turns a false alarm of 1 % into one of several. A width does not know
//! which way the difference goes, so stopping on it leaves the interval what it is; and it is looked at only at 10, 20, 40, …
//! blocks.

use serde::Serialize;

use super::matters::headline;
use super::summary::{Row, Summary};
use crate::environment::Accelerator;

/// Blocks at the first look.
const FIRST_LOOK: u32 = 10;

/// Is it time to look, after so many measured blocks?
#[must_use]
pub fn is_look(blocks: u32) -> bool {
    blocks.is_multiple_of(FIRST_LOOK) && (blocks / FIRST_LOOK).is_power_of_two()
}

/// How precise one headline metric is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Precision {
    /// The environment's id.
    pub environment: String,
    /// What executed it.
    pub accelerator: Accelerator,
    /// The workload's id.
    pub workload: String,
    /// The metric's name.
    pub metric: String,
    /// Half the width of the median's interval over the median; `None` where there is no interval.
    pub half_width: Option<f64>,
    /// It is at most the target.
    pub reached: bool,
}

/// The precision of each headline metric that has values, against a target as a fraction: 0.02 is 2 %.
#[must_use]
pub fn precision(summary: &Summary, target: f64) -> Vec<Precision> {
    let rows = summary.rows.iter().filter(|row| headline(&row.metric) && row.n > 0);
    rows.map(|row| of(row, target)).collect()
}

/// Has every headline metric reached it? Not where there is none.
#[must_use]
pub fn enough(precision: &[Precision]) -> bool {
    !precision.is_empty() && precision.iter().all(|one| one.reached)
}

fn of(row: &Row, target: f64) -> Precision {
    let half_width = row.median.and_then(|median| {
        let interval = median.interval?;
        (median.value != 0.0).then(|| (interval.high - interval.low) / 2.0 / median.value.abs())
    });
    Precision {
        environment: row.environment.clone(),
        accelerator: row.accelerator,
        workload: row.workload.clone(),
        metric: row.metric.clone(),
        half_width,
        reached: half_width.is_some_and(|width| width <= target),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::{Settings, example, summarise};

    #[test]
    fn looks_double() {
        let looks: Vec<u32> = (0..200).filter(|&blocks| is_look(blocks)).collect();
        assert_eq!(looks, [10, 20, 40, 80, 160]);
    }

    #[test]
    fn each_headline_metric_has_its_width() {
        let mut run = example::run(10);
        for block in 2..12 {
            run.samples.push(example::sample(block, "native", "startup.ready", 100.0 + f64::from(block % 3)));
            run.samples.push(example::sample(
                block,
                "docker",
                "startup.ready",
                100.0 + 10.0 * f64::from(block % 5),
            ));
            run.samples.push(example::sample(block, "docker", "startup.phase.create", f64::from(block)));
        }
        let summary = summarise(&run, &Settings::of(&run));
        let found = precision(&summary, 0.02);
        let reached: Vec<_> = found.iter().map(|one| (one.environment.as_str(), one.reached)).collect();
        assert_eq!(reached, [("native", true), ("docker", false)]);
        assert!(!enough(&found) && enough(&found[..1]) && !enough(&[]));
        assert!(found[0].half_width.unwrap() < 0.02);
    }
}
