//! KVM or emulation? The kernel that will be measured races to user space under both, and the first one there is used.
//!
//! `/dev/kvm` proves nothing, nor does a small guest made for the purpose: there are hosts on which both work and no
//! stock kernel ever boots.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use serde::{Deserialize, Serialize};

use super::args::{Channels, QemuPlan, arguments};
use super::boot::listen;
use super::error::QemuError;
use super::process::{Launch, QemuProcess, nanos, wait_any};
use super::version::Binary;
use crate::environment::agent::StopSignal;
use crate::measure::clock::Instant;
use crate::measure::sample::Accelerator;

mod memory;
pub use memory::{Key, decide, forget, forget_all, known, lasts, remembered};

/// How long both together may take; emulation needs one to two seconds on a machine of today.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The device that KVM is used through.
const KVM_DEVICE: &str = "/dev/kvm";

/// How one accelerator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "lane")]
pub enum Lane {
    /// The first instruction of user space after this many seconds.
    Arrived {
        /// From the call to spawn QEMU.
        seconds: f64,
    },
    /// It did not run, or it ended before it got there.
    Failed {
        /// Why.
        reason: String,
    },
    /// Still under way when the race was over.
    Outrun {
        /// How long it had had.
        seconds: f64,
    },
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Arrived { seconds } => write!(f, "reached user space in {seconds:.2} s"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Outrun { seconds } => write!(f, "had not reached user space after {seconds:.2} s"),
        }
    }
}

/// What came of a race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What is to be used.
    pub accelerator: Accelerator,
    /// How KVM did.
    pub kvm: Lane,
    /// How emulation did.
    pub tcg: Lane,
    /// When it was decided.
    pub decided_at: jiff::Timestamp,
}

impl Decision {
    /// For a person: who won, by how much, when.
    #[must_use]
    pub fn explain(&self) -> String {
        let winner = if self.accelerator == Accelerator::Kvm { "KVM" } else { "emulation (TCG)" };
        let Self { kvm, tcg, decided_at, .. } = self;
        format!(
            "{winner} is used, decided {decided_at:.0}: with the kernel to be measured, KVM {kvm}; emulation {tcg}"
        )
    }
}

/// Who is to be used: KVM only if it arrived, and not after emulation.
///
/// # Errors
/// [`QemuError::Ended`] or [`QemuError::Late`] where neither arrived.
pub fn judge(kvm: Lane, tcg: Lane) -> Result<Decision, QemuError> {
    let accelerator = match (&kvm, &tcg) {
        (Lane::Arrived { seconds: kvm }, Lane::Arrived { seconds: tcg }) if kvm > tcg => Accelerator::Tcg,
        (Lane::Arrived { .. }, _) => Accelerator::Kvm,
        (_, Lane::Arrived { .. }) => Accelerator::Tcg,
        (Lane::Failed { .. }, Lane::Failed { .. }) => {
            return Err(QemuError::Ended { during: "racing to user space", detail: both(&kvm, &tcg) });
        }
        _ => {
            return Err(QemuError::Late {
                what: format!("the race to user space ({})", both(&kvm, &tcg)),
                after: DEADLINE,
            });
        }
    };
    Ok(Decision { accelerator, kvm, tcg, decided_at: jiff::Timestamp::now() })
}

fn both(kvm: &Lane, tcg: &Lane) -> String {
    format!("KVM {kvm}; emulation {tcg}")
}

/// What races: the guest that will be measured, without its disks.
#[derive(Debug, Clone, Copy)]
pub struct Contest<'a> {
    /// The emulator.
    pub qemu: &'a Binary,
    /// Board, kernel, initramfs and command line; the accelerator is overwritten, channels and disks left out.
    pub plan: &'a QemuPlan,
    /// What emulation alone gets at the end of its command line.
    pub emulation_words: &'a str,
    /// The run's id.
    pub run_id: &'a str,
    /// A folder for sockets.
    pub scratch: &'a Path,
    /// Ends the race early.
    pub stop: &'a StopSignal,
}

/// Runs the race. Both guests are dead and reaped when it returns.
///
/// # Errors
/// Where neither reached user space, or the run is to stop.
pub fn run(contest: &Contest<'_>) -> Result<Decision, QemuError> {
    let folder = tempfile::Builder::new().prefix("race-").tempdir_in(contest.scratch);
    let folder = folder.map_err(QemuError::io("create a folder in", contest.scratch))?;
    let mut tcg = Runner::start(contest, Accelerator::Tcg, folder.path())?;
    let mut kvm = match kvm_opens() {
        Ok(()) => Runner::start(contest, Accelerator::Kvm, folder.path())?,
        Err(reason) => Runner::absent(reason),
    };
    let until = Instant(Instant::now().0 + nanos(DEADLINE));
    while kvm.lane.is_none() && tcg.lane.is_none() || one_failed(&kvm, &tcg) {
        let mut fds = vec![PollFd::from_borrowed_fd(contest.stop.fd(), PollFlags::IN)];
        fds.extend([&kvm, &tcg].into_iter().flat_map(Runner::watched));
        if !wait_any(&mut fds, until)? {
            break;
        }
        if !fds[0].revents().is_empty() {
            return Err(QemuError::Interrupted("KVM and emulation raced"));
        }
        // KVM first: at a tie it is preferred.
        kvm.advance()?;
        tcg.advance()?;
    }
    judge(kvm.finish(), tcg.finish())
}

/// Is one out of the race and the other still in it?
fn one_failed(a: &Runner, b: &Runner) -> bool {
    let failed = |lane: &Option<Lane>| matches!(lane, Some(Lane::Failed { .. }));
    (failed(&a.lane) && b.lane.is_none()) || (failed(&b.lane) && a.lane.is_none())
}

/// Can KVM's device be opened?
///
/// # Errors
/// Why not, with what mends it.
pub fn kvm_opens() -> Result<(), String> {
    match OpenOptions::new().read(true).write(true).open(KVM_DEVICE) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(format!(
            "{KVM_DEVICE} is not there; switch virtualisation on in the firmware, then: sudo modprobe kvm_intel || sudo modprobe kvm_amd"
        )),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => Err(format!(
            "{KVM_DEVICE} may not be opened; type: sudo usermod -aG kvm \"$USER\", and log in again"
        )),
        Err(e) => Err(format!("{KVM_DEVICE}: {e}")),
    }
}

/// One guest in the race.
struct Runner {
    process: Option<QemuProcess>,
    listener: Option<UnixListener>,
    stream: Option<UnixStream>,
    lane: Option<Lane>,
}

impl Runner {
    fn absent(reason: String) -> Self {
        Self { process: None, listener: None, stream: None, lane: Some(Lane::Failed { reason }) }
    }

    fn start(contest: &Contest<'_>, accelerator: Accelerator, folder: &Path) -> Result<Self, QemuError> {
        let socket = folder.join(if accelerator == Accelerator::Kvm { "kvm" } else { "tcg" });
        let listener = listen(&socket)?;
        let mut plan = contest.plan.clone();
        plan.board.accelerator = accelerator;
        plan.disks.clear();
        if accelerator == Accelerator::Tcg {
            plan.append.push_str(contest.emulation_words);
        }
        plan.channels = Channels { first_instruction: Some(socket), ..Channels::default() };
        let launch = Launch {
            program: contest.qemu.path.clone(),
            arguments: arguments(&plan),
            run_id: contest.run_id.to_owned(),
            cgroup_procs: Vec::new(),
        };
        let process = QemuProcess::spawn(&launch)?;
        Ok(Self { process: Some(process), listener: Some(listener), stream: None, lane: None })
    }

    /// What its next step shows itself on.
    fn watched(&self) -> Vec<PollFd<'_>> {
        if self.lane.is_some() {
            return Vec::new();
        }
        let next = self.stream.as_ref().map(AsFd::as_fd).or(self.listener.as_ref().map(AsFd::as_fd));
        let ended = self.process.as_ref().map(QemuProcess::ended);
        next.into_iter().chain(ended).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect()
    }

    fn advance(&mut self) -> Result<(), QemuError> {
        if self.lane.is_some() {
            return Ok(());
        }
        if self.listener.as_ref().is_some_and(ready) {
            let accepted = self.listener.take().map(|listener| listener.accept()).transpose();
            self.stream =
                accepted.map_err(QemuError::io("accept on", "the debug port"))?.map(|(stream, _)| stream);
        }
        let seconds = self.seconds();
        if let Some(stream) = self.stream.as_ref().filter(|stream| ready(stream)) {
            let mut byte = [0];
            let read = std::io::Read::read(&mut &*stream, &mut byte);
            self.lane = match read {
                Ok(1) => Some(Lane::Arrived { seconds }),
                _ => self.failure(),
            };
        } else if self.process.as_ref().is_some_and(|process| ready(process.ended())) {
            self.lane = self.failure();
        }
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.process.as_ref().map_or(0.0, |process| Instant::now().since(process.called).as_secs_f64())
    }

    fn failure(&mut self) -> Option<Lane> {
        let process = self.process.as_mut()?;
        process.kill();
        Some(Lane::Failed { reason: format!("QEMU ended: {}", process.last_words()) })
    }

    /// Its result; the guest is killed and reaped.
    fn finish(mut self) -> Lane {
        let seconds = self.seconds();
        if let Some(process) = &mut self.process {
            process.kill();
        }
        self.lane.take().unwrap_or(Lane::Outrun { seconds })
    }
}

fn ready(fd: impl AsFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    wait_any(&mut fds, Instant(0)).unwrap_or(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn arrived(seconds: f64) -> Lane {
        Lane::Arrived { seconds }
    }

    fn failed() -> Lane {
        Lane::Failed { reason: "no device".into() }
    }

    #[test]
    fn kvm_is_used_only_if_it_arrives_and_not_after_emulation() {
        let winner = |kvm, tcg| judge(kvm, tcg).map(|decision| decision.accelerator).ok();
        let outrun = || Lane::Outrun { seconds: 2.0 };
        assert_eq!(winner(arrived(0.2), outrun()), Some(Accelerator::Kvm));
        assert_eq!(winner(arrived(0.2), failed()), Some(Accelerator::Kvm));
        assert_eq!(winner(arrived(1.0), arrived(1.1)), Some(Accelerator::Kvm));
        assert_eq!(winner(arrived(1.2), arrived(1.1)), Some(Accelerator::Tcg));
        assert_eq!(winner(outrun(), arrived(1.5)), Some(Accelerator::Tcg));
        assert_eq!(winner(failed(), arrived(1.5)), Some(Accelerator::Tcg));
        for neither in [(failed(), failed()), (outrun(), outrun()), (failed(), outrun())] {
            assert_eq!(winner(neither.0, neither.1), None);
        }
    }

    #[test]
    fn an_explanation_has_both_times_and_the_reason() {
        let text = judge(failed(), arrived(1.5)).unwrap().explain();
        assert!(text.starts_with("emulation (TCG) is used, decided 20"), "{text}");
        assert!(text.contains("no device") && text.contains("1.50 s"), "{text}");
    }
}
