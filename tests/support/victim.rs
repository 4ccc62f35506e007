//! A run of the program that is to be killed, and everything of it that could be left.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use isocost::measure::journal::{self, Run};
use rustix::process::{Pid, Signal};

/// Three environments, and more blocks than anyone waits for.
const SUITE: &str = r#"schema = 1
[limits]
cpus = 1
memory = "256MiB"
[blocks]
count = 500
warm_up = 0
cold = 0
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "docker"
kind = "docker"
[[environment]]
id = "qemu"
kind = "qemu"
machine = "microvm"
accelerator = "tcg"
disk = "raw"
[[workload]]
id = "cpu-integer"
duration = "200ms"
"#;

/// For what a loaded machine does in seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Victim {
    pub(crate) child: Child,
    pub(crate) folder: PathBuf,
    pub(crate) cache: PathBuf,
}

impl Victim {
    /// Starts it with these words beside the suite.
    pub(crate) fn start(at: &Path, words: &[&str]) -> Self {
        let (suite, folder) = (at.join("victim.toml"), at.join("run"));
        std::fs::write(&suite, SUITE).unwrap();
        let cache = at.join("cache");
        std::fs::create_dir_all(&cache).unwrap();
        keep_kernels(&cache);
        let child = isocost(&cache)
            .arg("run")
            .arg(&suite)
            .arg("-o")
            .arg(&folder)
            .args(words)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { child, folder, cache }
    }

    /// What is in the journal; `None` before there is one.
    pub(crate) fn read(&self) -> Option<Run> {
        journal::read(&self.folder).ok()
    }

    /// Waits until the journal is as wanted.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Run) -> bool) -> Run {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(run) = self.read().filter(&wanted) {
                return run;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{ended:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.with_file_name("stderr")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its exit code; `None` where a signal ended it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Another command with the same cache.
    pub(crate) fn isocost(&self, words: &[&str]) -> std::process::Output {
        isocost(&self.cache).args(words).output().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.isocost(&["clean"]);
    }
}

fn isocost(cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isocost"));
    command.arg("--cache").arg(cache).stdin(Stdio::null());
    command
}

/// The guest kernel that other tests have fetched already.
fn keep_kernels(cache: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&shared).unwrap();
    for name in ["kernels-1", "vmlinux-1", "disks-1"] {
        std::fs::create_dir_all(shared.join(name)).unwrap();
        std::os::unix::fs::symlink(shared.join(name), cache.join(name)).unwrap();
    }
}

/// Processes whose environment names the run, of this name; of any where it is empty.
pub(crate) fn processes(run_id: &str, name: &str) -> Vec<Pid> {
    let label = format!("ISOCOST_RUN={run_id}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|word| word == label.as_bytes()) && comm.starts_with(name)
    });
    ours.filter_map(Pid::from_raw).collect()
}
