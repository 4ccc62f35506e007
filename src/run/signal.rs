//! Signals and panics: the first signal ends the run cleanly, the second at once.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::environment::agent::StopSignal;

/// While this lives, those of SIGINT, SIGTERM and SIGHUP that were not ignored raise the stop signal. Dropping it ends its thread; the handlers then
/// do nothing more.
#[derive(Debug)]
pub struct Watching {
    handle: Handle,
    /// 0: none yet.
    seen: Arc<AtomicI32>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// These end a run.
const WATCHED: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Was the program started with this signal ignored, as `nohup` does with SIGHUP and a script's `&` with SIGINT? Who
/// does that wants the run to go on. `status` is `/proc/self/status`.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}

/// Begins to watch. A signal that is ignored when this is called stays so. What happens at the first signal is told to the user by `tell`, which knows what else is on the
/// terminal.
///
/// # Errors
/// Where the system gives no handler or no thread.
pub fn watch(stop: StopSignal, tell: impl Fn(&str) + Send + 'static) -> std::io::Result<Watching> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut signals = Signals::new(WATCHED.into_iter().filter(|signal| !is_ignored(&status, *signal)))?;
    let handle = signals.handle();
    let seen = Arc::new(AtomicI32::new(0));
    let first = seen.clone();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if stop.is_raised() {
                give_up(signal);
            }
            first.store(signal, Ordering::SeqCst);
            stop.raise();
            tell("stopping: what runs is removed first; once more to leave at once");
        }
    })?;
    Ok(Watching { handle, seen, thread: Some(thread) })
}

impl Watching {
    /// The signal that came, if one did.
    #[must_use]
    pub fn seen(&self) -> Option<i32> {
        Some(self.seen.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The user asked twice. Samples are on disk; what runs still is found by its label later.
#[allow(clippy::exit)]
fn give_up(signal: i32) -> ! {
    say(
        "left at once: containers, virtual machines and folders of this run may be left; `isocost clean` removes them",
    );
    std::process::exit(128 + signal)
}

/// Standard error may be closed; there is nobody else to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "isocost: {text}");
}

/// Has a panic say where the samples are, after the usual message.
pub fn name_folder_on_panic(folder: PathBuf) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        say(&format!(
            "this is a fault in isocost. Samples taken so far are in {}; `isocost report` reads them, \
             `isocost clean` removes what may be left running",
            folder.display()
        ));
    }));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_signal_raises_the_stop_and_watching_can_end() {
        let stop = StopSignal::new().unwrap();
        let (told, tells) = std::sync::mpsc::channel();
        let watching = watch(stop.clone(), move |text| told.send(text.to_owned()).unwrap()).unwrap();
        assert_eq!(watching.seen(), None);
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        assert!(stop.raised_within(Duration::from_secs(10)));
        assert!(tells.recv_timeout(Duration::from_secs(10)).unwrap().starts_with("stopping"));
        assert_eq!(watching.seen(), Some(SIGTERM));
        drop(watching);
    }

    #[test]
    fn what_nohup_ignores_stays_ignored() {
        let status =
            "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004002\n";
        assert_eq!(WATCHED.map(|signal| is_ignored(status, signal)), [false, false, true]);
        let background = "SigIgn:\t0000000000000006\n";
        assert_eq!(WATCHED.map(|signal| is_ignored(background, signal)), [true, false, false]);
        for odd in ["", "SigIgn:\n", "SigIgn:\tno\n", "SigIgn:\t-1\n", "SigIgn:\t11111111111111111\n"] {
            assert_eq!(WATCHED.map(|signal| is_ignored(odd, signal)), [false; 3], "{odd:?}");
        }
        // As the shell's `trap ''` does it, seen by a child.
        let mut child = std::process::Command::new("sh");
        let output = child.args(["-c", "trap '' HUP; exec cat /proc/self/status"]).output().unwrap();
        assert!(is_ignored(&String::from_utf8(output.stdout).unwrap(), SIGHUP));
    }
}
