//! A QEMU process: started so that it cannot outlive the harness, waited for by its pidfd, killed with all its children.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::error::QemuError;
use crate::environment::agent::StopSignal;
use crate::environment::tap::Tap;
use crate::measure::clock::Instant;
use crate::wait;

pub use crate::environment::RUN_VARIABLE;

/// What was written before the end is read at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How to start a QEMU.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The emulator.
    pub program: PathBuf,
    /// See [`arguments`](super::args::arguments).
    pub arguments: Vec<OsString>,
    /// The value of [`RUN_VARIABLE`].
    pub run_id: String,
    /// `cgroup.procs` files of the groups it joins before it runs.
    pub cgroup_procs: Vec<PathBuf>,
}

/// A running QEMU. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct QemuProcess {
    child: Child,
    pid: Pid,
    pidfd: OwnedFd,
    stderr: Tap,
    /// Just before the call to spawn.
    pub called: Instant,
    /// Just after its return.
    pub returned: Instant,
}

impl QemuProcess {
    /// Starts it. It dies with the calling thread (see [`crate::sys::harden`]).
    ///
    /// # Errors
    /// What could not be started.
    pub fn spawn(launch: &Launch) -> Result<Self, QemuError> {
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments).env(RUN_VARIABLE, &launch.run_id).arg0(&launch.program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        crate::sys::harden(&mut command, launch.cgroup_procs.clone());
        let called = Instant::now();
        let mut child = command.spawn().map_err(QemuError::io("start", &launch.program))?;
        let returned = Instant::now();
        let pid = Pid::from_child(&child);
        let stderr = child.stderr.take().map_or_else(|| Tap::stream(std::io::empty()), Tap::stream);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, pid, pidfd, stderr, called, returned }),
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(QemuError::io("watch", &launch.program)(errno.into()))
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Readable once it has ended.
    #[must_use]
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The same as a descriptor of the caller's own.
    ///
    /// # Errors
    /// Where the system gives no more descriptors.
    pub fn ended_owned(&self) -> Result<OwnedFd, QemuError> {
        self.pidfd.try_clone().map_err(QemuError::io("watch", "QEMU"))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`QemuError::Late`] after `deadline`, [`QemuError::Interrupted`] where `stop` is raised before.
    pub fn wait(&mut self, deadline: Duration, stop: Option<&StopSignal>) -> Result<ExitStatus, QemuError> {
        let until = Instant(Instant::now().0.saturating_add(nanos(deadline)));
        let mut fds = vec![PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        fds.extend(stop.map(|signal| PollFd::from_borrowed_fd(signal_fd(signal), PollFlags::IN)));
        if !wait_any(&mut fds, until)? {
            return Err(QemuError::Late { what: "the end of QEMU".into(), after: deadline });
        }
        if fds[0].revents().is_empty() {
            return Err(QemuError::Interrupted("waiting for QEMU to end"));
        }
        self.child.wait().map_err(QemuError::io("wait for", "QEMU"))
    }

    /// Kills it with its children and reaps it.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        // Not reaped yet, so the group is still its own; an error means that it has just ended.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let status = self.child.wait().ok();
        // Who left the group may hold it open for ever.
        let _ = self.stderr.ends_within(LAST_WORDS);
        status
    }

    /// How it ended, if it has, and the last it said.
    pub fn last_words(&mut self) -> String {
        let status = self.child.try_wait().ok().flatten();
        let status = status.map_or_else(|| "still running".to_owned(), |status| status.to_string());
        match self.stderr.tail(5) {
            said if said.is_empty() => status,
            said => format!("{status}; it said: {said}"),
        }
    }
}

impl Drop for QemuProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal_fd(signal: &StopSignal) -> BorrowedFd<'_> {
    signal.fd()
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Waits until one of `fds` is readable (true) or `until` has come (false).
pub(crate) fn wait_any(fds: &mut [PollFd<'_>], until: Instant) -> Result<bool, QemuError> {
    wait::any_readable(fds, until).map_err(QemuError::io("wait for", "QEMU"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shell(script: &str) -> QemuProcess {
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            run_id: "test-process".into(),
            cgroup_procs: Vec::new(),
        };
        QemuProcess::spawn(&launch).unwrap()
    }

    #[test]
    fn its_end_and_its_words_are_seen() {
        let mut process = shell("echo $ISOCOST_RUN >&2; exit 3");
        assert_eq!(process.wait(Duration::from_secs(10), None).unwrap().code(), Some(3));
        assert!(process.stderr.ends_within(Duration::from_secs(10)));
        assert_eq!(process.last_words(), "exit status: 3; it said: test-process");
        assert!(process.called <= process.returned);
    }

    #[test]
    fn a_late_one_is_killed_with_its_children() {
        let mut process = shell("sleep 1000 & wait");
        let error = process.wait(Duration::from_millis(50), None).unwrap_err();
        assert!(matches!(error, QemuError::Late { .. }), "{error}");
        // The reader of stderr ends only when the child that inherited it is gone too.
        let status = process.kill().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    #[test]
    fn who_left_its_group_and_holds_its_stderr_keeps_nobody_waiting() {
        let mut process = shell("setsid sleep 60 & echo $! >&2; wait");
        process.stderr.first(Duration::from_secs(10)).unwrap();
        let began = std::time::Instant::now();
        process.kill().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let sleeper = process.stderr.tail(1).parse().ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(sleeper, Signal::KILL).unwrap();
    }

    #[test]
    fn what_is_not_there_is_named() {
        let launch = Launch {
            program: "/no/qemu".into(),
            arguments: vec![],
            run_id: "x".into(),
            cgroup_procs: vec![],
        };
        assert!(QemuProcess::spawn(&launch).unwrap_err().to_string().contains("/no/qemu"));
    }
}
