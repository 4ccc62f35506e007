//! Says Hello and answers requests, one at a time, until asked to end, hung up on, or told by a signal.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use isocost_agent::inspect::inspect;
use isocost_agent::link::Link;
use isocost_agent::protocol::frame::{self, ReadError};
use isocost_agent::protocol::{FromAgent, Hello, ToAgent, WorkOrder};
use isocost_agent::work::{self, Job, Refusal};
use isocost_agent::{clock, sys};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, wait};

/// The most characters of a failure's detail: a path of the longest kind and words around it.
const DETAIL_CHARS: usize = 5000;

pub(crate) struct Server {
    link: Link,
    layer: PathBuf,
    signals: File,
    /// Ready to run.
    prepared: Option<(WorkOrder, Box<dyn Job>)>,
    /// Has run: given back when the next is prepared, so that this costs the one before nothing.
    spent: Option<Box<dyn Job>>,
}

/// What comes next.
enum Next {
    Request(ToAgent),
    /// Hung up on, or told by a signal to end.
    End,
}

impl Server {
    /// Serves over `link`; disk work is done in `layer`.
    ///
    /// # Errors
    /// Where the system gives no descriptor for signals.
    pub(crate) fn new(link: Link, layer: PathBuf) -> Result<Self, String> {
        let wanted = [Signal::CHILD, Signal::TERM, Signal::INT].map(Signal::as_raw);
        let signals = sys::signals_as_file(&wanted).map_err(|e| format!("cannot receive signals: {e}"))?;
        Ok(Self { link, layer, signals, prepared: None, spent: None })
    }

    /// Says Hello and answers until the end. Nothing of its work is left behind.
    ///
    /// # Errors
    /// Where the channel fails or what comes on it is not the protocol.
    pub(crate) fn serve(&mut self, first_instruction_ns: u64) -> Result<(), String> {
        self.say(&FromAgent::Hello(hello(first_instruction_ns)))?;
        while let Next::Request(request) = self.next()? {
            let last = request == ToAgent::Shutdown;
            let answer = self.answer(request);
            if last {
                break;
            }
            // Nobody waits for the answer: the end comes with the next look.
            if !self.link.is_gone() {
                self.say(&answer)?;
            }
        }
        self.give_back();
        Ok(())
    }

    /// Says Bye: the last word, once all is put in order.
    pub(crate) fn bye(&mut self) {
        // A virtio-serial port would wait for ever for one who hung up.
        if self.link.is_gone() {
            return;
        }
        // One who hangs up just now does not hear it, which is no failure.
        let _ = frame::write(&mut self.link, &FromAgent::Bye);
    }

    fn give_back(&mut self) {
        (self.prepared, self.spent) = (None, None);
    }

    fn say(&mut self, message: &FromAgent) -> Result<(), String> {
        frame::write(&mut self.link, message).map_err(|e| format!("cannot answer: {e}"))
    }

    /// Waits for a request; meanwhile collects children that others left to PID 1.
    fn next(&mut self) -> Result<Next, String> {
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(self.link.fd(), PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                other => other.map_err(|e| format!("cannot wait for a request: {e}"))?,
            };
            let [link, signals] = [fds[0].revents(), fds[1].revents()];
            if !signals.is_empty() && self.told_to_end() {
                return Ok(Next::End);
            }
            if link.is_empty() {
                continue;
            }
            return match frame::read(&mut self.link) {
                Ok(request) => Ok(Next::Request(request)),
                Err(ReadError::Closed) => Ok(Next::End),
                Err(error) => Err(error.to_string()),
            };
        }
    }

    fn told_to_end(&mut self) -> bool {
        let mut end = false;
        let mut record = [0; sys::SIGNAL_RECORD_BYTES];
        while let Ok(sys::SIGNAL_RECORD_BYTES) = self.signals.read(&mut record) {
            let number = record.first_chunk().map_or(0, |first| u32::from_ne_bytes(*first));
            end |= number != Signal::CHILD.as_raw().unsigned_abs();
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        end
    }

    fn answer(&mut self, request: ToAgent) -> FromAgent {
        match request {
            ToAgent::ReadClock => FromAgent::Clock(clock::now_ns()),
            ToAgent::Inspect => match inspect(&self.layer) {
                Ok(seen) => FromAgent::Inspection(Box::new(seen)),
                Err(error) => failed(Refusal { name: "io", detail: format!("cannot read itself: {error}") }),
            },
            ToAgent::Prepare(order) => self.prepare(order).map_or_else(failed, |()| FromAgent::Prepared),
            ToAgent::Run => self.run().unwrap_or_else(failed),
            ToAgent::Shutdown => FromAgent::Bye,
        }
    }

    fn prepare(&mut self, order: WorkOrder) -> Result<(), Refusal> {
        self.give_back();
        let job = work::prepare(&order, &self.layer)?;
        self.prepared = Some((order, job));
        Ok(())
    }

    fn run(&mut self) -> Result<FromAgent, Refusal> {
        let unprepared = || Refusal { name: "bad-order", detail: "no work is prepared".into() };
        let (order, mut job) = self.prepared.take().ok_or_else(unprepared)?;
        let link = &self.link;
        let done = work::run(&mut *job, &order, &|| link.is_gone());
        self.spent = Some(job);
        done.map(FromAgent::Done)
    }
}

fn failed(refusal: Refusal) -> FromAgent {
    let detail = refusal.detail.chars().take(DETAIL_CHARS).collect();
    FromAgent::Failed { name: refusal.name.to_owned(), detail }
}

fn hello(first_instruction_ns: u64) -> Hello {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Hello {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        boot_id: boot_id.trim().to_owned(),
        first_instruction_ns,
        ready_ns: clock::now_ns(),
    }
}
