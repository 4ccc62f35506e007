//! `[gate]`: which changes fail a build.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::check::Misfit;
use super::error::similar;
use super::filter::Filter;
use super::locate::Step;
use super::raw;
use crate::measure::metric::{CATALOGUE, Metric};

/// Which changes fail a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateSpec {
    /// What is gated, in the order of the names; empty: the headline metrics and the exact ones, each by its usual limit.
    pub limits: Vec<LimitSpec>,
    /// The chance that any gated figure is called a regression and is none.
    pub alpha: f64,
    /// How long may be measured on, in all, while the answer is undecided or a failure is to be confirmed.
    pub budget: Duration,
    /// What an undecided gate is to a build.
    pub undecided: Undecided,
}

/// The limit of some figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// Environments by id, `*` allowed.
    pub environment: String,
    /// Metrics by name, `*` allowed.
    pub metric: String,
    /// The largest change for the worse that passes, as a fraction: 0.05 is 5 %.
    pub limit: f64,
    /// Why it is wider than usual.
    pub because: Option<String>,
}

/// What an undecided gate is to a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undecided {
    /// An answer of its own: exit code 5.
    Undecided,
    /// As bad as a regression: exit code 1.
    Fail,
}

impl Default for GateSpec {
    fn default() -> Self {
        Self { limits: Vec::new(), alpha: 0.01, budget: Duration::ZERO, undecided: Undecided::Undecided }
    }
}

impl GateSpec {
    /// The limit of one figure: the last that names it; `None` where it is not gated.
    #[must_use]
    pub fn limit_of(&self, environment: &str, metric: &str) -> Option<&LimitSpec> {
        let names = |one: &&LimitSpec| {
            Filter(&one.environment).matches(environment) && Filter(&one.metric).matches(metric)
        };
        self.limits.iter().rfind(names)
    }
}

/// `"5%"` as 0.05.
fn fraction(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').map(str::trim_end);
    let percent: Option<f64> = number
        .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok());
    match percent {
        Some(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("is {text:?}; it is a percentage from 0% to 1000%, such as \"5%\"")),
    }
}

fn wrong(path: &[&'static str], what: String) -> Misfit {
    let path = [Step::Key("gate")].into_iter().chain(path.iter().map(|key| Step::Key(key))).collect();
    Misfit { path, what }
}

/// From what was written to what is meant; `usual` is a metric's limit where nobody sets one.
pub(super) fn resolve(
    raw: raw::Gate,
    environments: &[&str],
    usual: impl Fn(&Metric) -> f64,
) -> Result<GateSpec, Misfit> {
    let standard = GateSpec::default();
    let limits = raw.limits.into_iter().map(|(name, limit)| one(&name, limit, environments, &usual));
    let alpha = raw.alpha.unwrap_or(standard.alpha);
    if !(1e-6..=0.2).contains(&alpha) {
        return Err(wrong(&["alpha"], format!("is {alpha}; it is from 0.000001 to 0.2")));
    }
    Ok(GateSpec {
        limits: limits.collect::<Result<_, _>>()?,
        alpha,
        budget: raw.budget.map_or(standard.budget, |time| time.0),
        undecided: raw.undecided.unwrap_or(standard.undecided),
    })
}

fn one(
    name: &str,
    raw: RawLimit,
    environments: &[&str],
    usual: &impl Fn(&Metric) -> f64,
) -> Result<LimitSpec, Misfit> {
    let at = |what: String| wrong(&["limits"], format!("{name:?} {what}"));
    let (environment, metric) = name.split_once('/').unwrap_or(("*", name));
    if !environments.iter().any(|id| Filter(environment).matches(id)) {
        let hint =
            similar(environment, environments.iter().copied()).map(|id| format!(", did you mean `{id}`?"));
        return Err(at(format!(
            "names the environment `{environment}`, which the suite does not have{}",
            hint.unwrap_or_default()
        )));
    }
    let metrics: Vec<&Metric> = CATALOGUE.iter().filter(|one| Filter(metric).matches(one.name)).collect();
    if metrics.is_empty() {
        let hint = similar(metric, CATALOGUE.iter().map(|one| one.name))
            .map(|name| format!(", did you mean `{name}`?"));
        let hint = hint.unwrap_or_default();
        return Err(at(format!(
            "names the metric `{metric}`, which there is none of{hint}; `isocost list metrics` shows all"
        )));
    }
    let (limit, because) = match raw {
        RawLimit::Plain(limit) => (limit, None),
        RawLimit::Reasoned(Reasoned { limit, because }) => (limit, because),
    };
    let limit = fraction(&limit).map_err(at)?;
    let tightest = metrics.iter().map(|metric| usual(metric)).fold(f64::INFINITY, f64::min);
    let reason = because.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if limit > tightest && reason.is_none() {
        return Err(at(format!(
            "is {}, wider than the usual {}; a wider limit says why: {{ limit = \"{}\", because = \"…\" }}",
            percent(limit),
            percent(tightest),
            percent(limit)
        )));
    }
    Ok(LimitSpec {
        environment: environment.to_owned(),
        metric: metric.to_owned(),
        limit,
        because: reason.map(str::to_owned),
    })
}

/// `5%`, `2.5%`.
fn percent(fraction: f64) -> String {
    format!("{}%", (fraction * 1e6).round() / 1e4)
}

/// Limits as they are written, by name; TOML itself refuses the same name twice.
pub(super) type RawLimits = BTreeMap<String, RawLimit>;

/// `"5%"`, or with a reason.
#[derive(Debug)]
pub(super) enum RawLimit {
    Plain(String),
    Reasoned(Reasoned),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasoned {
    limit: String,
    because: Option<String>,
}

/// By hand: of what is neither, serde's untagged says only that it is neither.
impl<'de> Deserialize<'de> for RawLimit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawLimit;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(r#"a percentage such as "5%", or { limit = "5%", because = "…" }"#)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawLimit, E> {
                Ok(RawLimit::Plain(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawLimit, A::Error> {
                Reasoned::deserialize(MapAccessDeserializer::new(map)).map(RawLimit::Reasoned)
            }
        }
        from.deserialize_any(Either)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::parse;

    fn suite(gate: &str) -> Result<GateSpec, String> {
        let text = format!(
            "schema = 1\n[limits]\ncpus = 1\nmemory = \"64MiB\"\n[[environment]]\nid = \"native\"\nkind = \"native\"\n\
             [[environment]]\nid = \"docker\"\nkind = \"docker\"\n{gate}"
        );
        parse(&text, "f.toml").map(|suite| suite.gate).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_by_metric_or_by_environment_and_metric() {
        let gate = suite("[gate]\nalpha = 0.05\nbudget = \"10min\"\nundecided = \"fail\"\n[gate.limits]\n\"startup.ready\" = \"5%\"\n\"docker/startup.*\" = \"2.5%\"\n").unwrap();
        assert_eq!(gate.alpha, 0.05);
        assert_eq!((gate.budget, gate.undecided), (Duration::from_secs(600), Undecided::Fail));
        assert_eq!(gate.limit_of("native", "startup.ready").unwrap().limit, 0.05);
        assert_eq!(gate.limit_of("native", "memory.total.idle"), None);
        assert_eq!(gate.limit_of("docker", "startup.phase.create").unwrap().limit, 0.025);
    }

    #[test]
    fn without_a_gate_the_usual_one_holds() {
        assert_eq!(suite("").unwrap(), GateSpec::default());
        assert_eq!(suite("[gate]\n").unwrap(), GateSpec::default());
    }

    #[test]
    fn a_wider_limit_has_a_reason() {
        let plain = suite("[gate.limits]\n\"disk.sync.rate\" = \"30%\"\n").unwrap_err();
        assert!(plain.contains("is 30%, wider than the usual 15%; a wider limit says why"), "{plain}");
        let empty = suite("[gate.limits]\n\"disk.sync.rate\" = { limit = \"30%\", because = \" \" }\n");
        assert!(empty.is_err());
        let reasoned =
            suite("[gate.limits]\n\"disk.sync.rate\" = { limit = \"30%\", because = \"shared disk\" }\n")
                .unwrap();
        assert_eq!(reasoned.limits[0].because.as_deref(), Some("shared disk"));
        // Any change of an exact metric is a fact, so that every limit of one is a wider one.
        assert!(suite("[gate.limits]\n\"disk.image\" = \"1%\"\n").is_err());
        suite("[gate.limits]\n\"disk.image\" = \"0%\"\n").unwrap();
    }

    #[test]
    fn slips_are_named_with_their_line() {
        for (gate, words) in [
            ("[gate.limits]\n\"startup.redy\" = \"5%\"\n", "did you mean `startup.ready`?"),
            ("[gate.limits]\n\"dcoker/startup.ready\" = \"5%\"\n", "did you mean `docker`?"),
            ("[gate.limits]\n\"startup.ready\" = \"5\"\n", "such as \"5%\""),
            ("[gate.limits]\n\"startup.ready\" = \"-5%\"\n", "such as \"5%\""),
            ("[gate.limits]\n\"startup.ready\" = \"NaN%\"\n", "such as \"5%\""),
            ("[gate.limits]\n\"startup.ready\" = 5\n", "expected a percentage such as \"5%\", or { limit ="),
            (
                "[gate.limits]\n\"startup.ready\" = { limt = \"5%\" }\n",
                "unknown key `limt`, expected `limit` or `because`; did you mean `limit`?",
            ),
            ("[gate.limits]\n\"startup.ready\" = { because = \"x\" }\n", "missing key `limit`"),
            ("[gate]\nalpha = 0.5\n", "gate.alpha is 0.5"),
            ("[gate]\nundecided = \"pass\"\n", "unknown value"),
        ] {
            let error = suite(gate).unwrap_err();
            assert!(error.contains(words) && error.starts_with("f.toml:1"), "{error}");
        }
    }
}
