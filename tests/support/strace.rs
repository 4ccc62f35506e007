//! strace(1) as an independent clock: what processes that are not ours did, and when, by the kernel's own account.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// strace while it watches. Dropping it lets the watched go.
pub(crate) struct Strace {
    child: Child,
    file: tempfile::NamedTempFile,
}

impl Strace {
    /// Watches `pids` and whatever they start. `Err` says why it cannot.
    pub(crate) fn attach(pids: &[u32], calls: &str) -> Result<Self, String> {
        let file = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
        let mut command = Command::new("strace");
        command
            .args(["-f", "-ttt", "-T", "-s", "200", "-e", &format!("trace={calls}"), "-o"])
            .arg(file.path());
        command.args(pids.iter().flat_map(|pid| ["-p".to_owned(), pid.to_string()]));
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("strace: {error}"))?;
        let mut said = BufReader::new(child.stderr.take().unwrap());
        for pid in pids {
            let mut line = String::new();
            while !line.contains(&format!("Process {pid} attached")) {
                line.clear();
                if said.read_line(&mut line).unwrap() == 0 {
                    return Err(format!("strace cannot watch {pid}: {}", child.wait().unwrap()));
                }
            }
        }
        // It says more as threads come and go, and must not wait for anyone to read it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(Self { child, file })
    }

    /// Lets the watched go and returns what was seen, in order.
    pub(crate) fn finish(mut self) -> Vec<Call> {
        self.end();
        let text = std::fs::read(self.file.path()).unwrap();
        String::from_utf8_lossy(&text).lines().filter_map(Call::parse).collect()
    }

    fn end(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
            let until = Instant::now() + Duration::from_secs(60);
            while self.child.try_wait().unwrap().is_none() {
                assert!(Instant::now() < until, "strace does not end");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.end();
    }
}

/// One line: `PID SECONDS.MICROS text`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) pid: u32,
    /// When it was entered, or resumed; nanoseconds of the realtime clock.
    pub(crate) at_ns: u64,
    pub(crate) text: String,
}

impl Call {
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.trim_start().split_once(' ')?;
        let (at, text) = rest.trim_start().split_once(' ')?;
        let (seconds, micros) = at.split_once('.')?;
        let at_ns = seconds.parse::<u64>().ok()? * 1_000_000_000 + micros.parse::<u64>().ok()? * 1000;
        Some(Self { pid: pid.parse().ok()?, at_ns, text: text.to_owned() })
    }

    /// When it returned: a call that was not interrupted by another's line has its length at its end.
    pub(crate) fn returned_ns(&self) -> u64 {
        let length =
            self.text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')?.parse::<f64>().ok());
        let resumed = self.text.starts_with("<...");
        self.at_ns + if resumed { 0 } else { length.map_or(0, |seconds| (seconds * 1e9) as u64) }
    }
}

/// Where a call whose name is `name` begins or goes on.
pub(crate) fn is(call: &Call, name: &str) -> bool {
    call.text.starts_with(&format!("{name}(")) || call.text.starts_with(&format!("<... {name} resumed"))
}
