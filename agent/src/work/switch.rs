//! Context switches: a byte goes to another process and back over a pair of pipes.
//!
//! Both processes are bound to one CPU, so that each byte takes a switch. On several CPUs it would mostly take the waking of
//! an idle one, which costs something else and varies with who else is awake.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::{Job, Pace, Refusal, Tally, batches};
use crate::sys;

const BATCH: u64 = 50;

pub(super) struct Switch {
    /// `None` once it has run.
    other: Option<Other>,
}

/// The other process, which ends when `to` is closed, and is waited for when this is dropped.
struct Other {
    to: Option<OwnedFd>,
    from: OwnedFd,
    pid: Pid,
    /// Where this process may run when it is over.
    allowed: CpuSet,
}

/// Both ends of both pipes, before the fork.
struct Pipes {
    here: (OwnedFd, OwnedFd),
    there: (OwnedFd, OwnedFd),
}

impl Switch {
    pub(super) fn new() -> Result<Self, Refusal> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|e| Refusal::io("make a pipe", e));
        let ((asked, to), (from, answers)) = (pipe()?, pipe()?);
        let allowed = sched_getaffinity(None).map_err(|e| Refusal::io("read the CPUs allowed", e))?;
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one).map_err(|e| Refusal::io("stay on one CPU", e))?;
        match sys::fork(Pipes { here: (from, to), there: (asked, answers) }, echo) {
            Ok((pid, Pipes { here: (from, to), .. })) => {
                Ok(Self { other: Some(Other { to: Some(to), from, pid, allowed }) })
            }
            Err(error) => {
                let _ = sched_setaffinity(None, &allowed);
                Err(Refusal::io("make a process", error))
            }
        }
    }
}

/// The other process: answers each byte with the next one, until there is nobody left to ask.
fn echo(pipes: Pipes) -> i32 {
    let Pipes { here, there: (from, to) } = pipes;
    drop(here);
    while let Ok(Some(byte)) = take(&from) {
        if give(&to, byte.wrapping_add(1)).is_err() {
            return 1;
        }
    }
    0
}

fn give(to: &OwnedFd, byte: u8) -> Result<(), Errno> {
    retry_on_intr(|| write(to, &[byte])).map(drop)
}

/// `None` at the end.
fn take(from: &OwnedFd) -> Result<Option<u8>, Errno> {
    let mut byte = [0];
    let read = retry_on_intr(|| read(from, &mut byte))?;
    Ok((read == 1).then_some(byte[0]))
}

impl Drop for Other {
    fn drop(&mut self) {
        self.to = None;
        let _ = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
        let _ = sched_setaffinity(None, &self.allowed);
    }
}

impl Job for Switch {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        // Dropped at the end, so that the other process has been waited for when CPU time is read.
        let other = self.other.take().ok_or_else(|| Refusal::order("it has run already"))?;
        let Some(to) = &other.to else { return Err(Refusal::order("it has run already")) };
        let mut failed = None;
        let mut there_and_back = |sum: u64| {
            let byte = (sum & 0xff) as u8;
            let answer = give(to, byte).and_then(|()| take(&other.from));
            match answer {
                Ok(Some(answer)) if answer == byte.wrapping_add(1) => {}
                Ok(_) => failed = Some(Refusal::io("switch", std::io::ErrorKind::UnexpectedEof)),
                Err(error) => failed = Some(Refusal::io("switch", error)),
            }
            sum.wrapping_add(u64::from(byte) + 1)
        };
        let tally = batches(pace, BATCH, |sum| (0..BATCH).fold(sum, |sum, _| there_and_back(sum)));
        failed.map_or(Ok(tally), Err)
    }
}
