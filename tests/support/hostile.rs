//! Programs in place of the agent that misbehave: built from `agent/examples/hostile.rs` as the agent itself is built.

#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What it does instead. All but the first two connect to the harness first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdeed {
    ExitAtOnce,
    NeverConnect,
    NeverReady,
    Flood,
    FloodOfHellos,
    Garbage,
    HugeFrame,
    OtherVersion,
    HalfAHello,
    SlowDrip,
    ExitAfterHello,
    HangAfterHello,
}

impl Misdeed {
    fn word(self) -> &'static str {
        match self {
            Self::ExitAtOnce => "exit-at-once",
            Self::NeverConnect => "never-connect",
            Self::NeverReady => "never-ready",
            Self::Flood => "flood",
            Self::FloodOfHellos => "flood-of-hellos",
            Self::Garbage => "garbage",
            Self::HugeFrame => "huge-frame",
            Self::OtherVersion => "other-version",
            Self::HalfAHello => "half-a-hello",
            Self::SlowDrip => "slow-drip",
            Self::ExitAfterHello => "exit-after-hello",
            Self::HangAfterHello => "hang-after-hello",
        }
    }
}

static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(build);

/// The bytes of a static program that does this.
pub(crate) fn program(misdeed: Misdeed) -> Vec<u8> {
    const MARK: &[u8] = b"hostile misdeed:";
    let mut bytes = PROGRAM.clone();
    let mut marks = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let at = marks.next().unwrap().0 + MARK.len();
    assert!(marks.next().is_none(), "the mark is in the program twice");
    let word = format!("{:16}", misdeed.word());
    bytes[at..at + 16].copy_from_slice(word.as_bytes());
    bytes
}

/// The same as a file in `folder`, for `isocost run --agent`.
pub(crate) fn file(misdeed: Misdeed, folder: &Path) -> PathBuf {
    let path = folder.join(misdeed.word());
    std::fs::write(&path, program(misdeed)).unwrap();
    path
}

fn build() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Where build.rs builds the agent: what is compiled already is used again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("isocost-agent");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--offline", "--package", "isocost-agent", "--example", "hostile"]);
    command.args(["--profile", "agent", "--target", TARGET, "--target-dir"]).arg(&target);
    command.current_dir(root).env("CARGO_ENCODED_RUSTFLAGS", env!("ISOCOST_AGENT_RUSTFLAGS"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(target.join(TARGET).join("agent/examples/hostile")).unwrap()
}
