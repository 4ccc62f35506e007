//! `isocost baseline`: names for runs.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::{BaselineArguments, BaselineCommand};
use crate::cli::commit;
use crate::cli::console::Console;
use crate::cli::exit::Exit;
use crate::cli::refusal::Refusal;
use crate::cli::sessions::{each_id_once, folders};
use crate::cli::words;
use crate::regression::history::{Baseline, History, entry_of, pack};

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
    let mut text = String::new();
    for one in all {
        let note = one.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
        let day = one.created_at.strftime("%Y-%m-%d %H:%M");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {day}  {}{note}", one.name, sessions(&one.runs));
        if all.len() == 1 {
            one.runs.iter().for_each(|run| {
                let _ = writeln!(text, "  {run}");
            });
        }
    }
    if all.is_empty() {
        text.push_str("no baselines; make one with: isocost baseline save NAME RUN…\n");
    }
    console.result(&text)
}
