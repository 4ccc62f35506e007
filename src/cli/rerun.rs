//! `isocost rerun`: the same plan again, from anyone's run folder.

use std::path::Path;

use super::args::{How, RerunArguments};
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::results::{self, Reported};
use super::run::Document;
use super::{asked, execution};
use crate::journal::RUN_FILE;
use crate::journal::record::RunRecord;
use crate::measure::host;
use crate::measure::host::Host;
use crate::report;

/// Runs it again.
///
/// # Errors
/// A run that cannot be read or is of a later schema; else as `isocost run`.
pub(super) fn rerun(arguments: &RerunArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let theirs = Reported::read(&arguments.run)?;
    let record = arguments.run.join(RUN_FILE);
    // What stopped theirs stops this one.
    let precision = arguments.how.precision.or(theirs.run.record.conditions.precision);
    let how = &How { precision, ..arguments.how.clone() };
    let plan = asked::plan_again(&theirs.run.record.plan, how, &record)?;
    theirs.remark(console);
    for line in before(&theirs.run.record, how)? {
        console.note(&format!("not as in that run: {line}"));
    }
    if how.dry_run {
        return execution::dry_run("rerun", &plan, how, console, cache);
    }
    let carried = execution::carry_out(&plan, how, console, cache)?;
    let yours = Reported::read(&carried.outcome.folder)?;
    let mut files = yours.write(None)?;
    let side_by_side = report::side_by_side(&[(&theirs.run, &theirs.summary), (&yours.run, &yours.summary)]);
    files.extend(report::write_side_by_side(&yours.folder, &side_by_side)?);
    if console.json {
        console.document("rerun", Document::new(&carried, yours.line(&files), Some(theirs.line(&[]))))?;
    } else if console.quiet {
        console.result(&format!("{}\n", carried.outcome.folder.display()))?;
    } else {
        console.result(&format!("\n{}", side_by_side.terminal(results::width())))?;
        results::point_at(&files, console);
    }
    Ok(carried.exit)
}

/// What is known to differ before anything boots.
fn before(theirs: &RunRecord, how: &How) -> Result<Vec<String>, Refusal> {
    let mut lines = Vec::new();
    let agent = crate::image::kernel::sha256_hex(&asked::agent(how)?);
    lines.extend(differs("the agent's SHA-256", &theirs.agent_sha256, &agent));
    lines.extend(differs("isocost's version", &theirs.isocost_version, env!("CARGO_PKG_VERSION")));
    lines.extend(hosts(&theirs.host, &host::look(Path::new("/"))));
    Ok(lines)
}

fn hosts(theirs: &Host, here: &Host) -> Vec<String> {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let memory = |host: &Host| format!("{} MiB", host.memory_bytes >> 20);
    let pairs = [
        ("the host's CPU", or_unknown(&theirs.cpu_model), or_unknown(&here.cpu_model)),
        ("its CPUs online", theirs.online_cpus.to_string(), here.online_cpus.to_string()),
        ("its memory", memory(theirs), memory(here)),
        ("its kernel", theirs.kernel_release.clone(), here.kernel_release.clone()),
        ("its system", or_unknown(&theirs.os), or_unknown(&here.os)),
        ("its cgroup version", theirs.cgroup.clone(), here.cgroup.clone()),
    ];
    pairs.iter().filter_map(|(what, there, here)| differs(what, there, here)).collect()
}

fn differs(what: &str, there: &str, here: &str) -> Option<String> {
    (there != here).then(|| format!("{what} was {there}, and is {here} here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_of_hosts_is_named() {
        let host = |cpu: &str, kernel: &str| Host {
            cpu_model: Some(cpu.into()),
            kernel_release: kernel.into(),
            memory_bytes: 1 << 30,
            ..Host::default()
        };
        assert_eq!(hosts(&host("A", "6.1"), &host("A", "6.1")), Vec::<String>::new());
        let expected = ["the host's CPU was A, and is B here", "its kernel was 6.1, and is 6.12 here"];
        assert_eq!(hosts(&host("A", "6.1"), &host("B", "6.12")), expected);
    }
}
