//! `isocost history`: what all runs say together.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Export, HistoryArguments, HistoryCommand, Import, Which};
use super::exchange;
use crate::cli::commit;
use crate::cli::console::Console;
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::cli::sessions::folders;
use crate::journal;
use crate::regression::changes::Settings;
use crate::regression::ci::{Findings, Outcome};
use crate::regression::formats::Source;
use crate::regression::history::{Added, History, HistoryError, Place, RunRow, Selection, entry_of};
use crate::regression::score;
use crate::regression::trend::{TrendSettings, Trends, Verdict, trends};
use crate::report::clean::sentence;
use crate::report::trend_page;

/// Lines of a kind that a terminal is told of; all are in the files and in JSON.
const MOST_TOLD: usize = 20;

/// Shows changes, or does what was named.
///
/// # Errors
/// The history's, or a file or folder that cannot be read or written.
pub(in crate::cli) fn history(arguments: &HistoryArguments, console: Console) -> Result<Exit, Refusal> {
    let place = arguments.place.place()?;
    let selection = selection(&arguments.which);
    match &arguments.command {
        None => look(arguments, &place, &selection, console),
        Some(HistoryCommand::Import { paths, format, commit, of_branch }) => {
            import(paths, *format, commit::said(commit.as_deref(), of_branch.as_deref()), &place, console)
        }
        Some(HistoryCommand::Export { format, output }) => {
            export(*format, output.as_deref(), &place, &selection, console)
        }
        Some(HistoryCommand::Runs) => runs(&place, &selection, console),
        Some(HistoryCommand::Score { dir }) => {
            let labelled = score::read(dir).map_err(|e| Refusal::usage(e.to_string()))?;
            let settings = Settings { smallest: arguments.smallest, ..Settings::default() };
            let score = score::score(&labelled, &settings).map_err(|e| Refusal::usage(e.to_string()))?;
            if console.json {
                console.document("history", &score)?;
            } else {
                console.result(&format!("{score}\n"))?;
            }
            Ok(Exit::Done)
        }
    }
}

fn selection(which: &Which) -> Selection {
    let (branch, machine) = (which.branch.clone(), which.machine.clone());
    Selection { branch, since: which.since, machine, newest: which.newest }
}

fn look(
    arguments: &HistoryArguments,
    place: &Place,
    selection: &Selection,
    console: Console,
) -> Result<Exit, Refusal> {
    let mut history = History::open_existing(place)?;
    let selected = history.runs(selection)?;
    if selected.is_empty() {
        return Err(nothing(&mut history, selection));
    }
    let as_of = arguments.run.as_deref().map(|run| named(run, &selected, place)).transpose()?;
    let changes = Settings { smallest: arguments.smallest, ..Settings::default() };
    let trends = trends(&mut history, selection, &TrendSettings { changes, as_of })?;
    if let Some(path) = &arguments.html {
        let page = trend_page(&trends.page(&format!("{} runs of {place}", trends.runs)))?;
        exchange::put(path, page.as_bytes())?;
        console.note(&format!("page: {}", path.display()));
    }
    let findings = trends.findings().plain();
    if console.json {
        console.document("history", document(&trends, &findings))?;
    } else {
        console.result(&trends.text())?;
    }
    exchange::tell(&findings, &arguments.tell, "isocost.toml", console)?;
    if arguments.gate {
        console.note(&findings.answer);
        for outcome in [Outcome::Regressed, Outcome::Undecided] {
            let cases = findings.cases.iter().filter(|case| case.outcome == outcome);
            cases.take(MOST_TOLD).for_each(|case| console.note(&case.line()));
        }
        findings.notes.iter().for_each(|note| console.note(note));
    }
    Ok(match trends.verdict() {
        Verdict::Regressed if arguments.gate => Exit::Regression,
        Verdict::Undecided if arguments.gate => Exit::Undecided,
        _ => Exit::Done,
    })
}

/// The id of a run that is named by its folder or its id.
fn named(run: &Path, selected: &[RunRow], place: &Place) -> Result<String, Refusal> {
    let id = if run.is_dir() {
        journal::read(run).map_err(|error| Refusal::usage(error.to_string()))?.record.run_id
    } else {
        run.to_string_lossy().into_owned()
    };
    if selected.iter().any(|one| one.run_id == id) {
        return Ok(id);
    }
    Err(Refusal::usage(format!(
        "{id} is not among the {} selected runs of {place}; isocost history runs lists them, isocost history import DIR adds one",
        selected.len()
    )))
}

/// No run was selected: what there is, and what to type.
fn nothing(history: &mut History, selection: &Selection) -> Refusal {
    let place = history.place().to_string();
    let all = match history.runs(&Selection::default()) {
        Ok(all) => all,
        Err(error) => return error.into(),
    };
    if all.is_empty() {
        return Refusal::usage(format!("{place} holds no runs; add some with: isocost history import DIR"));
    }
    let branches: std::collections::BTreeSet<&str> =
        all.iter().filter_map(|run| run.source.branch.as_deref()).collect();
    let branches: Vec<&str> = branches.into_iter().take(10).collect();
    let known = match (&selection.branch, &branches[..]) {
        (None, _) => String::new(),
        (Some(_), []) => {
            "; none of them has a branch: isocost history import DIR --of-branch NAME".to_owned()
        }
        (Some(_), some) => format!("; their branches are {}", some.join(", ")),
    };
    Refusal::usage(format!(
        "none of the {} runs in {place} is among those asked for{known}; isocost history runs lists them",
        all.len()
    ))
}

fn document(trends: &Trends, findings: &Findings) -> serde_json::Value {
    let lines: Vec<_> = trends
        .lines
        .iter()
        .map(|line| {
            let changes: Vec<_> = line
                .changes
                .iter()
                .map(|told| {
                    let point = &line.points[told.change.at];
                    json!({
                        "run": point.run_id, "commit": point.commit, "at": point.at,
                        "before": told.change.before, "after": told.change.after, "relative": told.change.relative,
                        "worse": told.worse, "recurring": told.change.recurring,
                        "last_good": line.points[told.between.0].commit, "first_bad": line.points[told.between.1].commit,
                        "moved": told.moved, "control": told.control,
                    })
                })
                .collect();
            json!({"series": line.key, "machine": line.machine.0, "asked": line.asked.0, "runs": line.points.len(), "changes": changes})
        })
        .collect();
    let newest = trends.newest.as_ref().map(|newest| json!({"run": newest.run_id, "ending": newest.ending}));
    let answer = match trends.verdict() {
        Verdict::Passed => "pass",
        Verdict::Regressed => "regression",
        Verdict::Undecided => "undecided",
    };
    let judged = findings.cases.iter().filter(|case| case.outcome != Outcome::Passed);
    let judged: Vec<_> = judged
        .map(|case| {
            json!({
                "environment": case.group, "figure": case.name, "outcome": case.outcome.word(),
                "values": case.values, "change": case.change, "notes": case.notes,
            })
        })
        .collect();
    json!({
        "lines": lines, "short": trends.short, "anew": trends.anew.len(), "alpha": trends.alpha, "spend": trends.spend, "newest": newest,
        "answer": answer, "judged": judged, "notes": findings.notes,
    })
}

#[derive(Default)]
struct Tally {
    new: usize,
    known: usize,
    replaced: usize,
    shorter: usize,
    other: usize,
    /// Of all of these.
    nameless: usize,
}

impl Tally {
    fn count(&mut self, added: Added, source: &Source) {
        self.nameless += usize::from(source.commit.is_none());
        match added {
            Added::New => self.new += 1,
            Added::Known => self.known += 1,
            Added::Replaced => self.replaced += 1,
            Added::Shorter => self.shorter += 1,
            Added::Other => self.other += 1,
        }
    }
}

fn import(
    paths: &[PathBuf],
    format: Option<Import>,
    said: Source,
    place: &Place,
    console: Console,
) -> Result<Exit, Refusal> {
    let (tally, unreadable) = match format {
        Some(format) => (import_files(paths, format, said, place, console)?, 0),
        None => import_runs(paths, said, place, console)?,
    };
    let Tally { new, known, replaced, shorter, other, nameless } = tally;
    if nameless > 0 {
        console.note(&format!(
            "{nameless} of them name no commit: isocost history import DIR --commit HASH says which it was"
        ));
    }
    if console.json {
        console.document(
            "history",
            json!({"new": new, "known": known, "replaced": replaced, "shorter": shorter, "other": other, "unreadable": unreadable}),
        )?;
    } else {
        console.result(&format!(
            "{new} runs are new, {known} were there, {replaced} have gone on since, {shorter} are earlier copies and change nothing; \
             {other} are refused for another run's id, {unreadable} cannot be read\n"
        ))?;
    }
    Ok(if unreadable + other > 0 { Exit::Failed } else { Exit::Done })
}

/// All files are read before anything is written. One that never names a commit was measured just now.
fn import_files(
    paths: &[PathBuf],
    format: Import,
    said: Source,
    place: &Place,
    console: Console,
) -> Result<Tally, Refusal> {
    type Said = fn(&Source) -> &Option<String>;
    let flags: [(&str, Said); 2] = [("--commit", |said| &said.commit), ("--of-branch", |said| &said.branch)];
    let asked = said.clone();
    let said = if format == Import::Bencher { commit::with_the_code_here(said) } else { said };
    let mut files = Vec::new();
    for path in paths {
        let imported = exchange::read(path, format, &said)?;
        for (flag, value) in flags.iter().filter(|(_, value)| value(&asked).is_some()) {
            if !imported.results.iter().any(|one| value(&one.source) == value(&asked)) {
                let file = path.display();
                console.note(&format!("{flag} changes nothing in {file}: its results say that themselves"));
            }
        }
        for what in &imported.left_out {
            console.note(&format!("left out: {}: {what}", path.display()));
        }
        files.push(imported);
    }
    let (mut history, mut tally) = (History::open(place)?, Tally::default());
    for imported in files {
        let added = history.add_file(&imported, format.name())?;
        added.into_iter().zip(&imported.results).for_each(|(added, one)| tally.count(added, &one.source));
    }
    Ok(tally)
}

/// Also how many cannot be read: one damaged folder among thousands does not keep the others out. What the command line says is
/// so of all of them, what a run says of itself of that run; one that says nothing and comes alone was measured just now.
fn import_runs(
    paths: &[PathBuf],
    said: Source,
    place: &Place,
    console: Console,
) -> Result<(Tally, usize), Refusal> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_file() {
            return Err(Refusal::usage(format!(
                "{} is a file: say of which tool, such as --format {}; a run of Isocost is a folder",
                path.display(),
                Import::GithubActionBenchmark.name()
            )));
        }
        all.extend(folders(path)?);
    }
    let (mut history, mut tally, mut unreadable) = (History::open(place)?, Tally::default(), 0);
    let alone = all.len() == 1;
    for folder in all {
        match entry_of(&folder, &said) {
            Ok(mut entry) => {
                if alone && entry.source.commit.is_none() {
                    entry.source = commit::with_the_code_here(entry.source);
                }
                let added = history.add(&entry)?;
                tally.count(added, &entry.source);
                if added == Added::Other {
                    let error = HistoryError::Other { place: place.clone(), run: entry.run_id.clone() };
                    crate::cli::console::say(&format!("{}: {error}", folder.display()));
                    continue;
                }
                if added == Added::Shorter {
                    console.note(&format!(
                        "{}: an earlier copy of run {}, of which the history has more: it keeps that",
                        folder.display(),
                        entry.run_id
                    ));
                }
                history.name(&entry.run_id, &said)?;
            }
            Err(error) => {
                unreadable += 1;
                crate::cli::console::say(&error.to_string());
            }
        }
    }
    Ok((tally, unreadable))
}

fn export(
    format: Export,
    output: Option<&Path>,
    place: &Place,
    selection: &Selection,
    console: Console,
) -> Result<Exit, Refusal> {
    let mut history = History::open_existing(place)?;
    let results = history.results(selection)?;
    if results.is_empty() {
        return Err(nothing(&mut history, selection));
    }
    let bytes = exchange::write(&results, format).map_err(|e| Refusal::usage(e.to_string()))?;
    for what in exchange::left_out(&results, format) {
        console.note(&format!("left out: {what}"));
    }
    match (output, String::from_utf8(bytes)) {
        (Some(path), Ok(text)) => exchange::put(path, text.as_bytes())?,
        (Some(path), Err(binary)) => exchange::put(path, binary.as_bytes())?,
        (None, Ok(text)) => console.result(&text)?,
        (None, Err(_)) => return Err(Refusal::usage("this format is no text; name a file with -o FILE")),
    }
    Ok(Exit::Done)
}

fn runs(place: &Place, selection: &Selection, console: Console) -> Result<Exit, Refusal> {
    let all = History::open_existing(place)?.runs(selection)?;
    if console.json {
        let lines: Vec<_> = all
            .iter()
            .map(|run| json!({"run": run.run_id, "at": run.started_at, "origin": run.origin, "suite": run.suite, "commit": run.source.commit, "branch": run.source.branch, "host": run.host, "ending": run.ending}))
            .collect();
        console.document("history", json!({ "runs": lines }))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for run in &all {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let commit: String = or(&run.source.commit).chars().take(12).collect();
        let day = run.started_at.strftime("%Y-%m-%d %H:%M");
        let line = format!(
            "{day}  {commit:12}  {:16}  {:12}  {}",
            or(&run.source.branch),
            or(&run.suite),
            run.run_id
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", sentence(&line));
    }
    console.result(&text)?;
    Ok(Exit::Done)
}
