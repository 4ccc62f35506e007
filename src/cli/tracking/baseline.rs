//! `isocost baseline`: names for runs.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::args::{BaselineArguments, BaselineCommand};
use crate::cli::commit;
use crate::cli::console::Console;
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::cli::sessions::{each_id_once, folders};
use crate::cli::words;
use crate::journal;
use crate::regression::gate;
use crate::regression::history::{Baseline, History, entry_of, pack};
use crate::report::clean::sentence;

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    created_at: jiff::Timestamp,
    note: Option<&'a str>,
    runs: &'a [String],
}

/// Saves, lists, shows or removes.
///
/// # Errors
/// The history's, or a run folder that cannot be read.
pub(in crate::cli) fn baseline(arguments: &BaselineArguments, console: Console) -> Result<Exit, Refusal> {
    let place = arguments.place.place()?;
    match &arguments.command {
        BaselineCommand::Save { name, runs, replace, note } => {
            // All are read before anything is written, and all is written or nothing.
            Baseline::check_name(name)?;
            let said = commit::said(None, None);
            let mut read = Vec::new();
            for dir in runs {
                for folder in folders(dir)? {
                    usable(&folder)?;
                    read.push((entry_of(&folder, &said)?, pack(&folder)?));
                }
            }
            each_id_once(read.iter().map(|(entry, _)| entry.run_id.as_str()))?;
            let now = jiff::Timestamp::now();
            History::open(&place)?.save_sessions(name, &read, note.as_deref(), now, *replace)?;
            let ids: Vec<String> = read.into_iter().map(|(entry, _)| entry.run_id).collect();
            console.note(&format!("baseline {name}: {}", sessions(&ids)));
            if ids.len() < 5 {
                console.note("how much sessions differ is known from 5 on; until then an answer is advisory");
            }
        }
        BaselineCommand::List => show(&History::open_existing(&place)?.baselines()?, console)?,
        BaselineCommand::Show { name } => show(&[History::open_existing(&place)?.baseline(name)?], console)?,
        BaselineCommand::Remove { name } => {
            History::open_existing(&place)?.remove_baseline(name)?;
            console.note(&format!("baseline {name} is removed; its runs are still in the history"));
        }
    }
    Ok(Exit::Done)
}

/// `gate` would refuse whatever is held against a run that says nothing.
fn usable(folder: &Path) -> Result<(), Refusal> {
    let checked = gate::check(&journal::read(folder)?);
    checked.map_err(|why| Refusal::usage(format!("{}: {why}", folder.display())))
}

fn sessions(runs: &[String]) -> String {
    words::count(runs.len() as u64, "session")
}

fn show(all: &[Baseline], console: Console) -> Result<(), Refusal> {
    if console.json {
        let line = |one: &Baseline| -> serde_json::Value {
            let Baseline { name, created_at, note, runs } = one;
            serde_json::json!(Line { name, created_at: *created_at, note: note.as_deref(), runs })
        };
        let lines: Vec<_> = all.iter().map(line).collect();
        return console.document("baseline", serde_json::json!({ "baselines": lines }));
    }
    console.result(&text(all))
}

/// A name, a note and a run's id are whatever somebody wrote into the history.
fn text(all: &[Baseline]) -> String {
    let mut text = String::new();
    for one in all {
        let note = one.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
        let day = one.created_at.strftime("%Y-%m-%d %H:%M");
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "{}", sentence(&format!("{}  {day}  {}{note}", one.name, sessions(&one.runs))));
        if all.len() == 1 {
            one.runs.iter().for_each(|run| {
                let _ = writeln!(text, "  {}", sentence(run));
            });
        }
    }
    if all.is_empty() {
        text.push_str("no baselines; make one with: isocost baseline save NAME RUN…\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_history_cannot_steer_a_terminal() {
        let one = Baseline {
            name: "main\u{202e}".into(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            note: Some("red\u{1b}[31m\nline".into()),
            runs: vec!["r\u{1b}]0;x\u{7}".into()],
        };
        assert_eq!(text(&[one]), "main�  1970-01-01 00:00  1 session  red�[31m�line\n  r�]0;x�\n");
    }
}
