//! What both databases are asked to do, and how they answer.

use super::error::HistoryError;
use super::place::Place;

/// One value in a row or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A failure of the database.
#[derive(Debug)]
pub(super) struct Trouble {
    pub kind: TroubleKind,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// Another transaction was in the way; the same again may succeed.
    Again,
    /// Another transaction was in the way for as long as anybody waits.
    Busy,
    Damaged,
    Unreachable,
    Other,
}

impl Trouble {
    pub(super) fn other(detail: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Other, detail: detail.into() }
    }

    pub(super) fn at(self, place: &Place, doing: &'static str) -> HistoryError {
        let (place, detail) = (place.clone(), self.detail);
        match self.kind {
            TroubleKind::Again | TroubleKind::Busy => HistoryError::Busy { place, detail },
            TroubleKind::Damaged => HistoryError::Damaged { place, detail },
            TroubleKind::Unreachable => HistoryError::Unreachable { place, detail },
            TroubleKind::Other => HistoryError::Database { place, doing, detail },
        }
    }
}

pub(super) type Rows = Vec<Vec<Value>>;

/// A connection to either database. Parameters are `$1`, `$2`, … in the order of their first use.
pub(super) trait Connection: Send {
    /// Rows changed.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Trouble>;

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Rows, Trouble>;

    /// Several statements without parameters.
    fn batch(&mut self, sql: &str) -> Result<(), Trouble>;

    /// Begins a transaction that will write. `alone`: no other one that is `alone` goes on at the same time.
    fn begin(&mut self, alone: bool) -> Result<(), Trouble>;

    /// The names of the tables there are.
    fn tables(&mut self) -> Result<Vec<String>, Trouble>;

    /// How this database writes a column of numbers that count up by themselves.
    fn identity(&self) -> &'static str;

    /// How it writes a column of bytes.
    fn bytes(&self) -> &'static str;
}

/// Attempts at one transaction before it is given up; each waits longer than the last, a minute in all.
const ATTEMPTS: u32 = 12;

/// Does `work` in a transaction of its own: all of it or, where it fails, nothing. Where another transaction was in
/// the way it is done again.
pub(super) fn transaction<T>(
    connection: &mut dyn Connection,
    alone: bool,
    mut work: impl FnMut(&mut dyn Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let mut attempt = 0;
    loop {
        let done = once(connection, alone, &mut work);
        match done {
            Err(trouble) if trouble.kind == TroubleKind::Again && attempt < ATTEMPTS => {
                std::thread::sleep(pause(attempt));
                attempt += 1;
            }
            other => return other,
        }
    }
}

fn once<T>(
    connection: &mut dyn Connection,
    alone: bool,
    work: &mut impl FnMut(&mut dyn Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    connection.begin(alone)?;
    let done = work(connection).and_then(|done| connection.batch("COMMIT").map(|()| done));
    if done.is_err() {
        // What failed may have ended the transaction already.
        let _ = connection.batch("ROLLBACK");
    }
    done
}

/// Doubling from 10 ms, with a part that differs between processes so that they do not meet again.
fn pause(attempt: u32) -> std::time::Duration {
    let base = 10_u64 << attempt.min(10);
    let part = u64::from(std::process::id()).wrapping_mul(2_654_435_761) % base;
    std::time::Duration::from_millis(base + part)
}

/// Reading a row by column.
pub(super) trait Row {
    fn integer(&self, column: usize) -> Result<i64, Trouble>;
    fn text(&self, column: usize) -> Result<String, Trouble>;
    fn maybe_integer(&self, column: usize) -> Option<i64>;
    fn maybe_real(&self, column: usize) -> Option<f64>;
    fn maybe_text(&self, column: usize) -> Option<String>;
}

impl Row for [Value] {
    fn integer(&self, column: usize) -> Result<i64, Trouble> {
        self.maybe_integer(column)
            .ok_or_else(|| Trouble::other(format!("column {column} holds no whole number")))
    }

    fn text(&self, column: usize) -> Result<String, Trouble> {
        self.maybe_text(column).ok_or_else(|| Trouble::other(format!("column {column} holds no text")))
    }

    fn maybe_integer(&self, column: usize) -> Option<i64> {
        match self.get(column) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    fn maybe_real(&self, column: usize) -> Option<f64> {
        match self.get(column) {
            Some(Value::Real(number)) => Some(*number),
            Some(Value::Integer(number)) => Some(*number as f64),
            _ => None,
        }
    }

    fn maybe_text(&self, column: usize) -> Option<String> {
        match self.get(column) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
