//! Limits that found nothing to hold against: they would pass for want of a figure.

use std::collections::HashSet;

use serde::Serialize;

use super::answer::Reason;
use crate::analysis::compare::{Change, Only};
use crate::journal::Run;
use crate::measure::metric::{self, CATALOGUE, Metric};
use crate::measure::sample::Sample;
use crate::suite::{EnvironmentSpec, Filter, GateSpec, LimitSpec, Suite};

/// A limit of the suite that no figure has although the plan was to give one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missing {
    /// The environments it names.
    pub environment: String,
    /// The workload, where one figure is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The metrics it names.
    pub metric: String,
    /// As a fraction of the base.
    pub limit: f64,
    /// What is not there.
    pub reason: Reason,
}

/// What each side was to measure: environments, each with its suite.
pub(super) struct Planned<'a> {
    pub base: Vec<(&'a Suite, &'a EnvironmentSpec)>,
    pub new: Vec<(&'a Suite, &'a EnvironmentSpec)>,
}

/// All environments of these runs.
pub(super) fn environments<'a>(runs: &[&'a Run]) -> Vec<(&'a Suite, &'a EnvironmentSpec)> {
    let suites = runs.iter().map(|run| &run.record.plan.suite);
    suites.flat_map(|suite| suite.environments.iter().map(move |one| (suite, one))).collect()
}

/// The limits without a figure that was planned on a side, and those of which nothing was planned: names for a remark.
pub(super) fn of(
    spec: &GateSpec,
    control: Option<&str>,
    rows: &[Change],
    planned: &Planned<'_>,
) -> (Vec<Missing>, Vec<String>) {
    let (mut missing, mut idle) = (Vec::new(), Vec::new());
    for limit in &spec.limits {
        let means = |id: &str| {
            Filter(&limit.environment).matches(id) && (control != Some(id) || limit.environment == id)
        };
        if rows.iter().any(|row| means(&row.environment) && Filter(&limit.metric).matches(&row.metric)) {
            continue;
        }
        let measures = |side: &[(&Suite, &EnvironmentSpec)]| {
            side.iter().any(|(suite, one)| means(&one.id) && gives(suite, one, limit))
        };
        let reason = match (measures(&planned.base), measures(&planned.new)) {
            (true, true) => Reason::NotMeasured,
            (true, false) => Reason::NotInNew,
            (false, true) => Reason::NotInBase,
            (false, false) => {
                idle.push(format!("{}/{}", limit.environment, limit.metric));
                continue;
            }
        };
        let LimitSpec { environment, metric, limit, .. } = limit.clone();
        missing.push(Missing { environment, workload: None, metric, limit, reason });
    }
    (missing, idle)
}

/// Gated figures that the baseline holds and the candidate's plan left out, but for those of `known`: a run that measures less
/// would pass for it. What only the candidate measures is new, and gates nothing yet.
pub(super) fn left_out(
    base: &[&Run],
    rows: &[Change],
    known: &[Missing],
    only: &Only,
    limit: &dyn Fn(&Sample, f64) -> Option<f64>,
) -> Vec<Missing> {
    let compared: HashSet<_> =
        rows.iter().map(|row| (&*row.environment, &*row.workload, &*row.metric)).collect();
    let mut seen = HashSet::new();
    let all = base.iter().flat_map(|run| &run.samples).filter(|sample| !sample.warm_up);
    let lacking = all.filter_map(|one| {
        let (environment, workload, metric) = (&*one.environment, &*one.workload, &*one.metric);
        let value = one.value()?;
        let key = (environment, workload, metric);
        let told = |missing: &Missing| {
            Filter(&missing.environment).matches(environment) && Filter(&missing.metric).matches(metric)
        };
        if compared.contains(&key)
            || !seen.insert(key)
            || !only.holds(environment, workload, metric)
            || known.iter().any(told)
        {
            return None;
        }
        Some(Missing {
            environment: environment.to_owned(),
            workload: Some(workload.to_owned()),
            metric: metric.to_owned(),
            limit: limit(one, value)?,
            reason: Reason::NotPlanned,
        })
    });
    lacking.collect()
}

/// Does the plan give that environment a figure that the limit names?
fn gives(suite: &Suite, environment: &EnvironmentSpec, limit: &LimitSpec) -> bool {
    let of_work = |name: &str, work| name.starts_with(&format!("{}.", metric::prefix(work)));
    let own = |id: &String| environment.workloads.as_ref().is_none_or(|own| own.contains(id));
    let given = |metric: &&Metric| {
        let work = crate::suite::WORKLOADS.iter().find(|(_, work)| of_work(metric.name, *work));
        match work {
            Some((_, work)) => suite.workloads.iter().any(|one| one.run == *work && own(&one.id)),
            None => suite.blocks.cold > 0 || !metric.name.starts_with("startup.cold."),
        }
    };
    CATALOGUE.iter().filter(|metric| Filter(&limit.metric).matches(metric.name)).any(|metric| given(&metric))
}
