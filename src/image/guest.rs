//! What a guest of each machine type is made of, from `vm-images/guest.toml`.

use serde::Deserialize;

use super::error::ImageError;
use super::initramfs::{ExtraFile, InitramfsSpec, build};
use super::kernel::Kernel;
use super::modules::plan;
use crate::suite::Machine;

const TABLE: &str = include_str!("../../vm-images/guest.toml");

/// What one machine type needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestParts {
    /// What follows the machine type in QEMU's `-machine`.
    pub machine_options: Vec<String>,
    /// Modules of the agent's channel.
    pub channel: Vec<String>,
    /// Modules of the disk.
    pub disk: Vec<String>,
    /// Words of the kernel's command line.
    pub boot_line: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    microvm: GuestParts,
    q35: GuestParts,
    pc: GuestParts,
}

/// What `machine` needs.
///
/// # Errors
/// [`ImageError::Malformed`] where the table the program was built with is not valid.
pub fn parts(machine: Machine) -> Result<GuestParts, ImageError> {
    let table: Table = toml::from_str(TABLE).map_err(|e| ImageError::malformed("vm-images/guest.toml", e))?;
    Ok(match machine {
        Machine::Microvm => table.microvm,
        Machine::Q35 => table.q35,
        Machine::Pc => table.pc,
    })
}

/// The kernel's command line for `machine`, without what is the caller's own (console, agent). `tsc_khz` is for
/// emulated machines: see [`super::tsc`].
///
/// # Errors
/// As [`parts`].
pub fn boot_line(machine: Machine, tsc_khz: Option<u64>) -> Result<Vec<String>, ImageError> {
    let mut words = parts(machine)?.boot_line;
    words.extend(tsc_khz.map(|khz| format!("tsc_early_khz={khz}")));
    Ok(words)
}

/// The initramfs with which `machine` boots `kernel` to the agent.
///
/// # Errors
/// As [`plan`] and [`build`] have them.
pub fn initramfs(
    kernel: &Kernel,
    machine: Machine,
    agent: &[u8],
    extra: Vec<ExtraFile>,
) -> Result<Vec<u8>, ImageError> {
    let parts = parts(machine)?;
    let planned = |names: &[String]| plan(kernel, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let (channel, disk) = (planned(&parts.channel)?, planned(&parts.disk)?);
    build(&InitramfsSpec { agent, channel, disk, extra })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_valid_for_every_machine() {
        for machine in [Machine::Microvm, Machine::Q35, Machine::Pc] {
            let parts = parts(machine).unwrap();
            assert!(parts.channel.iter().any(|name| name == "virtio_console"));
            assert!(parts.disk.iter().any(|name| name == "virtio_blk"));
        }
    }

    #[test]
    fn the_boot_line_says_how_fast_the_counter_runs_where_that_is_known() {
        let line = boot_line(Machine::Microvm, Some(2_596_141)).unwrap();
        assert_eq!(line.last().map(String::as_str), Some("tsc_early_khz=2596141"));
        assert_eq!(boot_line(Machine::Microvm, None).unwrap(), parts(Machine::Microvm).unwrap().boot_line);
    }
}
