//! Frames over a socket that never blocks: every wait is one poll(2) on the socket, the instance's end and the run's
//! stop, up to a deadline. Nothing is read that is not part of the one frame that is due.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use isocost_agent::protocol::frame::{self, FrameError, HEADER_BYTES};
use isocost_agent::protocol::{FromAgent, ToAgent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::StopSignal;
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};

/// The most characters of what an agent says that go into a failure's detail.
const QUOTED_CHARS: usize = 500;

/// What it means that a deadline has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late {
    pub name: FailureName,
    /// What did not come.
    pub what: &'static str,
}

/// What ends a wait.
pub(super) struct Wait<'a> {
    pub stop: &'a StopSignal,
    /// Readable when the instance has ended.
    pub ended: Option<BorrowedFd<'a>>,
    pub until: Instant,
    pub late: Late,
}

impl Wait<'_> {
    /// Waits until `fd` is ready, or says why that will not be. A stop comes before everything; what an instance has
    /// left in the socket can still be read after its end.
    pub(super) fn until_ready(&self, fd: BorrowedFd<'_>, wanted: PollFlags) -> Result<(), Failure> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(fd, wanted),
            PollFd::from_borrowed_fd(self.stop.fd(), PollFlags::IN),
        ];
        fds.extend(self.ended.map(|ended| PollFd::from_borrowed_fd(ended, PollFlags::IN)));
        loop {
            let left = self.until.since(Instant::now());
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(self.late()),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(broken("wait for the agent", &errno.into())),
            }
        }
        if !fds[1].revents().is_empty() {
            let detail = format!("the run was stopped while {} was awaited", self.late.what);
            return Err(Failure { name: FailureName::Interrupted, detail });
        }
        if fds[0].revents().is_empty() {
            return Err(ended(&format!("the instance ended before {} came", self.late.what)));
        }
        Ok(())
    }

    /// A peer that always has something to read would otherwise never be waited for, and so never be late.
    fn check(&self) -> Result<(), Failure> {
        if Instant::now() < self.until { Ok(()) } else { Err(self.late()) }
    }

    fn late(&self) -> Failure {
        let detail = format!("{} did not come before its deadline", self.late.what);
        Failure { name: self.late.name, detail }
    }
}

/// The socket of one agent.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Result<Self, Failure> {
        stream.set_nonblocking(true).map_err(|error| broken("use the connection", &error))?;
        Ok(Self { stream })
    }

    /// Sends a request. What the agent said without having been asked is refused first: it would be taken for
    /// the answer.
    pub(super) fn send(&mut self, request: &ToAgent, wait: &Wait<'_>) -> Result<(), Failure> {
        self.is_silent()?;
        let bytes = frame::encode(request).map_err(|error| garbage(&format!("cannot ask: {error}")))?;
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait.until_ready(self.stream.as_fd(), PollFlags::OUT)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(hung_up_or_broken("ask", wait, &error)),
            }
        }
        Ok(())
    }

    fn is_silent(&mut self) -> Result<(), Failure> {
        match self.stream.read(&mut [0]) {
            Ok(0) => Err(ended("the agent hung up")),
            Ok(_) => Err(garbage("it spoke without having been asked")),
            // Whatever else is wrong shows itself when it is asked.
            Err(_) => Ok(()),
        }
    }

    /// The next message, and when its last byte had been read.
    pub(super) fn receive(&mut self, wait: &Wait<'_>) -> Result<(FromAgent, Instant), Failure> {
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header, wait)?;
        let length = frame::payload_length(header).map_err(not_a_frame)?;
        let mut payload = vec![0; length];
        self.fill(&mut payload, wait)?;
        let at = Instant::now();
        Ok((frame::decode_payload(&payload).map_err(not_a_frame)?, at))
    }

    fn fill(&mut self, bytes: &mut [u8], wait: &Wait<'_>) -> Result<(), Failure> {
        let mut done = 0;
        while done < bytes.len() {
            match self.stream.read(&mut bytes[done..]) {
                Ok(0) => return Err(ended(&format!("the agent hung up before {} came", wait.late.what))),
                Ok(count) => {
                    done += count;
                    wait.check()?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait.until_ready(self.stream.as_fd(), PollFlags::IN)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(hung_up_or_broken("hear the agent", wait, &error)),
            }
        }
        Ok(())
    }
}

fn ended(detail: &str) -> Failure {
    Failure { name: FailureName::ExitedEarly, detail: detail.to_owned() }
}

pub(super) fn garbage(detail: &str) -> Failure {
    Failure { name: FailureName::Garbage, detail: detail.to_owned() }
}

fn not_a_frame(error: FrameError) -> Failure {
    let name = match error {
        FrameError::Version(_) => FailureName::WrongAgent,
        _ => FailureName::Garbage,
    };
    Failure { name, detail: format!("the agent sent what is no frame: {error}") }
}

fn hung_up_or_broken(doing: &str, wait: &Wait<'_>, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
            ended(&format!("the agent hung up before {} came", wait.late.what))
        }
        _ => broken(doing, error),
    }
}

/// The host's own system failed, not the agent.
pub(super) fn broken(doing: &str, error: &std::io::Error) -> Failure {
    Failure { name: FailureName::Unreadable, detail: format!("cannot {doing}: {error}") }
}

pub(super) fn unexpected(wanted: &str, found: &FromAgent) -> Failure {
    let found = match found {
        FromAgent::Hello(_) => "Hello",
        FromAgent::Inspection(_) => "Inspection",
        FromAgent::Clock(_) => "Clock",
        FromAgent::Prepared => "Prepared",
        FromAgent::Done(_) => "Done",
        FromAgent::Failed { .. } => "Failed",
        FromAgent::Bye => "Bye",
    };
    garbage(&format!("the agent said {found} where {wanted} was due"))
}

/// The agent's own words on what it could not do.
pub(super) fn refused(name: &str, detail: &str) -> Failure {
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let text = format!("{}: {}", printable(name), printable(detail));
    Failure { name: FailureName::WorkFailed, detail: text.chars().take(QUOTED_CHARS).collect() }
}
