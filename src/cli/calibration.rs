//! `isocost calibrate`: what sessions of an unchanged configuration teach of a host, kept where `compare` finds it.

use std::path::Path;

use serde::Serialize;

use super::args::CalibrateArguments;
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::{sessions, words};
use crate::analysis::calibrate::{self, Calibration, ENOUGH_SESSIONS};
use crate::journal::Run;
use crate::measure::host::Host;
use crate::named_file::replace;

/// In the cache.
const FILE: &str = "calibration.json";

#[derive(Serialize)]
struct Document<'a> {
    /// Where it is kept.
    file: &'a Path,
    #[serde(flatten)]
    calibration: &'a Calibration,
}

/// Learns from runs and keeps it.
///
/// # Errors
/// Runs that cannot be read or are not of one configuration; a file that cannot be written.
pub(super) fn calibrate(
    arguments: &CalibrateArguments,
    console: Console,
    cache: &Path,
) -> Result<Exit, Refusal> {
    let runs = sessions::read(&arguments.runs)?;
    sessions::each_once(&runs)?;
    sessions::remark(&runs, console);
    let found = calibrate::calibrate(&runs.iter().collect::<Vec<&Run>>())
        .map_err(|error| Refusal::usage(error.to_string()))?;
    let file = cache.join(FILE);
    write(&file, &found)?;
    for one in &found.differences {
        console.note(&format!(
            "warning: {} was {} and is {}: are these runs of one configuration?",
            one.what, one.base, one.new
        ));
    }
    if !found.enough {
        console.note(&format!(
            "warning: {} sessions; {ENOUGH_SESSIONS} are needed before it may be relied on, so until then nothing gets \
             stricter by it",
            found.sessions
        ));
    }
    if console.json {
        console.document("calibrate", Document { file: &file, calibration: &found })?;
    } else {
        console.result(&text(&found))?;
        console.note(&format!("kept in {}; `isocost compare` uses it for runs of this host", file.display()));
    }
    Ok(Exit::Done)
}

fn text(found: &Calibration) -> String {
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    let between = found.between_sessions.map_or("not known".to_owned(), percent);
    let mut rows = vec![["metric".to_owned(), "smallest change that matters".to_owned()].to_vec()];
    rows.extend(found.matters.iter().map(|(metric, part)| vec![metric.clone(), percent(*part)]));
    format!(
        "{}; from one to the next a figure differs by a standard deviation of {between}\n\n{}",
        words::count(u64::from(found.sessions), "session"),
        words::columns(&rows)
    )
}

/// What is known of that host; `None` where nothing is, or what is known is of another.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn of_host(host: &Host, cache: &Path) -> Result<Option<Calibration>, Refusal> {
    let file = cache.join(FILE);
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&file, "read", &error)),
    };
    let found: Calibration = serde_json::from_slice(&bytes).map_err(|error| failed(&file, "read", &error))?;
    Ok(Some(found).filter(|found| found.holds_for(host)))
}

fn write(file: &Path, found: &Calibration) -> Result<(), Refusal> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = serde_json::to_vec_pretty(found).map_err(|error| failed(file, "write", &error))?;
    let written = std::fs::create_dir_all(folder).and_then(|()| replace(file, |to| to.write_all(&text)));
    written.map_err(|error| failed(file, "write", &error))
}

fn failed(file: &Path, doing: &str, why: &dyn std::fmt::Display) -> Refusal {
    Refusal::usage(format!(
        "cannot {doing} {}: {why}; `isocost calibrate RUN…` makes it anew, --cache DIR names another place",
        file.display()
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_for_that_host_only() {
        let cache = tempfile::tempdir().unwrap();
        let here = Host { kernel_release: "6.1".into(), ..Host::default() };
        assert_eq!(of_host(&here, cache.path()).unwrap(), None);
        let known = Calibration {
            sessions: 20,
            enough: true,
            between_sessions: Some(0.01),
            matters: [("startup.ready".to_owned(), 0.12)].into(),
            host: here.clone(),
            differences: Vec::new(),
        };
        write(&cache.path().join("deep").join(FILE), &known).unwrap();
        assert_eq!(of_host(&here, &cache.path().join("deep")).unwrap(), Some(known));
        let other = Host { kernel_release: "6.12".into(), ..Host::default() };
        assert_eq!(of_host(&other, &cache.path().join("deep")).unwrap(), None);
        std::fs::write(cache.path().join(FILE), "{").unwrap();
        assert!(of_host(&here, cache.path()).unwrap_err().text.contains("makes it anew"));
    }
}
