//! The QEMU that emulates the machine. KVM on the SVM of QEMU before 11 loses an interrupt or gets one that nobody sent: 10.0
//! ended about one visit in three. Where this host's own is older, Debian's backports have a later one, which runs out of a
//! folder with its own libraries; nothing of it is installed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use isocost::environment::qemu::version::{self, Binary, Version};

const SOUND: Version = Version { major: 11, minor: 0, micro: 0 };

const SUITE: &str = "trixie";
const BACKPORTS: &str = "trixie-backports";
const MIRROR: &str = "http://deb.debian.org/debian";

/// What of it is taken from the backports.
const PACKAGES: [&str; 4] = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"];

/// This host's QEMU, or the one in `cache`, which is made there once; or what is in the way.
pub(super) fn find(cache: &Path) -> Result<Binary, String> {
    let own = version::find().map_err(|e| e.to_string())?;
    if own.version >= SOUND {
        return Ok(own);
    }
    let lock = File::create(cache.join("emulator.lock")).map_err(|e| e.to_string())?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|e| e.to_string())?;
    let folder = cache.join(format!("emulator-{BACKPORTS}"));
    let program = folder.join("qemu");
    if !program.exists() {
        unpack(&folder)?;
        launcher(&folder, &program).map_err(|e| format!("{}: {e}", program.display()))?;
    }
    version::named(Some(&program)).map_err(|e| e.to_string())
}

/// Packages and what they need, unpacked and not configured.
fn unpack(folder: &Path) -> Result<(), String> {
    // Of one that was cut short.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let include = PACKAGES.map(|package| format!("{package}/{BACKPORTS}")).join(",");
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=extract", "--aptopt=APT::Install-Recommends \"false\""]);
    command.arg(format!("--include={include}")).arg(SUITE).arg(folder.join("tree"));
    command.args([SUITE, BACKPORTS].map(|suite| format!("deb {MIRROR} {suite} main")));
    let made = command.output().map_err(|e| format!("mmdebstrap: {e}"))?;
    if made.status.success() {
        return Ok(());
    }
    Err(format!("no QEMU of {BACKPORTS}: {}", String::from_utf8_lossy(&made.stderr).trim()))
}

/// It becomes QEMU under the same process id.
const LAUNCHER: &str = r#"#!/bin/sh
t='TREE'
l=$t/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR="$l/qemu"
exec "$t/usr/lib64/ld-linux-x86-64.so.2" --library-path "$l" "$t/usr/bin/qemu-system-x86_64" \
    -L "$t/usr/share/qemu" -L "$t/usr/share/seabios" "$@"
"#;

fn launcher(folder: &Path, program: &Path) -> std::io::Result<()> {
    let draft = folder.join("qemu.new");
    fs::write(&draft, LAUNCHER.replace("TREE", &folder.join("tree").to_string_lossy()))?;
    fs::set_permissions(&draft, Permissions::from_mode(0o755))?;
    fs::rename(&draft, program)
}
