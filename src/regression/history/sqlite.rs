//! The embedded database: one file, beside it the two of its write-ahead log.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, OpenFlags, params_from_iter};

use super::connection::{Connection, Rows, Trouble, TroubleKind, Value};
use super::schema::MARK;

/// How long a writer waits for another: a transaction takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Sqlite(rusqlite::Connection);

impl Sqlite {
    /// Opens the file, makes it where it is missing and `create` says so.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, Trouble> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let database = rusqlite::Connection::open_with_flags(path, flags).map_err(trouble)?;
        database.busy_timeout(PATIENCE).map_err(trouble)?;
        let mut database = Self(database);
        database.check()?;
        // Another program's is refused by whoever looks at its tables next, and stays as it is: a journal's mode is in the file.
        let tables = database.tables()?;
        if tables.is_empty() || tables.iter().any(|name| name == MARK) {
            database.settings()?;
        }
        Ok(database)
    }

    /// Looks at every page before anything is written: what is damaged is left as it is.
    fn check(&self) -> Result<(), Trouble> {
        let said: String =
            self.0.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(trouble)?;
        match said.as_str() {
            "ok" => Ok(()),
            _ => Err(Trouble { kind: TroubleKind::Damaged, detail: said }),
        }
    }

    /// Readers and one writer at a time do not wait for each other, and a run that was added outlives a power cut.
    fn settings(&self) -> Result<(), Trouble> {
        let asked: rusqlite::Result<String> =
            self.0.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        asked.map_err(trouble)?;
        self.0.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON").map_err(trouble)?;
        self.0.set_prepared_statement_cache_capacity(64);
        Ok(())
    }
}

impl Connection for Sqlite {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Trouble> {
        let mut statement = self.0.prepare_cached(sql).map_err(trouble)?;
        let changed = statement.execute(params_from_iter(parameters)).map_err(trouble)?;
        Ok(changed as u64)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Rows, Trouble> {
        let mut statement = self.0.prepare_cached(sql).map_err(trouble)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).map_err(trouble)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(trouble)? {
            let values = (0..columns).map(|i| row.get_ref(i).map(value).map_err(trouble));
            all.push(values.collect::<Result<_, _>>()?);
        }
        Ok(all)
    }

    fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        self.0.execute_batch(sql).map_err(trouble)
    }

    fn begin(&mut self, _alone: bool) -> Result<(), Trouble> {
        // IMMEDIATE: the lock is taken now, where waiting for it is possible. There is one writer anyway.
        self.batch("BEGIN IMMEDIATE").map_err(|trouble| match trouble.kind {
            // The database has been waiting all the while.
            TroubleKind::Again => Trouble { kind: TroubleKind::Busy, ..trouble },
            _ => trouble,
        })
    }

    fn tables(&mut self) -> Result<Vec<String>, Trouble> {
        let rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table'", &[])?;
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(|name| if let Value::Text(name) = name { Some(name) } else { None })
            .collect())
    }

    fn identity(&self) -> &'static str {
        "INTEGER PRIMARY KEY"
    }

    fn bytes(&self) -> &'static str {
        "BLOB"
    }
}

fn value(read: ValueRef<'_>) -> Value {
    match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn trouble(error: rusqlite::Error) -> Trouble {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => TroubleKind::Again,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => TroubleKind::Damaged,
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            TroubleKind::Unreachable
        }
        _ => TroubleKind::Other,
    };
    Trouble { kind, detail: error.to_string() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::connection::transaction;
    use super::*;

    #[test]
    fn the_lock_of_another_is_waited_for_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let mut other = Sqlite::open(&path, true).unwrap();
        let mut own = Sqlite::open(&path, true).unwrap();
        own.0.busy_timeout(Duration::from_millis(50)).unwrap();
        other.begin(false).unwrap();
        let began = std::time::Instant::now();
        let trouble = transaction(&mut own, false, |_| Ok(())).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(trouble.kind, TroubleKind::Busy);
        other.batch("ROLLBACK").unwrap();
        transaction(&mut own, false, |_| Ok(())).unwrap();
    }
}
