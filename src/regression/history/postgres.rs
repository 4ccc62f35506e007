//! The server, for teams with many runners.

use std::collections::HashMap;
use std::error::Error as _;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};

use super::connection::{Connection, Rows, Trouble, TroubleKind, Value};

const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A number of ours among the server's locks: held while the schema is made or changed.
const LOCK: i64 = 0x1505_C057;

pub(super) struct Postgres {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Self, Trouble> {
        // The words of an error in a URL might repeat its password.
        let unreadable = |_| {
            unreachable(
                "the URL cannot be read; its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE".into(),
            )
        };
        let mut config: Config = url.parse().map_err(unreadable)?;
        config.application_name("isocost").connect_timeout(ANSWERS_WITHIN);
        let mut client = config.connect(NoTls).map_err(|error| unreachable(words(&error)))?;
        // Times are stored as numbers; nothing here depends on the server's zone or style.
        client.batch_execute("SET client_min_messages = warning").map_err(trouble)?;
        Ok(Self { client, statements: HashMap::new() })
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, Trouble> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let made = self.client.prepare(sql).map_err(trouble)?;
        self.statements.insert(sql.to_owned(), made.clone());
        Ok(made)
    }
}

fn unreachable(detail: String) -> Trouble {
    Trouble { kind: TroubleKind::Unreachable, detail }
}

fn borrowed(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Connection for Postgres {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Trouble> {
        let statement = self.statement(sql)?;
        self.client.execute(&statement, &borrowed(parameters)).map_err(trouble)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Rows, Trouble> {
        let statement = self.statement(sql)?;
        let rows = self.client.query(&statement, &borrowed(parameters)).map_err(trouble)?;
        rows.iter().map(|row| (0..row.len()).map(|column| value(row, column)).collect()).collect()
    }

    fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        self.client.batch_execute(sql).map_err(trouble)
    }

    fn begin(&mut self, alone: bool) -> Result<(), Trouble> {
        self.batch("BEGIN")?;
        if alone {
            self.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})"))?;
        }
        Ok(())
    }

    fn tables(&mut self) -> Result<Vec<String>, Trouble> {
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
        let rows = self.query(sql, &[])?;
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(|name| if let Value::Text(name) = name { Some(name) } else { None })
            .collect())
    }

    fn identity(&self) -> &'static str {
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    }

    fn bytes(&self) -> &'static str {
        "BYTEA"
    }
}

fn value(row: &postgres::Row, column: usize) -> Result<Value, Trouble> {
    let kind = row.columns()[column].type_();
    let read = match *kind {
        Type::INT8 => row.try_get::<_, Option<i64>>(column).map(Value::from),
        Type::INT4 => row.try_get::<_, Option<i32>>(column).map(|number| Value::from(number.map(i64::from))),
        Type::BYTEA => {
            row.try_get::<_, Option<Vec<u8>>>(column).map(|bytes| bytes.map_or(Value::Null, Value::Bytes))
        }
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(column).map(Value::from),
        _ => row.try_get::<_, Option<&str>>(column).map(Value::from),
    };
    read.map_err(trouble)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Real(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::FLOAT8, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

fn trouble(error: postgres::Error) -> Trouble {
    let again =
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    let kind = match error.code() {
        Some(code) if again.contains(code) => TroubleKind::Again,
        Some(code) if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) => {
            TroubleKind::Damaged
        }
        None if error.is_closed() => TroubleKind::Unreachable,
        _ => TroubleKind::Other,
    };
    Trouble { kind, detail: words(&error) }
}

/// With what lies behind it: alone it only says `db error`.
fn words(error: &postgres::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}
