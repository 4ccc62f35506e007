//! A guest of ours as its first program finds it: file systems and modules to be brought up, a port to the harness, a layer
//! that can be written to, and an end that leaves the disk in order; or a whole system on a disk, to which it hands over.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::sync;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::link::Link;
use crate::sys;

mod events;
mod system;

use events::Events;
use system::System;

/// Where the first byte goes: the host stamps its arrival.
const FIRST_INSTRUCTION_PORT: u16 = 0xe9;

/// The name of the harness's virtio-serial port.
const PORT: &str = "isocost.agent";

/// What to load, a path a line, in order; a line that is no path separates the channel's from the disk's.
const MODULES: &str = "/isocost/modules";

/// Where the writable layer is mounted.
pub const LAYER: &str = "/layer";

/// The words of the kernel's command line that are for this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    /// The block device of the writable layer.
    layer: Option<PathBuf>,
    /// A whole system that takes over.
    system: Option<System>,
    /// How the machine is ended.
    off: Option<Off>,
}

/// How the machine is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Off {
    Reboot,
    PowerOff,
}

/// A guest of ours.
#[derive(Debug)]
pub struct Guest {
    layer: Option<PathBuf>,
    system: Option<System>,
    off: Off,
}

impl Guest {
    /// Says by a byte that the first program runs, before anything else; then looks where it is.
    ///
    /// # Errors
    /// Where this is not a guest of ours: any other machine that finds this as its first program keeps its power.
    pub fn begin() -> Result<Self, String> {
        // A machine without that port ignores it.
        let _ = sys::write_port(FIRST_INSTRUCTION_PORT, b'!');
        early_mounts()?;
        let words = words(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default());
        let none = "the kernel's command line has no isocost.off=: this is no guest of isocost";
        Ok(Self { layer: words.layer, system: words.system, off: words.off.ok_or(none)? })
    }

    /// Loads the modules, mounts the layer and opens the port to the harness. The layer comes first: in a container,
    /// too, it is there before the first word. Where a whole system was asked for, it takes over instead.
    ///
    /// # Errors
    /// What could not be loaded, mounted or opened.
    pub fn bring_up(&self) -> Result<Link, String> {
        let events = Events::listen().map_err(|e| format!("cannot listen to the kernel's events: {e}"))?;
        load_modules()?;
        if let Some(system) = &self.system {
            match system.enter(&events)? {}
        }
        if let Some(device) = &self.layer {
            mount_layer(&events, device)?;
        }
        let port = events.wait_for(port)?;
        let opened = File::options().read(true).write(true).open(&port);
        let opened = opened.map_err(|e| format!("cannot open {}: {e}", port.display()))?;
        Ok(OwnedFd::from(opened).into())
    }

    /// What was written is on the disk, and the file system is marked clean.
    ///
    /// # Errors
    /// Where the layer is still in use: at least nothing more is written to it then.
    pub fn unmount_layer(&self) -> Result<(), String> {
        match unmount(LAYER, UnmountFlags::empty()) {
            // Not mounted.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => {
                let _ = mount_remount(LAYER, MountFlags::RDONLY, "");
                Err(format!("cannot unmount {LAYER}: {error}"))
            }
        }
    }

    /// Ends the machine; returns only where it cannot be ended.
    #[must_use]
    pub fn end(self) -> String {
        sync();
        let command = match self.off {
            Off::Reboot => RebootCommand::Restart,
            Off::PowerOff => RebootCommand::PowerOff,
        };
        match reboot(command) {
            Ok(()) => "the machine goes on".to_owned(),
            Err(error) => format!("cannot end the machine: {error}"),
        }
    }
}

fn early_mounts() -> Result<(), String> {
    let all = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];
    let usual = MountFlags::NOSUID | MountFlags::NOEXEC;
    all.into_iter().try_for_each(|(kind, at)| match mount(kind, at, kind, usual, None) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(format!("cannot mount {kind} at {at}: {error}")),
    })
}

fn words(line: &str) -> Words {
    let mut words = Words { system: System::asked(line), ..Words::default() };
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some(("isocost.layer", device)) => words.layer = Some(device.into()),
            Some(("isocost.off", "reboot")) => words.off = Some(Off::Reboot),
            Some(("isocost.off", "poweroff")) => words.off = Some(Off::PowerOff),
            _ => {}
        }
    }
    words
}

fn load_modules() -> Result<(), String> {
    let list = std::fs::read_to_string(MODULES).map_err(|e| format!("cannot read {MODULES}: {e}"))?;
    for path in list.lines().filter(|line| line.starts_with('/')) {
        let file = File::open(path).map_err(|e| format!("cannot open {path}: {e}"))?;
        match finit_module(&file, c"", 0) {
            // Another module brought it, or the kernel has it built in.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(format!("cannot load {path}: {error}")),
        }
    }
    Ok(())
}

fn mount_layer(events: &Events, device: &Path) -> Result<(), String> {
    events.wait_for(|| device.exists().then_some(()))?;
    mount(device, LAYER, "ext4", MountFlags::NOSUID | MountFlags::NODEV, None)
        .map_err(|e| format!("cannot mount {} at {LAYER}: {e}", device.display()))
}

/// The device of the port that has the harness's name. The kernel learns names one by one, after the devices are there.
fn port() -> Option<PathBuf> {
    let ports = std::fs::read_dir("/sys/class/virtio-ports").ok()?.flatten();
    let named = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("name")).is_ok_and(|name| name.trim() == PORT)
    };
    let found = ports.into_iter().find(named)?;
    let device = Path::new("/dev").join(found.file_name());
    device.exists().then_some(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_where_the_layer_is_and_how_to_end() {
        let line = "quiet panic=-1 console=ttyS0 isocost.layer=/dev/vda isocost.off=reboot tsc_early_khz=1\n";
        let expected = Words { layer: Some("/dev/vda".into()), system: None, off: Some(Off::Reboot) };
        assert_eq!(words(line), expected);
        assert_eq!(words("isocost.off=poweroff").off, Some(Off::PowerOff));
        assert_eq!(words("isocost.off=never isocost.layer"), Words::default());
    }
}
