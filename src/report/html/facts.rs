//! What a run was made of and where, as name and value.

use serde::Serialize;

use super::accelerator_name;
use crate::analysis::audit::{self, Standing};
use crate::journal::record::{Conditions, EnvironmentRecord, RunRecord};
use crate::measure::equality::Limits;
use crate::measure::host::Host;
use crate::plan::Role;
use crate::report::clean::{clean, clean_to};
use crate::report::quantity;
use crate::report::view::View;

/// A command line may be long and is worth its length.
const LONG: usize = 4000;

/// A name and what it is.
pub(super) type Fact = (String, String);

fn fact(name: &str, value: impl AsRef<str>) -> Fact {
    (clean(name).into_owned(), clean_to(value.as_ref(), LONG).into_owned())
}

fn or_unknown(text: Option<&String>) -> &str {
    text.map_or("unknown", String::as_str)
}

/// `2 CPUs, 256 MiB`.
pub(super) fn limits(limits: &Limits) -> String {
    let memory = quantity::value(limits.memory_bytes as f64, "bytes");
    format!("{}, {memory} of memory", quantity::counted(u64::from(limits.cpus), "CPU"))
}

/// To the second, UTC.
pub(super) fn moment(at: Option<jiff::Timestamp>) -> Option<String> {
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The host and the run.
pub(super) fn host(record: &RunRecord) -> Vec<Fact> {
    let Host { kernel_release, os, cpu_model, microcode, online_cpus, memory_bytes, .. } = &record.host;
    let virtualised = match record.host.virtualised {
        Some(true) => "yes: the host is a virtual machine itself",
        Some(false) => "no",
        None => "unknown",
    };
    let sampler = record.sampler_cpu_share.map(|share| format!("{:.2} % of one core at most", share * 100.0));
    let mut all = vec![
        fact("operating system", or_unknown(os.as_ref())),
        fact("kernel", kernel_release),
        fact("CPU", or_unknown(cpu_model.as_ref())),
        fact("microcode", or_unknown(microcode.as_ref())),
        fact("CPUs online", online_cpus.to_string()),
        fact("memory", quantity::value(*memory_bytes as f64, "bytes")),
        fact("virtualised", virtualised),
        fact("cgroup", &record.host.cgroup),
        fact("clock source", or_unknown(record.host.clock_source.as_ref())),
        fact(
            "KVM modules",
            if record.host.kvm_modules.is_empty() {
                "none".into()
            } else {
                record.host.kvm_modules.join(", ")
            },
        ),
        fact("file system that was measured", or_unknown(record.host.scratch_file_system.as_ref())),
        fact("the sampler's own use of CPU", sampler.as_deref().unwrap_or("it did not run")),
        fact("SHA-256 of the agent", &record.agent_sha256),
    ];
    all.extend(conditions(record));
    all.extend(settings(&record.host));
    all
}

/// What the run learned about its own measuring.
fn conditions(record: &RunRecord) -> Vec<Fact> {
    let Conditions { clocks, precision, placement, disturbed, repeated, replaced } = &record.conditions;
    let measured = record.plan.blocks.iter().filter(|block| block.role == Role::Measured).count();
    let mut all = vec![fact(
        "blocks disturbed by others, steal, heat or swapping",
        match (disturbed, repeated) {
            (0, _) => format!("none of {measured}"),
            (_, 0) => format!("{disturbed} of {measured}; none was measured again"),
            _ => format!(
                "{disturbed} of {measured}; {repeated} measured again, and {replaced} of these stand for one"
            ),
        },
    )];
    if let Some(placement) = placement {
        let shared = if placement.shared { ": shared" } else { "" };
        all.push(fact("CPUs of instances", format!("{}{shared}", placement.instances)));
        all.push(fact("CPUs of isocost and its sampler", format!("{}{shared}", placement.harness)));
    }
    if let Some(target) = precision {
        all.push(fact("precision asked for", format!("{} %", quantity::number(target * 100.0, 2))));
    }
    leaves("clocks inside", &serde_json::to_value(clocks).unwrap_or_default(), &mut all);
    all
}

/// Settings and state of the host, as they stand in run.json: what is listed by name already is left out.
fn settings(host: &Host) -> Vec<Fact> {
    const PARTS: [&str; 7] =
        ["cpus", "memory", "load_average", "on_battery", "before", "virtualised_by", "scratch_free_bytes"];
    let recorded = serde_json::to_value(host).unwrap_or_default();
    let mut all = Vec::new();
    for part in PARTS {
        leaves(part, &recorded[part], &mut all);
    }
    all
}

/// Each value with the names that lead to it; nothing for what is unknown.
fn leaves(name: &str, value: &serde_json::Value, all: &mut Vec<Fact>) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Object(parts) => {
            parts.iter().for_each(|(part, value)| leaves(&format!("{name}: {part}"), value, all));
        }
        serde_json::Value::String(text) => all.push(fact(&name.replace('_', " "), text)),
        other => all.push(fact(&name.replace('_', " "), other.to_string())),
    }
}

/// What each environment was made of.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    name: String,
    accelerator: &'static str,
    facts: Vec<Fact>,
}

/// All of them.
pub(super) fn environments(record: &RunRecord) -> Vec<Made> {
    let made = |one: &EnvironmentRecord| {
        let bytes = one.prepared.image_bytes.map(|bytes| fact("image", format!("{bytes} bytes")));
        let facts = one.prepared.facts.iter().map(|(name, value)| fact(name, value));
        Made {
            name: clean_to(&one.id, 60).into_owned(),
            accelerator: accelerator_name(one.accelerator),
            facts: bytes.into_iter().chain(facts).collect(),
        }
    };
    record.environments.iter().map(made).collect()
}

/// Each question of the fairness audit, with the answer of the control and of every other environment.
#[derive(Debug, Serialize)]
pub(super) struct Same {
    control: String,
    environments: Vec<String>,
    rows: Vec<SameRow>,
    /// The agent was seen everywhere and is the same everywhere.
    one_agent: bool,
    /// Why ratios of an environment are withheld.
    withheld: Vec<Fact>,
    /// Pairs that the control is not in.
    others: Vec<OtherPair>,
}

/// A pair without the control: how much is the same, and all that is not.
#[derive(Debug, Serialize)]
struct OtherPair {
    a: String,
    b: String,
    /// What is the same, by name.
    same: Vec<&'static str>,
    open: Vec<OpenPoint>,
}

/// A question of which the answer is not 'the same'.
#[derive(Debug, Serialize)]
struct OpenPoint {
    what: &'static str,
    is: &'static str,
    must_match: bool,
    a: String,
    b: String,
    why: &'static str,
}

/// One question.
#[derive(Debug, Serialize)]
struct SameRow {
    what: &'static str,
    must_match: bool,
    control: String,
    answers: Vec<SameAnswer>,
    /// Why answers differ and what it means; each reason once.
    why: Vec<&'static str>,
}

/// One environment's answer.
#[derive(Debug, Serialize)]
struct SameAnswer {
    /// Empty where it is the control's.
    value: String,
    is: &'static str,
}

/// Answers are shown to this length: a list of CPU flags has no end.
const ANSWER: usize = 160;

/// What was the same, what was not and why.
pub(super) fn same(view: &View<'_>) -> Same {
    let record = &view.run.record;
    let control = view.summary.control.as_deref().unwrap_or_default();
    let audits = audit::audit(record);
    let pairs: Vec<Pair<'_>> = audits.iter().filter_map(|pair| Pair::of(pair, control)).collect();
    let expected = record.agent_sha256.as_str();
    let agent =
        |one: &EnvironmentRecord| one.inspection.as_ref().is_some_and(|seen| seen.agent_sha256 == expected);
    let withheld = view.summary.comparability.iter();
    let withheld = withheld.filter_map(|one| Some(fact(&one.environment, one.withheld.as_ref()?)));
    Same {
        control: clean_to(control, 60).into_owned(),
        environments: pairs.iter().map(|pair| clean_to(pair.environment, 60).into_owned()).collect(),
        rows: rows(&pairs),
        one_agent: !record.environments.is_empty() && record.environments.iter().all(agent),
        withheld: withheld.collect(),
        others: audits.iter().filter(|pair| pair.a != control && pair.b != control).map(other).collect(),
    }
}

fn other(pair: &audit::PairAudit) -> OtherPair {
    let same = pair.points.iter().filter(|point| point.standing == Standing::Same);
    let open = |point: &audit::Point| {
        let (why, must_match) = match point.standing {
            Standing::Differs { why, must_match } => (why, must_match),
            Standing::Unproved { must_match } => ("", must_match),
            Standing::Same => ("", false),
        };
        let (a, b) = (shown(point.a.as_ref()), shown(point.b.as_ref()));
        OpenPoint { what: point.subject.name(), is: is(point.standing), must_match, a, b, why }
    };
    OtherPair {
        a: clean_to(&pair.a, 60).into_owned(),
        b: clean_to(&pair.b, 60).into_owned(),
        same: same.map(|point| point.subject.name()).collect(),
        open: pair.open().map(open).collect(),
    }
}

fn is(standing: Standing) -> &'static str {
    match standing {
        Standing::Same => "same",
        Standing::Differs { .. } => "differs",
        Standing::Unproved { .. } => "not proved",
    }
}

/// A pair that the control is in.
struct Pair<'a> {
    environment: &'a str,
    points: &'a [audit::Point],
    /// The control is the first of it.
    first: bool,
}

impl<'a> Pair<'a> {
    fn of(pair: &'a audit::PairAudit, control: &str) -> Option<Self> {
        let first = pair.a == control;
        let environment = if first { &pair.b } else { &pair.a };
        (first || pair.b == control).then_some(Self { environment, points: &pair.points, first })
    }

    /// The control's answer and the other's.
    fn answers(&self, point: &'a audit::Point) -> (&'a Option<String>, &'a Option<String>) {
        if self.first { (&point.a, &point.b) } else { (&point.b, &point.a) }
    }
}

fn rows(pairs: &[Pair<'_>]) -> Vec<SameRow> {
    let questions = pairs.first().map_or(0, |pair| pair.points.len());
    let row = |question: usize| {
        let points: Vec<_> =
            pairs.iter().filter_map(|pair| Some((pair, pair.points.get(question)?))).collect();
        let (first, point) = points.first()?;
        let mut why = Vec::new();
        let mut must_match = false;
        for (_, point) in &points {
            if let Standing::Differs { why: clause, must_match: must } = point.standing {
                must_match |= must;
                if !why.contains(&clause) {
                    why.push(clause);
                }
            }
        }
        let answers = points.iter().map(|(pair, point)| answer(pair, point)).collect();
        let control = shown(first.answers(point).0.as_ref());
        Some(SameRow { what: point.subject.name(), must_match, control, answers, why })
    };
    (0..questions).filter_map(row).collect()
}

fn answer(pair: &Pair<'_>, point: &audit::Point) -> SameAnswer {
    let (control, own) = pair.answers(point);
    let alike = own == control || point.standing == Standing::Same;
    let value = if alike { String::new() } else { shown(own.as_ref()) };
    SameAnswer { value, is: is(point.standing) }
}

fn shown(answer: Option<&String>) -> String {
    answer.map_or("not seen".to_owned(), |answer| clean_to(answer, ANSWER).into_owned())
}
