//! A run into the history, in one transaction.

use super::connection::{Connection, Row as _, Trouble, Value, transaction};
use super::entry::{Description, Entry, Measured};
use super::error::HistoryError;
use super::store::{History, Known};
use crate::measure::metric::Direction;
use crate::regression::formats::Source;

/// What adding a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// It was there, as it is.
    Known,
    /// It was there and has gone on since: its figures were replaced.
    Replaced,
    /// What is there has gone on since: it stays.
    Shorter,
    /// What is there ended as a whole, as this did, with as many samples, and is another: it stays.
    Other,
}

impl History {
    /// Adds a run, unless it is there already, as it is or as a later copy of it that has more.
    ///
    /// # Errors
    /// A figure that is not finite, or the database's; the history is then as it was.
    pub fn add(&mut self, entry: &Entry) -> Result<Added, HistoryError> {
        check(entry)?;
        let mut known = self.known.clone();
        let added = transaction(self.connection.as_mut(), false, |connection| {
            known.clone_from(&self.known);
            put(connection, &mut known, entry)
        });
        let added = added.map_err(|trouble| trouble.at(&self.place, "take in a run"))?;
        self.known = known;
        Ok(added)
    }
}

impl History {
    /// Says of a run that is there which code it was; what `source` leaves open stays as it is.
    ///
    /// # Errors
    /// The database's.
    pub fn name(&mut self, run_id: &str, source: &Source) -> Result<(), HistoryError> {
        let sql = "UPDATE run SET commit_id = COALESCE($1, commit_id), branch = COALESCE($2, branch) WHERE run_id = $3";
        let values = [source.commit.as_deref().into(), source.branch.as_deref().into(), run_id.into()];
        let done = self.connection.execute(sql, &values);
        done.map(|_| ()).map_err(|trouble| trouble.at(&self.place, "name a run's commit"))
    }
}

/// Only finite figures are kept.
pub(super) fn check(entry: &Entry) -> Result<(), HistoryError> {
    for one in &entry.measured {
        let pairs =
            [one.interval, one.ratio_interval].into_iter().flatten().flat_map(|(low, high)| [low, high]);
        let numbers = [one.value, one.ratio].into_iter().flatten().chain(pairs);
        if let Some(value) = numbers.into_iter().find(|number| !number.is_finite()) {
            return Err(HistoryError::NotFinite {
                run: entry.run_id.clone(),
                series: one.key.to_string(),
                value,
            });
        }
    }
    Ok(())
}

/// Adds a run inside a transaction.
pub(super) fn put(
    connection: &mut dyn Connection,
    known: &mut Known,
    entry: &Entry,
) -> Result<Added, Trouble> {
    loop {
        let found = there(connection, entry)?;
        let added = match &found {
            Some(found) if found.digest == entry.digest => return Ok(Added::Known),
            Some(_) => {
                // Held from here on: another program may be about to replace it too.
                let hold = "UPDATE run SET digest = digest WHERE run_id = $1";
                connection.execute(hold, &[entry.run_id.as_str().into()])?;
                match there(connection, entry)? {
                    Some(now) if now.digest == entry.digest => return Ok(Added::Known),
                    // An older version took in the same, and did not say what was asked for.
                    Some(now) if entry.digest.split_once('-').is_some_and(|(same, _)| same == now.digest) => {
                        Added::Known
                    }
                    Some(now) if now.extent > Extent::of(entry) => return Ok(Added::Shorter),
                    // A run that ended as a whole never goes on; one that was cut off may, without one more sample at first.
                    Some(now) if now.extent == Extent::of(entry) && now.extent.end == End::Whole => {
                        return Ok(Added::Other);
                    }
                    _ => Added::Replaced,
                }
            }
            None => Added::New,
        };
        let host = match &entry.host {
            Some(host) => Some(described(connection, "host", &mut known.hosts, host)?),
            None => None,
        };
        let run = match found {
            Some(found) => Some(again(connection, found.id, entry, host)?),
            None => insert_run(connection, entry, host)?,
        };
        if let Some(run) = run {
            points(connection, known, run, &entry.measured)?;
            return Ok(added);
        }
        // Another program has added it between the question and now, perhaps a shorter copy.
    }
}

/// A run that is there.
struct There {
    id: i64,
    digest: String,
    extent: Extent,
}

fn there(connection: &mut dyn Connection, entry: &Entry) -> Result<Option<There>, Trouble> {
    // A sum of whole numbers is no whole number in PostgreSQL.
    let sql = "SELECT id, digest, ending, CAST((SELECT COALESCE(SUM(COALESCE(n, 0) + failed), 0) FROM point
        WHERE point.run = run.id) AS BIGINT) FROM run WHERE run_id = $1";
    let rows = connection.query(sql, &[entry.run_id.as_str().into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let extent = Extent { samples: row.integer(3)?, end: End::named(row.maybe_text(2).as_deref()) };
    Ok(Some(There { id: row.integer(0)?, digest: row.text(1)?, extent }))
}

/// How far a run had come. A run only grows, so that of two copies the one that came further has all that is in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Extent {
    samples: i64,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    None,
    /// Before its time: it may have been continued since.
    Early,
    Whole,
}

impl Extent {
    fn of(entry: &Entry) -> Self {
        let samples = |one: &Measured| i64::from(one.n.unwrap_or_default()) + i64::from(one.failed);
        Self { samples: entry.measured.iter().map(samples).sum(), end: End::named(entry.ending.as_deref()) }
    }
}

impl End {
    fn named(ending: Option<&str>) -> Self {
        match ending {
            Some("complete" | "precision") => Self::Whole,
            Some("budget" | "interrupted") => Self::Early,
            _ => Self::None,
        }
    }
}

/// A new row; `None` where its id is taken.
pub(super) fn insert_run(
    connection: &mut dyn Connection,
    entry: &Entry,
    host: Option<i64>,
) -> Result<Option<i64>, Trouble> {
    let sql = "INSERT INTO run (run_id, digest, origin, started_at, ending, suite, version, program, commit_id, branch,
        repository, machine, host) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (run_id) DO NOTHING RETURNING id";
    let mut values: Vec<Value> = vec![entry.run_id.as_str().into()];
    values.extend(about(entry, host));
    let rows = connection.query(sql, &values)?;
    rows.first().map(|row| row.integer(0)).transpose()
}

/// The run stays the row it was, so that baselines go on holding it; which code it was stays said where nothing else is said.
pub(super) fn again(
    connection: &mut dyn Connection,
    run: i64,
    entry: &Entry,
    host: Option<i64>,
) -> Result<i64, Trouble> {
    let sql =
        "UPDATE run SET digest = $1, origin = $2, started_at = $3, ending = $4, suite = $5, version = $6,
        program = $7, commit_id = COALESCE($8, commit_id), branch = COALESCE($9, branch),
        repository = COALESCE($10, repository), machine = COALESCE($11, machine), host = $12 WHERE id = $13";
    let mut values: Vec<Value> = about(entry, host).into();
    values.push(run.into());
    connection.execute(sql, &values)?;
    connection.execute("DELETE FROM point WHERE run = $1", &[run.into()])?;
    Ok(run)
}

fn about(entry: &Entry, host: Option<i64>) -> [Value; 12] {
    [
        entry.digest.as_str().into(),
        entry.origin.as_str().into(),
        entry.started_at.as_microsecond().into(),
        entry.ending.as_deref().into(),
        entry.suite.as_deref().into(),
        entry.version.as_deref().into(),
        entry.program.as_deref().into(),
        entry.source.commit.as_deref().into(),
        entry.source.branch.as_deref().into(),
        entry.source.repository.as_deref().into(),
        entry.source.machine.as_deref().into(),
        host.into(),
    ]
}

type Ids = std::collections::HashMap<String, i64>;

/// The row of a host or an environment, made where it is missing.
fn described(
    connection: &mut dyn Connection,
    table: &'static str,
    known: &mut Ids,
    what: &Description,
) -> Result<i64, Trouble> {
    if let Some(id) = known.get(&what.fingerprint) {
        return Ok(*id);
    }
    let facts = serde_json::to_string(&what.facts).map_err(|e| Trouble::other(e.to_string()))?;
    let insert = format!(
        "INSERT INTO {table} (fingerprint, facts) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING"
    );
    connection.execute(&insert, &[what.fingerprint.as_str().into(), facts.as_str().into()])?;
    let rows = connection.query(
        &format!("SELECT id FROM {table} WHERE fingerprint = $1"),
        &[what.fingerprint.as_str().into()],
    )?;
    let id = one(&rows)?;
    known.insert(what.fingerprint.clone(), id);
    Ok(id)
}

fn one(rows: &[Vec<Value>]) -> Result<i64, Trouble> {
    rows.first().ok_or_else(|| Trouble::other("a row that was just made is not there"))?.integer(0)
}

fn series(connection: &mut dyn Connection, known: &mut Known, measured: &Measured) -> Result<i64, Trouble> {
    if let Some(id) = known.series.get(&measured.key) {
        return Ok(*id);
    }
    let key = &measured.key;
    let names = [&key.environment, &key.accelerator, &key.workload, &key.metric, &key.unit];
    let mut values: Vec<Value> = names.map(|name| name.as_str().into()).into();
    let select =
        "SELECT id FROM series WHERE environment = $1 AND accelerator = $2 AND workload = $3 AND metric = $4
        AND unit = $5";
    let there = connection.query(select, &values)?;
    let id = if there.is_empty() {
        let way = measured.direction.map(|way| if way == Direction::Smaller { "smaller" } else { "bigger" });
        values.push(way.into());
        let insert = "INSERT INTO series (environment, accelerator, workload, metric, unit, direction)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (environment, accelerator, workload, metric, unit) DO NOTHING";
        connection.execute(insert, &values)?;
        values.pop();
        one(&connection.query(select, &values)?)?
    } else {
        one(&there)?
    };
    known.series.insert(key.clone(), id);
    Ok(id)
}

/// Rows in one statement: few round trips, and few different statements.
const TOGETHER: usize = 25;

/// The figures of a run that has none.
pub(super) fn points(
    connection: &mut dyn Connection,
    known: &mut Known,
    run: i64,
    all: &[Measured],
) -> Result<(), Trouble> {
    // In one order everywhere: two programs that add the same new series then never wait for each other in a circle.
    let mut sorted: Vec<&Measured> = all.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    sorted.dedup_by(|a, b| a.key == b.key);
    let mut rows = Vec::with_capacity(sorted.len());
    for one in sorted {
        rows.push(point(connection, known, run, one)?);
    }
    for chunk in rows.chunks(TOGETHER) {
        let lists: Vec<String> = (0..chunk.len())
            .map(|row| {
                let numbers: Vec<String> =
                    (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
                format!("({})", numbers.join(", "))
            })
            .collect();
        let sql = format!(
            "INSERT INTO point (series, run, value, low, high, n, failed, ratio, ratio_low, ratio_high, environment)
            VALUES {}",
            lists.join(", ")
        );
        connection.execute(&sql, &chunk.concat())?;
    }
    Ok(())
}

const COLUMNS: usize = 11;

fn point(
    connection: &mut dyn Connection,
    known: &mut Known,
    run: i64,
    one: &Measured,
) -> Result<[Value; COLUMNS], Trouble> {
    let series = series(connection, known, one)?;
    let environment = match &one.environment {
        Some(what) => Some(described(connection, "environment", &mut known.environments, what)?),
        None => None,
    };
    let (interval, ratio) = (one.interval.unzip(), one.ratio_interval.unzip());
    Ok([
        series.into(),
        run.into(),
        one.value.into(),
        interval.0.into(),
        interval.1.into(),
        one.n.map(i64::from).into(),
        i64::from(one.failed).into(),
        one.ratio.into(),
        ratio.0.into(),
        ratio.1.into(),
        environment.into(),
    ])
}
