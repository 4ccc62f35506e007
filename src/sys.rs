//! The one place with `unsafe`: what a child must do between fork and exec, which only `pre_exec` can,
//! and the CPU's own counter.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;

/// Makes the child of `command` die with the harness and be killable with all its children: its own process
/// group, SIGKILL when its parent goes, and membership of the cgroups whose `cgroup.procs` files are given.
///
/// The kernel sends that signal when the *thread* that spawned the child ends: spawn on a thread that lives as long
/// as the child is wanted.
///
/// The spawn fails where a cgroup cannot be joined.
pub fn harden(command: &mut Command, cgroup_procs: Vec<PathBuf>) {
    let cgroups: Vec<CString> =
        cgroup_procs.iter().filter_map(|path| CString::new(path.as_os_str().as_bytes()).ok()).collect();
    let all_named = cgroups.len() == cgroup_procs.len();
    let parent = rustix::process::getpid();
    command.process_group(0);
    let in_child = move || {
        if !all_named {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above would never be noticed.
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::CHILD.into());
        }
        for path in &cgroups {
            let file = rustix::fs::open(path.as_c_str(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            // 0 is the writer itself, in cgroup v1 and v2.
            rustix::io::write(&file, b"0")?;
        }
        Ok(())
    };
    // SAFETY: only system calls on memory that was made before the fork; no allocation, no lock.
    unsafe { command.pre_exec(in_child) };
}

/// The CPU's time-stamp counter.
#[must_use]
pub fn time_stamp_counter() -> u64 {
    // SAFETY: every x86-64 CPU has RDTSC; it reads a register and touches no memory.
    #[allow(unused_unsafe)]
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_child_leads_its_own_group() {
        let mut command = Command::new("cat");
        command.stdin(std::process::Stdio::piped());
        harden(&mut command, Vec::new());
        let mut child = command.spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
        rustix::process::kill_process_group(pid, Signal::KILL).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn it_dies_with_the_thread_that_spawned_it() {
        let mut child = std::thread::spawn(|| {
            let mut command = Command::new("cat");
            command.stdin(std::process::Stdio::piped());
            harden(&mut command, Vec::new());
            command.spawn().unwrap()
        })
        .join()
        .unwrap();
        let input = child.stdin.take();
        let status = child.wait().unwrap();
        drop(input);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    #[test]
    fn a_cgroup_that_is_not_there_fails_the_spawn() {
        let mut command = Command::new("true");
        harden(&mut command, vec![PathBuf::from("/nonexistent/cgroup.procs")]);
        assert_eq!(command.spawn().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
