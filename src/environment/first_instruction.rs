//! When an agent executed its first instruction, on the host's clock.

use std::time::Duration;

use super::agent::AgentConnection;
use crate::measure::clock::Instant;
use crate::measure::sample::{Failure, FailureName};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Round trips to another kernel's clock: the shortest is kept, and 64 take a few milliseconds.
const ROUNDS: u32 = 64;

const DEADLINE: Duration = Duration::from_secs(30);

/// A moment, and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub at: Instant,
    pub uncertainty_ns: u64,
}

/// The stamp of an agent that must share this kernel, and so its clock.
///
/// # Errors
/// `ClockVoid` where it does not.
pub(crate) fn on_this_kernel(agent: &AgentConnection) -> Result<Stamp, Failure> {
    let hello = agent.hello();
    match shared(&hello.boot_id, host_boot_id().as_deref()) {
        true => Ok(Stamp { at: Instant(hello.first_instruction_ns), uncertainty_ns: 0 }),
        false => Err(Failure {
            name: FailureName::ClockVoid,
            detail: format!(
                "the agent does not run on this kernel by its boot id ({:?}), so its clock is another",
                hello.boot_id
            ),
        }),
    }
}

/// The same for an agent whose kernel may be another one: then mapped by the offset of its clock.
///
/// # Errors
/// By name.
pub(crate) fn mapped(agent: &mut AgentConnection) -> Result<Stamp, Failure> {
    if let Ok(stamp) = on_this_kernel(agent) {
        return Ok(stamp);
    }
    let offset = agent.clock_offset(ROUNDS, DEADLINE)?;
    let inside = agent.hello().first_instruction_ns;
    let at = u64::try_from(i128::from(inside) + offset.offset_ns).map_err(|_| Failure {
        name: FailureName::ClockVoid,
        detail: format!("{inside} ns inside would be before the host's clock began"),
    })?;
    Ok(Stamp { at: Instant(at), uncertainty_ns: offset.uncertainty_ns })
}

fn host_boot_id() -> Option<String> {
    std::fs::read_to_string(BOOT_ID).ok().map(|id| id.trim().to_owned())
}

/// What could not be read proves nothing.
fn shared(inside: &str, host: Option<&str>) -> bool {
    let inside = inside.trim();
    !inside.is_empty() && host == Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_boot_id_is_one_clock_and_none_proves_nothing() {
        let host = host_boot_id();
        assert!(host.as_deref().is_some_and(|id| shared(id, host.as_deref())));
        assert!(!shared("", Some("")) && !shared("", None) && !shared("a", Some("b")));
    }
}
