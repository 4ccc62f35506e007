//! `report.html`: one file that opens offline, on screen and on paper, in light and dark.
//!
//! What the template is given is made here, as plain values; minijinja escapes every one of them but the pictures, which are
//! ours. Text of guests goes through [`clean`] first.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment as Templates, Error, context};
use serde::Serialize;

use super::answers;
use super::clean::{clean, clean_to, sentence};
use super::plot::Plot;
use super::quantity;
use super::terminal::alarms;
use super::view::{Difference, View, bigger_is_better, difference, missing};
use crate::analysis::{Estimate, Latency, Outlier, OutlierClass, Ratio, Row};
use crate::measure::metric::{self, CATALOGUE, Direction, Family, Metric};
use crate::measure::sample::Accelerator;
use crate::measure::sample::{FailureName, Outcome};

mod facts;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

/// A template of ours, filled; `name` decides how values are escaped.
pub(super) fn fill(name: &'static str, template: &'static str, values: Value) -> Result<String, Error> {
    let mut templates = Templates::new();
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    templates.add_template(name, template)?;
    templates.get_template(name)?.render(values)
}

/// What goes into a page's `<style>`.
pub(super) fn style() -> Value {
    Value::from_safe_string(STYLE.to_owned())
}

/// The page of one run.
pub(super) fn page(view: &View<'_>, plots: &[Plot]) -> Result<String, Error> {
    let record = &view.run.record;
    let suite = &record.plan.suite;
    let values = context! {
        style => style(),
        run => clean(&record.run_id),
        suite => clean(&suite.name),
        description => clean(&suite.description),
        version => clean(&record.isocost_version),
        reporter => env!("CARGO_PKG_VERSION"),
        seed => record.plan.seed.to_string(),
        blocks => quantity::counted(u64::from(view.summary.blocks), "measured block"),
        limits => facts::limits(&suite.limits),
        started => facts::moment(Some(record.started_at)),
        ended => facts::moment(record.ended_at),
        confidence => quantity::number(view.summary.confidence * 100.0, 2),
        control => view.control().map(|one| one.name.clone()),
        emulated => view.emulated(),
        alarms => Serde(alarms(view)),
        answers => Serde(answers::all(view)),
        same => Serde(facts::same(view)),
        warnings => Serde(record.warnings.iter().map(|text| sentence(text)).collect::<Vec<_>>()),
        plots => plots.iter().map(picture).collect::<Vec<_>>(),
        families => Serde(families(view)),
        latencies => Serde(latencies(view)),
        control_id => view.control().map_or("native".to_owned(), |one| one.name.clone()),
        failures => Serde(failures(view)),
        failed_elsewhere => super::view::said_elsewhere(view, view.summary.rows.iter().any(|row| row.failures() > 0)),
        exact => Serde(exact(view)),
        host => Serde(facts::host(record)),
        made => Serde(facts::environments(record)),
        clocks => super::clocks::clocks(view.run),
        metrics => CATALOGUE.iter().map(definition).collect::<Vec<_>>(),
    };
    fill("page.html", PAGE, values)
}

fn picture(plot: &Plot) -> Value {
    let svg = plot.drawn.as_ref().ok().map(|svg| Value::from_safe_string(svg.clone()));
    let none = plot.drawn.as_ref().err();
    context! { name => plot.name, title => plot.title, caption => plot.caption.as_str(), svg, none => none.map(String::as_str) }
}

/// One family's table.
#[derive(Debug, Serialize)]
struct FamilyTable {
    name: &'static str,
    id: &'static str,
    groups: Vec<Group>,
}

/// The rows of one workload and metric.
#[derive(Debug, Serialize)]
struct Group {
    workload: String,
    metric: String,
    known: bool,
    bigger: bool,
    lines: Vec<Line>,
}

/// One environment's row.
#[derive(Debug, Serialize)]
struct Line {
    environment: String,
    what: &'static str,
    n: u32,
    failed: u32,
    failures: String,
    median: String,
    ratio: String,
    verdict: String,
    /// In how many blocks.
    agreeing: String,
    notes: Vec<String>,
}

fn families(view: &View<'_>) -> Vec<FamilyTable> {
    let named = [
        (Family::Startup, "Start and end", "startup"),
        (Family::Memory, "Memory", "memory"),
        (Family::Cpu, "CPU", "cpu"),
        (Family::Disk, "Disk", "disk"),
    ];
    let table = |(family, name, id)| FamilyTable { name, id, groups: groups(view, Some(family)) };
    let mut all: Vec<FamilyTable> = named.into_iter().map(table).collect();
    all.push(FamilyTable {
        name: "Metrics this version does not know",
        id: "unknown",
        groups: groups(view, None),
    });
    all.retain(|family| !family.groups.is_empty());
    all
}

/// By workload and then by metric, so that environments stand below each other.
fn groups(view: &View<'_>, family: Option<Family>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let of_family = |row: &&Row| metric::find(&row.metric).map(|metric| metric.family) == family;
    for row in view.summary.rows.iter().filter(of_family) {
        let place = *places.entry((&row.workload, &row.metric)).or_insert_with(|| {
            groups.push(Group {
                workload: clean_to(&row.workload, 60).into_owned(),
                metric: clean_to(&row.metric, 60).into_owned(),
                known: family.is_some(),
                bigger: bigger_is_better(&row.metric),
                lines: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.lines.push(line(view, row));
        }
    }
    groups
}

fn line(view: &View<'_>, row: &Row) -> Line {
    let environment = view.environment(&row.environment, row.accelerator);
    let ratio = match &row.ratio {
        Ratio::Control => "control".to_owned(),
        Ratio::Stated { estimate, .. } => quantity::ratio(estimate),
        none => missing(none).unwrap_or_default().to_owned(),
    };
    Line {
        environment: environment.map_or_else(|| clean(&row.environment).into_owned(), |one| one.name.clone()),
        what: environment.map_or("", |one| one.what()),
        n: row.n,
        failed: row.failures(),
        failures: super::view::failures(row),
        median: row.median.map_or("–".to_owned(), |median| quantity::estimate(&median, &row.unit)),
        ratio,
        verdict: verdict(row),
        agreeing: agreeing(row),
        notes: row.notes.iter().map(|note| clean(note).into_owned()).chain(outliers(row)).collect(),
    }
}

/// Worse or better than native, where the whole interval says so and the metric's source can show it.
fn verdict(row: &Row) -> String {
    let more = match difference(row) {
        Difference::Unknown => return String::new(),
        Difference::Unresolved => return "no difference that its source could show".to_owned(),
        Difference::NotShown => return "no difference shown".to_owned(),
        Difference::More => true,
        Difference::Less => false,
    };
    let way = if more == bigger_is_better(&row.metric) { "better" } else { "worse" };
    let small = row.effect.as_ref().is_some_and(|effect| effect.small);
    if small { format!("{way}, too little to matter") } else { way.to_owned() }
}

/// `above in 5 of 6 blocks`: those in which the value is on the ratio's side; equal ones are counted for themselves.
fn agreeing(row: &Row) -> String {
    let (Ratio::Stated { estimate, pairs }, Some(effect)) = (&row.ratio, &row.effect) else {
        return String::new();
    };
    let (side, count) = if estimate.value >= 1.0 { ("above", effect.above) } else { ("below", effect.below) };
    let parts = [(side, count), ("equal", effect.equal)];
    let some = parts.iter().filter(|(_, count)| *count > 0).map(|(side, count)| format!("{side} in {count}"));
    let some: Vec<String> = some.collect();
    let told = if some.is_empty() { format!("{side} in 0") } else { some.join(", ") };
    format!("{told} of {}", quantity::counted(u64::from(*pairs), "block"))
}

/// Outliers that are named.
const NAMED: usize = 3;

/// `1 severe, 2 mild outliers (block 4: 9.81 ms, …)`: they count like all others.
fn outliers(row: &Row) -> Option<String> {
    let of = |class| row.outliers.iter().filter(|one| one.class == class).count();
    let classes = [(OutlierClass::Severe, "severe"), (OutlierClass::Mild, "mild")];
    let counts = classes.into_iter().map(|(class, name)| (of(class), name)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    let mut far: Vec<_> = row.outliers.iter().collect();
    far.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()));
    let place = |one: &&Outlier| format!("block {}: {}", one.block, quantity::value(one.value, &row.unit));
    let mut places: Vec<String> = far.iter().take(NAMED).map(place).collect();
    if far.len() > NAMED {
        places.push("…".to_owned());
    }
    let word = if far.len() == 1 { "outlier" } else { "outliers" };
    (!far.is_empty()).then(|| format!("{} {word} ({})", counts.join(", "), places.join(", ")))
}

/// Quantiles of single operations of one environment.
#[derive(Debug, Serialize)]
struct Quantiles {
    workload: String,
    environment: String,
    what: &'static str,
    /// Those kept, and of how many one was: `14012, 1 in 16`.
    operations: String,
    /// p50, p90, p99 and the largest.
    figures: [String; 4],
}

fn kept(one: &Latency) -> String {
    match one.kept_one_in {
        Some((1, 1)) => format!("{}, all", one.operations),
        Some((least, most)) if least == most => format!("{}, 1 in {most}", one.operations),
        Some((least, most)) => format!("{}, 1 in {least} to {most}", one.operations),
        None => one.operations.to_string(),
    }
}

fn latencies(view: &View<'_>) -> Vec<Quantiles> {
    let quantiles = |one: &Latency| {
        let environment = view.environment(&one.environment, one.accelerator);
        let figure =
            |of: &Option<Estimate>| of.map_or("–".to_owned(), |of| quantity::estimate(&of, &one.unit));
        Quantiles {
            workload: clean_to(&one.workload, 60).into_owned(),
            environment: environment
                .map_or_else(|| clean_to(&one.environment, 60).into_owned(), |known| known.name.clone()),
            what: environment.map_or("", |one| one.what()),
            operations: kept(one),
            figures: [
                figure(&one.p50),
                figure(&one.p90),
                figure(&one.p99),
                quantity::value(one.max, &one.unit),
            ],
        }
    };
    let mut all: Vec<Quantiles> = view.summary.latencies.iter().map(quantiles).collect();
    // Environments below each other, as in the other tables.
    let mut order: Vec<String> = Vec::new();
    for one in &all {
        if !order.contains(&one.workload) {
            order.push(one.workload.clone());
        }
    }
    all.sort_by_key(|one| order.iter().position(|known| *known == one.workload));
    all
}

/// Failures of one environment that have one name.
#[derive(Debug, Serialize)]
struct Failed {
    environment: String,
    name: String,
    count: u32,
    detail: String,
    /// Workload, metric, times, n.
    places: Vec<String>,
}

fn failures(view: &View<'_>) -> Vec<Failed> {
    let details = details(view);
    let failed = |one: super::view::Failed<'_>| {
        let place = |row: &&Row| {
            let times = row.failed.get(&one.name).copied().unwrap_or(0);
            format!("{} {} ×{times} (n = {})", clean(&row.workload), clean(&row.metric), row.n)
        };
        let detail = details.get(&(one.environment, one.name)).copied().unwrap_or("");
        Failed {
            environment: clean_to(one.environment, 60).into_owned(),
            name: one.name.to_string(),
            count: one.samples,
            detail: clean_to(detail, 300).into_owned(),
            places: one.rows.iter().map(place).collect(),
        }
    };
    super::view::failed(view.summary).into_iter().map(failed).collect()
}

/// The first sample's detail of each environment's kinds of failure.
fn details<'a>(view: &View<'a>) -> BTreeMap<(&'a str, FailureName), &'a str> {
    let mut all = BTreeMap::new();
    for sample in &view.run.samples {
        if let Outcome::Failed(failure) = &sample.outcome {
            all.entry((sample.environment.as_str(), failure.name)).or_insert(failure.detail.as_str());
        }
    }
    all
}

/// What has no noise: metric, environment, figure.
fn exact(view: &View<'_>) -> Vec<[String; 3]> {
    let rows =
        view.summary.rows.iter().filter(|row| metric::find(&row.metric).is_some_and(|metric| metric.exact));
    let figure = |row: &Row| {
        let value = row.median?.value;
        let figure = if row.unit == "bytes" {
            format!("{value:.0} bytes ({})", quantity::value(value, "bytes"))
        } else {
            format!("{value} {}", row.unit)
        };
        Some([clean(&row.metric).into_owned(), clean(&row.environment).into_owned(), figure])
    };
    rows.filter_map(figure).collect()
}

fn definition(metric: &Metric) -> Value {
    let direction = match metric.direction {
        _ if metric.exact => "exact; smaller is better",
        Direction::Smaller => "smaller is better",
        Direction::Bigger => "bigger is better",
    };
    context! {
        name => metric.name,
        unit => metric.unit,
        direction,
        resolution => super::metrics::resolution(metric),
        source => metric.source,
        definition => metric.definition,
    }
}

/// `kvm` and `tcg` as people write them.
pub(super) fn accelerator_name(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::None => "the host's CPU",
        Accelerator::Kvm => "KVM",
        Accelerator::Tcg => "TCG (software emulation)",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
