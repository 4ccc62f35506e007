//! What a history holds, read back.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::connection::{Row as _, Trouble, Value};
use super::entry::{Description, SeriesKey, machine};
use super::error::HistoryError;
use super::store::History;
use crate::measure::metric::Direction;
use crate::regression::formats::Source;

/// Which runs; `None` is no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this branch.
    pub branch: Option<String>,
    /// Begun at or after this.
    pub since: Option<Timestamp>,
    /// On the machine of this name, or those whose names have it in them.
    pub machine: Option<String>,
    /// Only the newest so many.
    pub newest: Option<u32>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its number in this history.
    pub id: i64,
    /// Its id everywhere.
    pub run_id: String,
    /// `isocost`, or another tool's format.
    pub origin: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended.
    pub ending: Option<String>,
    /// The suite's name.
    pub suite: Option<String>,
    /// SHA-256 of the program.
    pub program: Option<String>,
    /// Commit, branch, repository, machine.
    pub source: Source,
    /// The host's fingerprint.
    pub host: Option<String>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRow {
    /// Its number in this history.
    pub id: i64,
    /// What it is.
    pub key: SeriesKey,
    /// Which way is good.
    pub direction: Option<Direction>,
}

/// One figure of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct PointRow {
    /// The number of its series.
    pub series: i64,
    /// The number of its run.
    pub run: i64,
    /// The median; `None` where every sample failed.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Samples with a value.
    pub n: Option<u32>,
    /// Samples that failed.
    pub failed: u32,
    /// The ratio to the control.
    pub ratio: Option<f64>,
    /// Its interval.
    pub ratio_interval: Option<(f64, f64)>,
    /// Fingerprint of what the environment was made of.
    pub environment: Option<String>,
}

impl History {
    /// The runs, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn runs(&mut self, selection: &Selection) -> Result<Vec<RunRow>, HistoryError> {
        let (filter, values) = self.filter(selection)?;
        let sql = format!(
            "SELECT run.id, run_id, origin, started_at, ending, suite, program, commit_id, branch, repository, machine,
            host.fingerprint FROM run LEFT JOIN host ON host.id = run.host{filter}"
        );
        let rows = self.ask("list its runs", &sql, &values)?;
        let mut runs: Vec<RunRow> = rows
            .iter()
            .map(|row| run(row))
            .collect::<Result<_, _>>()
            .map_err(|t| self.failed(t, "list its runs"))?;
        runs.reverse();
        Ok(runs)
    }

    /// All series, in the order of their keys.
    ///
    /// # Errors
    /// The database's.
    pub fn series(&mut self) -> Result<Vec<SeriesRow>, HistoryError> {
        let sql = "SELECT id, environment, accelerator, workload, metric, unit, direction FROM series";
        let rows = self.ask("list its series", sql, &[])?;
        let all: Result<Vec<SeriesRow>, Trouble> = rows.iter().map(|row| series(row)).collect();
        let mut all = all.map_err(|trouble| self.failed(trouble, "list its series"))?;
        // Sorted here: the databases' own orders of texts differ.
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(all)
    }

    /// The figures of all series in these runs; in no order.
    ///
    /// # Errors
    /// The database's.
    pub fn points(&mut self, selection: &Selection) -> Result<Vec<PointRow>, HistoryError> {
        let (filter, values) = self.filter(selection)?;
        let sql = format!(
            "SELECT series, run, value, low, high, n, failed, ratio, ratio_low, ratio_high, environment.fingerprint
            FROM point LEFT JOIN environment ON environment.id = point.environment
            WHERE run IN (SELECT run.id FROM run LEFT JOIN host ON host.id = run.host{filter})"
        );
        let rows = self.ask("list its figures", &sql, &values)?;
        let all: Result<Vec<PointRow>, Trouble> = rows.iter().map(|row| point(row)).collect();
        all.map_err(|trouble| self.failed(trouble, "list its figures"))
    }

    /// What hosts and environments are made of, by fingerprint.
    ///
    /// # Errors
    /// The database's.
    pub fn descriptions(&mut self) -> Result<HashMap<String, Description>, HistoryError> {
        let sql = "SELECT fingerprint, facts FROM host UNION ALL SELECT fingerprint, facts FROM environment";
        let rows = self.ask("describe its hosts", sql, &[])?;
        let all = rows.iter().map(|row| {
            let (fingerprint, facts) = (row.text(0)?, row.text(1)?);
            let facts = serde_json::from_str(&facts).map_err(|e| Trouble::other(e.to_string()))?;
            Ok((fingerprint.clone(), Description { fingerprint, facts }))
        });
        let all: Result<_, Trouble> = all.collect();
        all.map_err(|trouble| self.failed(trouble, "describe its hosts"))
    }

    pub(super) fn ask(
        &mut self,
        doing: &'static str,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, HistoryError> {
        let rows = self.connection.query(sql, values);
        rows.map_err(|trouble| self.failed(trouble, doing))
    }

    pub(super) fn failed(&self, trouble: Trouble, doing: &'static str) -> HistoryError {
        trouble.at(&self.place, doing)
    }
}

impl History {
    /// Conditions, the newest runs first, and their number.
    fn filter(&mut self, selection: &Selection) -> Result<(String, Vec<Value>), HistoryError> {
        let mut conditions = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(format!("{condition} ${}", values.len()));
        };
        if let Some(branch) = &selection.branch {
            add("branch =", branch.as_str().into());
        }
        if let Some(since) = selection.since {
            add("started_at >=", since.as_microsecond().into());
        }
        if let Some(machine) = &selection.machine {
            let mut hosts = Vec::new();
            for (named, host) in self.hosts_of(machine)? {
                values.extend([named.as_str().into(), host.as_str().into()]);
                hosts.push(format!(
                    "COALESCE(run.machine, '') = ${} AND COALESCE(host.fingerprint, '') = ${}",
                    values.len() - 1,
                    values.len()
                ));
            }
            conditions.push(format!("({})", hosts.join(" OR ")));
        }
        let mut sql = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        sql += " ORDER BY started_at DESC, run.id DESC";
        if let Some(newest) = selection.newest {
            sql += &format!(" LIMIT {newest}");
        }
        Ok((sql, values))
    }

    /// The names at import and the hosts that are this machine: the one that is called so or, where none is, those whose name
    /// has it in it.
    fn hosts_of(&mut self, asked: &str) -> Result<Vec<(String, String)>, HistoryError> {
        let sql = "SELECT DISTINCT COALESCE(machine, ''), COALESCE(host.fingerprint, '') FROM run
            LEFT JOIN host ON host.id = run.host";
        let doing = "list its machines";
        let rows = self.ask(doing, sql, &[])?;
        let descriptions = self.descriptions()?;
        let mut all = Vec::new();
        for row in &rows {
            let text = |column| row.text(column).map_err(|trouble| self.failed(trouble, doing));
            let (named, host) = (text(0)?, text(1)?);
            let said = Some(named.as_str()).filter(|name| !name.is_empty());
            all.push((machine(said, descriptions.get(&host)), named, host));
        }
        let exact = all.iter().any(|(name, named, _)| name == asked || named == asked);
        let meant = |(name, named, _): &&(String, String, String)| match exact {
            true => name == asked || named == asked,
            false => name.contains(asked),
        };
        let found: Vec<_> =
            all.iter().filter(meant).map(|(_, named, host)| (named.clone(), host.clone())).collect();
        if found.is_empty() {
            let known: BTreeSet<String> =
                all.into_iter().map(|(name, ..)| name).filter(|name| !name.is_empty()).collect();
            return Err(HistoryError::NoMachine {
                name: asked.to_owned(),
                known: known.into_iter().collect(),
            });
        }
        Ok(found)
    }
}

fn run(row: &[Value]) -> Result<RunRow, Trouble> {
    Ok(RunRow {
        id: row.integer(0)?,
        run_id: row.text(1)?,
        origin: row.text(2)?,
        started_at: time(row.integer(3)?)?,
        ending: row.maybe_text(4),
        suite: row.maybe_text(5),
        program: row.maybe_text(6),
        source: Source {
            commit: row.maybe_text(7),
            branch: row.maybe_text(8),
            repository: row.maybe_text(9),
            machine: row.maybe_text(10),
        },
        host: row.maybe_text(11),
    })
}

pub(super) fn time(microseconds: i64) -> Result<Timestamp, Trouble> {
    Timestamp::from_microsecond(microseconds).map_err(|e| Trouble::other(e.to_string()))
}

/// A series' key in five columns from `first` on.
pub(super) fn key(row: &[Value], first: usize) -> Result<SeriesKey, Trouble> {
    Ok(SeriesKey {
        environment: row.text(first)?,
        accelerator: row.text(first + 1)?,
        workload: row.text(first + 2)?,
        metric: row.text(first + 3)?,
        unit: row.text(first + 4)?,
    })
}

/// How many of something, where that is said.
pub(super) fn count(row: &[Value], column: usize) -> Option<u32> {
    row.maybe_integer(column).and_then(|number| u32::try_from(number).ok())
}

fn series(row: &[Value]) -> Result<SeriesRow, Trouble> {
    let key = key(row, 1)?;
    let direction = match row.maybe_text(6).as_deref() {
        Some("smaller") => Some(Direction::Smaller),
        Some("bigger") => Some(Direction::Bigger),
        _ => None,
    };
    Ok(SeriesRow { id: row.integer(0)?, key, direction })
}

fn point(row: &[Value]) -> Result<PointRow, Trouble> {
    Ok(PointRow {
        series: row.integer(0)?,
        run: row.integer(1)?,
        value: row.maybe_real(2),
        interval: row.maybe_real(3).zip(row.maybe_real(4)),
        n: count(row, 5),
        failed: count(row, 6).unwrap_or_default(),
        ratio: row.maybe_real(7),
        ratio_interval: row.maybe_real(8).zip(row.maybe_real(9)),
        environment: row.maybe_text(10),
    })
}
