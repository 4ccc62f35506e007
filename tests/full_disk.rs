//! A run folder on a disk that fills up: what came before stays readable, and the place is named.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use isocost::journal::{JOURNAL_FILE, Record, WriteError, Writer};
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::{Outcome, Sample};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

/// A file system of 1 MiB in memory.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at);
        command.output().is_ok_and(|ran| ran.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn sample(position: u32) -> Record {
    Record::Sample(Sample {
        block: 0,
        position,
        environment: "native".into(),
        accelerator: Accelerator::None,
        workload: "start".into(),
        metric: "startup.ready".into(),
        outcome: Outcome::Value(1.0),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: false,
        latencies_ns: vec![1; 2000],
    })
}

#[test]
fn samples_before_the_disk_was_full_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(folder.path()) else {
        return skip("samples_before_the_disk_was_full_are_kept", "only root may mount");
    };
    let out = small.0.join("run");
    let mut writer = Writer::create(&out, "r1").unwrap();
    let error = (0..).find_map(|position| writer.append(&[sample(position)]).err()).unwrap();
    let WriteError::Full { path, samples } = &error else { panic!("{error}") };
    assert_eq!(*path, out.join(JOURNAL_FILE));
    assert!(*samples > 10 && error.to_string().contains(&format!("{samples} samples")));
    let text = std::fs::read(path).unwrap();
    assert!(text.ends_with(b"\n"), "the half line was cut off");
    assert_eq!(text.iter().filter(|&&b| b == b'\n').count() as u64, samples + 1);

    std::fs::remove_file(path).unwrap();
    let filler = vec![0; 2 << 20];
    let _ = std::fs::write(small.0.join("filler"), filler);
    let there = small.0.join("there");
    std::fs::create_dir(&there).unwrap();
    for (folder, was_there) in [(small.0.join("other"), false), (there, true)] {
        assert!(matches!(Writer::create(&folder, "r2"), Err(WriteError::Full { samples: 0, .. })));
        assert_eq!(folder.exists(), was_there, "{}", folder.display());
    }
}
