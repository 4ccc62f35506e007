//! What is wrong with a suite, where, and what to write instead.

use std::fmt;
use std::path::PathBuf;

/// A place in a suite's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named; `suites/NAME.toml` for a built-in one.
    pub file: String,
    /// From 1; `None` where the place is the whole file.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// No built-in suite of that name.
    #[error("there is no suite `{name}`{}; built in are: {}; a file of your own is named with its path, such as ./{name}.toml", similar_hint(similar.as_deref()), known.join(", "))]
    Unknown {
        /// As asked.
        name: String,
        /// The built-in ones.
        known: Vec<String>,
        /// The one that was meant, perhaps.
        similar: Option<String>,
    },
    /// A file that cannot be read.
    #[error("cannot read the suite {}: {source}; name a suite file, or a built-in suite: {}", path.display(), built_in_names())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Far larger than any suite.
    #[error("{} is larger than {limit} bytes, and no suite is: is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{place}: this is not text (UTF-8), and a suite is TOML: is it the right file?")]
    NotText {
        /// The first byte that is none.
        place: Place,
    },
    /// A key or a value.
    #[error("{place}: {what}")]
    Wrong {
        /// Where.
        place: Place,
        /// What is wrong with what, and what is allowed.
        what: String,
    },
}

fn built_in_names() -> String {
    super::built_in().into_keys().collect::<Vec<_>>().join(", ")
}

fn similar_hint(similar: Option<&str>) -> String {
    similar.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The one of `known` that `name` is most like, if any is like it.
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(similar("memroy", ["cpus", "memory"]), Some("memory"));
        assert_eq!(similar("quik", ["quick", "standard"]), Some("quick"));
        assert_eq!(similar("zebra", ["quick", "standard"]), None);
        assert_eq!(similar("x", []), None);
    }
}
