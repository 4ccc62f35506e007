//! From the command line to a plan that this host can carry out as far as can be seen before anything boots.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use super::args::{How, RunArguments};
use super::refusal::Refusal;
use crate::analysis::precision;
use crate::measure::host;
use crate::plan::{self, Block, Narrowing, Plan, Role};
use crate::suite::{self, HostSize, KindSpec, Misfit, Source, Step, Suite};

/// The plan of `isocost run`.
///
/// # Errors
/// What cannot be used, in which file or of which flag, and what is allowed.
pub(super) fn plan(arguments: &RunArguments) -> Result<Plan, Refusal> {
    let source = Source::find(&arguments.suite)?;
    let whole = source.suite()?;
    let by = Narrowing {
        environments: arguments.env.clone(),
        workloads: arguments.workload.clone(),
        // A precision to reach takes as many as it takes, within reason.
        blocks: arguments.blocks.or(arguments.how.precision.map(|_| precision::MOST_BLOCKS)),
        ..of(&arguments.how)
    };
    let suite = plan::narrow(&whole, &by)?;
    suite::check(&suite)
        .and_then(|()| suite::check_against_host(&suite, &host_size()))
        .map_err(|misfit| placed(misfit, &suite, &whole, &source, &arguments.how))?;
    Ok(plan::make(&suite, arguments.seed.unwrap_or_else(drawn_seed)))
}

/// The plan of a run folder, whose file is `record`: the same blocks in the same order. It may have been written by anyone.
///
/// # Errors
/// As [`plan`].
pub(super) fn plan_again(recorded: &Plan, how: &How, record: &Path) -> Result<Plan, Refusal> {
    let suite = plan::narrow(&recorded.suite, &of(how))?;
    let checked = suite::check(&suite).and_then(|()| suite::check_against_host(&suite, &host_size()));
    checked.map_err(|misfit| Refusal::usage(format!("{}: plan.suite.{misfit}", record.display())))?;
    if let Some(block) = recorded.blocks.iter().find(|block| !is_sound(block)) {
        let file = record.display();
        let text = format!(
            "{file}: plan.blocks: block {} has an environment twice; is the file damaged?",
            block.index
        );
        return Err(Refusal::usage(text));
    }
    Ok(Plan { suite, ..recorded.clone() })
}

fn is_sound(block: &Block) -> bool {
    let ids: BTreeSet<&str> = block.cells.iter().map(|cell| cell.environment.as_str()).collect();
    ids.len() == block.cells.len()
}

fn of(how: &How) -> Narrowing {
    Narrowing { kernel: how.kernel.clone(), accelerator: how.accel.map(Into::into), ..Narrowing::default() }
}

pub(super) fn host_size() -> HostSize {
    let memory_bytes = host::look(Path::new("/")).memory_bytes;
    HostSize { cpus: host::online_cpus(), memory_bytes: Some(memory_bytes).filter(|bytes| *bytes > 0) }
}

/// The place of what is wrong: in the file, unless it came from a flag. Environments that were left out are counted in
/// the file, and not in the suite that is left.
fn placed(misfit: Misfit, left: &Suite, whole: &Suite, source: &Source, how: &How) -> Refusal {
    let is_kernel = misfit.path.last() == Some(&Step::Key("kernel"));
    if is_kernel && how.kernel.is_some() {
        return Refusal::usage(format!("--kernel: environment.{} {}", "kernel", misfit.what));
    }
    let path = misfit.path.iter().map(|step| match step {
        Step::Index(index) => Step::Index(in_file(*index, left, whole)),
        Step::Key(key) => Step::Key(key),
    });
    source.wrong(&Misfit { path: path.collect(), what: misfit.what.clone() }).into()
}

fn in_file(index: usize, left: &Suite, whole: &Suite) -> usize {
    let id = left.environments.get(index).map(|one| &one.id);
    whole.environments.iter().position(|one| Some(&one.id) == id).unwrap_or(index)
}

/// Another one each time; the standard library's hasher is keyed by the system's own random numbers. 32 bits are
/// short enough to be typed again.
pub(super) fn drawn_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() & u64::from(u32::MAX)
}

/// What the user should know of the plan.
pub(super) fn warnings(plan: &Plan, how: &How) -> Vec<String> {
    let mut all = suite::warnings(&plan.suite);
    let any_vm = plan.suite.environments.iter().any(|one| matches!(one.kind, KindSpec::Qemu(_)));
    for (flag, is_set) in [("--kernel", how.kernel.is_some()), ("--accel", how.accel.is_some())] {
        if is_set && !any_vm {
            all.push(format!("{flag} changes nothing: the plan has no virtual machine"));
        }
    }
    let measured = plan.blocks.iter().filter(|block| block.role == Role::Measured).count() as u64;
    if how.precision.is_some()
        && !(0..=measured).any(|blocks| u32::try_from(blocks).is_ok_and(precision::is_look))
    {
        all.push(format!(
            "--precision changes nothing: it is first looked at after 10 blocks, and the plan has {measured}"
        ));
    }
    all
}

/// More than any static program of this kind.
const MOST_AGENT_BYTES: u64 = 64 << 20;

/// The agent's bytes: the built-in ones, or those of the program that was named.
///
/// # Errors
/// Why that is no program.
pub(super) fn agent(how: &How) -> Result<Arc<[u8]>, Refusal> {
    how.agent.as_deref().map_or_else(|| Ok(crate::agent::shared()), |path| program("--agent", path))
}

/// The bytes of the agent that `flag` names.
///
/// # Errors
/// Why that is no program.
pub(super) fn program(flag: &str, path: &Path) -> Result<Arc<[u8]>, Refusal> {
    let refused = |why: &str| {
        Err(Refusal::usage(format!(
            "{flag}: {} {why}; it is a static program for Linux on x86-64, as the one is that is built in",
            path.display()
        )))
    };
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => return refused(&format!("cannot be read: {error}")),
    };
    if !meta.is_file() || meta.len() == 0 {
        return refused("is not a file with a program in it");
    }
    if meta.len() > MOST_AGENT_BYTES {
        return refused(&format!("has more than {} MiB", MOST_AGENT_BYTES >> 20));
    }
    match std::fs::read(path) {
        Ok(bytes) => crate::agent::check(&bytes).map_or_else(refused, |()| Ok(Arc::from(bytes))),
        Err(error) => refused(&format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn arguments(words: &[&str]) -> RunArguments {
        let all = ["isocost", "run"].iter().chain(words);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Run(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn refused(words: &[&str]) -> String {
        plan(&arguments(words)).unwrap_err().text
    }

    #[test]
    fn flags_narrow_the_suite_and_seed_the_order() {
        let words = ["quick", "--env", "native,qemu", "--workload", "cpu-*", "--blocks", "3", "--seed", "7"];
        let plan = plan(&arguments(&words)).unwrap();
        assert_eq!((plan.seed, plan.suite.blocks.count), (7, 3));
        assert_eq!(plan.suite.environments.len(), 2);
        assert_eq!(plan.suite.workloads.len(), 2);
    }

    #[test]
    fn a_seed_is_drawn_anew_each_time() {
        let seed = || plan(&arguments(&["quick"])).unwrap().seed;
        assert!((0..3).map(|_| seed()).collect::<std::collections::BTreeSet<_>>().len() > 1);
    }

    #[test]
    fn what_the_host_cannot_give_is_shown_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let text = "schema = 1\n[limits]\ncpus = 1\nmemory = \"16TiB\"\n[[environment]]\nid = \"a\"\nkind = \"native\"\n\
                    [[environment]]\nid = \"vm\"\nkind = \"qemu\"\nkernel = \"none\"\n";
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write(text);
        let name = file.to_str().unwrap();
        let expected = format!("{name}:4:10: limits.memory is 16TiB, and this host has ");
        assert!(refused(&[name]).starts_with(&expected), "{}", refused(&[name]));
        write(&text.replace("16TiB", "64MiB"));
        let said = refused(&[name, "--env", "vm"]);
        assert!(said.starts_with(&format!("{name}:11:10: environment.kernel of vm is ")), "{said}");
        let said = refused(&[name, "--kernel", "/nonexistent"]);
        assert!(said.starts_with("--kernel: environment.kernel of vm is /nonexistent"), "{said}");
    }

    #[test]
    fn flags_for_virtual_machines_are_of_no_use_without_one() {
        let arguments = arguments(&["quick", "--env", "native", "--accel", "tcg", "--kernel", "host"]);
        let said = warnings(&plan(&arguments).unwrap(), &arguments.how);
        assert_eq!(said.len(), 2, "{said:?}");
    }

    #[test]
    fn a_recorded_plan_is_followed_and_not_trusted() {
        let arguments = arguments(&["quick", "--seed", "1"]);
        let mut recorded = plan(&arguments).unwrap();
        recorded.blocks.swap(0, 1);
        let again = |recorded: &Plan| plan_again(recorded, &arguments.how, Path::new("their/run.json"));
        assert_eq!(again(&recorded).unwrap(), recorded);
        let cell = recorded.blocks[0].cells[0].clone();
        recorded.blocks[0].cells.push(cell);
        assert!(again(&recorded).unwrap_err().text.starts_with("their/run.json: plan.blocks"));
        recorded.suite.limits.cpus = 0;
        assert!(again(&recorded).unwrap_err().text.contains("plan.suite.limits.cpus is 0"));
    }

    #[test]
    fn an_agent_is_a_static_program() {
        let with = |path: &str| agent(&arguments(&["--agent", path]).how);
        for path in ["/nonexistent", "/", "/dev/null", "/etc/passwd", "/proc/self/exe"] {
            assert!(with(path).unwrap_err().text.starts_with(&format!("--agent: {path} ")));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), crate::agent::bytes()).unwrap();
        assert_eq!(&*with(file.path().to_str().unwrap()).unwrap(), crate::agent::bytes());
    }
}
