//! Guests that never become ready, through the whole environment: a failure by name, in time, and nothing left.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use isocost::environment::agent::StopSignal;
use isocost::environment::qemu::{QemuEnvironment, version};
use isocost::environment::{Environment, EnvironmentError, RunContext};
use isocost::measure::equality::Limits;
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::FailureName;
use isocost::suite::{AcceleratorChoice, DiskFormat, KernelChoice, Machine, QemuSpec};

#[path = "support/skip.rs"]
mod skip;
#[path = "support/tiny_init.rs"]
mod tiny_init;

use skip::skip;

fn unprepared(
    accelerator: AcceleratorChoice,
    run_id: &str,
    init: &[u8],
    deadline: Duration,
    scratch: &Path,
) -> (QemuEnvironment, StopSignal) {
    let stop = StopSignal::new().unwrap();
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let context = RunContext {
        run_id: run_id.into(),
        agent: Arc::from(tiny_init::program(init)),
        agent_sha256: String::new(),
        scratch: scratch.to_owned(),
        qemu: None,
        cache,
        limits: Limits { cpus: 1, memory_bytes: 256 << 20 },
        cpus: isocost::measure::host::CpuPlacement::here(1),
        start_deadline: deadline,
        stop_deadline: deadline,
        stop: stop.clone(),
    };
    let spec = QemuSpec {
        machine: Machine::Microvm,
        accelerator,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    (QemuEnvironment::new("vm", &spec, context), stop)
}

/// An environment whose guests run `init` instead of the agent; `None`, with a named skip, where it cannot be prepared
/// (in CI that is a failure).
fn environment(
    run_id: &str,
    init: &[u8],
    deadline: Duration,
    scratch: &Path,
) -> Option<(QemuEnvironment, StopSignal)> {
    let (mut made, stop) = unprepared(AcceleratorChoice::Tcg, run_id, init, deadline, scratch);
    let prepared =
        version::find().map_err(|e| e.to_string()).and_then(|_| made.prepare().map_err(|e| e.to_string()));
    match prepared {
        Ok(prepared) => {
            assert_eq!(made.accelerator(), Accelerator::Tcg);
            assert!(prepared.image_bytes.is_some_and(|bytes| bytes > 1 << 20), "{prepared:?}");
            Some((made, stop))
        }
        Err(why) => {
            skip("qemu_failures", why);
            None
        }
    }
}

fn failure(made: &mut QemuEnvironment) -> EnvironmentError {
    match made.boot() {
        Err(error) => error,
        Ok(_) => panic!("a guest without an agent was ready"),
    }
}

/// Pids of the processes that carry the run's id in their environment.
fn processes_of(run_id: &str) -> Vec<i32> {
    let label = format!("ISOCOST_RUN={run_id}");
    let carries = |path: &Path| {
        let bytes = std::fs::read(path.join("environ")).unwrap_or_default();
        bytes.split(|b| *b == 0).any(|word| word == label.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| carries(path)).filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect()
}

fn nothing_is_left(mut made: QemuEnvironment, run_id: &str, scratch: &Path) {
    made.dispose().unwrap();
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "files are left in {}", scratch.display());
}

#[test]
fn a_guest_without_hello_fails_at_its_deadline() {
    let (scratch, run_id) = (tempfile::tempdir().unwrap(), "test-never-ready");
    // A busy machine takes this long to bring a guest to its console.
    let deadline = Duration::from_secs(20);
    let made = environment(run_id, tiny_init::FLOOD, deadline, scratch.path());
    let Some((mut made, _stop)) = made else { return };
    let began = Instant::now();
    let error = failure(&mut made);
    assert_eq!(error.failure.name, FailureName::NeverReady, "{error}");
    assert!(began.elapsed() >= deadline && began.elapsed() < deadline * 3, "{:?}", began.elapsed());
    assert!(error.to_string().contains("the end of its console: "), "{error}");
    nothing_is_left(made, run_id, scratch.path());
}

#[test]
fn a_qemu_that_is_killed_in_mid_boot_is_seen_at_once() {
    let (scratch, run_id) = (tempfile::tempdir().unwrap(), "test-killed");
    let made = environment(run_id, tiny_init::FIRST_BYTE, Duration::from_secs(60), scratch.path());
    let Some((mut made, _stop)) = made else { return };
    let killer = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            // The program that makes its disk is of the run too, and comes first.
            let is_qemu = |pid: &i32| {
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                name.is_ok_and(|name| name.starts_with("qemu-system"))
            };
            if let Some(pid) = processes_of(run_id).into_iter().find(is_qemu) {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                return rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            assert!(Instant::now() < until, "no QEMU appeared");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    let error = failure(&mut made);
    killer.join().unwrap();
    assert_eq!(error.failure.name, FailureName::ExitedEarly, "{error}");
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    nothing_is_left(made, run_id, scratch.path());
}

#[test]
fn a_raised_stop_ends_the_wait() {
    let (scratch, run_id) = (tempfile::tempdir().unwrap(), "test-stopped");
    let made = environment(run_id, tiny_init::FIRST_BYTE, Duration::from_secs(60), scratch.path());
    let Some((mut made, stop)) = made else { return };
    stop.raise();
    let error = failure(&mut made);
    assert_eq!(error.failure.name, FailureName::Interrupted, "{error}");
    nothing_is_left(made, run_id, scratch.path());
}

#[test]
fn kvm_that_was_asked_for_is_kvm_or_an_error_that_says_what_was_seen() {
    let (scratch, run_id) = (tempfile::tempdir().unwrap(), "test-kvm");
    let (init, deadline) = (tiny_init::FIRST_BYTE, Duration::from_secs(60));
    // Whether anything can be prepared here is asked of emulation.
    let Some((mut emulated, _stop)) = environment(run_id, init, deadline, scratch.path()) else { return };
    emulated.dispose().unwrap();
    let (mut made, _stop) = unprepared(AcceleratorChoice::Kvm, run_id, init, deadline, scratch.path());
    match made.prepare() {
        Ok(_) => assert_eq!(made.accelerator(), Accelerator::Kvm),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("KVM was asked for and cannot be used: "), "{text}");
            assert!(text.contains("emulation") || text.contains("/dev/kvm"), "{text}");
        }
    }
    nothing_is_left(made, run_id, scratch.path());
}
