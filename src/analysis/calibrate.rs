//! What sessions of an unchanged configuration differ by: from it, what this host can call a change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::fingerprint::{self, Mismatch};
use super::group::{Key, group};
use super::matters;
use super::session::Session;
use super::statistics::{normal, order};
use crate::journal::Run;
use crate::measure::host::Host;
use crate::measure::metric;

/// Sessions for a calibration that may be relied on.
pub const ENOUGH_SESSIONS: u32 = 20;

/// What was learned of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Sessions it rests on.
    pub sessions: u32,
    /// At least [`ENOUGH_SESSIONS`].
    pub enough: bool,
    /// Standard deviation of ln(value) between sessions: the upper quartile over all rows.
    pub between_sessions: Option<f64>,
    /// The smallest change that matters, as a fraction, by metric.
    pub matters: BTreeMap<String, f64>,
    /// The host it was learned on, and holds for.
    pub host: Host,
    /// What differed between the sessions and is no part of the host: they may not be of one thing.
    #[serde(default)]
    pub differences: Vec<Mismatch>,
}

impl Calibration {
    /// Does it hold for that host?
    #[must_use]
    pub fn holds_for(&self, host: &Host) -> bool {
        fingerprint::same_host(&self.host, host)
    }
}

/// Why nothing is learned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncalibrated {
    /// There is no step from one session to the next.
    #[error(
        "calibrating takes the runs of two sessions, and of {ENOUGH_SESSIONS} to be relied on; here: {0}"
    )]
    TooFew(usize),
    /// They are not of one configuration.
    #[error(
        "run {run} is not of the same configuration as the first: {} is {} there and {} here; give runs in which nothing \
         was changed",
        .mismatch.what, .mismatch.base, .mismatch.new
    )]
    NotOne {
        /// The run's id.
        run: String,
        /// The first thing that differs.
        mismatch: Box<Mismatch>,
    },
}

/// From sessions in which nothing changed, in the order they were run.
///
/// For each metric it is the larger of the usual one and Q3 + 3 · IQR of |Δ|, Δ being the relative change of a row from
/// one session to the next: a change that hosts make by themselves does not matter.
///
/// # Errors
/// Fewer than two sessions, or sessions of different hosts, kernels, suites or agents.
pub fn calibrate(sessions: &[&Run]) -> Result<Calibration, Uncalibrated> {
    let [first, others @ ..] = sessions else { return Err(Uncalibrated::TooFew(0)) };
    if others.is_empty() {
        return Err(Uncalibrated::TooFew(1));
    }
    let differences = differences(first, others)?;
    let mut values: BTreeMap<String, (String, Vec<f64>)> = BTreeMap::new();
    for run in sessions {
        for series in group(run).series {
            let logs: Vec<f64> = series.taken.iter().map(|one| one.value.ln()).collect();
            let Some(session) = Session::of(&logs).filter(|_| logs.iter().all(|log| log.is_finite())) else {
                continue;
            };
            let name = series.key.metric.to_owned();
            values.entry(row_name(&series.key)).or_insert_with(|| (name, Vec::new())).1.push(session.at);
        }
    }
    let mut changes: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut deviations = Vec::new();
    for (metric, at) in values.into_values() {
        let steps = at.windows(2).map(|two| (two[1] - two[0]).exp_m1().abs());
        changes.entry(metric).or_default().extend(steps);
        deviations.extend(deviation(&at));
    }
    let sessions = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
    Ok(Calibration {
        sessions,
        enough: sessions >= ENOUGH_SESSIONS,
        between_sessions: order::quantile(&order::sorted(&deviations), 0.75),
        matters: changes.into_iter().filter_map(|(metric, changes)| matters_of(metric, &changes)).collect(),
        host: first.record.host.clone(),
        differences,
    })
}

/// What differs and does not forbid.
fn differences(first: &Run, others: &[&Run]) -> Result<Vec<Mismatch>, Uncalibrated> {
    let mut all = Vec::new();
    for other in others {
        for mismatch in fingerprint::mismatches(&first.record, &other.record) {
            if mismatch.forbids {
                let run = other.record.run_id.clone();
                return Err(Uncalibrated::NotOne { run, mismatch: Box::new(mismatch) });
            }
            if !all.contains(&mismatch) {
                all.push(mismatch);
            }
        }
    }
    Ok(all)
}

fn row_name(key: &Key<'_>) -> String {
    format!("{} {:?} {} {}", key.environment, key.accelerator, key.workload, key.metric)
}

fn matters_of(name: String, changes: &[f64]) -> Option<(String, f64)> {
    let known = metric::find(&name).filter(|metric| !metric.exact)?;
    let sorted = order::sorted(changes);
    let (low, high) = (order::quantile(&sorted, 0.25)?, order::quantile(&sorted, 0.75)?);
    Some((name, matters::smallest(known).relative.max(high + 3.0 * (high - low))))
}

/// From the median distance of neighbours, which a step of the host between two sessions moves once and not all through.
fn deviation(at: &[f64]) -> Option<f64> {
    let steps: Vec<f64> = at.windows(2).map(|two| (two[1] - two[0]).abs()).collect();
    // The median of |N(0, 2σ²)| is Φ⁻¹(¾) · √2 · σ.
    order::median_of(&steps).map(|median| median / (normal::quantile(0.75) * std::f64::consts::SQRT_2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::example;

    fn session(level: f64) -> Run {
        let mut run = example::run(6);
        for block in 2..8 {
            run.samples.push(example::sample(
                block,
                "docker",
                "startup.ready",
                level + f64::from(block) / 1e3,
            ));
            run.samples.push(example::sample(block, "docker", "disk.image", 1000.0));
        }
        run
    }

    #[test]
    fn a_steady_host_keeps_the_usual_sizes_and_a_restless_one_does_not() {
        let of = |levels: &[f64]| {
            let runs: Vec<Run> = levels.iter().map(|level| session(*level)).collect();
            calibrate(&runs.iter().collect::<Vec<_>>()).unwrap()
        };
        let steady = of(&[100.0; 20]);
        assert!(steady.enough && steady.matters["startup.ready"] == 0.10);
        assert!(steady.between_sessions.unwrap() < 1e-9 && !steady.matters.contains_key("disk.image"));
        let levels: Vec<f64> = (0..8).map(|i| 100.0 + f64::from(i * 5 % 8) * 5.0).collect();
        let restless = of(&levels);
        assert!(!restless.enough && restless.matters["startup.ready"] > 0.10);
        assert!(restless.between_sessions.unwrap() > 0.05);
    }

    #[test]
    fn one_session_and_sessions_of_two_things_teach_nothing() {
        assert_eq!(calibrate(&[]), Err(Uncalibrated::TooFew(0)));
        let (one, mut other) = (session(100.0), session(101.0));
        assert_eq!(calibrate(&[&one]), Err(Uncalibrated::TooFew(1)));
        assert!(calibrate(&[&one, &other]).unwrap().holds_for(&one.record.host));
        other.record.host.kernel_release = "7".into();
        let error = calibrate(&[&one, &other]).unwrap_err().to_string();
        assert!(error.contains("the host's kernel is  there and 7 here"), "{error}");
        assert!(!calibrate(&[&one, &one]).unwrap().holds_for(&other.record.host));
    }
}
