//! A history that is open.

use std::collections::HashMap;

use super::connection::Connection;
use super::entry::SeriesKey;
use super::error::HistoryError;
use super::place::Place;
use super::postgres::Postgres;
use super::schema::migrate;
use super::sqlite::Sqlite;

/// A history that is open.
pub struct History {
    pub(super) connection: Box<dyn Connection>,
    pub(super) place: Place,
    /// Rows that are known to be there for good; their ids never change.
    pub(super) known: Known,
}

/// Ids by what they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub series: HashMap<SeriesKey, i64>,
    pub hosts: HashMap<String, i64>,
    pub environments: HashMap<String, i64>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("place", &self.place).finish_non_exhaustive()
    }
}

impl History {
    /// Opens the history, and makes it where there is none.
    ///
    /// # Errors
    /// It cannot be reached, is damaged, of a later version or another program's.
    pub fn open(place: &Place) -> Result<Self, HistoryError> {
        if let Place::File(path) = place
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        {
            let unreachable =
                |e: std::io::Error| HistoryError::Unreachable { place: place.clone(), detail: e.to_string() };
            std::fs::create_dir_all(folder).map_err(unreachable)?;
        }
        Self::open_with(place, true)
    }

    /// Opens the history that is there.
    ///
    /// # Errors
    /// As [`History::open`], and where there is none.
    pub fn open_existing(place: &Place) -> Result<Self, HistoryError> {
        match place {
            Place::File(path) if !path.exists() => Err(HistoryError::Missing { place: place.clone() }),
            _ => Self::open_with(place, false),
        }
    }

    fn open_with(place: &Place, create: bool) -> Result<Self, HistoryError> {
        let connection: Result<Box<dyn Connection>, _> = match place {
            Place::File(path) => Sqlite::open(path, create).map(|sqlite| Box::new(sqlite) as _),
            Place::Server(url) => Postgres::open(url).map(|postgres| Box::new(postgres) as _),
        };
        let mut connection = connection.map_err(|trouble| trouble.at(place, "be opened"))?;
        migrate(connection.as_mut(), place)?;
        Ok(Self { connection, place: place.clone(), known: Known::default() })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }
}
