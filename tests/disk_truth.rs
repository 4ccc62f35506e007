//! The rule on writes against QEMU's own block layer: a disk that honours flushes passes, one that does not cannot.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

use isocost::measure::counters::device::Device;
use isocost::measure::counters::vouch;
use isocost::measure::sample::{Failure, FailureName};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

const WRITES: u64 = 200;

/// What the host says of 200 synced 4 KiB writes through a disk with that cache mode.
fn judged(folder: &Path, device: &Device, mode: &str) -> Result<(), Failure> {
    let disk = folder.join(format!("{mode}.raw"));
    std::fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
    let mut command = Command::new("qemu-io");
    command.args(["-f", "raw", "-t", mode]);
    for at in 0..WRITES {
        command.args(["-c", &format!("write -q {} 4k", at * 4096), "-c", "flush"]);
    }
    let before = device.counts();
    let ran = command.arg(&disk).output().unwrap();
    let after = device.counts();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    vouch(&before, &after, WRITES * 4096, WRITES)
}

#[test]
fn a_disk_that_ignores_flushes_has_no_figure() {
    let name = "a_disk_that_ignores_flushes_has_no_figure";
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let device = match Device::behind(folder.path()) {
        Ok(device) => device,
        Err(why) => return skip(name, why),
    };
    if Command::new("qemu-io").arg("--version").output().is_err() {
        return skip(name, "no qemu-io");
    }
    assert_eq!(judged(folder.path(), &device, "none"), Ok(()));
    let failure = judged(folder.path(), &device, "unsafe").unwrap_err();
    assert_eq!(failure.name, FailureName::UnseenWrites, "{}", failure.detail);
}
