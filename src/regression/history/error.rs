//! Why a history cannot be used.

use super::place::Place;

/// Why a history cannot be used. Nothing was changed in it, whichever it is.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Written by a later version.
    #[error(
        "{place} has schema {found}, this version of isocost knows up to {known}; use the version that wrote it"
    )]
    Newer {
        /// Which.
        place: Place,
        /// Its schema.
        found: i64,
        /// The newest this version knows.
        known: i64,
    },
    /// Another program's database.
    #[error("{place} is a database of something else; name another place for the history")]
    Foreign {
        /// Which.
        place: Place,
    },
    /// Not readable as a database, or readable in parts.
    #[error(
        "{place} is damaged ({detail}) and was left as it is; restore a copy of it, or name a new file and import \
             the run folders again with: isocost history import DIR"
    )]
    Damaged {
        /// Which.
        place: Place,
        /// The database's words.
        detail: String,
    },
    /// A URL of something else.
    #[error("no history can be at {scheme}://…; name a file, or postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Scheme {
        /// What comes before `://`.
        scheme: String,
    },
    /// No name at all.
    #[error(
        "--history or ISOCOST_HISTORY is empty; name a file, or postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Nameless,
    /// It would end with the command.
    #[error("a history in memory ends with the command; name a file, ./:memory: for one of that name")]
    InMemory,
    /// There is no history.
    #[error("there is no history at {place} yet; make one with: isocost history import DIR")]
    Missing {
        /// Where.
        place: Place,
    },
    /// It cannot be opened, or no server answers.
    #[error("cannot open the history {place}: {detail}")]
    Unreachable {
        /// Which.
        place: Place,
        /// The system's words.
        detail: String,
    },
    /// Others kept it locked for longer than a minute.
    #[error("{place} is locked by another program since a minute ({detail}); try again once that has ended")]
    Busy {
        /// Which.
        place: Place,
        /// The database's words.
        detail: String,
    },
    /// Anything else that the database says.
    #[error("the history {place} could not {doing}: {detail}")]
    Database {
        /// Which.
        place: Place,
        /// What was asked of it.
        doing: &'static str,
        /// The database's words.
        detail: String,
    },
    /// A figure that is not finite has no place in a history.
    #[error("{run}: {series} is {value}, and only finite figures are kept")]
    NotFinite {
        /// The run.
        run: String,
        /// The figure.
        series: String,
        /// Its value.
        value: f64,
    },
    /// No such run.
    #[error("the history {place} has no run {run}; it is added with: isocost history import DIR")]
    NoRun {
        /// Which.
        place: Place,
        /// The run.
        run: String,
    },
    /// No such machine.
    #[error("no run is of a machine `{name}`; those there are: {}", if known.is_empty() { "none".to_owned() } else { known.join("; ") })]
    NoMachine {
        /// As asked.
        name: String,
        /// All.
        known: Vec<String>,
    },
    /// No such baseline.
    #[error("there is no baseline `{name}`{}; those there are: {}", similar.as_deref().map(|name| format!(", did you mean `{name}`?")).unwrap_or_default(), if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoBaseline {
        /// As asked.
        name: String,
        /// All.
        known: Vec<String>,
        /// The one that was meant, perhaps.
        similar: Option<String>,
    },
    /// Something is to be done with a copy of a run that was made before the run was what the history has.
    #[error(
        "this copy of run {run} is an earlier one, and the history {place} has more of that run; give the folder of the whole run"
    )]
    Earlier {
        /// Which.
        place: Place,
        /// The run.
        run: String,
    },
    /// Two runs of one id: one of them was changed, or copied and measured into.
    #[error(
        "run {run} is in the history {place} with as many samples and other values; nothing goes on after its end, so find out \
         which of the two was changed, or name another history for this one with --history PLACE"
    )]
    Other {
        /// Which.
        place: Place,
        /// The run.
        run: String,
    },
    /// The name is taken.
    #[error("there is a baseline `{name}` already; add --replace to give the name to other runs")]
    BaselineTaken {
        /// The name.
        name: String,
    },
    /// A name that could not be typed again, or a baseline of no runs.
    #[error("a baseline {what}")]
    BadBaseline {
        /// What it lacks.
        what: &'static str,
    },
}
