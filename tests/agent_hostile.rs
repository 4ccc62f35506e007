//! Programs that misbehave in the agent's place, as a process and as the first program of a guest: each is a failure by
//! name within its deadline, and nothing is left.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use isocost::environment::agent::{AgentListener, StopSignal, Watch};
use isocost::environment::native::NativeEnvironment;
use isocost::environment::qemu::{QemuEnvironment, version};
use isocost::environment::{Environment, RunContext};
use isocost::measure::clock::Instant;
use isocost::measure::equality::Limits;
use isocost::measure::sample::FailureName;
use isocost::suite::{AcceleratorChoice, DiskFormat, KernelChoice, Machine, QemuSpec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use hostile::Misdeed;

/// Long enough for any machine where the failure is known at once.
const PATIENT: Duration = Duration::from_secs(60);

/// How long is waited for what never comes.
const SHORT: Duration = Duration::from_millis(500);

const MISDEEDS: [(Misdeed, Duration, FailureName); 11] = [
    (Misdeed::ExitAtOnce, PATIENT, FailureName::ExitedEarly),
    (Misdeed::NeverConnect, SHORT, FailureName::NeverReady),
    (Misdeed::NeverReady, SHORT, FailureName::NeverReady),
    (Misdeed::Flood, PATIENT, FailureName::Garbage),
    (Misdeed::Garbage, PATIENT, FailureName::Garbage),
    (Misdeed::HugeFrame, PATIENT, FailureName::Garbage),
    (Misdeed::OtherVersion, PATIENT, FailureName::WrongAgent),
    (Misdeed::HalfAHello, SHORT, FailureName::NeverReady),
    (Misdeed::SlowDrip, SHORT, FailureName::NeverReady),
    (Misdeed::ExitAfterHello, PATIENT, FailureName::ExitedEarly),
    (Misdeed::HangAfterHello, PATIENT, FailureName::TimedOut),
];

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn as_a_process() {
    let folder = tempfile::tempdir().unwrap();
    // All are written before the first is started: see 'text file busy'.
    let programs = MISDEEDS.map(|(misdeed, ..)| {
        let path = hostile::file(misdeed, folder.path());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    });
    for ((misdeed, deadline, expected), program) in MISDEEDS.into_iter().zip(programs) {
        let socket = folder.path().join("socket");
        let _ = std::fs::remove_file(&socket);
        let listener = AgentListener::bind(&socket).unwrap();
        let mut command = Command::new(program);
        command.arg("--socket").arg(&socket).args(["--layer", "/nonexistent"]).stderr(Stdio::null());
        let child = Kill(command.spawn().unwrap());
        let ended = pidfd_open(Pid::from_child(&child.0), PidfdFlags::empty()).unwrap();
        let stop = StopSignal::new().unwrap();
        let watch = Watch { stop: &stop, ended: Some(std::os::fd::AsFd::as_fd(&ended)) };
        let until = Instant(Instant::now().0 + u64::try_from(deadline.as_nanos()).unwrap());
        let failure = match listener.accept(watch, until) {
            Err(failure) => failure,
            Ok(mut connection) => connection.inspect(SHORT).unwrap_err(),
        };
        assert_eq!(failure.name, expected, "{misdeed:?}: {failure:?}");
    }
}

#[test]
fn an_end_that_does_not_come_is_waited_for_as_long_as_the_suite_says() {
    let scratch = tempfile::tempdir_in("/var/tmp").unwrap();
    let context =
        RunContext { stop_deadline: SHORT, ..context(Misdeed::HangAfterHello, PATIENT, scratch.path()) };
    let mut native = NativeEnvironment::new("native", context);
    native.prepare().unwrap();
    let instance = native.boot().unwrap();
    let began = Instant::now();
    let failure = instance.stop().unwrap_err().failure;
    assert_eq!(failure.name, FailureName::TimedOut, "{failure:?}");
    let took = Instant::now().since(began);
    assert!(took >= SHORT && took < SHORT * 10, "{took:?}");
    native.dispose().unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

fn context(misdeed: Misdeed, deadline: Duration, scratch: &Path) -> RunContext {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    RunContext {
        run_id: "test-hostile".into(),
        agent: Arc::from(hostile::program(misdeed)),
        agent_sha256: String::new(),
        scratch: scratch.to_owned(),
        qemu: None,
        cache,
        limits: Limits { cpus: 1, memory_bytes: 256 << 20 },
        cpus: isocost::measure::host::CpuPlacement::here(1),
        start_deadline: deadline,
        stop_deadline: deadline,
        stop: StopSignal::new().unwrap(),
    }
}

/// `None`, with a named skip, where it cannot be prepared; in CI that is a failure.
fn environment(misdeed: Misdeed, deadline: Duration, scratch: &Path) -> Option<QemuEnvironment> {
    let context = context(misdeed, deadline, scratch);
    let spec = QemuSpec {
        machine: Machine::Microvm,
        accelerator: AcceleratorChoice::Tcg,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    let mut made = QemuEnvironment::new("vm", &spec, context);
    match version::find().map_err(|e| e.to_string()).and_then(|_| made.prepare().map_err(|e| e.to_string())) {
        Ok(_) => Some(made),
        Err(why) => {
            skip("agent_hostile", why);
            None
        }
    }
}

/// A guest that exits, floods or is silent is in `qemu_failures`; here is what takes a channel.
#[test]
fn as_the_first_program_of_a_guest() {
    let panics = "Attempted to kill init";
    let cases = [
        (Misdeed::ExitAtOnce, FailureName::ExitedEarly, panics),
        (Misdeed::Flood, FailureName::Garbage, ""),
        (Misdeed::FloodOfHellos, FailureName::Garbage, ""),
        (Misdeed::HalfAHello, FailureName::NeverReady, "QEMU: still running; guest: "),
        (Misdeed::ExitAfterHello, FailureName::ExitedEarly, panics),
        (Misdeed::HangAfterHello, FailureName::TimedOut, "QEMU: still running; guest: "),
    ];
    for (misdeed, expected, said) in cases {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Half a Hello is only that once the guest has come so far.
        let deadline = if misdeed == Misdeed::HalfAHello { PATIENT / 3 } else { PATIENT };
        let Some(mut environment) = environment(misdeed, deadline, scratch.path()) else { return };
        let failure = match environment.boot() {
            Err(error) => error.failure,
            Ok(mut instance) => {
                let hangs = misdeed == Misdeed::HangAfterHello;
                let failure = instance.inspect(if hangs { SHORT } else { PATIENT }).unwrap_err();
                drop(instance);
                failure
            }
        };
        assert_eq!(failure.name, expected, "{misdeed:?}: {failure:?}");
        assert!(failure.detail.contains(said), "{misdeed:?}: {failure:?}");
        environment.dispose().unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "{misdeed:?} left files");
    }
}
