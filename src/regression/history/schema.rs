//! The tables, and the steps by which an older schema becomes the newest.

use super::connection::{Connection, Row as _, Trouble, Value, transaction};
use super::error::HistoryError;
use super::place::Place;

/// The newest schema that this version knows: one a step.
pub const VERSION: i64 = STEPS.len() as i64;

/// Holds the version; by it a database of ours is known.
pub(super) const MARK: &str = "isocost_schema";

/// Each step is done once, in order, all in one transaction. `{id}` is a column of numbers that count up by
/// themselves, `{bytes}` the type of a column of bytes. A step that has been released is never changed; what it lacks comes in another one.
const STEPS: [&str; 1] = ["
CREATE TABLE host (
    id {id},
    fingerprint TEXT NOT NULL UNIQUE,
    facts TEXT NOT NULL
);
CREATE TABLE environment (
    id {id},
    fingerprint TEXT NOT NULL UNIQUE,
    facts TEXT NOT NULL
);
CREATE TABLE run (
    id {id},
    run_id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    origin TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ending TEXT,
    suite TEXT,
    version TEXT,
    program TEXT,
    commit_id TEXT,
    branch TEXT,
    repository TEXT,
    machine TEXT,
    host BIGINT REFERENCES host (id)
);
CREATE INDEX run_started_at ON run (started_at);
CREATE TABLE series (
    id {id},
    environment TEXT NOT NULL,
    accelerator TEXT NOT NULL,
    workload TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    direction TEXT,
    UNIQUE (environment, accelerator, workload, metric, unit)
);
CREATE TABLE point (
    series BIGINT NOT NULL REFERENCES series (id),
    run BIGINT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    value DOUBLE PRECISION,
    low DOUBLE PRECISION,
    high DOUBLE PRECISION,
    n BIGINT,
    failed BIGINT NOT NULL,
    ratio DOUBLE PRECISION,
    ratio_low DOUBLE PRECISION,
    ratio_high DOUBLE PRECISION,
    environment BIGINT REFERENCES environment (id),
    PRIMARY KEY (series, run)
);
CREATE INDEX point_run ON point (run);
CREATE TABLE archive (
    run BIGINT PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    files {bytes} NOT NULL
);
CREATE TABLE baseline (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    note TEXT
);
CREATE TABLE baseline_run (
    baseline TEXT NOT NULL REFERENCES baseline (name) ON DELETE CASCADE,
    run BIGINT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    PRIMARY KEY (baseline, run)
);
"];

/// Brings the database to [`VERSION`]; an empty one is filled.
///
/// # Errors
/// It is another program's, or of a later version.
pub(super) fn migrate(connection: &mut dyn Connection, place: &Place) -> Result<(), HistoryError> {
    let failed = |trouble: Trouble| trouble.at(place, "be brought to the newest schema");
    // Without a lock first: almost always there is nothing to do, and a reader needs no lock.
    if standing(connection).map_err(failed)? == Standing::Version(VERSION) {
        return Ok(());
    }
    let found = transaction(connection, true, |connection| {
        let standing = standing(connection)?;
        let from = match standing {
            Standing::Empty => 0,
            Standing::Version(version) if (0..VERSION).contains(&version) => version as usize,
            other => return Ok(other),
        };
        if from == 0 {
            connection.batch(&format!("CREATE TABLE {MARK} (version BIGINT NOT NULL)"))?;
            connection.execute(&format!("INSERT INTO {MARK} (version) VALUES ($1)"), &[Value::Integer(0)])?;
        }
        for step in &STEPS[from..] {
            let sql = step.replace("{id}", connection.identity()).replace("{bytes}", connection.bytes());
            connection.batch(&sql)?;
        }
        connection.execute(&format!("UPDATE {MARK} SET version = $1"), &[Value::Integer(VERSION)])?;
        Ok(Standing::Version(VERSION))
    });
    match found.map_err(failed)? {
        Standing::Version(VERSION) => Ok(()),
        Standing::Version(found) => Err(HistoryError::Newer { place: place.clone(), found, known: VERSION }),
        Standing::Empty | Standing::Foreign => Err(HistoryError::Foreign { place: place.clone() }),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Empty,
    Version(i64),
    Foreign,
}

fn standing(connection: &mut dyn Connection) -> Result<Standing, Trouble> {
    let tables = connection.tables()?;
    if tables.is_empty() {
        return Ok(Standing::Empty);
    }
    if !tables.iter().any(|name| name == MARK) {
        return Ok(Standing::Foreign);
    }
    let rows = connection.query(&format!("SELECT version FROM {MARK}"), &[])?;
    match &rows[..] {
        [row] => Ok(Standing::Version(row.integer(0)?)),
        _ => Ok(Standing::Foreign),
    }
}
