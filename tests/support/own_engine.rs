//! A Docker engine of a test's own: it may be stopped, killed and looked into, and nobody else's containers are in it.
#![allow(dead_code, clippy::unwrap_used)]

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

/// dockerd starts containerd first, and both are slow on a busy host.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct OwnEngine {
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// Its daemon.json.
    settings: &'static str,
}

impl OwnEngine {
    /// `Err` says why there can be none here.
    pub(crate) fn start() -> Result<Self, String> {
        Self::with("{}")
    }

    /// The same with a daemon.json.
    pub(crate) fn with(settings: &'static str) -> Result<Self, String> {
        if !rustix::process::getuid().is_root() {
            return Err("an engine of its own needs root".into());
        }
        let folder = tempfile::Builder::new().prefix("isocost-engine-").tempdir_in("/var/tmp").unwrap();
        let mut engine = Self { folder, child: None, settings };
        engine.again()?;
        Ok(engine)
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.at("docker.sock").display())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it, and returns once it answers.
    pub(crate) fn again(&mut self) -> Result<(), String> {
        std::fs::write(self.at("daemon.json"), self.settings).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.at("log")).unwrap();
        let option = |name: &str, file: &str| format!("--{name}={}", self.at(file).display());
        let path = std::env::var("PATH").unwrap_or_default();
        // In a network of its own: an engine makes and removes the host's bridge `docker0` as it pleases.
        let child = Command::new("unshare")
            .args(["--net", "--", "dockerd"])
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .args([option("data-root", "data"), option("exec-root", "exec"), option("pidfile", "pid")])
            .args([option("config-file", "daemon.json"), format!("--host={}", self.address())])
            // Should it use the host's containerd, then not in the other engine's name.
            .args([
                "--containerd-namespace=isocost-test",
                "--containerd-plugins-namespace=isocost-test-plugins",
            ])
            .arg("--iptables=false")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.map_err(|error| format!("dockerd: {error}"))?);
        let until = Instant::now() + DEADLINE;
        while UnixStream::connect(self.at("docker.sock")).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                let log = std::fs::read_to_string(self.at("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default().to_owned();
                return Err(format!("dockerd: {status}: {last}"));
            }
            assert!(Instant::now() < until, "dockerd does not listen after {DEADLINE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// As its administrator would: containers are stopped with it.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// As a crash would: containers run on.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process(Pid::from_child(&child), signal);
            child.wait().unwrap();
        }
    }

    /// Processes that were started for this engine: containerd, shims.
    fn helpers(&self) -> Vec<Pid> {
        let name = self.folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = entries.filter(|entry| {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&name)
        });
        let pids = ours.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
        pids.filter(|pid| *pid != rustix::process::getpid()).collect()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.stop();
        for pid in self.helpers() {
            let _ = kill_process(pid, Signal::KILL);
        }
        for point in mounts_below(self.folder.path()) {
            let _ = unmount(&point, UnmountFlags::DETACH);
        }
    }
}

/// The innermost first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut points: Vec<_> = points.filter(|point| point.starts_with(folder)).collect();
    points.reverse();
    points
}
