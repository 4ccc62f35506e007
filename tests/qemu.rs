//! Real QEMU through the library: who wins the race to user space, and what it leaves.
//!
//! The guest's first program here is not the agent but eight instructions: one byte to the debug port, then sleep.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use isocost::environment::agent::StopSignal;
use isocost::environment::qemu::args::{Board, Channels, Console, QemuPlan, arguments};
use isocost::environment::qemu::process::{Launch, QemuProcess};
use isocost::environment::qemu::race::{self, Contest, Key, Lane};
use isocost::environment::qemu::tap::{KEPT_BYTES, Tap};
use isocost::environment::qemu::version::{self, Binary};
use isocost::image::{guest, kernel, tsc};
use isocost::measure::sample::Accelerator;
use isocost::suite::{KernelChoice, Machine};

#[path = "support/skip.rs"]
mod skip;
#[path = "support/tiny_init.rs"]
mod tiny_init;

use skip::skip;

use tiny_init::{FIRST_BYTE, FLOOD, program};

struct Bench {
    qemu: Binary,
    scratch: tempfile::TempDir,
    kernel: kernel::Kernel,
}

/// `None`, with a named skip, where QEMU or Debian's kernel cannot be had; in CI that is a failure.
fn bench() -> Option<Bench> {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let found = version::find().map_err(|e| e.to_string());
    let kernel = kernel::resolve(&KernelChoice::Debian(None), &cache).map_err(|e| e.to_string());
    match found.and_then(|qemu| kernel.map(|kernel| (qemu, kernel))) {
        Ok((qemu, kernel)) => Some(Bench { qemu, scratch: tempfile::tempdir().unwrap(), kernel }),
        Err(why) => {
            skip("qemu", why);
            None
        }
    }
}

impl Bench {
    fn plan(&self, machine: Machine, code: &[u8]) -> QemuPlan {
        let initrd = self.scratch.path().join("initramfs");
        std::fs::write(&initrd, guest::initramfs(&self.kernel, machine, &program(code), Vec::new()).unwrap())
            .unwrap();
        let kernel = match machine {
            Machine::Microvm => self.kernel.vmlinux.clone(),
            Machine::Q35 | Machine::Pc => self.kernel.bzimage.clone(),
        };
        let mut words = guest::boot_line(machine, tsc::host_tsc_khz()).unwrap();
        words.push("console=ttyS0".into());
        QemuPlan {
            board: Board {
                machine,
                options: guest::parts(machine).unwrap().machine_options,
                accelerator: Accelerator::Tcg,
                cpus: 2,
                memory_bytes: 256 << 20,
            },
            kernel: kernel.unwrap(),
            initrd: Some(initrd),
            append: words.join(" "),
            disks: Vec::new(),
            channels: Channels::default(),
        }
    }

    fn launch(&self, plan: &QemuPlan, run_id: &str) -> QemuProcess {
        let launch = Launch {
            program: self.qemu.path.clone(),
            arguments: arguments(plan),
            run_id: run_id.into(),
            cgroup_procs: Vec::new(),
        };
        QemuProcess::spawn(&launch).unwrap()
    }

    fn listen(&self, name: &str) -> (PathBuf, std::os::unix::net::UnixListener) {
        let path = self.scratch.path().join(name);
        (path.clone(), std::os::unix::net::UnixListener::bind(path).unwrap())
    }
}

/// Processes that carry the run's id in their environment.
fn left_of(run_id: &str) -> Vec<PathBuf> {
    let label = format!("ISOCOST_RUN={run_id}");
    let carries = |path: &Path| {
        let bytes = std::fs::read(path.join("environ")).unwrap_or_default();
        bytes.split(|b| *b == 0).any(|word| word == label.as_bytes())
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| carries(path))
        .collect()
}

#[test]
fn every_machine_reaches_user_space_under_emulation() {
    let Some(bench) = bench() else { return };
    for machine in [Machine::Microvm, Machine::Q35, Machine::Pc] {
        let name = format!("{machine:?}");
        let mut plan = bench.plan(machine, FIRST_BYTE);
        let (first, first_socket) = bench.listen(&format!("first-{name}"));
        let (firmware, firmware_socket) = bench.listen(&format!("firmware-{name}"));
        plan.channels.first_instruction = Some(first);
        plan.channels.firmware = Some(firmware);
        let mut process = bench.launch(&plan, "test-machines");
        let first = Tap::connection(first_socket, process.ended_owned().unwrap());
        let firmware = Tap::connection(firmware_socket, process.ended_owned().unwrap());
        let arrived = first.first(Duration::from_secs(60));
        assert!(arrived.is_some(), "{name}: {}; firmware: {}", process.last_words(), firmware.tail(3));
        assert!(firmware.tail(1).starts_with("Booting from"), "{name}: {}", firmware.tail(1));
        let spoke = firmware.first(Duration::ZERO).unwrap();
        assert!(process.called < spoke && spoke < firmware.last().unwrap());
        assert!(firmware.last() < arrived, "{name}: the firmware spoke after the first instruction");
    }
    assert_eq!(left_of("test-machines"), Vec::<PathBuf>::new());
}

#[test]
fn a_flood_on_the_console_is_bounded() {
    let Some(bench) = bench() else { return };
    let mut plan = bench.plan(Machine::Microvm, FLOOD);
    let (path, socket) = bench.listen("console");
    plan.channels.console = Some(Console::Socket(path));
    let mut process = bench.launch(&plan, "test-flood");
    let console = Tap::connection(socket, process.ended_owned().unwrap());
    // The deadline is the flood's length: the guest never ends by itself.
    let mut seconds = 0;
    while console.counts().0 < 2 * KEPT_BYTES as u64 && seconds < 60 {
        process.wait(Duration::from_secs(1), None).unwrap_err();
        seconds += 1;
    }
    assert!(console.counts().0 > KEPT_BYTES as u64, "{:?}: {}", console.counts(), console.tail(5));
    assert_eq!(console.counts().1, KEPT_BYTES);
    process.kill();
    assert_eq!(left_of("test-flood"), Vec::<PathBuf>::new());
}

#[test]
fn the_race_is_decided_by_the_kernel_and_remembered() {
    let Some(bench) = bench() else { return };
    let (plan, stop) = (bench.plan(Machine::Microvm, FIRST_BYTE), StopSignal::new().unwrap());
    let contest = Contest {
        qemu: &bench.qemu,
        plan: &plan,
        emulation_words: "",
        run_id: "test-race",
        scratch: bench.scratch.path(),
        stop: &stop,
    };
    let (key, cache) = (Key::of(&contest, &bench.kernel.sha256), bench.scratch.path());
    let began = std::time::Instant::now();
    let decision = race::decide(&contest, &key, cache).unwrap();
    eprintln!("{} ({:?})", decision.explain(), began.elapsed());
    let winner = if decision.accelerator == Accelerator::Kvm { &decision.kvm } else { &decision.tcg };
    assert!(matches!(winner, Lane::Arrived { .. }), "{decision:?}");
    assert!(race::kvm_opens().is_ok() || decision.accelerator == Accelerator::Tcg, "{decision:?}");
    assert_eq!(left_of("test-race"), Vec::<PathBuf>::new());
    // What kept KVM from running for a moment is not; the next one asks again.
    let kept = race::lasts(&key, &decision).then(|| decision.clone());
    assert_eq!(race::remembered(&key, cache), kept);
    let again = race::decide(&contest, &key, cache).unwrap();
    assert!(kept.is_none_or(|kept| again == kept), "{again:?}");
    // Where the one who runs this knows the answer, it must be that.
    if let Ok(expected) = std::env::var("ISOCOST_EXPECT_ACCELERATOR") {
        assert_eq!(serde_json::to_value(decision.accelerator).unwrap(), expected);
    }
}

#[test]
fn a_raised_stop_ends_the_race_and_both_guests() {
    let Some(bench) = bench() else { return };
    let (plan, stop) = (bench.plan(Machine::Q35, FIRST_BYTE), StopSignal::new().unwrap());
    let (qemu, scratch) = (&bench.qemu, bench.scratch.path());
    let contest =
        Contest { qemu, plan: &plan, emulation_words: "", run_id: "test-stop", scratch, stop: &stop };
    stop.raise();
    assert!(race::run(&contest).unwrap_err().to_string().contains("stopped"));
    assert_eq!(left_of("test-stop"), Vec::<PathBuf>::new());
}
