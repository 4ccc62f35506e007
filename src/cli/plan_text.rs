//! A whole plan, printed before it runs.

use serde::Serialize;

use super::{console, words};
use crate::plan::{Block, Plan, estimate};
use crate::suite::{EnvironmentSpec, KindSpec, Size, Time, WorkloadSpec, workload_purpose};

/// The plan for a program.
#[derive(Serialize)]
pub(super) struct PlanDocument<'a> {
    dry_run: bool,
    /// Guessed without knowing the host.
    estimated_seconds: f64,
    warnings: &'a [String],
    plan: &'a Plan,
}

impl<'a> PlanDocument<'a> {
    pub(super) fn new(plan: &'a Plan, warnings: &'a [String]) -> Self {
        let estimated_seconds = estimate(plan).total().as_secs_f64();
        Self { dry_run: true, estimated_seconds, warnings, plan }
    }
}

/// `about 95 s, guessed without knowing this host`.
pub(super) fn how_long(plan: &Plan) -> String {
    format!("about {}, guessed without knowing this host", words::duration(estimate(plan).total()))
}

/// The plan for a person. It may be from another's run folder: nothing in it steers the terminal.
pub(super) fn text(plan: &Plan) -> String {
    raw(plan).lines().map(|line| console::printable(line) + "\n").collect()
}

fn raw(plan: &Plan) -> String {
    let suite = &plan.suite;
    let (cpus, memory) = (u64::from(suite.limits.cpus), Size(suite.limits.memory_bytes));
    let of = |count: u32, what: &str| format!("{count} {what}");
    let blocks = [
        of(suite.blocks.cold, "cold"),
        of(suite.blocks.warm_up, "warm-up"),
        of(suite.blocks.count, "measured"),
    ];
    let head = [
        ["suite", &format!("{}: {}", suite.name, suite.description)],
        ["seed", &plan.seed.to_string()],
        ["limits", &format!("{} and {memory} for each instance", words::count(cpus, "CPU"))],
        ["blocks", &blocks.join(", ")],
        ["time", &how_long(plan)],
    ];
    let head: Vec<_> = head.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
    let environments: Vec<_> =
        suite.environments.iter().map(|one| environment(one, suite.workloads.len())).collect();
    let workloads: Vec<_> = suite.workloads.iter().map(workload).collect();
    let order: String = plan.blocks.iter().map(block).collect();
    format!(
        "{}\nenvironments\n{}\nworkloads\n{}\norder\n{order}",
        words::columns(&head),
        words::indented(&words::columns(&environments)),
        words::indented(&words::columns(&workloads)),
    )
}

fn environment(spec: &EnvironmentSpec, workloads: usize) -> Vec<String> {
    let own = spec.workloads.as_ref().filter(|own| own.len() < workloads);
    let own = own.map(|own| if own.is_empty() { "start only".to_owned() } else { own.join(", ") });
    vec![spec.id.clone(), settings(&spec.kind), own.unwrap_or_else(|| "all workloads".to_owned())]
}

fn settings(kind: &KindSpec) -> String {
    match kind {
        KindSpec::Native(_) => "process".to_owned(),
        KindSpec::Docker(spec) => {
            let network = if spec.network { "the engine's network" } else { "no network" };
            format!("container, runtime {}, {network}", spec.runtime)
        }
        KindSpec::Qemu(spec) => format!(
            "virtual machine, {}, accelerator {}, kernel {}, disk {}",
            kebab(&spec.machine),
            kebab(&spec.accelerator),
            String::from(spec.kernel.clone()),
            kebab(&spec.disk)
        ),
    }
}

/// An enumeration's value as a suite writes it.
fn kebab(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => "?".to_owned(),
    }
}

fn workload(spec: &WorkloadSpec) -> Vec<String> {
    let mut how = Vec::new();
    if !spec.duration.is_zero() {
        how.push(Time(spec.duration).to_string());
    }
    if spec.bytes > 0 {
        how.push(Size(spec.bytes).to_string());
    }
    if spec.direct {
        how.push("around the page cache".to_owned());
    }
    if let Some(threads) = spec.threads {
        how.push(words::count(u64::from(threads), "thread"));
    }
    vec![spec.id.clone(), workload_purpose(spec.run).to_owned(), how.join(", ")]
}

/// Two lines: the environments in their order, the workloads in theirs.
fn block(block: &Block) -> String {
    let environments: Vec<&str> = block.cells.iter().map(|cell| cell.environment.as_str()).collect();
    let longest = block.cells.iter().max_by_key(|cell| cell.workloads.len());
    let workloads = longest.map(|cell| cell.workloads.join(" ")).unwrap_or_default();
    let head = format!("  block {} ({}): {}\n", block.index + 1, block.role, environments.join(" "));
    if workloads.is_empty() { head } else { format!("{head}    {workloads}\n") }
}
