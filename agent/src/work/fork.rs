//! Processes: fork, exec of this program, exit, wait.

use rustix::io::retry_on_intr;
use rustix::process::{WaitOptions, waitpid};

use super::{Job, Pace, Refusal, Tally};
use crate::sys;

/// The argument with which the agent exits at once.
pub const EXIT_ARGUMENT: &str = "--exit";

const EXIT_ARGUMENT_C: &std::ffi::CStr = c"--exit";

pub(super) struct ForkExec {
    /// The program that children become.
    pub program: &'static std::ffi::CStr,
}

impl ForkExec {
    pub(super) fn new() -> Self {
        Self { program: c"/proc/self/exe" }
    }
}

impl Job for ForkExec {
    fn run(&mut self, pace: &mut Pace<'_>) -> Result<Tally, Refusal> {
        let mut tally = Tally::default();
        pace.start();
        loop {
            let pid = sys::fork_exec(self.program, EXIT_ARGUMENT_C)
                .map_err(|e| Refusal::io("make a process", e))?;
            let ended = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
            let code =
                ended.map_err(|e| Refusal::io("wait for a process", e))?.and_then(|(_, s)| s.exit_status());
            if code != Some(0) {
                let detail = format!("a process that was to exit at once ended with {code:?}");
                return Err(Refusal { name: "io", detail });
            }
            tally.units += 1;
            tally.checksum = tally.checksum.wrapping_add(pid.as_raw_nonzero().get().unsigned_abs().into());
            if !pace.goes_on() {
                return Ok(tally);
            }
        }
    }
}
