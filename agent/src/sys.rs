//! The one place of the agent with `unsafe`: fork, signals as a descriptor, CPU accounting and the debug port, which
//! no safe library has.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use rustix::process::Pid;

/// Writes one byte to an I/O port, by a right that is given back at once: while a program holds it, each
/// switch to it costs the kernel more.
///
/// # Errors
/// Where the kernel does not allow it.
pub fn write_port(port: u16, byte: u8) -> io::Result<()> {
    // SAFETY: ioperm changes what this thread may do, and touches no memory.
    if unsafe { libc::ioperm(port.into(), 1, 1) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the port is allowed, and OUT touches no memory.
    unsafe {
        core::arch::asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: as above. What was just allowed can be given back.
    unsafe { libc::ioperm(port.into(), 1, 0) };
    Ok(())
}

/// Makes a process that runs `child` with its copy of `state` and exits with what it returns; `state` itself comes back.
///
/// The process is a copy of this one: `child` makes system calls and nothing else, for another thread may hold any
/// lock at the fork.
///
/// # Errors
/// Where no process can be made.
pub fn fork<S>(state: S, child: impl FnOnce(S) -> i32) -> io::Result<(Pid, S)> {
    // SAFETY: the child runs only `child`, which keeps to system calls, and leaves by _exit.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = child(state);
            // SAFETY: ends the process without running anything of its parent's.
            unsafe { libc::_exit(code) }
        }
        pid => Ok((Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?, state)),
    }
}

/// Makes a process that becomes `program`; one that cannot exits with 127.
///
/// # Errors
/// As [`fork`].
pub fn fork_exec(program: &CStr, argument: &CStr) -> io::Result<Pid> {
    let arguments = [program.as_ptr(), argument.as_ptr(), std::ptr::null()];
    let exec = |arguments: [*const libc::c_char; 3]| {
        // SAFETY: the strings and the list outlive the call, and the list ends with a null.
        unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
        127
    };
    fork(arguments, exec).map(|(pid, _)| pid)
}

/// CPU time of this process and of the children it has waited for, user and system, in nanoseconds.
#[must_use]
pub fn cpu_ns() -> u64 {
    usage_ns(libc::RUSAGE_SELF) + usage_ns(libc::RUSAGE_CHILDREN)
}

fn usage_ns(whose: i32) -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure, and zeroes are a valid one. It fails for an unknown `whose` only.
    let usage = unsafe {
        libc::getrusage(whose, usage.as_mut_ptr());
        usage.assume_init()
    };
    let ns = |time: libc::timeval| {
        let [seconds, micros] = [time.tv_sec, time.tv_usec].map(|part| u64::try_from(part).unwrap_or(0));
        seconds * 1_000_000_000 + micros * 1000
    };
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

/// Signals that arrive from now on as records to be read instead of interrupting.
///
/// # Errors
/// Where the kernel refuses.
pub fn signals_as_file(signals: &[i32]) -> io::Result<File> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: each call gets a set that sigemptyset has made valid; the descriptor is new and nobody else's.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

/// Bytes of one record of [`signals_as_file`]; its first four are the signal's number.
pub const SIGNAL_RECORD_BYTES: usize = size_of::<libc::signalfd_siginfo>();

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::process::{WaitOptions, waitpid};

    use super::*;

    fn exit_code(pid: Pid) -> Option<i32> {
        waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap().1.exit_status()
    }

    #[test]
    fn a_child_exits_with_what_it_returns() {
        assert_eq!(exit_code(fork(7, |code| code).unwrap().0), Some(7));
    }

    #[test]
    fn a_program_gets_its_argument_and_one_that_is_not_there_says_127() {
        assert_eq!(exit_code(fork_exec(c"/bin/sh", c"/dev/null").unwrap()), Some(0));
        assert_eq!(exit_code(fork_exec(c"/nonexistent", c"x").unwrap()), Some(127));
    }

    #[test]
    fn the_cpu_time_of_children_counts() {
        let before = cpu_ns();
        let busy = |()| {
            let from = crate::clock::now_ns();
            while crate::clock::now_ns() - from < 50_000_000 {}
            0
        };
        assert_eq!(exit_code(fork((), busy).unwrap().0), Some(0));
        assert!(cpu_ns() - before >= 10_000_000, "{} ns", cpu_ns() - before);
    }
}
