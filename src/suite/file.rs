//! From a name or a file to a suite.

use std::io::ErrorKind;
use std::path::Path;

use super::check::{self, Misfit};
use super::error::{Place, SuiteError, similar};
use super::locate::{self, Step};
use super::raw::{Raw, SCHEMA};
use super::{Suite, built_in, resolve};
use crate::named_file;

/// A suite of a thousand workloads has a tenth of it.
const MOST_BYTES: u64 = 1 << 20;

/// A suite's text, with the name that messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    file: String,
    text: String,
}

impl Source {
    /// The text that `asked` names: a built-in suite's, or a file's where it has a `/` or ends in `.toml`.
    ///
    /// # Errors
    /// Why it cannot be read as text.
    pub fn find(asked: &str) -> Result<Self, SuiteError> {
        if let Some(text) = built_in().get(asked) {
            return Ok(Self { file: format!("suites/{asked}.toml"), text: (*text).to_owned() });
        }
        if !asked.contains('/') && !asked.ends_with(".toml") {
            let known: Vec<String> = built_in().into_keys().map(str::to_owned).collect();
            let similar = similar(asked, built_in().into_keys()).map(str::to_owned);
            return Err(SuiteError::Unknown { name: asked.to_owned(), known, similar });
        }
        let text = String::from_utf8(read(Path::new(asked))?).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            SuiteError::NotText { place: locate::at(asked, error.as_bytes(), valid) }
        })?;
        Ok(Self { file: asked.to_owned(), text })
    }

    /// The suite in it.
    ///
    /// # Errors
    /// What is wrong, in which line and column, and what is allowed there.
    pub fn suite(&self) -> Result<Suite, SuiteError> {
        parse(&self.text, &self.file)
    }

    /// What a later check found, with its place in this text.
    #[must_use]
    pub fn wrong(&self, misfit: &Misfit) -> SuiteError {
        wrong(misfit, &self.text, &self.file)
    }
}

/// The suite that `asked` names: see [`Source`].
///
/// # Errors
/// What is wrong, in which file, line and column, and what is allowed there.
pub fn load(asked: &str) -> Result<Suite, SuiteError> {
    Source::find(asked)?.suite()
}

fn wrong(misfit: &Misfit, text: &str, file: &str) -> SuiteError {
    SuiteError::Wrong { place: locate::of(file, text, &misfit.path), what: misfit.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, SuiteError> {
    named_file::read(path, MOST_BYTES).map_err(|source| match source.kind() {
        ErrorKind::FileTooLarge => SuiteError::TooLarge { path: path.to_owned(), limit: MOST_BYTES },
        _ => SuiteError::Unreadable { path: path.to_owned(), source },
    })
}

/// The suite in `text`; `file` is what messages call it, and what paths in it are relative to.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str) -> Result<Suite, SuiteError> {
    let raw: Raw = toml::from_str(text).map_err(|error| told(&error, text, file))?;
    let wrong = |misfit: Misfit| wrong(&misfit, text, file);
    if raw.schema != SCHEMA {
        let what = format!("is {}, this version of isocost reads {SCHEMA}", raw.schema);
        return Err(wrong(Misfit { path: vec![Step::Key("schema")], what }));
    }
    let suite = resolve::resolve(raw, Path::new(file)).map_err(wrong)?;
    check::check(&suite).map_err(wrong)?;
    Ok(suite)
}

/// The TOML library's message with the place in our form and a hint for a slip of the pen.
fn told(error: &toml::de::Error, text: &str, file: &str) -> SuiteError {
    let place = match error.span() {
        Some(span) => locate::at(file, text.as_bytes(), span.start),
        None => Place { file: file.to_owned(), line: None, column: None },
    };
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let hint = meant(&message).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    SuiteError::Wrong { place, what: format!("{}{hint}", worded(&message)) }
}

/// serde speaks of fields and variants; a suite has keys and values.
fn worded(message: &str) -> String {
    let words = [
        ("unknown field", "unknown key"),
        ("unknown variant", "unknown value"),
        ("missing field", "missing key"),
    ];
    words.iter().fold(message.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
}

/// serde's `unknown field `x`, expected one of `a`, `b``: the one that is like `x`.
fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let asked = quoted.next()?;
    similar(asked, quoted)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
