//! Where a history is: a file or a server, both in one setting.

use std::fmt;
use std::path::PathBuf;

use super::HistoryError;

/// Where a history is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL server and its database, as a URL. It may hold a password and is never shown as it is.
    Server(String),
}

impl TryFrom<&str> for Place {
    type Error = HistoryError;

    /// `postgres://…` and `postgresql://…` are servers; what looks like another URL is nothing, and all else is a file. What
    /// SQLite would keep in memory, or remove at once, is no history.
    fn try_from(setting: &str) -> Result<Self, HistoryError> {
        match setting {
            "" => return Err(HistoryError::Nameless),
            ":memory:" => return Err(HistoryError::InMemory),
            _ => {}
        }
        match setting.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Server(setting.to_owned())),
            // The rest may hold a password.
            Some((scheme, _)) => Err(HistoryError::Scheme { scheme: scheme.to_owned() }),
            None => Ok(Self::File(PathBuf::from(setting))),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(url) => write!(f, "{}", without_password(url)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Who and where, but no password; parameters may hold one too and are left out.
fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres://…".to_owned() };
    match rest.rsplit_once('@') {
        Some((who, place)) => format!("{scheme}://{}@{place}", who.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_and_its_password_is_never_shown() {
        let server =
            Place::try_from("postgresql://ci:se:cr@et@db.example:5433/perf?password=secret").unwrap();
        assert_eq!(server.to_string(), "postgresql://ci@db.example:5433/perf");
        assert_eq!(format!("{server:?}"), server.to_string());
        assert_eq!(Place::try_from("postgres://db/perf").unwrap().to_string(), "postgres://db/perf");
        assert_eq!(Place::try_from("perf/history.db").unwrap(), Place::File("perf/history.db".into()));
        let nameless = Place::try_from("").unwrap_err().to_string();
        assert!(
            nameless.contains("ISOCOST_HISTORY is empty") && nameless.contains("postgres://"),
            "{nameless}"
        );
        let memory = Place::try_from(":memory:").unwrap_err().to_string();
        assert!(memory.contains("./:memory:"), "{memory}");
        assert_eq!(Place::try_from("./:memory:").unwrap(), Place::File("./:memory:".into()));
        let error = Place::try_from("mysql://ci:secret@db/perf").unwrap_err().to_string();
        assert!(error.contains("mysql") && !error.contains("secret"), "{error}");
    }
}
