//! Processes of one run: those whose environment names it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::Cleaned;
use crate::environment::qemu::process::RUN_VARIABLE;

/// SIGKILL is not refused; a process in the middle of disk work takes this long to die at most, as a rule.
const DEATH: Duration = Duration::from_secs(10);

/// Kills all of them and waits for their end.
pub(super) fn end_all(run_id: &str, cleaned: &mut Cleaned) {
    let entries = match std::fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => {
            cleaned.left.push(format!("its processes (cannot list /proc: {error})"));
            return;
        }
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in pids.filter_map(Pid::from_raw) {
        if let Some(process) = of_run(pid, run_id) {
            end(pid, &process, cleaned);
        }
    }
}

/// A handle on the process, if it is of that run. The environment is read after the handle was had, so that what is
/// killed is what was looked at, whatever the number means by then.
fn of_run(pid: Pid, run_id: &str) -> Option<OwnedFd> {
    if !names_run(pid, run_id) || pid == rustix::process::getpid() {
        return None;
    }
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
    names_run(pid, run_id).then_some(process)
}

/// Another user's environment cannot be read, and is left alone. (Root reads all, and the id is the run's alone.)
fn names_run(pid: Pid, run_id: &str) -> bool {
    let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
    std::fs::read(path).is_ok_and(|environment| has_run(&environment, run_id))
}

fn has_run(environment: &[u8], run_id: &str) -> bool {
    let wanted = format!("{RUN_VARIABLE}={run_id}");
    environment.split(|&b| b == 0).any(|entry| entry == wanted.as_bytes())
}

fn end(pid: Pid, process: &OwnedFd, cleaned: &mut Cleaned) {
    let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap_or_default();
    let what = format!("process {} ({})", pid.as_raw_nonzero(), name.trim());
    let killed = rustix::process::pidfd_send_signal(process, Signal::KILL);
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let most = Timespec::try_from(DEATH).ok();
    match killed.and_then(|()| rustix::event::poll(&mut fds, most.as_ref())) {
        Ok(0) => cleaned.left.push(format!("{what} (it does not die; look at what it waits for)")),
        Err(error) if error != rustix::io::Errno::SRCH => cleaned.left.push(format!("{what} ({error})")),
        _ => cleaned.removed.push(what),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn child(run_id: &str) -> Child {
        let child = Command::new("cat").env(RUN_VARIABLE, run_id).stdin(Stdio::piped()).spawn().unwrap();
        // Its spawn returns in the middle of exec, a moment before the kernel shows the new environment.
        let shown = || std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !has_run(&shown(), run_id) && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn the_whole_entry_must_match() {
        assert!(has_run(b"A=1\0ISOCOST_RUN=r-1\0B=2\0", "r-1"));
        assert!(!has_run(b"ISOCOST_RUN=r-11\0XISOCOST_RUN=r-1\0", "r-1"));
    }

    #[test]
    fn only_processes_of_the_run_are_ended() {
        let id = format!("test-{}", std::process::id());
        let (mut ours, mut decoy) = (child(&id), child(&format!("{id}-other")));
        let mut cleaned = Cleaned::default();
        end_all(&id, &mut cleaned);
        assert_eq!(cleaned.removed, [format!("process {} (cat)", ours.id())]);
        assert!(cleaned.left.is_empty(), "{cleaned:?}");
        assert!(decoy.try_wait().unwrap().is_none());
        decoy.kill().unwrap();
        decoy.wait().unwrap();
        ours.wait().unwrap();
    }
}
