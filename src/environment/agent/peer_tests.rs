//! The host's end against peers that are not what they should be, and against the real agent's answers.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use isocost_agent::protocol::frame::{self, HEADER_BYTES, MAGIC};
use isocost_agent::protocol::{MAX_FRAME_BYTES, VERSION, WorkDone, Workload};

use super::*;

/// Long enough for any machine; no test waits for it.
const PATIENT: Duration = Duration::from_secs(60);

const SHORT: Duration = Duration::from_millis(200);

struct Case {
    folder: tempfile::TempDir,
    stop: StopSignal,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), stop: StopSignal::new().unwrap() }
    }

    /// Accepts a peer that behaves as `peer` does.
    fn accept(
        &self,
        deadline: Duration,
        peer: impl FnOnce(UnixStream) + Send + 'static,
    ) -> (Result<AgentConnection, Failure>, JoinHandle<()>) {
        let path = self.folder.path().join("agent");
        let listener = AgentListener::bind(&path).unwrap();
        let peer = std::thread::spawn(move || peer(UnixStream::connect(path).unwrap()));
        let watch = Watch { stop: &self.stop, ended: None };
        (listener.accept(watch, after(deadline)), peer)
    }

    fn refused(&self, deadline: Duration, peer: impl FnOnce(UnixStream) + Send + 'static) -> Failure {
        let (accepted, peer) = self.accept(deadline, peer);
        let failure = accepted.unwrap_err();
        peer.join().unwrap();
        failure
    }

    /// A peer that says Hello and then behaves as `peer` does.
    fn ready(&self, peer: impl FnOnce(UnixStream) + Send + 'static) -> (AgentConnection, JoinHandle<()>) {
        let (accepted, peer) = self.accept(PATIENT, |mut stream| {
            stream.write_all(&hello()).unwrap();
            peer(stream);
        });
        (accepted.unwrap(), peer)
    }
}

fn hello() -> Vec<u8> {
    let hello = Hello {
        agent_version: "0.1.0".into(),
        pid: 1,
        boot_id: "x".into(),
        first_instruction_ns: 1,
        ready_ns: 2,
    };
    frame::encode(&FromAgent::Hello(hello)).unwrap()
}

fn wait_for_the_end(mut stream: UnixStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Answers each request with the next of these, then waits for the end.
fn answers(answers: Vec<FromAgent>) -> impl FnOnce(UnixStream) + Send {
    move |mut stream| {
        for answer in answers {
            frame::read::<ToAgent>(&mut stream).unwrap();
            frame::write(&mut stream, &answer).unwrap();
        }
        wait_for_the_end(stream);
    }
}

fn order() -> WorkOrder {
    let workload = Workload::CpuInteger;
    WorkOrder { workload, duration_ns: 1, threads: 1, bytes: 0, direct: false, seed: 0, slower_permille: 0 }
}

fn done(latencies: usize) -> FromAgent {
    FromAgent::Done(WorkDone {
        units: 1,
        elapsed_ns: 1,
        cpu_ns: 1,
        bytes_written: 0,
        syncs: 0,
        latencies_ns: vec![1; latencies],
        checksum: 0,
    })
}

#[test]
fn ready_is_when_the_hello_is_whole() {
    let case = Case::new();
    let began = Instant::now();
    let (accepted, peer) = case.accept(PATIENT, |mut stream| {
        let hello = hello();
        for byte in hello {
            stream.write_all(&[byte]).unwrap();
        }
        wait_for_the_end(stream);
    });
    let connection = accepted.unwrap();
    assert_eq!(connection.hello().boot_id, "x");
    assert!(began < connection.ready_at() && connection.ready_at() <= Instant::now());
    drop(connection);
    peer.join().unwrap();
}

#[test]
fn every_request_has_its_answer() {
    let case = Case::new();
    let said = vec![FromAgent::Clock(1000), FromAgent::Prepared, done(3), FromAgent::Bye];
    let (mut agent, peer) = case.ready(answers(said));
    let offset = agent.clock_offset(1, PATIENT).unwrap();
    assert!(offset.offset_ns > 0 && offset.uncertainty_ns > 0, "{offset:?}");
    agent.prepare(&order(), PATIENT).unwrap();
    let worked = agent.run(PATIENT).unwrap();
    assert!(worked.sent < worked.answered && worked.done.latencies_ns == [1, 1, 1], "{worked:?}");
    agent.shutdown(PATIENT).unwrap();
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn silence_is_never_ready_at_its_deadline() {
    let case = Case::new();
    let began = Instant::now();
    let failure = case.refused(SHORT, wait_for_the_end);
    assert_eq!(failure.name, FailureName::NeverReady, "{failure:?}");
    assert!(Instant::now().since(began) >= SHORT);
}

#[test]
fn nobody_who_connects_is_never_ready() {
    let case = Case::new();
    let listener = AgentListener::bind(&case.folder.path().join("agent")).unwrap();
    let watch = Watch { stop: &case.stop, ended: None };
    let failure = listener.accept(watch, after(SHORT)).unwrap_err();
    assert_eq!(failure.name, FailureName::NeverReady, "{failure:?}");
}

#[test]
fn a_hello_that_stops_halfway_is_never_ready() {
    let failure = Case::new().refused(SHORT, |mut stream| {
        stream.write_all(&hello()[..20]).unwrap();
        wait_for_the_end(stream);
    });
    assert_eq!(failure.name, FailureName::NeverReady, "{failure:?}");
}

/// Each byte comes well before the deadline, all of them after it.
#[test]
fn a_slow_drip_does_not_move_the_deadline() {
    let failure = Case::new().refused(SHORT, |mut stream| {
        let mut frame = [&MAGIC[..], &VERSION.to_le_bytes(), &200_000u32.to_le_bytes()].concat();
        frame.resize(frame.len() + 200_000, 0);
        let sent = frame.chunks(1).take_while(|byte| {
            std::thread::sleep(Duration::from_millis(1));
            stream.write_all(byte).is_ok()
        });
        assert!(sent.count() < 5000, "it was listened to for ever");
    });
    assert_eq!(failure.name, FailureName::NeverReady, "{failure:?}");
}

#[test]
fn a_flood_is_cut_off() {
    for flood in [vec![0; 1 << 16], b"GET / HTTP/1.1\r\n".repeat(4096)] {
        let failure = Case::new().refused(PATIENT, move |mut stream| {
            let mut sent = 0u64;
            while stream.write_all(&flood).is_ok() {
                sent += flood.len() as u64;
                assert!(sent < 1 << 30, "it was read on and on");
            }
        });
        assert_eq!(failure.name, FailureName::Garbage, "{failure:?}");
    }
}

#[test]
fn a_flood_of_good_frames_is_cut_off_too() {
    let case = Case::new();
    let (mut agent, peer) = case.ready(|mut stream| while stream.write_all(&hello()).is_ok() {});
    // The first of them is sent by now or will be: either way it was not asked for.
    let failure = agent.inspect(PATIENT).unwrap_err();
    assert_eq!(failure.name, FailureName::Garbage, "{failure:?}");
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn a_length_that_is_too_large_is_garbage() {
    let failure = Case::new().refused(PATIENT, |mut stream| {
        let length = u32::try_from(MAX_FRAME_BYTES).unwrap() + 1;
        let header = [&MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes()].concat();
        assert_eq!(header.len(), HEADER_BYTES);
        stream.write_all(&header).unwrap();
        wait_for_the_end(stream);
    });
    assert_eq!(failure.name, FailureName::Garbage, "{failure:?}");
    assert!(failure.detail.contains("262145 bytes"), "{failure:?}");
}

#[test]
fn another_version_is_another_agent() {
    let failure = Case::new().refused(PATIENT, |mut stream| {
        let mut hello = hello();
        hello[4] = 0xff;
        stream.write_all(&hello).unwrap();
        wait_for_the_end(stream);
    });
    assert_eq!(failure.name, FailureName::WrongAgent, "{failure:?}");
}

#[test]
fn a_first_word_other_than_hello_is_garbage() {
    let failure = Case::new().refused(PATIENT, |mut stream| {
        frame::write(&mut stream, &FromAgent::Bye).unwrap();
        wait_for_the_end(stream);
    });
    assert_eq!(failure.name, FailureName::Garbage, "{failure:?}");
}

#[test]
fn one_who_hangs_up_has_exited_early() {
    let case = Case::new();
    assert_eq!(case.refused(PATIENT, drop).name, FailureName::ExitedEarly);
    let case = Case::new();
    let halfway = |mut stream: UnixStream| stream.write_all(&hello()[..20]).unwrap();
    assert_eq!(case.refused(PATIENT, halfway).name, FailureName::ExitedEarly);
    let case = Case::new();
    let (mut agent, peer) = case.ready(drop);
    peer.join().unwrap();
    assert_eq!(agent.inspect(PATIENT).unwrap_err().name, FailureName::ExitedEarly);
    // Who is gone has ended.
    agent.shutdown(PATIENT).unwrap();
}

#[test]
fn an_instance_that_ends_is_noticed_at_once() {
    let case = Case::new();
    let (ended, end) = std::io::pipe().unwrap();
    let listener = AgentListener::bind(&case.folder.path().join("agent")).unwrap();
    drop(end);
    let watch = Watch { stop: &case.stop, ended: Some(ended.as_fd()) };
    let failure = listener.accept(watch, after(PATIENT)).unwrap_err();
    assert_eq!(failure.name, FailureName::ExitedEarly, "{failure:?}");
}

#[test]
fn an_instance_that_ends_is_noticed_in_mid_request() {
    let case = Case::new();
    let (ended, end) = std::io::pipe().unwrap();
    let path = case.folder.path().join("agent");
    let listener = AgentListener::bind(&path).unwrap();
    let peer = std::thread::spawn(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(&hello()).unwrap();
        frame::read::<ToAgent>(&mut stream).unwrap();
        // The channel stays open, as QEMU's does when a guest resets.
        drop(end);
        wait_for_the_end(stream);
    });
    let watch = Watch { stop: &case.stop, ended: Some(ended.as_fd()) };
    let mut agent = listener.accept(watch, after(PATIENT)).unwrap();
    let failure = agent.run(PATIENT).unwrap_err();
    assert_eq!(failure.name, FailureName::ExitedEarly, "{failure:?}");
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn a_stop_ends_every_wait() {
    let case = Case::new();
    let stop = case.stop.clone();
    let (mut agent, peer) = case.ready(move |mut stream| {
        frame::read::<ToAgent>(&mut stream).unwrap();
        stop.raise();
        wait_for_the_end(stream);
    });
    let failure = agent.run(PATIENT).unwrap_err();
    assert_eq!(failure.name, FailureName::Interrupted, "{failure:?}");
    drop(agent);
    peer.join().unwrap();
    // Whoever begins to wait after it, too.
    let listener = AgentListener::bind(&case.folder.path().join("other")).unwrap();
    let watch = Watch { stop: &case.stop, ended: None };
    let failure = listener.accept(watch, after(PATIENT)).unwrap_err();
    assert_eq!(failure.name, FailureName::Interrupted, "{failure:?}");
}

#[test]
fn a_request_that_is_not_answered_has_timed_out() {
    let case = Case::new();
    let (mut agent, peer) = case.ready(wait_for_the_end);
    let failure = agent.inspect(SHORT).unwrap_err();
    assert_eq!(failure.name, FailureName::TimedOut, "{failure:?}");
    assert!(failure.detail.contains("what it sees"), "{failure:?}");
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn a_peer_that_reads_nothing_does_not_hold_a_request_up() {
    let (mut ours, _theirs) = UnixStream::pair().unwrap();
    let mut channel = Channel::new(ours.try_clone().unwrap()).unwrap();
    while ours.write(&[0; 4096]).is_ok() {}
    let stop = StopSignal::new().unwrap();
    let late = Late { name: FailureName::TimedOut, what: "an answer" };
    let wait = Wait { stop: &stop, ended: None, until: after(SHORT), late };
    assert_eq!(channel.send(&ToAgent::Run, &wait).unwrap_err().name, FailureName::TimedOut);
}

#[test]
fn what_the_agent_cannot_do_is_said_in_its_words_without_control_characters() {
    let case = Case::new();
    let detail = format!("\u{1b}[2Jno room in /layer\n{}", "x".repeat(10_000));
    let said = vec![FromAgent::Failed { name: "no-space".into(), detail }, FromAgent::Prepared];
    let (mut agent, peer) = case.ready(answers(said));
    let failure = agent.prepare(&order(), PATIENT).unwrap_err();
    assert_eq!(failure.name, FailureName::WorkFailed, "{failure:?}");
    assert!(failure.detail.starts_with("no-space: [2Jno room in /layerxxx"), "{failure:?}");
    assert_eq!(failure.detail.chars().count(), 500);
    // The agent can be relied on: the next piece may go well.
    agent.prepare(&order(), PATIENT).unwrap();
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn answers_that_cannot_be_are_garbage() {
    let case = Case::new();
    let (mut agent, peer) = case.ready(answers(vec![done(MAX_LATENCIES + 1), FromAgent::Prepared]));
    assert_eq!(agent.run(PATIENT).unwrap_err().name, FailureName::Garbage);
    assert_eq!(agent.run(PATIENT).unwrap_err().name, FailureName::Garbage);
    drop(agent);
    peer.join().unwrap();
}

#[test]
fn an_offset_is_the_middle_give_or_take_half() {
    let found = offset(Instant(1000), 400, Instant(1201));
    assert_eq!(found, ClockOffset { offset_ns: 700, uncertainty_ns: 101 });
    let behind = offset(Instant(1000), 5000, Instant(1200));
    assert_eq!(behind.offset_ns, -3900);
}

#[test]
fn a_socket_is_for_everyone_and_a_path_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    let _listener = AgentListener::bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let error = AgentListener::bind(Path::new("/nonexistent/agent")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/agent"), "{error}");
}
