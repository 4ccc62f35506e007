//! `isocost compare`: has anything changed from the base to the new runs?

use std::path::Path;

use serde::Serialize;

use super::args::{CompareArguments, Form};
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::{calibration, results, sessions};
use crate::analysis::compare::{self, Comparison, Options};
use crate::journal::Run;
use crate::report::Shown;

#[derive(Serialize)]
struct Document<'a> {
    /// Run ids; of two environments of one run, the run's id and theirs.
    base: Vec<String>,
    new: Vec<String>,
    /// Sessions that the host's calibration rests on; none where it was not calibrated.
    calibrated_sessions: Option<u32>,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// Both sides, read.
struct Sides {
    base: Vec<Run>,
    new: Vec<Run>,
}

/// Compares.
///
/// # Errors
/// Runs that cannot be read, or that may not be compared.
pub(super) fn compare(arguments: &CompareArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let sides = read(arguments)?;
    [&sides.base, &sides.new].iter().for_each(|runs| sessions::remark(runs, console));
    let (options, calibrated_sessions) = options(&sides, arguments, console, cache)?;
    let (comparison, base, new) = compared(&sides, arguments, &options)?;
    if console.json {
        let document = Document { base, new, calibrated_sessions, comparison: &comparison };
        console.document("compare", document)?;
        return Ok(Exit::Done);
    }
    let shown =
        Shown { base: base.join(", "), new: new.join(", "), all: arguments.all, comparison: &comparison };
    console.result(&match arguments.form {
        Form::Text => shown.terminal(results::width()),
        Form::Markdown => shown.markdown(),
    })?;
    Ok(Exit::Done)
}

fn read(arguments: &CompareArguments) -> Result<Sides, Refusal> {
    let first = std::slice::from_ref(&arguments.base);
    let base = sessions::read(&[first, &arguments.also[..]].concat())?;
    let new = sessions::read(&arguments.new)?;
    sessions::each_once(base.iter().chain(&new))?;
    Ok(Sides { base, new })
}

/// As this host was calibrated, where it was.
fn options(
    sides: &Sides,
    arguments: &CompareArguments,
    console: Console,
    cache: &Path,
) -> Result<(Options, Option<u32>), Refusal> {
    let mut options = Options { across: arguments.across, ..Options::default() };
    options.only.environments.clone_from(&arguments.env);
    options.only.workloads.clone_from(&arguments.workload);
    options.only.metrics.clone_from(&arguments.metric);
    let host = sides.base.first().map(|run| &run.record.host);
    let known = host.map(|host| calibration::of_host(host, cache)).transpose()?.flatten();
    if let Some(known) = &known {
        options = options.calibrated(known);
        console.note(&format!("as this host was calibrated from {} sessions", known.sessions));
    }
    Ok((options, known.map(|known| known.sessions)))
}

/// What came of it, and what the sides are called.
fn compared(
    sides: &Sides,
    arguments: &CompareArguments,
    options: &Options,
) -> Result<(Comparison, Vec<String>, Vec<String>), Refusal> {
    let refused = |error: compare::Refusal| Refusal::usage(error.to_string());
    if !arguments.between.is_empty() && arguments.between.len() != 2 {
        return Err(Refusal::usage(
            "--between takes two ids of environments with a comma, such as native,docker",
        ));
    }
    if let [one, other] = &arguments.between[..] {
        let [run] = &sides.base[..] else {
            return Err(Refusal::usage(format!(
                "--between compares two environments of one run, and {} are given",
                sides.base.len()
            )));
        };
        let comparison = compare::inside(run, one, other, options).map_err(refused)?;
        let called = |id: &str| vec![format!("{id} in {}", run.record.run_id)];
        return Ok((comparison, called(one), called(other)));
    }
    let ids = |runs: &[Run]| runs.iter().map(|run| run.record.run_id.clone()).collect::<Vec<String>>();
    let (base, new): (Vec<&Run>, Vec<&Run>) = (sides.base.iter().collect(), sides.new.iter().collect());
    let comparison = compare::runs(&base, &new, options).map_err(refused)?;
    Ok((comparison, ids(&sides.base), ids(&sides.new)))
}
