//! A guest that is a whole system: from the initramfs to the root file system on a disk, whose own init takes over.
//!
//! In: the words of the kernel's command line, with modules loaded. Out: nothing, or why there is no such system.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_move};
use rustix::process::{chdir, chroot};

use super::events::Events;
use super::mount_disk;

/// Where the new root is mounted first.
const NEW_ROOT: &str = "/newroot";

/// What the init of every distribution is called.
const INIT: &str = "/sbin/init";

/// What `isocost.root=DEVICE` and `isocost.init=PROGRAM` ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct System {
    /// The block device with an ext4 file system.
    root: PathBuf,
    /// The program in it that becomes PID 1.
    init: PathBuf,
}

impl System {
    /// `None` where no root is asked for.
    pub(crate) fn asked(line: &str) -> Option<Self> {
        let value =
            |name| line.split_whitespace().find_map(|word| word.strip_prefix(name)).map(PathBuf::from);
        let init = value("isocost.init=").unwrap_or_else(|| INIT.into());
        Some(Self { root: value("isocost.root=")?, init })
    }

    /// Mounts the root, makes it `/` and becomes its init. Returns only where that failed.
    pub(crate) fn enter(&self, events: &Events) -> Result<Infallible, String> {
        mount_disk(&self.root, NEW_ROOT, MountFlags::empty(), events)?;
        for folder in ["/dev", "/proc", "/sys"] {
            take_along(folder)?;
        }
        become_root().map_err(|e| format!("cannot make {NEW_ROOT} the root: {e}"))?;
        let error = Command::new(&self.init).env_clear().exec();
        Err(format!("cannot become {}: {error}", self.init.display()))
    }
}

/// The new init finds what is mounted there already: a console in /dev from its first instruction.
fn take_along(folder: &str) -> Result<(), String> {
    let target = Path::new(NEW_ROOT).join(folder.trim_start_matches('/'));
    mount_move(folder, &target).map_err(|e| format!("cannot move {folder} to {}: {e}", target.display()))
}

/// The initramfs is hidden below it and cannot be unmounted; what it holds is small.
fn become_root() -> Result<(), Errno> {
    chdir(NEW_ROOT)?;
    mount_move(".", "/")?;
    chroot(".")?;
    chdir("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_which_root_and_which_init() {
        let system = |root: &str, init: &str| Some(System { root: root.into(), init: init.into() });
        assert_eq!(System::asked("quiet isocost.root=/dev/vda"), system("/dev/vda", "/sbin/init"));
        assert_eq!(
            System::asked("isocost.init=/bin/sh isocost.root=/dev/vdb"),
            system("/dev/vdb", "/bin/sh")
        );
        assert_eq!(System::asked("root=/dev/vda isocost.init=/bin/sh"), None);
    }
}
