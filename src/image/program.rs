//! Runs the few programs of others that make images: marked as the run's, ended with it, and by no signal of the terminal.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::errand::{self, Errand};
use super::error::ImageError;
use crate::measure::clock::Instant;
use crate::wait;

/// None needs as long, but over a very slow network.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// To put its things in order, a program that is to end has this long.
const GRACE: Duration = Duration::from_secs(3);

/// A program, the Debian package that has it, and what to do when it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    pub(super) next: &'static str,
}

impl Program {
    /// Runs it in `folder` in the C locale and returns what it wrote to standard output. A stop of the run whose
    /// [`Errand`] this is ends it, with all its children.
    pub(super) fn run(
        &self,
        arguments: &[OsString],
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Result<String, ImageError> {
        self.run_within(LONGEST, arguments, folder, environment)
    }

    fn run_within(
        &self,
        longest: Duration,
        arguments: &[OsString],
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Result<String, ImageError> {
        let line = || line(self.name, arguments);
        let doing = format!("`{}` ran", line());
        errand::check(&doing)?;
        let errand = errand::current();
        let mut command = Command::new(self.name);
        command.args(arguments).current_dir(folder).env("LC_ALL", "C").envs(environment.iter().copied());
        // Administrators' programs live in sbin, which is not on everybody's path.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        if let Some(errand) = &errand {
            command.env(errand.mark.0, &errand.mark.1);
        }
        crate::sys::harden(&mut command, Vec::new());
        let failed = |error| self.not_started(error);
        // Files, not pipes: a child that lives on keeps nobody waiting for the end of what was said.
        let (stdout, stderr) = (said().map_err(failed)?, said().map_err(failed)?);
        let copy = |file: &File| file.try_clone().map(Stdio::from).map_err(failed);
        command.stdin(Stdio::null()).stdout(copy(&stdout)?).stderr(copy(&stderr)?);
        let child = command.spawn().map_err(failed)?;
        let ended = wait_for(child, errand.as_ref(), longest).map_err(failed)?;
        // Whatever else it says, it was the stop that ended it.
        errand::check(&doing)?;
        let Some(status) = ended else {
            return Err(ImageError::ProgramLate { command: line(), after: longest, next: self.next });
        };
        if status.success() {
            return Ok(String::from_utf8_lossy(&whole(&stdout).map_err(failed)?).into_owned());
        }
        Err(ImageError::ProgramFailed {
            command: line(),
            said: last_lines(&whole(&stderr).map_err(failed)?, &status.to_string()),
            next: self.next,
        })
    }

    fn not_started(&self, error: std::io::Error) -> ImageError {
        if error.kind() == std::io::ErrorKind::NotFound {
            return ImageError::ProgramMissing { program: self.name, package: self.package };
        }
        ImageError::Io { doing: "run", path: self.name.into(), source: error }
    }
}

/// For what a program says.
fn said() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("said", MemfdFlags::CLOEXEC).map(File::from)?)
}

fn whole(said: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(said.metadata()?.len()).unwrap_or(0)];
    said.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// How it ended by itself; `None` where it had to be ended.
fn wait_for(mut child: Child, errand: Option<&Errand>, longest: Duration) -> io::Result<Option<ExitStatus>> {
    let pid = Pid::from_child(&child);
    let watched = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from).and_then(|pidfd| {
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        fds.extend(errand.map(|errand| PollFd::from_borrowed_fd(errand.stop.fd(), PollFlags::IN)));
        wait::any_readable(&mut fds, Instant::now().after(longest))?;
        Ok((!fds[0].revents().is_empty(), pidfd))
    });
    match watched {
        Ok((true, _)) => child.wait().map(Some),
        Ok((false, pidfd)) => end(&mut child, pid, Some(&pidfd)).map(|()| None),
        Err(error) => end(&mut child, pid, None).and(Err(error)),
    }
}

/// Asks it and its children to end, kills what is left of them, and reaps it.
fn end(child: &mut Child, pid: Pid, pidfd: Option<&OwnedFd>) -> io::Result<()> {
    // Not reaped yet, so the group is still its own; an error means that it has just ended.
    if let Some(pidfd) = pidfd {
        let _ = kill_process_group(pid, Signal::TERM);
        let _ = wait::any_readable(&mut [PollFd::new(pidfd, PollFlags::IN)], Instant::now().after(GRACE));
    }
    let _ = kill_process_group(pid, Signal::KILL);
    child.wait().map(drop)
}

fn line(name: &str, arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    format!("{name} {}", words.join(" "))
}

/// The last lines a person needs, or `otherwise` where nothing was written.
fn last_lines(written: &[u8], otherwise: &str) -> String {
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(4)..].join("; ");
    if tail.is_empty() { otherwise.to_owned() } else { tail }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wait::StopSignal;

    #[test]
    fn a_missing_program_names_its_package() {
        let program = Program { name: "isocost-no-such-program", package: "some-package", next: "" };
        let error = program.run(&[], Path::new("/"), &[]).unwrap_err();
        assert!(error.to_string().contains("sudo apt-get install some-package"), "{error}");
    }

    const SHELL: Program = Program { name: "sh", package: "dash", next: "look at it" };

    fn shell(longest: Duration, script: &str) -> Result<String, ImageError> {
        SHELL.run_within(longest, &["-c".into(), script.into()], Path::new("/"), &[])
    }

    #[test]
    fn it_leads_a_group_of_its_own_and_carries_the_run() {
        let errand =
            Errand { mark: ("ISOCOST_TEST", "test-errand".into()), stop: StopSignal::new().unwrap() };
        let script = "cut -d' ' -f5 /proc/$$/stat; echo $$ $ISOCOST_TEST";
        let text = errand.carry_out(|| shell(LONGEST, script)).unwrap();
        let (group, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, format!("{group} test-errand\n"));
        assert!(!shell(LONGEST, "echo $ISOCOST_TEST").unwrap().contains("test-errand"), "the errand is over");
    }

    #[test]
    fn a_stop_ends_it_with_its_children() {
        let errand =
            Errand { mark: ("ISOCOST_TEST", "test-errand-stop".into()), stop: StopSignal::new().unwrap() };
        let stop = errand.stop.clone();
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("child");
        let script = format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", here.display());
        let running = std::thread::spawn(move || errand.carry_out(|| shell(LONGEST, &script)));
        while !here.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.raise();
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, ImageError::Interrupted { .. }), "{error}");
        let child = std::fs::read_to_string(here).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        // It may be a zombie until whoever inherited it waits for it.
        let lives = || stat().is_ok_and(|stat| !stat.contains(") Z "));
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while lives() {
            assert!(std::time::Instant::now() < until, "{:?}", stat());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn one_that_does_not_end_is_late_and_one_whose_child_lives_on_is_not() {
        let error = shell(Duration::from_millis(50), "sleep 1000").unwrap_err();
        assert!(matches!(error, ImageError::ProgramLate { .. }), "{error}");
        let left = shell(LONGEST, "setsid sleep 1000 & echo $!").unwrap();
        let left = left.trim().parse().ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    #[test]
    fn a_failure_shows_what_was_said() {
        let error = shell(LONGEST, "echo no room >&2; exit 3");
        let text = error.unwrap_err().to_string();
        assert!(text.contains("no room") && text.contains("look at it"), "{text}");
    }
}
