//! The one place with `unsafe`: what a child must do between fork and exec, a child that is born in a control group,
//! what is done about a child's end, and the CPU's own counter.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};

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

/// Has the end of a child be told of again, where the program was started with SIGCHLD ignored: the kernel then reaps
/// children by itself, and who waits for one is told that there is none.
pub fn heed_children() {
    // SAFETY: no handler is set, so nothing of ours runs when the signal comes.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// A program to become, made ready before the clock starts.
#[derive(Debug, Clone)]
pub struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// `path` is the first argument too; `environment` is all the program gets, as `NAME=value`.
    ///
    /// # Errors
    /// A word with a zero byte in it.
    pub fn new(path: &std::path::Path, arguments: &[&[u8]], environment: &[String]) -> io::Result<Self> {
        let word =
            |bytes: &[u8]| CString::new(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let path = word(path.as_os_str().as_bytes())?;
        let mut all = vec![path.clone()];
        all.extend(arguments.iter().map(|argument| word(argument)).collect::<io::Result<Vec<_>>>()?);
        let environment =
            environment.iter().map(|entry| word(entry.as_bytes())).collect::<io::Result<_>>()?;
        Ok(Self { path, arguments: all, environment })
    }
}

/// How a child gets into its control groups.
#[derive(Debug, Clone, Copy)]
pub enum Birth<'a> {
    /// It is in those of the thread that spawns it, as every child is.
    Inherit,
    /// It is born in this one, a folder of cgroup v2. Moving a process there later has the kernel wait 5 to 15 ms
    /// for all CPUs, which would be counted as its start.
    Into(BorrowedFd<'a>),
}

/// A child that was spawned: who waits for it is the caller.
#[derive(Debug)]
pub struct Spawned {
    /// Its process id; it leads a process group of that number.
    pub pid: Pid,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
}

/// Starts a program as [`harden`] would, with nothing but /dev/null and `stderr` open, and returns once it is the
/// program (or could not be).
///
/// # Errors
/// The system's, of clone3 or of what the child did until its exec; no child is left then.
pub fn spawn(program: &Program, birth: Birth<'_>, stderr: BorrowedFd<'_>) -> io::Result<Spawned> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let (mut told, tell) = io::pipe()?;
    let pointers = |words: &[CString]| {
        let pointers = words.iter().map(|word| word.as_ptr());
        pointers.chain(std::iter::once(std::ptr::null())).collect::<Vec<_>>()
    };
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let child = Child {
        path: &program.path,
        arguments: &arguments,
        environment: &environment,
        null: null.as_raw_fd(),
        stderr: stderr.as_raw_fd(),
        tell: tell.as_raw_fd(),
        parent: std::process::id(),
    };
    let mut pidfd: RawFd = -1;
    // SAFETY: the child does nothing but `become_program`.
    let pid = match unsafe { clone3(birth, &mut pidfd).or_else(|error| forked(birth, error)) }? {
        // SAFETY: this is the child's one thread, and `child` holds what was made before it was born.
        0 => unsafe { child.become_program() },
        pid => Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?,
    };
    let pidfd = match pidfd {
        -1 => rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?,
        // SAFETY: the kernel has just made this descriptor, for the caller.
        made => unsafe { OwnedFd::from_raw_fd(made) },
    };
    drop(tell);
    let mut errno = [0; 4];
    // Closed without a word: the program runs.
    if told.read_exact(&mut errno).is_err() {
        return Ok(Spawned { pid, pidfd });
    }
    let _ =
        rustix::process::waitid(rustix::process::WaitId::PidFd(rustix::fd::AsFd::as_fd(&pidfd)), exited());
    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
}

fn exited() -> rustix::process::WaitIdOptions {
    rustix::process::WaitIdOptions::EXITED
}

/// `struct clone_args` of the kernel's `linux/sched.h`, up to the member that names a control group.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// fork(2) with a pidfd and a control group: 0 in the child, its number in the parent.
///
/// # Safety
/// The child may do only what is allowed after a fork of a process with threads.
unsafe fn clone3(birth: Birth<'_>, pidfd: &mut RawFd) -> io::Result<i32> {
    let mut arguments = CloneArguments {
        flags: CLONE_PIDFD,
        pidfd: std::ptr::from_mut(pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArguments::default()
    };
    if let Birth::Into(group) = birth {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: the kernel reads the structure, whose size it is told, and writes the descriptor it points to.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArguments>()) };
    i32::try_from(pid).ok().filter(|pid| *pid >= 0).ok_or_else(io::Error::last_os_error)
}

/// Filters of system calls that older container engines set know no clone3, and say so.
///
/// # Safety
/// As [`clone3`].
unsafe fn forked(birth: Birth<'_>, error: io::Error) -> io::Result<i32> {
    if error.raw_os_error() != Some(libc::ENOSYS) || matches!(birth, Birth::Into(_)) {
        return Err(error);
    }
    // SAFETY: the caller's.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// What a child needs until it is the program; all of it was made by the parent.
struct Child<'a> {
    path: &'a CStr,
    arguments: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    null: RawFd,
    stderr: RawFd,
    tell: RawFd,
    parent: u32,
}

impl Child<'_> {
    /// # Safety
    /// In the child of a fork only.
    unsafe fn become_program(&self) -> ! {
        // SAFETY: only async-signal-safe calls, on memory and descriptors that were there before the fork.
        unsafe {
            let errno = self.try_to().unwrap_or(libc::EIO).to_ne_bytes();
            libc::write(self.tell, errno.as_ptr().cast(), errno.len());
            libc::_exit(127)
        }
    }

    /// Returns only the number of the error that stood in the way.
    unsafe fn try_to(&self) -> Option<i32> {
        // SAFETY: as above.
        unsafe {
            let failed = || io::Error::last_os_error().raw_os_error();
            if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return failed();
            }
            // A parent that died before the line above would never be noticed.
            if u32::try_from(libc::getppid()) != Ok(self.parent) {
                return Some(libc::ECHILD);
            }
            for (from, to) in [(self.null, 0), (self.null, 1), (self.stderr, 2)] {
                if libc::dup2(from, to) < 0 {
                    return failed();
                }
            }
            // Rust ignores SIGPIPE, and what is ignored or blocked stays so across an exec.
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut none = std::mem::MaybeUninit::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
            libc::execve(self.path.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr());
            failed()
        }
    }
}

/// CPU time that all threads of another process have used, those that ended too, in nanoseconds.
///
/// # Errors
/// Where there is no such process.
pub fn process_cpu_ns(pid: u32) -> io::Result<u64> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: both calls write to the variable they are given and to nothing else.
    let failed = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    // SAFETY: as above.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    Ok(seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos.unwrap_or(0)))
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

    fn program(path: &str, arguments: &[&str]) -> Program {
        let arguments: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
        Program::new(std::path::Path::new(path), &arguments, &["WORD=said".into()]).unwrap()
    }

    fn wait(spawned: &Spawned) -> rustix::process::WaitIdStatus {
        use rustix::fd::AsFd as _;
        rustix::process::waitid(rustix::process::WaitId::PidFd(spawned.pidfd.as_fd()), exited())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_spawned_program_has_its_words_its_group_and_its_own_environment_only() {
        use std::os::fd::AsFd as _;
        let (mut said, stderr) = io::pipe().unwrap();
        let script = "tr '\\0' ' ' </proc/$$/environ >&2; cut -d' ' -f5 /proc/$$/stat >&2; echo $$ >&2";
        let spawned = spawn(&program("/bin/sh", &["-c", script]), Birth::Inherit, stderr.as_fd()).unwrap();
        drop(stderr);
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        let pid = spawned.pid.as_raw_nonzero();
        assert_eq!(text, format!("WORD=said {pid}\n{pid}\n"));
        assert_eq!(wait(&spawned).exit_status(), Some(0));
    }

    #[test]
    fn a_spawned_program_dies_with_its_thread() {
        use std::os::fd::AsFd as _;
        let (_held, stderr) = io::pipe().unwrap();
        let spawn = move || spawn(&program("/bin/sleep", &["1000"]), Birth::Inherit, stderr.as_fd()).unwrap();
        let spawned = std::thread::spawn(spawn).join().unwrap();
        assert_eq!(wait(&spawned).terminating_signal(), Some(9));
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        use std::os::fd::AsFd as _;
        let (_held, stderr) = io::pipe().unwrap();
        let error = spawn(&program("/no/agent", &[]), Birth::Inherit, stderr.as_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let folder = std::fs::File::open("/").unwrap();
        let error =
            spawn(&program("/bin/true", &[]), Birth::Into(folder.as_fd()), stderr.as_fd()).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::NotFound, "{error}");
        assert!(Program::new(std::path::Path::new("/a\0b"), &[], &[]).is_err());
    }

    #[test]
    fn a_cgroup_that_is_not_there_fails_the_spawn() {
        let mut command = Command::new("true");
        harden(&mut command, vec![PathBuf::from("/nonexistent/cgroup.procs")]);
        assert_eq!(command.spawn().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
