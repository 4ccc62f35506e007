//! A run of the real program that is watched, hurt, and looked for afterwards.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions};
use isocost::journal::{self, Run};
use isocost::measure::sample::Outcome;
use rustix::process::{Pid, Signal, kill_process};

/// Generous: a shared machine under emulation, with a kernel still to be fetched.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

/// A folder with a cache of its own, in which kernels and disks are all tests' together.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    cache: PathBuf,
    engine: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_engine("unix:///var/run/docker.sock")
    }

    pub(crate) fn with_engine(engine: &str) -> Self {
        Self::make(engine, "cache", &["kernels-1", "disks-1", "accelerator", "apt-1"])
    }

    /// Its cache has a path that is longer than a socket's may be, and knows of no accelerator yet.
    pub(crate) fn deep() -> Self {
        let below = format!("{}/{}/cache", "x".repeat(90), "y".repeat(90));
        Self::make("unix:///var/run/docker.sock", &below, &["kernels-1", "disks-1", "apt-1"])
    }

    fn make(engine: &str, cache: &str, of_all: &[&str]) -> Self {
        // On a disk.
        let folder = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let cache = folder.path().join(cache);
        std::fs::create_dir_all(&cache).unwrap();
        for name in of_all {
            std::fs::create_dir_all(shared.join(name)).unwrap();
            std::os::unix::fs::symlink(shared.join(name), cache.join(name)).unwrap();
        }
        Self { folder, cache, engine: engine.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// `isocost` in this place.
    pub(crate) fn isocost(&self) -> Command {
        // It heeds what it was started with: a shell's `&` and nohup have these ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_isocost")]);
        command.current_dir(self.path()).stdin(Stdio::null());
        command.env("ISOCOST_CACHE", self.cache()).env("DOCKER_HOST", &self.engine);
        command
    }

    /// Begins a run of this suite.
    pub(crate) fn begin(&self, suite: &str, more: &[&str]) -> Live {
        let run = self.path().join(format!("run-{}", std::fs::read_dir(self.path()).unwrap().count()));
        self.begin_in(&run, suite, more)
    }

    /// The same with this run folder.
    pub(crate) fn begin_in(&self, run: &Path, suite: &str, more: &[&str]) -> Live {
        self.begin_as(self.isocost(), run, suite, more)
    }

    /// The same by this command.
    pub(crate) fn begin_with(&self, isocost: Command, suite: &str, more: &[&str]) -> Live {
        self.begin_as(isocost, &self.path().join("run"), suite, more)
    }

    fn begin_as(&self, mut command: Command, run: &Path, suite: &str, more: &[&str]) -> Live {
        std::fs::write(self.path().join("suite.toml"), suite).unwrap();
        command.args(["run", "./suite.toml", "-o"]).arg(run).args(more);
        self.spawn(command, run.to_owned())
    }

    /// Begins a run that nobody keeps, by this command: a pilot, a check. Its folder is among the states of runs.
    pub(crate) fn begin_trial(&self, suite: &str, arguments: &[&str]) -> Live {
        std::fs::write(self.path().join("suite.toml"), suite).unwrap();
        let mut command = self.isocost();
        command.args(arguments);
        let mut live = self.spawn(command, PathBuf::new());
        live.run = live.wait_for(&format!("a run of {arguments:?}"), |_| {
            let states = std::fs::read_dir(self.cache().join("runs")).into_iter().flatten().flatten();
            states.map(|one| one.path().join("run")).find(|run| journal::read(run).is_ok())
        });
        live
    }

    fn spawn(&self, mut command: Command, run: PathBuf) -> Live {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Live { child, run, said: Some(said), engine: self.engine.clone() }
    }

    /// `isocost clean`, which must succeed; what it printed.
    pub(crate) fn clean(&self) -> String {
        let output = self.isocost().arg("clean").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs that this cache still has state of.
    pub(crate) fn states(&self) -> usize {
        std::fs::read_dir(self.cache().join("runs")).map_or(0, Iterator::count)
    }
}

/// A run that goes on.
pub(crate) struct Live {
    child: Child,
    pub(crate) run: PathBuf,
    said: Option<std::thread::JoinHandle<String>>,
    engine: String,
}

impl Live {
    /// Waits for a moment: until the journal is as `come` wants it. The run must not end before.
    pub(crate) fn wait_until(&mut self, what: &str, come: impl Fn(&Run) -> bool) -> Run {
        self.wait_for(what, |live| journal::read(&live.run).ok().filter(&come))
    }

    fn wait_for<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended ({status}) before {what}: {}", self.said());
            }
            assert!(Instant::now() < until, "not within {DEADLINE:?}: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until that environment is at work in its `nth` cell: its idle memory is known, its work is not.
    pub(crate) fn wait_for_work(&mut self, environment: &str, nth: usize) -> Run {
        self.wait_until(&format!("{environment} at work"), |run| {
            let of = |metric: &str| {
                let samples = run.samples.iter();
                samples.filter(|one| one.environment == environment && one.metric == metric).count()
            };
            of("memory.total.idle") == nth && of("cpu.integer.rate") < nth
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// To all of its process group, which it leads.
    pub(crate) fn signal_group(&self, signal: Signal) {
        rustix::process::kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code (`None`: a signal) and what it said, once it has ended.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status.code(), self.said())
    }

    fn said(&mut self) -> String {
        self.said.take().map(|said| said.join().unwrap()).unwrap_or_default()
    }

    pub(crate) fn engine(&self) -> &str {
        &self.engine
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks an engine.
pub(crate) fn ask<T>(engine: &str, question: impl AsyncFnOnce(Docker) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_host(engine).unwrap().negotiate_version().await.unwrap();
        question(docker).await
    })
}

/// Is there an engine and a QEMU? If not this is a skip by name, and in CI a failure.
pub(crate) fn all_here(test: &str) -> bool {
    let engine = std::os::unix::net::UnixStream::connect("/var/run/docker.sock");
    let missing = match (engine, isocost::environment::qemu::version::find()) {
        (Err(error), _) => format!("no Docker engine: {error}"),
        (_, Err(error)) => error.to_string(),
        _ => return true,
    };
    crate::skip::skip(test, missing);
    false
}

/// Everything of a run that is on this host or in its engine, outside of its folder.
pub(crate) fn left(run_id: &str, engine: &str) -> Vec<String> {
    let mut left: Vec<String> = processes_of(run_id).iter().map(|pid| format!("process {pid}")).collect();
    groups(Path::new("/sys/fs/cgroup"), run_id, 6, &mut left);
    let filters = Some(HashMap::from([("label".to_owned(), vec![format!("isocost.run={run_id}")])]));
    ask(engine, async |docker| {
        let containers = ListContainersOptions { all: true, filters: filters.clone(), ..Default::default() };
        let containers = docker.list_containers(Some(containers)).await.unwrap();
        left.extend(containers.iter().map(|one| format!("container {:?}", one.names)));
        let images = ListImagesOptions { all: true, filters, ..Default::default() };
        let images = docker.list_images(Some(images)).await.unwrap();
        left.extend(images.iter().map(|one| format!("image {}", one.id)));
    });
    left
}

/// Waits until nothing of it is left: a process that was killed takes its time.
pub(crate) fn nothing_is_left(run_id: &str, engine: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let left = left(run_id, engine);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes that carry the run's id in their environment.
pub(crate) fn processes_of(run_id: &str) -> Vec<i32> {
    let label = format!("ISOCOST_RUN={run_id}");
    let carries = |pid: &i32| {
        let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        bytes.split(|byte| *byte == 0).any(|word| word == label.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(carries).collect()
}

/// The processes of a run with this name.
pub(crate) fn processes_named(run_id: &str, name: &str) -> Vec<Pid> {
    let is_named = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim().starts_with(name))
    };
    processes_of(run_id).into_iter().filter(is_named).filter_map(Pid::from_raw).collect()
}

fn groups(folder: &Path, run_id: &str, depth: u32, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(&format!("isocost-{run_id}")) {
            found.push(format!("control group {}", entry.path().display()));
        } else if depth > 0 {
            groups(&entry.path(), run_id, depth - 1, found);
        }
    }
}

/// How many samples of an environment have a value, and how many are failures.
pub(crate) fn counted(run: &Run, environment: &str) -> (usize, usize) {
    let its = run.samples.iter().filter(|sample| sample.environment == environment);
    let (values, failures): (Vec<_>, Vec<_>) = its.partition(|one| matches!(one.outcome, Outcome::Value(_)));
    (values.len(), failures.len())
}
