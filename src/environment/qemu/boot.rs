//! One start: sockets, spawn, the wait for Hello, and the spans in between.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::args::{Channels, QemuPlan, arguments};
use super::error::QemuError;
use super::process::{Launch, QemuProcess, nanos};
use super::qmp::Monitor;
use crate::environment::agent::{AgentConnection, AgentListener, StopSignal, Watch};
use crate::environment::cpus;
use crate::environment::tap::Tap;
use crate::measure::clock::Instant;
use crate::measure::host::CpuList;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName};
use crate::measure::span::Span;

/// For one command of the monitor.
const MONITOR_DEADLINE: Duration = Duration::from_secs(10);

/// From a channel's end to QEMU's own: milliseconds, more where the host is busy.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How Linux begins what it says of itself when it cannot go on, or not well.
const ALARMS: [&str; 8] = [
    "Kernel panic",
    "BUG:",
    "Oops:",
    "Unable to handle kernel",
    "rcu: INFO:",
    "soft lockup",
    "blocked for more than",
    "Out of memory",
];

/// A stamp that is under way when the Hello has come is there long before this.
const STAMP_PATIENCE: Duration = Duration::from_millis(200);

/// Binds a socket that QEMU will connect to.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, QemuError> {
    UnixListener::bind(path).map_err(QemuError::io("make the socket", path))
}

/// A guest that has said Hello. Fields drop in this order: QEMU first, then what reads from it.
pub(crate) struct Started {
    /// QEMU.
    pub process: QemuProcess,
    /// The agent.
    pub agent: AgentConnection,
    /// QEMU's monitor.
    pub monitor: Monitor,
    /// The guest's serial console.
    pub console: Tap,
    /// `ready` and its parts.
    pub span: Span,
}

/// What a start needs.
pub(crate) struct Start<'a> {
    pub program: &'a Path,
    pub plan: &'a QemuPlan,
    pub run_id: &'a str,
    /// Where QEMU and its virtual CPUs run.
    pub cpus: &'a CpuList,
    pub folder: &'a Path,
    pub deadline: Duration,
    pub stop: &'a StopSignal,
}

/// Starts a guest and waits for its Hello.
///
/// # Errors
/// By name; QEMU is dead and reaped then.
pub(crate) fn start(start: &Start<'_>) -> Result<Started, Failure> {
    let at = |name: &str| start.folder.join(name);
    let channels = Channels::below(start.folder);
    let fails = |error: QemuError| error.failure();
    let agent = AgentListener::bind(&at("agent"))
        .map_err(QemuError::io("make the socket", at("agent")))
        .map_err(fails)?;
    let [first, firmware, monitor, console] =
        ["first", "firmware", "monitor", "console"].map(|name| listen(&at(name)));
    let (first, firmware) = (first.map_err(fails)?, firmware.map_err(fails)?);
    let (monitor, console) = (monitor.map_err(fails)?, console.map_err(fails)?);
    let launch = Launch {
        program: start.program.to_owned(),
        arguments: arguments(&QemuPlan { channels, ..start.plan.clone() }),
        run_id: start.run_id.to_owned(),
        cgroup_procs: Vec::new(),
    };

    let spawned = cpus::during(start.cpus, || QemuProcess::spawn(&launch));
    let spawned = spawned.map_err(QemuError::io("set the CPUs of", start.program)).map_err(fails)?;
    let mut process = spawned.map_err(fails)?;
    let tap = |listener| process.ended_owned().map(|ended| Tap::connection(listener, ended)).map_err(fails);
    let (first, firmware, console) = (tap(first)?, tap(firmware)?, tap(console)?);
    let until = Instant(process.called.0.saturating_add(nanos(start.deadline)));
    let watch = Watch { stop: start.stop, ended: Some(process.ended()) };
    let agent = match agent.accept(watch, until) {
        Ok(agent) => agent,
        Err(failure) => return Err(with_last_words(failure, &mut process, &console)),
    };
    let span = spans(process.called, &first, &firmware, agent.ready_at())?;
    let mut monitor = Monitor::accept(&monitor, process.ended(), MONITOR_DEADLINE).map_err(fails)?;
    accelerator_is(&mut monitor, start.plan.board.accelerator).map_err(fails)?;
    Ok(Started { process, agent, monitor, console, span })
}

/// QEMU itself must say that it uses what the samples will be labelled with.
fn accelerator_is(monitor: &mut Monitor, meant: Accelerator) -> Result<(), QemuError> {
    let kvm = monitor.kvm_enabled(MONITOR_DEADLINE)?;
    if kvm == (meant == Accelerator::Kvm) { Ok(()) } else { Err(QemuError::OtherAccelerator(kvm)) }
}

/// Adds how QEMU ended and what the guest last said.
pub(crate) fn with_last_words(failure: Failure, process: &mut QemuProcess, console: &Tap) -> Failure {
    // The agent's channel and the console close as QEMU ends, a moment before it has.
    let hung_up = failure.name == FailureName::ExitedEarly;
    if hung_up && process.wait(LAST_WORDS, None).is_ok() {
        console.ends_within(LAST_WORDS);
    }
    let qemu = process.last_words();
    let guest = last_said(&console.lines());
    Failure { name: failure.name, detail: format!("{}; QEMU: {qemu}; guest: {guest}", failure.detail) }
}

/// What the kernel complained of, else the end of what it said: after a panic that is registers.
fn last_said(lines: &[String]) -> String {
    let alarms = lines.iter().filter(|line| ALARMS.iter().any(|alarm| line.contains(alarm)));
    let alarms: Vec<&str> = alarms.map(String::as_str).collect();
    if !alarms.is_empty() {
        return format!("its kernel said: {}", alarms[alarms.len().saturating_sub(3)..].join(" | "));
    }
    match lines {
        [] => "nothing on its console".to_owned(),
        lines => format!("the end of its console: {}", lines[lines.len().saturating_sub(6)..].join(" | ")),
    }
}

fn spans(called: Instant, first: &Tap, firmware: &Tap, ready: Instant) -> Result<Span, Failure> {
    let Some(first) = first.first(STAMP_PATIENCE) else {
        let detail = "the agent said Hello without its first instruction's byte on the debug port";
        return Err(Failure { name: FailureName::ClockVoid, detail: detail.into() });
    };
    let firmware = firmware.first(Duration::ZERO).zip(firmware.last());
    let span = phases(called, firmware, first, ready);
    span.check().map_err(|e| Failure { name: FailureName::ClockVoid, detail: e.to_string() })?;
    Ok(span)
}

/// The phases of a start; a firmware that says nothing leaves one phase, `boot`, up to the first instruction.
fn phases(called: Instant, firmware: Option<(Instant, Instant)>, first: Instant, ready: Instant) -> Span {
    let marks = match firmware {
        Some((begun, done)) => {
            vec![("vmm", begun), ("firmware", done), ("kernel", first), ("agent", ready)]
        }
        None => vec![("boot", first), ("agent", ready)],
    };
    Span::from_marks("ready", called, &marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(span: &Span) -> Vec<&str> {
        span.children.iter().map(|child| child.name.as_str()).collect()
    }

    #[test]
    fn phases_sum_with_and_without_a_firmware_that_speaks() {
        let spoken = phases(Instant(1), Some((Instant(3), Instant(7))), Instant(20), Instant(31));
        assert_eq!(names(&spoken), ["vmm", "firmware", "kernel", "agent"]);
        let silent = phases(Instant(1), None, Instant(20), Instant(31));
        assert_eq!(names(&silent), ["boot", "agent"]);
        for span in [spoken, silent] {
            assert_eq!((span.check(), span.ns()), (Ok(()), 30));
        }
    }

    #[test]
    fn of_a_panic_its_name_is_told_and_not_the_registers_after_it() {
        let lines = |text: &[&str]| text.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let mut said = lines(&[
            "[ 0.8] virtio_blk: found",
            "[ 0.9] Kernel panic - not syncing: Attempted to kill init!",
        ]);
        said.extend((0..9).map(|i| format!("[ 0.9] R{i}: 0000")));
        assert_eq!(
            last_said(&said),
            "its kernel said: [ 0.9] Kernel panic - not syncing: Attempted to kill init!"
        );
        said.remove(1);
        assert!(last_said(&said).starts_with("the end of its console: [ 0.9] R3: 0000 | "));
        assert_eq!(last_said(&[]), "nothing on its console");
    }

    #[test]
    fn a_firmware_that_speaks_after_the_kernel_is_void() {
        let span = phases(Instant(1), Some((Instant(3), Instant(25))), Instant(20), Instant(31));
        assert!(span.check().is_err());
    }
}
