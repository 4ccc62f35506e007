//! Runs by a name: what the next ones are held against.

use jiff::Timestamp;

use super::add::{Added, check, put};
use super::archive::keep;
use super::connection::{Connection, Row as _, Trouble, transaction};
use super::entry::Entry;
use super::error::HistoryError;
use super::store::{History, Known};
use crate::suite::similar;

/// Runs by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The name.
    pub name: String,
    /// When it was saved.
    pub created_at: Timestamp,
    /// Why, in the words of who saved it.
    pub note: Option<String>,
    /// Its runs' ids, oldest first.
    pub runs: Vec<String>,
}

const LONGEST_NAME: usize = 100;

/// Why nothing is saved; all that was done for it is undone.
enum Refused {
    Taken,
    NoRun(String),
    Shorter(String),
    Other(String),
}

impl Baseline {
    /// Can it be typed again?
    ///
    /// # Errors
    /// It cannot.
    pub fn check_name(name: &str) -> Result<(), HistoryError> {
        let typed = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
        if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(typed) {
            return Err(HistoryError::BadBaseline {
                what: "has a name of 1 to 100 characters without spaces and slashes",
            });
        }
        Ok(())
    }
}

impl History {
    /// Gives a name to runs that are in the history. Nothing else ever moves a baseline.
    ///
    /// # Errors
    /// The name is taken and `replace` is not set; a run is not there; no runs.
    pub fn save_baseline(
        &mut self,
        name: &str,
        runs: &[String],
        note: Option<&str>,
        now: Timestamp,
        replace: bool,
    ) -> Result<(), HistoryError> {
        self.saved(name, &[], runs, note, now, replace)
    }

    /// Adds runs, each with what [`pack`](super::pack) made of it, and gives a name to them: all of it or nothing.
    ///
    /// # Errors
    /// As [`History::save_baseline`]; a run of which the history has more than this copy.
    pub fn save_sessions(
        &mut self,
        name: &str,
        sessions: &[(Entry, Vec<u8>)],
        note: Option<&str>,
        now: Timestamp,
        replace: bool,
    ) -> Result<(), HistoryError> {
        let runs: Vec<String> = sessions.iter().map(|(entry, _)| entry.run_id.clone()).collect();
        self.saved(name, sessions, &runs, note, now, replace)
    }

    fn saved(
        &mut self,
        name: &str,
        sessions: &[(Entry, Vec<u8>)],
        runs: &[String],
        note: Option<&str>,
        now: Timestamp,
        replace: bool,
    ) -> Result<(), HistoryError> {
        Baseline::check_name(name)?;
        if runs.is_empty() {
            return Err(HistoryError::BadBaseline { what: "has at least one run" });
        }
        sessions.iter().try_for_each(|(entry, _)| check(entry))?;
        let mut known = self.known.clone();
        let mut refused = None;
        let done = transaction(self.connection.as_mut(), false, |connection| {
            known.clone_from(&self.known);
            let saved = match added(connection, &mut known, sessions)? {
                Ok(()) => named(connection, name, runs, note, now, replace)?,
                refused => refused,
            };
            saved.map_err(|why| {
                refused = Some(why);
                Trouble::other("undone")
            })
        });
        match (done, refused) {
            (Ok(()), _) => {
                self.known = known;
                Ok(())
            }
            (Err(_), Some(Refused::Taken)) => Err(HistoryError::BaselineTaken { name: name.to_owned() }),
            (Err(_), Some(Refused::NoRun(run))) => {
                Err(HistoryError::NoRun { place: self.place.clone(), run })
            }
            (Err(_), Some(Refused::Shorter(run))) => {
                Err(HistoryError::Earlier { place: self.place.clone(), run })
            }
            (Err(_), Some(Refused::Other(run))) => {
                Err(HistoryError::Other { place: self.place.clone(), run })
            }
            (Err(trouble), None) => Err(self.failed(trouble, "save a baseline")),
        }
    }

    /// All baselines, by name.
    ///
    /// # Errors
    /// The database's.
    pub fn baselines(&mut self) -> Result<Vec<Baseline>, HistoryError> {
        let doing = "list its baselines";
        let rows = self.ask(doing, "SELECT name, created_at, note FROM baseline", &[])?;
        let mut all = Vec::new();
        for row in &rows {
            let (name, created) = (row.text(0), row.integer(1).and_then(super::query::time));
            let name = name.map_err(|trouble| self.failed(trouble, doing))?;
            let created_at = created.map_err(|trouble| self.failed(trouble, doing))?;
            let runs = self.runs_of(&name)?;
            all.push(Baseline { name, created_at, note: row.maybe_text(2), runs });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn runs_of(&mut self, name: &str) -> Result<Vec<String>, HistoryError> {
        let sql =
            "SELECT run.run_id FROM baseline_run JOIN run ON run.id = baseline_run.run WHERE baseline = $1
            ORDER BY run.started_at, run.id";
        let rows = self.ask("list a baseline's runs", sql, &[name.into()])?;
        Ok(rows.iter().filter_map(|row| row.maybe_text(0)).collect())
    }

    /// The baseline of that name.
    ///
    /// # Errors
    /// There is none; those there are.
    pub fn baseline(&mut self, name: &str) -> Result<Baseline, HistoryError> {
        let all = self.baselines()?;
        let found = all.iter().find(|baseline| baseline.name == name).cloned();
        found.ok_or_else(|| {
            let known: Vec<String> = all.into_iter().map(|baseline| baseline.name).collect();
            let similar = similar(name, known.iter().map(String::as_str)).map(str::to_owned);
            HistoryError::NoBaseline { name: name.to_owned(), known, similar }
        })
    }

    /// Removes the name; its runs stay.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn remove_baseline(&mut self, name: &str) -> Result<(), HistoryError> {
        self.baseline(name)?;
        let removed = transaction(self.connection.as_mut(), false, |connection| {
            connection.execute("DELETE FROM baseline_run WHERE baseline = $1", &[name.into()])?;
            connection.execute("DELETE FROM baseline WHERE name = $1", &[name.into()])
        });
        removed.map(|_| ()).map_err(|trouble| self.failed(trouble, "remove a baseline"))
    }
}

fn added(
    connection: &mut dyn Connection,
    known: &mut Known,
    sessions: &[(Entry, Vec<u8>)],
) -> Result<Result<(), Refused>, Trouble> {
    for (entry, packed) in sessions {
        match put(connection, known, entry)? {
            Added::Shorter => return Ok(Err(Refused::Shorter(entry.run_id.clone()))),
            Added::Other => return Ok(Err(Refused::Other(entry.run_id.clone()))),
            Added::New | Added::Known | Added::Replaced => {}
        }
        keep(connection, &entry.run_id, packed)?;
    }
    Ok(Ok(()))
}

fn named(
    connection: &mut dyn Connection,
    name: &str,
    runs: &[String],
    note: Option<&str>,
    now: Timestamp,
    replace: bool,
) -> Result<Result<(), Refused>, Trouble> {
    let there = connection.query("SELECT name FROM baseline WHERE name = $1", &[name.into()])?;
    if !there.is_empty() && !replace {
        return Ok(Err(Refused::Taken));
    }
    connection.execute("DELETE FROM baseline_run WHERE baseline = $1", &[name.into()])?;
    connection.execute("DELETE FROM baseline WHERE name = $1", &[name.into()])?;
    let values = [name.into(), now.as_microsecond().into(), note.into()];
    connection.execute("INSERT INTO baseline (name, created_at, note) VALUES ($1, $2, $3)", &values)?;
    for run in runs {
        let rows = connection.query("SELECT id FROM run WHERE run_id = $1", &[run.as_str().into()])?;
        let Some(row) = rows.first() else { return Ok(Err(Refused::NoRun(run.clone()))) };
        let sql =
            "INSERT INTO baseline_run (baseline, run) VALUES ($1, $2) ON CONFLICT (baseline, run) DO NOTHING";
        connection.execute(sql, &[name.into(), row.integer(0)?.into()])?;
    }
    Ok(Ok(()))
}
