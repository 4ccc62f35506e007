//! The embedded agent as a plain process: it works, refuses, ends when told and when nobody is there, and leaves nothing.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use isocost::environment::agent::{AgentConnection, AgentListener, StopSignal, Watch};
use isocost::measure::clock::Instant;
use isocost::measure::sample::FailureName;
use isocost::measure::sense;
use isocost_agent::protocol::frame::MAGIC;
use isocost_agent::protocol::{WorkOrder, Workload};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

const PATIENT: Duration = Duration::from_secs(60);

/// Written once, before anything is started: a child that another test is about to make would hold the file open for
/// writing, and then it cannot be run.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("agent_process-program");
    let _ = std::fs::remove_file(&program);
    std::fs::write(&program, isocost::agent::bytes()).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
});

struct Bench {
    folder: tempfile::TempDir,
    stop: StopSignal,
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Agent {
    /// Waits for it to end by itself.
    fn end(&mut self) -> ExitStatus {
        let pidfd = pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty()).unwrap();
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        let most = PATIENT.try_into().unwrap();
        assert_eq!(rustix::event::poll(&mut fds, Some(&most)).unwrap(), 1, "it goes on");
        self.0.wait().unwrap()
    }
}

impl Bench {
    /// On a disk: a RAM disk may have no O_DIRECT.
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(folder.path().join("layer")).unwrap();
        Self { folder, stop: StopSignal::new().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spawn(&self) -> Agent {
        let mut command = Command::new(&*PROGRAM);
        command.arg("--socket").arg(self.at("socket")).arg("--layer").arg(self.at("layer"));
        Agent(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn start(&self) -> (Agent, AgentConnection) {
        let listener = AgentListener::bind(&self.at("socket")).unwrap();
        let before = Instant::now();
        let agent = self.spawn();
        let watch = Watch { stop: &self.stop, ended: None };
        let until = Instant(before.0 + u64::try_from(PATIENT.as_nanos()).unwrap());
        let connection = listener.accept(watch, until).unwrap();
        // One kernel, one clock: what it says of itself lies in between.
        let hello = connection.hello();
        let stamps = [before.0, hello.first_instruction_ns, hello.ready_ns, connection.ready_at().0];
        assert!(stamps.is_sorted(), "{stamps:?}");
        assert_eq!(hello.pid, agent.0.id());
        (agent, connection)
    }

    fn left(&self) -> usize {
        std::fs::read_dir(self.at("layer")).unwrap().count()
    }
}

fn order(workload: Workload) -> WorkOrder {
    WorkOrder {
        workload,
        duration_ns: 50_000_000,
        threads: 1,
        bytes: 2 << 20,
        direct: false,
        seed: 1,
        slower_permille: 0,
    }
}

#[test]
fn every_piece_of_work_is_done_and_nothing_is_left() {
    let bench = Bench::new();
    let (mut agent, mut connection) = bench.start();
    let seen = connection.inspect(PATIENT).unwrap();
    assert_eq!(seen.agent_sha256, isocost::agent::sha256());
    assert!(seen.layer_file_system.is_some(), "{seen:?}");
    for workload in Workload::ALL {
        connection.prepare(&order(workload), PATIENT).unwrap();
        let worked = connection.run(PATIENT).unwrap();
        sense::work(&worked, &order(workload)).unwrap();
        assert!(worked.done.checksum != 0, "{workload:?}: {worked:?}");
    }
    connection.shutdown(PATIENT).unwrap();
    assert_eq!((agent.end().code(), bench.left()), (Some(0), 0));
}

#[test]
fn what_cannot_be_done_is_refused_and_the_next_goes_well() {
    let bench = Bench::new();
    let (_agent, mut connection) = bench.start();
    let cases = [
        (WorkOrder { threads: 2, ..order(Workload::Syscall) }, "bad-order: "),
        (WorkOrder { bytes: 1 << 50, ..order(Workload::MemoryLatency) }, "no-memory: "),
        (WorkOrder { bytes: 1 << 50, ..order(Workload::DiskRead) }, "no-space: "),
    ];
    for (order, name) in cases {
        let failure = connection.prepare(&order, PATIENT).unwrap_err();
        assert!(failure.name == FailureName::WorkFailed && failure.detail.starts_with(name), "{failure:?}");
    }
    let failure = connection.run(PATIENT).unwrap_err();
    assert!(failure.detail.contains("no work is prepared"), "{failure:?}");
    connection.prepare(&order(Workload::CpuInteger), PATIENT).unwrap();
    connection.run(PATIENT).unwrap();
    // Prepared work runs once.
    assert_eq!(connection.run(PATIENT).unwrap_err().name, FailureName::WorkFailed);
}

#[test]
fn it_ends_when_the_harness_is_gone_even_in_the_middle_of_work() {
    for work in [false, true] {
        let bench = Bench::new();
        let (mut agent, mut connection) = bench.start();
        let long = WorkOrder { duration_ns: u64::MAX, ..order(Workload::DiskSync) };
        connection.prepare(&long, PATIENT).unwrap();
        if work {
            let failure = connection.run(Duration::from_millis(100)).unwrap_err();
            assert_eq!(failure.name, FailureName::TimedOut);
        }
        assert_eq!(bench.left(), 1);
        drop(connection);
        assert_eq!((agent.end().code(), bench.left()), (Some(0), 0));
    }
}

#[test]
fn a_signal_ends_it_in_order() {
    let bench = Bench::new();
    let (mut agent, mut connection) = bench.start();
    connection.prepare(&order(Workload::DiskRead), PATIENT).unwrap();
    kill_process(Pid::from_child(&agent.0), Signal::TERM).unwrap();
    assert_eq!((agent.end().code(), bench.left()), (Some(0), 0));
}

#[test]
fn a_harness_that_is_not_there_or_speaks_otherwise_is_named() {
    let bench = Bench::new();
    let mut agent = bench.spawn();
    assert_eq!(agent.end().code(), Some(1));
    let mut said = String::new();
    agent.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("cannot connect to") && said.contains("socket"), "{said}");

    let wrong = [b"GET / HTTP/1.1\r\n".to_vec(), [&MAGIC[..], &[9, 0, 0, 0, 0, 0]].concat()];
    for (words, expected) in wrong.into_iter().zip(["it begins with", "version 9"]) {
        let bench = Bench::new();
        let listener = UnixListener::bind(bench.at("socket")).unwrap();
        let mut agent = bench.spawn();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&words).unwrap();
        assert_eq!(agent.end().code(), Some(1));
        let mut said = String::new();
        agent.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn arguments_that_say_nothing_are_answered_with_the_usage() {
    let output = Command::new(&*PROGRAM).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("usage: isocost-agent --socket PATH"));
    assert_eq!(Command::new(&*PROGRAM).arg("--exit").status().unwrap().code(), Some(0));
}
