//! What a test of a real environment needs: a run's context with the embedded agent, and proofs of what is left.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use isocost::agent;
use isocost::environment::agent::StopSignal;
use isocost::environment::{Environment, Instance, RunContext};
use isocost::measure::equality::Limits;
use isocost_agent::protocol::{WorkOrder, Workload};

/// Generous: a shared machine under emulation.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A run of one test.
pub(crate) struct Scene {
    scratch: tempfile::TempDir,
    pub(crate) context: RunContext,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let run_id = format!("t-{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // On a disk, and with a short path: sockets have names of at most 107 bytes.
        let scratch = tempfile::Builder::new().prefix("isocost-test-").tempdir_in("/var/tmp").unwrap();
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
        std::fs::create_dir_all(&cache).unwrap();
        let context = RunContext {
            run_id,
            agent: agent::shared(),
            agent_sha256: agent::sha256().to_owned(),
            scratch: scratch.path().to_owned(),
            qemu: None,
            cache,
            limits: Limits { cpus: 2, memory_bytes: 256 << 20 },
            cpus: isocost::measure::host::CpuPlacement::here(2),
            start_deadline: DEADLINE,
            stop_deadline: DEADLINE,
            stop: StopSignal::new().unwrap(),
        };
        Self { scratch, context }
    }

    /// Everything a run may leave on this host, but for what is in a container engine.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let id = &self.context.run_id;
        let mut left = processes_of(id);
        walk(Path::new("/sys/fs/cgroup"), id, 6, &mut left);
        left.extend(std::fs::read_dir(self.scratch.path()).unwrap().map(|entry| entry.unwrap().path()));
        left
    }
}

fn walk(folder: &Path, id: &str, depth: u32, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(id) {
            found.push(entry.path());
        } else if depth > 0 {
            walk(&entry.path(), id, depth - 1, found);
        }
    }
}

/// Processes that carry the run's id in their environment.
pub(crate) fn processes_of(run_id: &str) -> Vec<PathBuf> {
    let label = format!("ISOCOST_RUN={run_id}");
    let carries = |path: &PathBuf| {
        let bytes = std::fs::read(path.join("environ")).unwrap_or_default();
        bytes.split(|b| *b == 0).any(|word| word == label.as_bytes())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(carries).collect()
}

/// Boots, or panics with the failure's own words.
pub(crate) fn boot(environment: &mut dyn Environment) -> Box<dyn Instance> {
    environment.boot().unwrap_or_else(|error| panic!("{:?}: {error}", error.failure.name))
}

pub(crate) fn names(instance: &dyn Instance) -> Vec<String> {
    instance.start().children.iter().map(|part| part.name.clone()).collect()
}

/// A short piece of CPU work.
pub(crate) fn integers() -> WorkOrder {
    WorkOrder {
        workload: Workload::CpuInteger,
        duration_ns: 20_000_000,
        threads: 1,
        bytes: 0,
        direct: false,
        seed: 1,
        slower_permille: 0,
    }
}

/// One MiB written to the writable layer.
pub(crate) fn written() -> WorkOrder {
    WorkOrder { workload: Workload::DiskWrite, duration_ns: 0, bytes: 1 << 20, ..integers() }
}
