//! How long a plan will take, before anything is known of the host.

use std::time::Duration;

use super::{Plan, Role};
use crate::suite::{AcceleratorChoice, EnvironmentSpec, KindSpec, Machine, WorkloadSpec, uses_disk};

/// A guess, made of the durations that were asked for and of what starts take on a machine of today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Before the first block: images, kernels, the race of the accelerators.
    pub preparing: Duration,
    /// All blocks.
    pub blocks: Duration,
}

impl Estimate {
    /// Both.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.preparing + self.blocks
    }
}

/// Between a start and the first reading of an idle instance, and around every piece of work.
const SETTLE: Duration = Duration::from_millis(350);
const AROUND_WORK: Duration = Duration::from_millis(20);
/// Files of a small machine, in bytes a second: written and read back by the CPU and by an emulated one.
const FILES: f64 = 600e6;
const FILES_EMULATED: f64 = 50e6;

/// Estimates a plan. `auto` is taken for emulation: with KVM it is less.
#[must_use]
pub fn estimate(plan: &Plan) -> Estimate {
    let suite = &plan.suite;
    let environment = |id: &str| suite.environments.iter().find(|one| one.id == id);
    let workload = |id: &String| suite.workloads.iter().find(|one| one.id == *id);
    let cells = plan.blocks.iter().flat_map(|block| block.cells.iter().map(move |cell| (block.role, cell)));
    let blocks = cells.map(|(role, cell)| {
        let environment = environment(&cell.environment);
        let start = environment.map_or(Duration::ZERO, start);
        let settle = if role == Role::Cold { Duration::ZERO } else { SETTLE };
        let files = if environment.is_some_and(emulated) { FILES_EMULATED } else { FILES };
        start
            + settle
            + cell.workloads.iter().filter_map(workload).map(|one| work(one, files)).sum::<Duration>()
    });
    Estimate { preparing: suite.environments.iter().map(preparing).sum(), blocks: blocks.sum() }
}

/// Start and end of one instance.
fn start(environment: &EnvironmentSpec) -> Duration {
    Duration::from_millis(match &environment.kind {
        KindSpec::Native(_) => 10,
        KindSpec::Docker(_) => 600,
        KindSpec::Qemu(spec) => match (spec.accelerator, spec.machine) {
            (AcceleratorChoice::Kvm, _) => 500,
            (_, Machine::Microvm) => 2700,
            (_, Machine::Q35 | Machine::Pc) => 3500,
        },
    })
}

fn emulated(environment: &EnvironmentSpec) -> bool {
    matches!(&environment.kind, KindSpec::Qemu(spec) if spec.accelerator != AcceleratorChoice::Kvm)
}

fn preparing(environment: &EnvironmentSpec) -> Duration {
    Duration::from_millis(match &environment.kind {
        KindSpec::Native(_) => 0,
        KindSpec::Docker(_) => 500,
        KindSpec::Qemu(_) => 1500,
    })
}

/// One piece of work. What is read is written first; around the page cache that takes next to nothing.
fn work(workload: &WorkloadSpec, files: f64) -> Duration {
    let cached = uses_disk(workload.run) && !workload.direct;
    let file = if cached { workload.bytes as f64 / files } else { 0.0 };
    workload.duration + AROUND_WORK + Duration::from_secs_f64(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::make;
    use crate::suite::load;

    #[test]
    fn the_quick_suite_is_quick_and_the_standard_one_is_not() {
        let total = |name| estimate(&make(&load(name).unwrap(), 1)).total().as_secs();
        assert!((60..150).contains(&total("quick")), "{}", total("quick"));
        assert!((15 * 60..90 * 60).contains(&total("standard")), "{}", total("standard"));
    }

    #[test]
    fn more_blocks_take_more() {
        let mut suite = load("quick").unwrap();
        let before = estimate(&make(&suite, 1));
        suite.blocks.count *= 2;
        let after = estimate(&make(&suite, 1));
        assert!(after.blocks > before.blocks && after.preparing == before.preparing);
    }
}
