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

    /// Loads the modules, mounts the layer and opens the port to the harness. All of it comes before the first word: in a
    /// container, too, the layer is there by then. Where a whole system was asked for, it takes over instead.
    ///
    /// The drivers of port and disk start side by side, for each mostly waits for its device.
    ///
    /// # Errors
    /// What could not be loaded, mounted or opened.
    pub fn bring_up(&self) -> Result<Link, String> {
        let list = std::fs::read_to_string(MODULES).map_err(|e| format!("cannot read {MODULES}: {e}"))?;
        let Modules { shared, port, disk } = Modules::of(&list);
        load(&shared)?;
        if let Some(system) = &self.system {
            load(&disk)?;
            match system.enter(&events()?)? {}
        }
        std::thread::scope(|scope| {
            let layer = scope.spawn(|| self.mount_layer(&disk));
            let link = open_port(&port);
            layer.join().map_err(|_| "the layer's thread ended early".to_owned())??;
            link
        })
    }

    fn mount_layer(&self, modules: &[&str]) -> Result<(), String> {
        let events = events()?;
        load(modules)?;
        let Some(device) = &self.layer else { return Ok(()) };
        mount_disk(device, LAYER, MountFlags::NOSUID | MountFlags::NODEV, &events)
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

/// Mounts a disk as soon as it is there. Its node is made before the kernel lets anybody open it; the event comes after.
fn mount_disk(device: &Path, at: &str, flags: MountFlags, events: &Events) -> Result<(), String> {
    let mounted = events.wait_for(|| match mount(device, at, "ext4", flags, None) {
        Err(Errno::NOENT | Errno::NXIO) => None,
        known => Some(known),
    })?;
    mounted.map_err(|e| format!("cannot mount {} at {at}: {e}", device.display()))
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

/// The paths of the modules, each list in the order to load.
#[derive(Debug, PartialEq, Eq)]
struct Modules<'a> {
    /// What both need.
    shared: Vec<&'a str>,
    /// What only the port does.
    port: Vec<&'a str>,
    /// What only the disk does.
    disk: Vec<&'a str>,
}

impl<'a> Modules<'a> {
    /// The list has the port's driver last before the line that is no path, and what that depends on, or the disk's,
    /// before it.
    fn of(list: &'a str) -> Self {
        let is_path = |line: &&str| line.starts_with('/');
        let mut lines = list.lines();
        let mut shared: Vec<&str> = lines.by_ref().take_while(is_path).collect();
        let port = shared.pop().into_iter().collect();
        Self { shared, port, disk: lines.filter(is_path).collect() }
    }
}

fn load(modules: &[&str]) -> Result<(), String> {
    for path in modules {
        let file = File::open(path).map_err(|e| format!("cannot open {path}: {e}"))?;
        match finit_module(&file, c"", 0) {
            // Another module brought it, or the kernel has it built in.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(format!("cannot load {path}: {error}")),
        }
    }
    Ok(())
}

fn events() -> Result<Events, String> {
    Events::listen().map_err(|e| format!("cannot listen to the kernel's events: {e}"))
}

fn open_port(modules: &[&str]) -> Result<Link, String> {
    let events = events()?;
    load(modules)?;
    let port = events.wait_for(port)?;
    let opened = File::options().read(true).write(true).open(&port);
    let opened = opened.map_err(|e| format!("cannot open {}: {e}", port.display()))?;
    Ok(OwnedFd::from(opened).into())
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
    fn the_port_and_the_disk_start_side_by_side_after_what_both_need() {
        let list = "/ko/virtio_ring.ko\n/ko/virtio.ko\n/ko/virtio_console.ko\n-- layer\n/ko/virtio_blk.ko\n";
        let expected = Modules {
            shared: vec!["/ko/virtio_ring.ko", "/ko/virtio.ko"],
            port: vec!["/ko/virtio_console.ko"],
            disk: vec!["/ko/virtio_blk.ko"],
        };
        assert_eq!(Modules::of(list), expected);
        let all_built_in = Modules { shared: vec![], port: vec![], disk: vec![] };
        assert_eq!(Modules::of("-- layer\n"), all_built_in);
    }

    #[test]
    fn the_command_line_says_where_the_layer_is_and_how_to_end() {
        let line = "quiet panic=-1 console=ttyS0 isocost.layer=/dev/vda isocost.off=reboot tsc_early_khz=1\n";
        let expected = Words { layer: Some("/dev/vda".into()), system: None, off: Some(Off::Reboot) };
        assert_eq!(words(line), expected);
        assert_eq!(words("isocost.off=poweroff").off, Some(Off::PowerOff));
        assert_eq!(words("isocost.off=never isocost.layer"), Words::default());
    }
}
