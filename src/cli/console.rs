//! Standard output for results, standard error for everything else. A reader that has gone away is no error.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use serde::Serialize;

use super::refusal::Refusal;

/// Where a command's words go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Console {
    /// Results and errors only.
    pub(super) quiet: bool,
    /// Results as JSON.
    pub(super) json: bool,
}

/// What every JSON document has in front.
#[derive(Serialize)]
struct Document<'a, T> {
    /// Of the document's form; a later form that old readers would misread has another number.
    schema: u32,
    command: &'a str,
    #[serde(flatten)]
    body: T,
}

const SCHEMA: u32 = 1;

impl Console {
    /// A result, as it is.
    pub(super) fn result(self, text: &str) -> Result<(), Refusal> {
        write(&mut io::stdout().lock(), text.as_bytes())
    }

    /// A result as a JSON document of the command with that name.
    pub(super) fn document(self, command: &str, body: impl Serialize) -> Result<(), Refusal> {
        let document = Document { schema: SCHEMA, command, body };
        let mut text = serde_json::to_vec_pretty(&document)
            .map_err(|error| Refusal { exit: super::exit::Exit::Fault, text: error.to_string() })?;
        text.push(b'\n');
        write(&mut io::stdout().lock(), &text)
    }

    /// Lines for the build around this, which reads both streams: beside a JSON document they would spoil it.
    pub(super) fn annotations(self, lines: &str) -> Result<(), Refusal> {
        if !self.json {
            return self.result(lines);
        }
        let _ = io::stderr().lock().write_all(lines.as_bytes());
        Ok(())
    }

    /// Something the user should know beside the result.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// May results have colours? Where a terminal shows them and the user has not said no (`NO_COLOR`).
    pub(super) fn colour(self) -> bool {
        !self.json && io::stdout().is_terminal() && !refuses_colour()
    }

    /// May progress be drawn in place?
    pub(super) fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal() && !is_dumb()
    }
}

/// Characters in a line of standard output, where it is a terminal that says so.
pub(super) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A line for standard error. It may be closed; there is nobody else to tell.
pub(super) fn say(text: &str) {
    let mut error = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(error, "isocost: {}", printable(line));
    }
}

/// What comes from a file, an engine or a guest may not steer a terminal.
pub(super) fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn refuses_colour() -> bool {
    is_dumb() || std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty())
}

/// `| head` closes the pipe when it has seen enough.
fn write(out: &mut impl Write, bytes: &[u8]) -> Result<(), Refusal> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Refusal::usage(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        write(&mut Refusing(ErrorKind::BrokenPipe), b"x").unwrap();
        let text = write(&mut Refusing(ErrorKind::StorageFull), b"x").unwrap_err().text;
        assert!(text.starts_with("cannot write to standard output"), "{text}");
    }

    #[test]
    fn escape_codes_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}c\td"), "a\u{fffd}[31mb\u{fffd}c\td");
    }
}
