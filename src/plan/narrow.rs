//! The command line's choices, applied to a suite before it is planned.

use crate::suite::{AcceleratorChoice, EnvironmentSpec, Filter, KernelChoice, KindSpec, Suite, similar};

/// What the command line says beside the suite. Empty lists and `None` leave all as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Ids of environments, `*` allowed.
    pub environments: Vec<String>,
    /// Ids of workloads, `*` allowed.
    pub workloads: Vec<String>,
    /// Measured blocks.
    pub blocks: Option<u32>,
    /// The kernel of every virtual machine.
    pub kernel: Option<KernelChoice>,
    /// The accelerator of every virtual machine.
    pub accelerator: Option<AcceleratorChoice>,
}

/// An id that the suite does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the suite {suite} has no {what} `{id}`{}; it has {}", hint.as_deref().unwrap_or_default(), known.join(", "))]
pub struct UnknownId {
    /// The suite's name.
    pub suite: String,
    /// `environment` or `workload`.
    pub what: &'static str,
    /// As asked.
    pub id: String,
    /// Those that exist.
    pub known: Vec<String>,
    hint: Option<String>,
}

/// The suite that is left.
///
/// An environment all of whose workloads were left out is left out too, unless it was asked for by name or never
/// had any: a start is measured then.
///
/// # Errors
/// The first id that names nothing.
pub fn narrow(suite: &Suite, by: &Narrowing) -> Result<Suite, UnknownId> {
    let mut suite = suite.clone();
    let ids = |list: &[EnvironmentSpec]| list.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    known(&suite.name, "environment", &by.environments, &ids(&suite.environments))?;
    let workload_ids: Vec<String> = suite.workloads.iter().map(|one| one.id.clone()).collect();
    known(&suite.name, "workload", &by.workloads, &workload_ids)?;
    if !by.environments.is_empty() {
        suite.environments.retain(|one| meant(&by.environments, &one.id));
    }
    if !by.workloads.is_empty() {
        suite.workloads.retain(|one| meant(&by.workloads, &one.id));
        suite.environments.retain_mut(|one| keep(one, by));
    }
    suite.blocks.count = by.blocks.unwrap_or(suite.blocks.count);
    for environment in &mut suite.environments {
        override_settings(environment, by);
    }
    Ok(suite)
}

fn meant(filters: &[String], id: &str) -> bool {
    filters.iter().any(|filter| Filter(filter).matches(id))
}

fn known(suite: &str, what: &'static str, asked: &[String], known: &[String]) -> Result<(), UnknownId> {
    let unknown = |one: &&String| Filter(one).among(known.iter().map(String::as_str)).is_empty();
    let Some(id) = asked.iter().find(unknown) else { return Ok(()) };
    let hint = similar(id, known.iter().map(String::as_str)).map(|name| format!(", did you mean `{name}`?"));
    Err(UnknownId { suite: suite.to_owned(), what, id: id.clone(), known: known.to_vec(), hint })
}

/// Takes the workloads that were left out from an environment; is it still of use?
fn keep(environment: &mut EnvironmentSpec, by: &Narrowing) -> bool {
    let Some(own) = &mut environment.workloads else { return true };
    let had = !own.is_empty();
    own.retain(|id| meant(&by.workloads, id));
    !own.is_empty() || !had || !by.environments.is_empty()
}

fn override_settings(environment: &mut EnvironmentSpec, by: &Narrowing) {
    let KindSpec::Qemu(spec) = &mut environment.kind else { return };
    if let Some(kernel) = &by.kernel {
        spec.kernel = kernel.clone();
    }
    spec.accelerator = by.accelerator.unwrap_or(spec.accelerator);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::load;

    fn narrowed(environments: &[&str], workloads: &[&str]) -> Result<Suite, UnknownId> {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let by = Narrowing {
            environments: owned(environments),
            workloads: owned(workloads),
            blocks: Some(3),
            kernel: Some(KernelChoice::Host),
            accelerator: Some(AcceleratorChoice::Tcg),
        };
        narrow(&load("quick").unwrap(), &by)
    }

    fn ids(suite: &Suite) -> Vec<&str> {
        suite.environments.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn what_was_asked_for_is_left() {
        let suite = narrowed(&["native", "qemu*"], &["disk-sync", "cpu-*"]).unwrap();
        assert_eq!(ids(&suite), ["native", "qemu", "qemu-raw"]);
        assert_eq!(
            suite.workloads.iter().map(|one| &*one.id).collect::<Vec<_>>(),
            ["cpu-integer", "cpu-float", "disk-sync"]
        );
        assert_eq!(suite.environments[2].workloads.as_deref().unwrap(), ["disk-sync"]);
        assert_eq!(suite.blocks.count, 3);
        let KindSpec::Qemu(spec) = &suite.environments[1].kind else { panic!("{suite:?}") };
        assert_eq!((&spec.kernel, spec.accelerator), (&KernelChoice::Host, AcceleratorChoice::Tcg));
        crate::suite::check(&suite).unwrap();
    }

    #[test]
    fn an_environment_without_work_goes_unless_it_was_named() {
        assert_eq!(ids(&narrowed(&[], &["syscall"]).unwrap()), ["native", "docker", "qemu"]);
        assert_eq!(ids(&narrowed(&["qemu-raw"], &["syscall"]).unwrap()), ["qemu-raw"]);
    }

    #[test]
    fn an_unknown_id_lists_those_that_exist() {
        let text = narrowed(&["dokcer"], &[]).unwrap_err().to_string();
        let expected = "the suite quick has no environment `dokcer`, did you mean `docker`?; it has native, docker, qemu, qemu-raw";
        assert_eq!(text, expected);
        assert!(
            narrowed(&[], &["gpu-*"])
                .unwrap_err()
                .to_string()
                .contains("no workload `gpu-*`; it has cpu-integer")
        );
    }
}
