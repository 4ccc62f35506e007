//! One start of each environment on the clocks of all who publish a 'boot time'.
//!
//! docs/metrics.md says which span equals whose figure; this shows them side by side, of the start of median length.

use std::fmt::Write as _;

use crate::journal::{Run, StartRecord};
use crate::measure::span::Span;
use crate::plan::Role;
use crate::report::quantity;
use crate::report::view::{Environment, environments};

/// A clock: who uses it, what it calls its figure, and which stretch of a start that is.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Whose.
    pub whose: &'static str,
    /// From what to what, in their words.
    pub stretch: &'static str,
    /// What it is here, in words.
    pub here: &'static str,
    span: fn(&StartRecord) -> Option<u64>,
}

/// All clocks, the whole first.
pub const CLOCKS: &[Clock] = &[
    Clock {
        whose: "Isocost",
        stretch: "asked for → first answer",
        here: "startup.ready",
        span: |start| Some(start.span.ns()),
    },
    Clock {
        whose: "PerfKitBenchmarker",
        stretch: "create request → SSH answers (polled at 1 s; a pod at 5 s)",
        here: "startup.ready, without the poll",
        span: |start| Some(start.span.ns()),
    },
    Clock {
        whose: "gVisor",
        stretch: "spawn → serving",
        here: "startup.ready",
        span: |start| Some(start.span.ns()),
    },
    Clock {
        whose: "Kata Containers",
        stretch: "command → workload's first instruction",
        here: "startup.to-first-instruction",
        span: |start| before(start, "agent"),
    },
    Clock {
        whose: "bucketbench",
        stretch: "API call → its return",
        here: "startup.start-returned; it is not yet ready then",
        span: |start| start.marks.iter().find(|(name, _)| name == "start-returned").map(|(_, ns)| *ns),
    },
    Clock {
        whose: "Firecracker",
        stretch: "InstanceStart → init",
        here: "startup.phase.firmware + startup.phase.kernel (Firecracker has no firmware)",
        span: |start| Some(part(start, "firmware")? + part(start, "kernel")?),
    },
    Clock {
        whose: "cloud-hypervisor",
        stretch: "kernel entry → user space",
        here: "startup.phase.kernel",
        span: |start| part(start, "kernel"),
    },
];

fn part(start: &StartRecord, name: &str) -> Option<u64> {
    start.span.children.iter().find(|part| part.name == name).map(Span::ns)
}

/// From the beginning to where that part begins.
fn before(start: &StartRecord, name: &str) -> Option<u64> {
    let part = start.span.children.iter().find(|part| part.name == name)?;
    Some(part.start.0.saturating_sub(start.span.start.0))
}

/// The text of `report --clocks`.
#[must_use]
pub fn clocks(run: &Run) -> String {
    let mut text = String::from(
        "One start of each environment on the clocks of others (docs/metrics.md); the start of median length\n",
    );
    let mut any = false;
    for environment in environments(run, &[]) {
        if let Some(start) = typical(run, &environment) {
            any = true;
            one(&mut text, &environment, start);
        }
    }
    if !any {
        text.push_str("\nNo start succeeded in this run.\n");
    }
    text
}

/// The start of median length; the shorter of two.
fn typical<'a>(run: &'a Run, environment: &Environment<'_>) -> Option<&'a StartRecord> {
    let of_it = |start: &&StartRecord| {
        start.environment == environment.id && run.role(start.block, false) == Role::Measured
    };
    let mut its: Vec<&StartRecord> = run.starts.iter().filter(of_it).collect();
    its.sort_by_key(|start| start.span.ns());
    its.get(its.len().saturating_sub(1) / 2).copied()
}

fn one(text: &mut String, environment: &Environment<'_>, start: &StartRecord) {
    let _ = writeln!(text, "\n{} ({}), block {}", environment.name, environment.what(), start.block);
    let parts = start.span.children.iter();
    let parts: Vec<String> = parts
        .map(|part| format!("{} {}", crate::report::clean::clean_to(&part.name, 30), ms(part.ns())))
        .collect();
    if !parts.is_empty() {
        let _ = writeln!(text, "  parts: {}", parts.join(" + "));
    }
    for clock in CLOCKS {
        if let Some(ns) = (clock.span)(start) {
            let _ = writeln!(text, "  {:>8}  {:<19} {} = {}", ms(ns), clock.whose, clock.stretch, clock.here);
        }
    }
}

fn ms(ns: u64) -> String {
    quantity::value(ns as f64, "ns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::sample::Accelerator;
    use crate::report::fixture;

    #[test]
    fn one_start_of_each_environment_on_all_clocks() {
        let run = fixture::quick(6, Accelerator::Tcg);
        insta::assert_snapshot!(clocks(&run));
    }

    #[test]
    fn without_a_start_it_says_so() {
        let mut run = fixture::quick(1, Accelerator::Tcg);
        run.starts.clear();
        assert!(clocks(&run).contains("No start succeeded"));
    }
}
