//! QEMU's monitor: typed commands over a Unix socket, lines bounded, a deadline for each command.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use serde::Deserialize;
use serde_json::Value;

use super::error::QemuError;
use super::process::{nanos, wait_any};
use crate::measure::clock::Instant;

/// The longest line that is accepted; the greeting has about 200 bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A line that QEMU may say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first.
    Greeting {
        /// Version and capabilities.
        #[serde(rename = "QMP")]
        qmp: Value,
    },
    /// The answer to a command.
    Return {
        /// Its value.
        #[serde(rename = "return")]
        value: Value,
    },
    /// The refusal of a command.
    Refusal {
        /// Class and description.
        error: Refusal,
    },
    /// Something that happened.
    Event {
        /// Its name: `SHUTDOWN`.
        event: String,
        /// Details.
        #[serde(default)]
        data: Value,
    },
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// A stable name.
    pub class: String,
    /// For people.
    pub desc: String,
}

/// Reads one line.
///
/// # Errors
/// Where it is none of [`Line`].
pub fn parse(line: &[u8]) -> Result<Line, QemuError> {
    serde_json::from_slice(line).map_err(|e| {
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        QemuError::Monitor(format!("it said {shown:?}, which is no message of the protocol: {e}"))
    })
}

/// A connection to a monitor that is ready for commands.
#[derive(Debug)]
pub struct Monitor {
    stream: UnixStream,
    pending: Vec<u8>,
    shutdown_reason: Option<String>,
}

impl Monitor {
    /// Accepts QEMU's connection and opens the session; ends early where `ended` becomes readable.
    ///
    /// # Errors
    /// By name.
    pub fn accept(
        listener: &UnixListener,
        ended: BorrowedFd<'_>,
        deadline: Duration,
    ) -> Result<Self, QemuError> {
        let mut fds = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(ended, PollFlags::IN),
        ];
        if !wait_any(&mut fds, after(deadline))? {
            return Err(QemuError::Late { what: "QEMU's monitor".into(), after: deadline });
        }
        if fds[0].revents().is_empty() {
            return Err(QemuError::Monitor("QEMU ended before it connected".into()));
        }
        let (stream, _) = listener.accept().map_err(lost)?;
        let mut monitor = Self { stream, pending: Vec::new(), shutdown_reason: None };
        match parse(&monitor.line(after(deadline))?)? {
            Line::Greeting { .. } => {}
            other => return Err(QemuError::Monitor(format!("it began with {other:?}"))),
        }
        monitor.command("qmp_capabilities", deadline)?;
        Ok(monitor)
    }

    /// Does KVM execute this guest?
    ///
    /// # Errors
    /// By name.
    pub fn kvm_enabled(&mut self, deadline: Duration) -> Result<bool, QemuError> {
        let said = self.command("query-kvm", deadline)?;
        said["enabled"].as_bool().ok_or_else(|| QemuError::Monitor(format!("query-kvm answered {said}")))
    }

    /// `running`, `paused`, …
    ///
    /// # Errors
    /// By name.
    pub fn status(&mut self, deadline: Duration) -> Result<String, QemuError> {
        let said = self.command("query-status", deadline)?;
        let status = said["status"].as_str().map(str::to_owned);
        status.ok_or_else(|| QemuError::Monitor(format!("query-status answered {said}")))
    }

    /// Ends QEMU at once.
    ///
    /// # Errors
    /// By name.
    pub fn quit(&mut self, deadline: Duration) -> Result<(), QemuError> {
        self.command("quit", deadline).map(drop)
    }

    /// Why the guest was shut down, where QEMU has said so.
    #[must_use]
    pub fn shutdown_reason(&self) -> Option<&str> {
        self.shutdown_reason.as_deref()
    }

    /// Sends a command without arguments and returns its value.
    ///
    /// # Errors
    /// By name.
    pub fn command(&mut self, name: &str, deadline: Duration) -> Result<Value, QemuError> {
        let until = after(deadline);
        let line = format!("{}\n", serde_json::json!({ "execute": name }));
        self.stream.write_all(line.as_bytes()).map_err(lost)?;
        loop {
            match parse(&self.line(until)?)? {
                Line::Return { value } => return Ok(value),
                Line::Refusal { error } => {
                    return Err(QemuError::Monitor(format!("{name}: {} ({})", error.desc, error.class)));
                }
                Line::Event { event, data } => self.note(&event, &data),
                Line::Greeting { .. } => return Err(QemuError::Monitor("it greeted twice".into())),
            }
        }
    }

    fn note(&mut self, event: &str, data: &Value) {
        if event == "SHUTDOWN" {
            self.shutdown_reason = data["reason"].as_str().map(str::to_owned);
        }
    }

    fn line(&mut self, until: Instant) -> Result<Vec<u8>, QemuError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                return Ok(self.pending.drain(..=end).collect());
            }
            if self.pending.len() > MAX_LINE_BYTES {
                return Err(QemuError::Monitor(format!("a line of more than {MAX_LINE_BYTES} bytes")));
            }
            let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), PollFlags::IN)];
            if !wait_any(&mut fds, until)? {
                return Err(QemuError::Monitor("no answer before its deadline".into()));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).map_err(lost)? {
                0 => return Err(QemuError::Monitor("it hung up".into())),
                n => self.pending.extend_from_slice(&buffer[..n]),
            }
        }
    }
}

fn after(deadline: Duration) -> Instant {
    Instant(Instant::now().0.saturating_add(nanos(deadline)))
}

fn lost(error: std::io::Error) -> QemuError {
    QemuError::Monitor(format!("the connection is lost: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A monitor whose other end says `script` at once.
    fn opened(script: &str) -> Result<Monitor, QemuError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor");
        let listener = UnixListener::bind(&path).unwrap();
        let mut qemu = UnixStream::connect(&path).unwrap();
        qemu.write_all(script.as_bytes()).unwrap();
        qemu.shutdown(std::net::Shutdown::Write).unwrap();
        let (_ours, theirs) = UnixStream::pair().unwrap();
        // The double must stay connected while commands are written to it.
        let monitor = Monitor::accept(&listener, theirs.as_fd(), SOON);
        std::mem::drop(std::thread::spawn(move || std::io::copy(&mut qemu, &mut std::io::sink())));
        monitor
    }

    const OPEN: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n{\"return\": {}}\r\n";

    #[test]
    fn answers_are_found_among_events() {
        let shutdown =
            r#"{"timestamp": {}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}"#;
        let script =
            format!("{OPEN}{shutdown}\r\n{{\"return\": {{\"enabled\": true, \"present\": true}}}}\r\n");
        let mut monitor = opened(&script).unwrap();
        assert!(monitor.kvm_enabled(SOON).unwrap());
        assert_eq!(monitor.shutdown_reason(), Some("guest-reset"));
        assert!(monitor.status(SOON).unwrap_err().to_string().contains("hung up"));
    }

    #[test]
    fn a_refusal_and_garbage_are_named() {
        let script = format!(
            "{OPEN}{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"no quit\"}}}}\r\n[1]\n"
        );
        let mut monitor = opened(&script).unwrap();
        assert!(monitor.quit(SOON).unwrap_err().to_string().contains("no quit (CommandNotFound)"));
        assert!(monitor.quit(SOON).unwrap_err().to_string().contains("[1]"));
        assert!(opened("{\"return\": {}}\n").is_err());
        assert!(opened("").unwrap_err().to_string().contains("hung up"));
    }

    #[test]
    fn a_flood_without_a_line_end_is_cut_off() {
        let error = opened(&"x".repeat(MAX_LINE_BYTES + 8192)).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn every_event_is_read(name in "[A-Z_]{1,20}", reason in ".{0,40}") {
            let line = serde_json::json!({"event": name, "data": {"reason": reason}}).to_string();
            let Line::Event { event, data } = parse(line.as_bytes()).unwrap() else { panic!("{line}") };
            prop_assert_eq!((event, data["reason"].as_str()), (name, Some(reason.as_str())));
        }
    }
}
