//! The history: every run's summary, its host and its commit, in one SQLite file or on a PostgreSQL server.
//!
//! In: [`Entry`]s, made of run folders or of others' formats. Out: series of points, and baselines by name. Both
//! databases have one schema and one code: SQL that both understand, over a connection that knows which it is. It must
//! never know what becomes of a series.
//!
//! Several programs may write at once. Each run is one transaction: it is there as a whole or not at all.

mod add;
mod alike;
mod archive;
mod baseline;
mod connection;
mod entry;
mod error;
mod foreign;
mod ingest;
mod place;
mod postgres;
mod query;
mod schema;
mod sqlite;
mod store;

pub use add::Added;
pub use archive::{pack, unpack};
pub use baseline::Baseline;
pub(crate) use entry::machine;
pub use entry::{ASKED, Description, Entry, Facts, Measured, SLOWED, SeriesKey};
pub use error::HistoryError;
pub use ingest::{IngestError, PLACES, entry_of};
pub use place::Place;
pub use query::{PointRow, RunRow, Selection, SeriesRow};
pub use schema::VERSION;
pub use store::History;

#[cfg(test)]
mod tests;
