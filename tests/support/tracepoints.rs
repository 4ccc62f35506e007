//! The kernel's own tracepoints as an independent clock: what a process did, stamped by the kernel at the event, on
//! CLOCK_MONOTONIC, at full speed.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A trace of its own, beside whatever else is traced on this host. Dropping it puts all back.
pub(crate) struct Trace {
    folder: PathBuf,
    mounted: Option<tempfile::TempDir>,
}

impl Trace {
    /// Records `events`, each with a filter of its own. `Err` says why it cannot.
    pub(crate) fn start(name: &str, events: &[(&str, &str)]) -> Result<Self, String> {
        let (root, mounted) = tracefs()?;
        let trace = Self {
            folder: root.join("instances").join(format!("isocost-{name}-{}", std::process::id())),
            mounted,
        };
        std::fs::create_dir(&trace.folder).map_err(|error| format!("{}: {error}", trace.folder.display()))?;
        trace.write("trace_clock", "mono")?;
        for (event, filter) in events {
            trace.write(&format!("events/{event}/filter"), filter)?;
            trace.write(&format!("events/{event}/enable"), "1")?;
        }
        Ok(trace)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(file);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// All that was recorded, in order.
    pub(crate) fn read(&self) -> Vec<Event> {
        let text = std::fs::read_to_string(self.folder.join("trace")).unwrap();
        text.lines().filter_map(Event::parse).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.folder);
        if let Some(mounted) = &self.mounted {
            let _ = unmount(mounted.path(), UnmountFlags::DETACH);
        }
    }
}

/// Where it is mounted, or a mount of our own.
fn tracefs() -> Result<(PathBuf, Option<tempfile::TempDir>), String> {
    let usual = Path::new("/sys/kernel/tracing");
    if usual.join("instances").is_dir() {
        return Ok((usual.to_owned(), None));
    }
    let own = tempfile::tempdir().unwrap();
    mount("tracefs", own.path(), "tracefs", MountFlags::empty(), None)
        .map_err(|error| format!("tracefs cannot be mounted: {error}"))?;
    Ok((own.path().to_owned(), Some(own)))
}

/// One line: `NAME-THREAD [CPU] FLAGS SECONDS.MICROS: what`.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) thread: u32,
    pub(crate) at_ns: u64,
    pub(crate) what: String,
}

impl Event {
    fn parse(line: &str) -> Option<Self> {
        let (who, rest) = line.split_once(" [")?;
        let (stamp, what) = rest.split_once("] ")?.1.split_once(": ")?;
        let (seconds, micros) = stamp.rsplit(' ').next()?.split_once('.')?;
        let at_ns = seconds.parse::<u64>().ok()? * 1_000_000_000 + micros.parse::<u64>().ok()? * 1000;
        let thread = who.trim().rsplit_once('-')?.1.parse().ok()?;
        Some(Self { thread, at_ns, what: what.to_owned() })
    }
}
