//! The run folder and the cache, looked at before anything boots, and the link to the latest run.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use isocost_agent::work::bytes_of;
use rustix::fs::{Access, AtFlags, CWD};

use super::refusal::Refusal;
use crate::journal::{self, JOURNAL_FILE, RUN_FILE, WriteError};
use crate::report;
use crate::run::Output;
use crate::suite::{self, Suite};

/// Where runs go that were given no place.
pub(super) const REPORTS: &str = "reports";

/// The latest of these.
const LATEST: &str = "latest";

/// The journal of the longest built-in suite, its plots and its report take a few MiB.
const LEAST_FREE_BYTES: u64 = 16 << 20;

/// The place that was asked for, or the usual one.
pub(super) fn output(asked: Option<&Path>) -> Output {
    match asked {
        Some(folder) => Output::Folder(folder.to_owned()),
        None => Output::Below(PathBuf::from(REPORTS)),
    }
}

/// Can a run be kept there? Nothing is made.
///
/// # Errors
/// The place, and why not.
pub(super) fn check(output: &Output) -> Result<(), Refusal> {
    let (Output::Folder(folder) | Output::Below(folder)) = output;
    let there = nearest(folder)?;
    if matches!(output, Output::Folder(_)) {
        journal::check_free(folder)?;
    }
    let access = rustix::fs::accessat(CWD, &there, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    access.map_err(|errno| WriteError::Io { path: there.clone(), source: errno.into() })?;
    has_room(&there, LEAST_FREE_BYTES, "-o DIR")
}

/// Can the state and the layers of a run of that suite be kept in that cache? Nothing is made.
///
/// # Errors
/// The cache, and why not.
pub(super) fn check_cache(cache: &Path, suite: &Suite) -> Result<(), Refusal> {
    let there = nearest(cache).map_err(|error| {
        let text = format!("cannot use {} as the cache: {}", cache.display(), why(&error));
        Refusal::usage(format!("{text}; name another with --cache DIR"))
    })?;
    has_room(&there, LEAST_FREE_BYTES.saturating_add(most_written(suite)), "--cache DIR")
}

/// What work writes is in a layer below the cache; it is gone before the next work begins.
fn most_written(suite: &Suite) -> u64 {
    let disk = suite.workloads.iter().filter(|one| suite::uses_disk(one.run));
    disk.map(|one| bytes_of(one.bytes)).max().unwrap_or(0)
}

/// The folder for runs, where it is not there yet.
pub(super) fn will_make(output: &Output) -> Option<&Path> {
    match output {
        Output::Below(reports) => Some(reports).filter(|reports| reports.symlink_metadata().is_err()),
        Output::Folder(_) => None,
    }
    .map(PathBuf::as_path)
}

/// A run that was refused leaves no empty folder for runs either.
pub(super) fn take_back(made: Option<&Path>) {
    // Only where it is empty.
    let _ = made.map(std::fs::remove_dir);
}

/// Without the flag that names a run's folder.
fn why(error: &WriteError) -> String {
    match error {
        WriteError::NotAFolder { path } => format!("{} is not a folder", path.display()),
        WriteError::Io { path, source } => format!("{}: {source}", path.display()),
        other => other.to_string(),
    }
}

fn has_room(there: &Path, needed: u64, flag: &str) -> Result<(), Refusal> {
    match free_bytes(there).filter(|free| *free < needed) {
        None => Ok(()),
        Some(free) => Err(Refusal::usage(format!(
            "{} has {} MiB free, and a run may need {} MiB; make space or give another place with {flag}",
            there.display(),
            free >> 20,
            needed.div_ceil(1 << 20)
        ))),
    }
}

/// What a report of one run writes first: it is told from a user's file by its first columns.
const FIRST: &str = "samples.csv";

/// May a report be written there, beside or over what is there? An earlier report may be replaced; a user's own file may
/// not, nor the report of another run in that one's folder.
///
/// # Errors
/// What is in the way.
pub(super) fn check_report(folder: &Path, run: &Path, names: &[String]) -> Result<(), Refusal> {
    let real = |path: &Path| path.canonicalize().ok();
    if real(folder).is_some_and(|there| Some(there) == real(run)) {
        return Ok(());
    }
    let holds_run = [JOURNAL_FILE, RUN_FILE].iter().any(|name| folder.join(name).exists());
    if holds_run && names.iter().any(|name| name == FIRST) {
        return Err(Refusal::usage(format!(
            "{} holds another run, whose report stays in it; give another place with -o DIR",
            folder.display()
        )));
    }
    // Pictures carry no mark: they are an earlier report's where its samples are.
    let reported = is_reports(&folder.join(FIRST), FIRST);
    for name in names {
        let path = folder.join(name);
        let picture = [".svg", ".png"].iter().any(|end| name.ends_with(end));
        if path.symlink_metadata().is_ok() && !(if picture { reported } else { is_reports(&path, name) }) {
            return Err(Refusal::usage(format!(
                "{} is no earlier report's; give another place with -o DIR, or remove it",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Does that file begin as a report's file of that name does?
fn is_reports(path: &Path, name: &str) -> bool {
    const PAGE_HEAD_BYTES: u64 = 2048;
    if !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        return false;
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(PAGE_HEAD_BYTES).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    let columns = match name {
        FIRST => &report::csv::SAMPLE_COLUMNS[..],
        "summary.csv" => &report::csv::SUMMARY_COLUMNS[..],
        "side-by-side.csv" => &report::SIDE_BY_SIDE_COLUMNS[..],
        _ => return read.is_ok() && head.contains("<meta name=\"generator\" content=\"isocost "),
    };
    // Later columns may be other ones in another version's report.
    read.is_ok() && columns.iter().zip(head.split([',', '\r', '\n'])).take(3).all(|(ours, its)| *ours == its)
}

/// The folder itself, or the folder that it would be made in.
fn nearest(folder: &Path) -> Result<PathBuf, WriteError> {
    let start = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for path in start.ancestors() {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => return Ok(path.to_owned()),
            Ok(_) => return Err(WriteError::NotAFolder { path: path.to_owned() }),
            // A link that leads nowhere is found by looking at the link itself.
            Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {}
            // The part before it is a file: that part is looked at next.
            Err(error) if error.kind() == ErrorKind::NotADirectory => {}
            Err(source) => return Err(WriteError::Io { path: path.to_owned(), source }),
        }
    }
    Ok(PathBuf::from("."))
}

/// `None` where the file system does not say.
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok().filter(|stat| stat.f_blocks > 0)?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Has `reports/latest` lead to that run. Something else of that name is left as it is.
///
/// # Errors
/// Why there is no such link, in a sentence.
pub(super) fn link_latest(reports: &Path, run_id: &str) -> Result<PathBuf, String> {
    let link = reports.join(LATEST);
    if link.symlink_metadata().is_ok_and(|meta| !meta.is_symlink()) {
        return Err(format!("{} is not a link, and is left as it is", link.display()));
    }
    let failed = |error: std::io::Error| format!("cannot make the link {}: {error}", link.display());
    let new = reports.join(format!(".{LATEST}-{run_id}"));
    std::os::unix::fs::symlink(run_id, &new).map_err(failed)?;
    std::fs::rename(&new, &link).map_err(|error| {
        let _ = std::fs::remove_file(&new);
        failed(error)
    })?;
    Ok(link)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(folder: PathBuf) -> String {
        check(&Output::Folder(folder)).unwrap_err().text
    }

    #[test]
    fn a_place_that_is_or_can_be_made_is_good() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("a/b/c"), PathBuf::new(), "x".into()] {
            check(&Output::Folder(path.clone())).unwrap();
            check(&Output::Below(path)).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
    }

    #[test]
    fn work_that_names_no_bytes_writes_what_the_agent_does() {
        let mut suite = suite::load("quick").unwrap();
        suite.workloads.retain(|one| suite::uses_disk(one.run));
        suite.workloads.truncate(1);
        suite.workloads[0].bytes = 0;
        assert_eq!(most_written(&suite), 64 << 20);
        suite.workloads[0].bytes = 1 << 30;
        assert_eq!(most_written(&suite), 1 << 30);
        suite.workloads.clear();
        assert_eq!(most_written(&suite), 0);
    }

    #[test]
    fn a_file_is_no_folder_wherever_it_is_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let expected = format!("{} is not a folder; give another place with -o DIR", file.display());
        assert_eq!(refused(file.clone()), expected);
        assert_eq!(refused(file.join("below/it")), expected);
        assert_eq!(check(&Output::Below(file)).unwrap_err().text, expected);
    }

    #[test]
    fn a_run_is_not_written_over_and_its_folder_may_hold_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(RUN_FILE), "{}").unwrap();
        assert!(refused(folder.path().to_owned()).contains("holds a run already"));
        check(&Output::Below(folder.path().to_owned())).unwrap();
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("summary.csv"), "mine").unwrap();
        assert!(refused(folder.path().to_owned()).contains("is not empty and is no run's folder"));
        check(&Output::Below(folder.path().to_owned())).unwrap();
    }

    #[test]
    fn a_report_replaces_earlier_reports_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let names = ["samples.csv", "summary.csv", "cpu-overhead.svg", "report.html"].map(str::to_owned);
        let check = || check_report(at, Path::new("run"), &names);
        std::fs::write(at.join("notes.txt"), "mine").unwrap();
        check().unwrap();
        for name in &names {
            std::fs::write(at.join(name), "mine").unwrap();
            assert!(check().unwrap_err().text.contains(&format!("{name} is no earlier report's")));
            std::fs::remove_file(at.join(name)).unwrap();
        }
        std::fs::write(at.join("samples.csv"), report::csv::SAMPLE_COLUMNS.join(",")).unwrap();
        std::fs::write(at.join("cpu-overhead.svg"), "<svg>").unwrap();
        std::fs::write(at.join("report.html"), "<meta name=\"generator\" content=\"isocost 0.1.0\">")
            .unwrap();
        check().unwrap();
        std::fs::write(at.join(RUN_FILE), "{}").unwrap();
        assert!(check().unwrap_err().text.contains("holds another run"));
        check_report(at, at, &names).unwrap();
    }

    #[test]
    fn odd_places_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(refused(link.clone()).contains(&link.display().to_string()));
        assert!(refused(folder.path().join("x".repeat(300))).contains("xxx"));
    }

    #[test]
    fn latest_leads_to_the_newest_run_and_replaces_nothing_of_the_users() {
        let reports = tempfile::tempdir().unwrap();
        for id in ["r-1", "r-2"] {
            let link = link_latest(reports.path(), id).unwrap();
            assert_eq!(std::fs::read_link(link).unwrap(), Path::new(id));
        }
        let link = reports.path().join(LATEST);
        std::fs::remove_file(&link).unwrap();
        std::fs::create_dir(&link).unwrap();
        assert!(link_latest(reports.path(), "r-3").unwrap_err().contains("left as it is"));
        assert_eq!(std::fs::read_dir(reports.path()).unwrap().count(), 1);
    }
}
