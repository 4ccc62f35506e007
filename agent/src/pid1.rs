//! The duties of a guest's first program: the file systems and modules it needs, a layer that can be written to, and an
//! end that leaves the disk in order.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::sync;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::link::Link;
use crate::say;
use crate::serve::Server;
use isocost_agent::sys;

mod events;

use events::Events;

/// Where the first byte goes: the host stamps its arrival.
const FIRST_INSTRUCTION_PORT: u16 = 0xe9;

/// The name of the harness's virtio-serial port.
const PORT: &str = "isocost.agent";

/// What to load, a path a line, in order; a line that is no path separates the channel's from the disk's.
const MODULES: &str = "/isocost/modules";

/// Where the writable layer is mounted.
const LAYER: &str = "/layer";

/// The words of the kernel's command line that are for this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Words {
    /// The block device of the writable layer.
    layer: Option<PathBuf>,
    /// How the machine is ended.
    off: Option<Off>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Off {
    Reboot,
    PowerOff,
}

/// Does all of it; returns only where this is not a guest of ours.
pub(crate) fn run(first_instruction_ns: u64) -> ExitCode {
    // First of all. A machine without that port ignores it.
    let _ = sys::write_port(FIRST_INSTRUCTION_PORT, b'!');
    let early = early_mounts();
    let words = words(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default());
    // Any other machine that finds this as its first program keeps its power.
    let Some(off) = words.off else {
        say("the kernel's command line has no isocost.off=: this is no guest of isocost");
        return ExitCode::from(2);
    };
    let served = early.and_then(|()| work(&words, first_instruction_ns));
    if let Err(why) = served {
        say(&why);
    }
    end(off);
    ExitCode::FAILURE
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
    let mut words = Words::default();
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

/// From modules to Bye. The Hello comes when the layer can be written to, as it can in a container from the start.
fn work(words: &Words, first_instruction_ns: u64) -> Result<(), String> {
    let events = Events::listen().map_err(|e| format!("cannot listen to the kernel's events: {e}"))?;
    load_modules()?;
    if let Some(device) = &words.layer {
        mount_layer(&events, device)?;
    }
    let port = events.wait_for(port)?;
    let opened = File::options().read(true).write(true).open(&port);
    let opened = opened.map_err(|e| format!("cannot open {}: {e}", port.display()))?;
    drop(events);
    let mut server = Server::new(Link::from(std::os::fd::OwnedFd::from(opened)), LAYER.into())?;
    let served = server.serve(first_instruction_ns);
    unmount_layer();
    server.bye();
    served
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

/// What was written is on the disk, and the file system is marked clean.
fn unmount_layer() {
    match unmount(LAYER, UnmountFlags::empty()) {
        // Not mounted.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => {
            say(&format!("cannot unmount {LAYER}: {error}"));
            // Still in use: at least nothing more is written.
            let _ = mount_remount(LAYER, MountFlags::RDONLY, "");
        }
    }
}

fn end(off: Off) {
    sync();
    let command = match off {
        Off::Reboot => RebootCommand::Restart,
        Off::PowerOff => RebootCommand::PowerOff,
    };
    if let Err(error) = reboot(command) {
        say(&format!("cannot end the machine: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_where_the_layer_is_and_how_to_end() {
        let line = "quiet panic=-1 console=ttyS0 isocost.layer=/dev/vda isocost.off=reboot tsc_early_khz=1\n";
        assert_eq!(words(line), Words { layer: Some("/dev/vda".into()), off: Some(Off::Reboot) });
        assert_eq!(words("isocost.off=poweroff").off, Some(Off::PowerOff));
        assert_eq!(words("isocost.off=never isocost.layer"), Words::default());
    }
}
