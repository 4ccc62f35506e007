//! Which figures are gated, and by how much each may become worse.

use serde::Serialize;

use crate::analysis::matters::{self, Smallest, headline};
use crate::measure::metric;
use crate::suite::GateSpec;

/// How much worse a figure may become.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// As a fraction of the base.
    pub relative: f64,
    /// What it usually is, where the suite has it wider: changes between the two are no longer seen.
    pub usual: Option<f64>,
    /// Why it is wider, in the suite's words.
    pub because: Option<String>,
}

/// The limit of a figure whose base has this median; `None` where it is not gated. The control is gated only where the
/// suite names it: what moves there is the host.
pub(super) fn of(
    spec: &GateSpec,
    control: Option<&str>,
    environment: &str,
    name: &str,
    base: f64,
) -> Option<Limit> {
    let metric = metric::find(name)?;
    let usual = matters::smallest(metric);
    if spec.limits.is_empty() {
        let gated = control != Some(environment) && (metric.exact || headline(name));
        return gated.then(|| Limit { relative: usual.of(base), usual: None, because: None });
    }
    let found = spec.limit_of(environment, name)?;
    if control == Some(environment) && found.environment != environment {
        return None;
    }
    let relative = Smallest { relative: found.limit, ..usual }.of(base);
    let wider = found.limit > usual.relative;
    Some(Limit { relative, usual: wider.then(|| usual.of(base)), because: found.because.clone() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::LimitSpec;

    fn named(environment: &str, metric: &str, limit: f64) -> LimitSpec {
        LimitSpec { environment: environment.into(), metric: metric.into(), limit, because: None }
    }

    #[test]
    fn without_limits_the_headlines_and_the_exact_ones_are_gated() {
        let spec = GateSpec::default();
        let limit = |environment: &str, metric: &str| {
            of(&spec, Some("native"), environment, metric, 1e9).map(|one| one.relative)
        };
        assert_eq!(limit("docker", "startup.ready"), Some(0.10));
        assert_eq!(limit("docker", "disk.image"), Some(0.0));
        assert_eq!(limit("docker", "startup.phase.create"), None);
        assert_eq!(limit("native", "startup.ready"), None);
        assert_eq!(limit("docker", "later.version"), None);
    }

    #[test]
    fn the_suites_limits_hold_and_a_wider_one_says_what_it_hides() {
        let limits = vec![named("*", "startup.*", 0.05), named("docker", "startup.ready", 0.3)];
        let spec = GateSpec { limits, ..GateSpec::default() };
        let docker = of(&spec, Some("native"), "docker", "startup.ready", 100.0).unwrap();
        assert_eq!((docker.relative, docker.usual), (0.3, Some(0.10)));
        assert_eq!(of(&spec, Some("native"), "qemu", "startup.ready", 100.0).unwrap().usual, None);
        assert_eq!(of(&spec, Some("native"), "native", "startup.ready", 100.0), None);
        let own = GateSpec { limits: vec![named("native", "startup.ready", 0.05)], ..GateSpec::default() };
        assert!(of(&own, Some("native"), "native", "startup.ready", 100.0).is_some());
    }

    #[test]
    fn two_mebibytes_are_never_too_much() {
        let spec = GateSpec { limits: vec![named("*", "memory.total.idle", 0.05)], ..GateSpec::default() };
        let small = of(&spec, None, "docker", "memory.total.idle", 4.0 * 1024.0 * 1024.0).unwrap();
        assert_eq!(small.relative, 0.5);
    }
}
