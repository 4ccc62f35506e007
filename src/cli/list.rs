//! `isocost list`: what there is to choose from.

use serde::Serialize;

use super::args::{ListArguments, Topic};
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::words;
use crate::measure::metric::{CATALOGUE, Metric, prefix};
use crate::suite::{self, WORKLOADS, workload_purpose};

/// What each kind of environment is, and the keys it has in a suite with their values, the default first.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "native",
        description: "a child process of isocost, under the same limits; the control",
        settings: &[],
    },
    Kind {
        name: "docker",
        description: "a container made through the Docker API, from an image with the agent alone",
        settings: &[
            ("runtime", "runc, or any that the engine has registered"),
            ("network", "false, or true for the engine's default network"),
        ],
    },
    Kind {
        name: "qemu",
        description: "a QEMU virtual machine whose first program is the agent",
        settings: &[
            ("machine", "microvm, q35, pc"),
            ("accelerator", "auto, kvm, tcg"),
            ("kernel", "debian, debian:VERSION, host, or a path"),
            ("disk", "qcow2, raw"),
        ],
    },
];

/// A kind of environment.
#[derive(Debug, Serialize)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    description: &'static str,
    #[serde(serialize_with = "as_map")]
    pub(super) settings: &'static [(&'static str, &'static str)],
}

fn as_map<S: serde::Serializer>(pairs: &[(&str, &str)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().copied())
}

#[derive(Serialize)]
struct SuiteLine {
    name: String,
    description: String,
    blocks: u32,
    environments: Vec<String>,
    estimated_seconds: f64,
}

#[derive(Serialize)]
struct WorkloadLine {
    name: &'static str,
    description: &'static str,
    metrics: Vec<&'static str>,
}

/// Every topic that was asked for.
#[derive(Serialize)]
struct Lists {
    #[serde(skip_serializing_if = "Option::is_none")]
    suites: Option<Vec<SuiteLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<&'static [Kind]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workloads: Option<Vec<WorkloadLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'static [Metric]>,
}

/// Prints it.
///
/// # Errors
/// A suite that there is not, or standard output that cannot be written.
pub(super) fn list(arguments: &ListArguments, console: Console) -> Result<Exit, Refusal> {
    if let Some(name) = &arguments.text {
        if console.json {
            return Err(Refusal::usage(
                "list --text prints a suite's own text, which is no JSON: leave --json out",
            ));
        }
        console.result(text_of(name)?)?;
        return Ok(Exit::Done);
    }
    let wanted = |topic| arguments.topic.is_none_or(|one| one == topic);
    let lists = Lists {
        suites: wanted(Topic::Suites).then(suites).transpose()?,
        environments: wanted(Topic::Environments).then_some(KINDS),
        workloads: wanted(Topic::Workloads).then(workloads),
        metrics: wanted(Topic::Metrics).then_some(CATALOGUE),
    };
    if console.json {
        console.document("list", lists)?;
    } else {
        console.result(&lists.text(arguments.topic.is_none()))?;
    }
    Ok(Exit::Done)
}

fn text_of(name: &str) -> Result<&'static str, Refusal> {
    let known = suite::built_in();
    known.get(name).copied().ok_or_else(|| {
        let names: Vec<_> = known.into_keys().collect();
        Refusal::usage(format!("there is no built-in suite `{name}`; there are: {}", names.join(", ")))
    })
}

fn suites() -> Result<Vec<SuiteLine>, Refusal> {
    let line = |name: &str| {
        let suite = suite::load(name)?;
        let estimated = crate::plan::estimate(&crate::plan::make(&suite, 0)).total();
        Ok(SuiteLine {
            blocks: suite.blocks.count,
            environments: suite.environments.into_iter().map(|one| one.id).collect(),
            estimated_seconds: estimated.as_secs_f64(),
            name: suite.name,
            description: suite.description,
        })
    };
    suite::built_in().into_keys().map(line).collect()
}

fn workloads() -> Vec<WorkloadLine> {
    let line = |(name, workload): &(&'static str, _)| {
        let of = |metric: &&Metric| {
            metric.name.strip_prefix(prefix(*workload)).is_some_and(|rest| rest.starts_with('.'))
        };
        let metrics = CATALOGUE.iter().filter(of).map(|metric| metric.name).collect();
        WorkloadLine { name, description: workload_purpose(*workload), metrics }
    };
    WORKLOADS.iter().map(line).collect()
}

impl Lists {
    fn text(&self, titled: bool) -> String {
        let parts = [
            ("suites", self.suites.as_deref().map(suites_text)),
            ("environments", self.environments.map(environments_text)),
            ("workloads", self.workloads.as_deref().map(workloads_text)),
            ("metrics", self.metrics.map(metrics_text)),
        ];
        let parts = parts.into_iter().filter_map(|(title, text)| Some((title, text?)));
        let titled = parts
            .map(|(title, text)| if titled { format!("{title}\n{}", words::indented(&text)) } else { text });
        titled.collect::<Vec<_>>().join("\n")
    }
}

fn suites_text(suites: &[SuiteLine]) -> String {
    let row = |suite: &SuiteLine| {
        let time = std::time::Duration::from_secs_f64(suite.estimated_seconds);
        vec![suite.name.clone(), format!("about {}", words::duration(time)), suite.description.clone()]
    };
    words::columns(&suites.iter().map(row).collect::<Vec<_>>())
}

fn environments_text(kinds: &[Kind]) -> String {
    let rows = kinds.iter().flat_map(|kind| {
        let settings = kind.settings.iter().map(|(key, values)| ["", *key, *values]);
        std::iter::once([kind.name, "", kind.description]).chain(settings)
    });
    words::columns(&rows.map(|row| row.map(str::to_owned).to_vec()).collect::<Vec<_>>())
}

fn workloads_text(workloads: &[WorkloadLine]) -> String {
    let row = |line: &WorkloadLine| vec![line.name.to_owned(), line.description.to_owned()];
    words::columns(&workloads.iter().map(row).collect::<Vec<_>>())
}

fn metrics_text(metrics: &[Metric]) -> String {
    let row = |metric: &Metric| {
        let exact = if metric.exact { " (exact)" } else { "" };
        vec![metric.name.to_owned(), metric.unit.to_owned(), format!("{}{exact}", metric.definition)]
    };
    words::columns(&metrics.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_work_is_some_workloads() {
        let listed: Vec<&str> = workloads().iter().flat_map(|line| line.metrics.clone()).collect();
        let of_work = |metric: &&Metric| metric.name.ends_with(".rate") || metric.name.ends_with(".host-cpu");
        for metric in CATALOGUE.iter().filter(of_work) {
            assert_eq!(listed.iter().filter(|name| **name == metric.name).count(), 1, "{}", metric.name);
        }
    }

    #[test]
    fn the_settings_shown_are_those_that_a_suite_may_have() {
        for kind in KINDS {
            for (key, values) in kind.settings {
                let value = values.split([',', ' ']).next().unwrap();
                let value = if value == "false" { value.to_owned() } else { format!("{value:?}") };
                let text = format!(
                    "schema = 1\n[limits]\ncpus = 1\nmemory = \"64MiB\"\n[[environment]]\nid = \"a\"\nkind = {:?}\n{key} = {value}\n",
                    kind.name
                );
                suite::parse(&text, "x.toml").unwrap();
            }
        }
    }
}
