//! `isocost gate --interleave`: base and candidate measured in the same blocks.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{GateArguments, Interleaved};
use super::gate::{More, answer, spec};
use crate::analysis::compare::Options;
use crate::cli::asked;
use crate::cli::console::Console;
use crate::cli::execution::Others;
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::journal::{self, RUN_FILE};
use crate::plan::{self, Narrowing};
use crate::regression::gate::decide_inside;
use crate::run::Other;
use crate::suite::{self, DockerSpec, KindSpec, QemuSpec, Suite};

/// Measures both, decides, and measures on where that is allowed and helps.
///
/// # Errors
/// A suite that cannot be used or holds nothing of that kind, or as a run.
pub(super) fn gate(
    arguments: &GateArguments,
    what: &Interleaved,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    let by = Narrowing {
        blocks: arguments.blocks,
        kernel: arguments.kernel.clone(),
        accelerator: arguments.accel.map(Into::into),
        ..Narrowing::default()
    };
    let suite = plan::narrow(&named(&arguments.run)?, &by)?;
    let (both, pairs) = plan::interleave(&suite, &|kind| base(kind, what))
        .map_err(|error| Refusal::usage(error.to_string()))?;
    let checked = suite::check(&both).and_then(|()| suite::check_against_host(&both, &asked::host_size()));
    checked.map_err(|misfit| Refusal::usage(format!("{}: {misfit}", arguments.run.display())))?;
    let spec = spec(arguments, &suite)?;
    let seed = arguments.seed.unwrap_or_else(asked::drawn_seed);
    let into = arguments.output.clone().unwrap_or_else(|| PathBuf::from("reports"));
    let more = More {
        plan: plan::make(&both, seed),
        others: others(what, &pairs)?,
        agent: arguments.agent.clone(),
        name: format!("{}-interleaved-{seed}", suite.name),
        budget: arguments.budget.unwrap_or(spec.budget),
        into,
        began: Instant::now(),
        console,
        cache,
        done: 0,
    };
    let first = more.measure(&more.plan, more.into.join(&more.name), None)?;
    let more = More { began: Instant::now(), ..more };
    let options = Options::default();
    answer(arguments, vec![first], &|runs| decide_inside(runs, &pairs, &spec, &options), more, &spec)
}

/// The suite by its name, its file, or of a run.
fn named(place: &Path) -> Result<Suite, Refusal> {
    if place.join(RUN_FILE).exists() {
        return Ok(journal::read(place)?.record.plan.suite);
    }
    let Some(name) = place.to_str() else {
        return Err(Refusal::usage(format!("{} is no suite and no run folder", place.display())));
    };
    Ok(suite::load(name)?)
}

/// The base of a kind; `None` where what differs is nothing of it.
fn base(kind: &KindSpec, what: &Interleaved) -> Option<KindSpec> {
    match (kind, what) {
        (kind, Interleaved::Agent(_)) => Some(kind.clone()),
        (KindSpec::Qemu(_), Interleaved::Qemu(_)) => Some(kind.clone()),
        (KindSpec::Qemu(spec), Interleaved::Kernel(kernel)) => {
            Some(KindSpec::Qemu(QemuSpec { kernel: kernel.clone(), ..spec.clone() }))
        }
        (KindSpec::Docker(spec), Interleaved::Runtime(runtime)) => {
            Some(KindSpec::Docker(DockerSpec { runtime: runtime.clone(), ..spec.clone() }))
        }
        _ => None,
    }
}

/// What the bases are made of instead, by id.
fn others(what: &Interleaved, pairs: &[(String, String)]) -> Result<Others, Refusal> {
    let other = match what {
        Interleaved::Agent(path) => {
            Other { agent: Some(asked::program("--interleave", path)?), ..Other::default() }
        }
        Interleaved::Qemu(path) => Other { qemu: Some(path.clone()), ..Other::default() },
        Interleaved::Kernel(_) | Interleaved::Runtime(_) => return Ok(Others::new()),
    };
    Ok(pairs.iter().map(|(base, _)| (base.clone(), other.clone())).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own() {
        let suite = suite::load("quick").unwrap();
        let ids = |text: &str| {
            let what: Interleaved = text.parse().unwrap();
            let (_, pairs) = plan::interleave(&suite, &|kind| base(kind, &what)).unwrap();
            pairs.into_iter().map(|(_, new)| new).collect::<Vec<_>>()
        };
        assert_eq!(ids("agent=/bin/sh"), ["native", "docker", "qemu", "qemu-raw"]);
        assert_eq!(ids("qemu=/bin/sh"), ["qemu", "qemu-raw"]);
        assert_eq!(ids("kernel=host"), ["qemu", "qemu-raw"]);
        assert_eq!(ids("runtime=crun"), ["docker"]);
        for bad in ["agent", "agent=", "image=x", ""] {
            assert!(bad.parse::<Interleaved>().unwrap_err().contains("agent=PATH"), "{bad}");
        }
    }
}
