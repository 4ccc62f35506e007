//! Files of other tools, and files for continuous integration.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::args::{Export, Import, Tell};
use crate::cli::console::Console;
use crate::cli::refusal::Refusal;
use crate::measure::metric::Direction;
use crate::named_file;
use crate::regression::ci::{self, Findings};
use crate::regression::formats::{
    FormatError, Imported, Results, Source, bencher, github_action_benchmark, lnt, nyrkio, openmetrics,
    otava, parquet, table,
};

/// More than any history that people keep as one text file.
const MOST_BYTES: u64 = 1 << 30;

/// The results in a file; what `said` says is so of those that do not say it themselves.
pub(super) fn read(path: &Path, format: Import, said: &Source) -> Result<Imported, Refusal> {
    let at = |what: &dyn std::fmt::Display| Refusal::usage(format!("{}: {what}", path.display()));
    let bytes = named_file::read(path, MOST_BYTES).map_err(|e| match e.kind() {
        ErrorKind::FileTooLarge => at(&"it is larger than 1 GiB; import it in parts"),
        _ => at(&e),
    })?;
    let text = String::from_utf8(bytes).map_err(|e| at(&format!("it is no text: {e}")))?;
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let changed = changed.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let written = changed.unwrap_or_else(jiff::Timestamp::now);
    let read = match format {
        Import::Bencher => bencher::read(&text).map(|figures| Imported {
            results: vec![Results { at: written, source: Source::default(), figures, ..Results::default() }],
            left_out: Vec::new(),
            undated: true,
        }),
        Import::GithubActionBenchmark => github_action_benchmark::read(&text),
        Import::Lnt => lnt::read(&text, written),
        Import::Nyrkio => nyrkio::read(&text),
        Import::Otava => otava::read(&text),
    };
    Ok(read.map_err(|e| at(&e))?.said(said).each_figure_once())
}

/// What of the runs has no place in the format, each in a sentence.
pub(super) fn left_out(runs: &[Results], format: Export) -> Vec<String> {
    match format {
        Export::Otava => otava::left_out(runs),
        _ => Vec::new(),
    }
}

/// Runs, oldest first, as a file's bytes.
pub(super) fn write(runs: &[Results], format: Export) -> Result<Vec<u8>, FormatError> {
    let newest = || {
        runs.last().ok_or(FormatError::Empty { format: "one run", hint: Some("the history has no such run") })
    };
    let text = match format {
        Export::Bencher => bencher::write(newest()?)?,
        Export::CustomBiggerIsBetter => github_action_benchmark::custom(newest()?, Direction::Bigger)?,
        Export::CustomSmallerIsBetter => github_action_benchmark::custom(newest()?, Direction::Smaller)?,
        Export::Csv => table::csv(runs)?,
        Export::Nyrkio => nyrkio::write(runs)?,
        Export::Openmetrics => openmetrics::write(newest()?)?,
        Export::Otava => otava::write(runs)?,
        Export::OtavaConfiguration => otava::configuration(runs, "isocost", otava::FILE)?,
        Export::Parquet => return parquet::write(runs),
    };
    Ok(text.into_bytes())
}

/// A file, whole or not at all, in a folder that is made where it is missing.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let failed = |e: std::io::Error| Refusal::usage(format!("cannot write {}: {e}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    named_file::replace(path, |to| to.write_all(bytes)).map_err(failed)
}

/// Findings into all files that were asked for, and those that the build's surroundings ask for.
pub(super) fn tell(findings: &Findings, tell: &Tell, suite: &str, console: Console) -> Result<(), Refusal> {
    let fault =
        |e: &dyn std::fmt::Display| Refusal { exit: crate::cli::exit::Exit::Fault, text: e.to_string() };
    if let Some(path) = &tell.junit {
        put(path, ci::junit(findings).map_err(|e| fault(&e))?.as_bytes())?;
    }
    if let Some(path) = &tell.gitlab {
        put(path, ci::gitlab(findings, suite).map_err(|e| fault(&e))?.as_bytes())?;
    }
    let markdown = ci::markdown(findings);
    if let Some(path) = &tell.markdown {
        put(path, markdown.as_bytes())?;
    }
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let added = file.and_then(|mut file| file.write_all(format!("{markdown}\n").as_bytes()));
        added.map_err(|e| Refusal::usage(format!("cannot write {}: {e}", path.display())))?;
    }
    if tell.annotations || std::env::var_os("GITHUB_ACTIONS").is_some_and(|on| on == "true") {
        console.annotations(&ci::github(findings))?;
    }
    Ok(())
}
