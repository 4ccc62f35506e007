//! What the harness adds to the start of a virtual machine: from spawning QEMU to the agent's first byte, by Isocost and by
//! one command line written by hand, in rounds that take turns.
//!
//! - by hand: microvm, the uncompressed kernel, the shortest boot line known to be fast, and one virtio-serial port, on which a
//!   blocking accept(2) and read(2) wait. No disk, no console, no monitor, no debug ports; and not the old interrupt controller,
//!   with which most starts crash (docs/guests.md). The same kernel, agent and size.
//! - Isocost: what a run does and reports as `startup.ready`, writable disk and stamps of each phase among it.
//!
//! `cargo bench --bench startup_floor_qemu -- ROUNDS` (default 15). Needs QEMU and apt's Debian kernel; runs under the accelerator
//! that wins the race here. It fails where the whole interval of the ratio is above the goal, 1.05.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use isocost::environment::Environment as _;
use isocost::environment::qemu::{QemuEnvironment, version};
use isocost::image::{guest, kernel};
use isocost::measure::sample::Accelerator;
use isocost::suite::{AcceleratorChoice, DiskFormat, KernelChoice, Machine, QemuSpec};

use rustix::event::{PollFd, PollFlags, poll};

#[path = "support/floor.rs"]
mod floor;
#[path = "../tests/support/scene.rs"]
mod scene;
#[path = "../tests/support/skip.rs"]
mod skip;

use scene::{Scene, boot};

const GOAL: f64 = 1.05;

/// A guest that has not come up by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let rounds: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(15);
    let scene = Scene::new("floor");
    let spec = QemuSpec {
        machine: Machine::Microvm,
        accelerator: AcceleratorChoice::Auto,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    let mut qemu = QemuEnvironment::new("qemu", &spec, scene.context.clone());
    if let Err(error) = qemu.prepare() {
        skip::skip("startup_floor_qemu", error);
        return ExitCode::SUCCESS;
    }
    let hand = Hand::new(&scene, qemu.accelerator());
    let ours = || {
        let instance = boot(&mut qemu);
        let ms = instance.start().ns() as f64 / 1e6;
        instance.stop().unwrap();
        ms
    };
    let outcome = floor::race(rounds, GOAL, |_| hand.once(), ours);
    qemu.dispose().unwrap();
    outcome
}

fn first_byte(listener: &UnixListener) -> Option<()> {
    readable(listener)?;
    let (mut agent, _) = listener.accept().ok()?;
    readable(&agent)?;
    agent.read_exact(&mut [0]).ok()
}

fn readable(fd: &impl AsFd) -> Option<()> {
    let patience = rustix::time::Timespec::try_from(PATIENCE).ok()?;
    let ready = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&patience)).ok()?;
    (ready > 0).then_some(())
}

/// The command line by hand.
struct Hand<'a> {
    program: PathBuf,
    kernel: PathBuf,
    initrd: PathBuf,
    accelerator: &'static str,
    cpu: &'static str,
    scene: &'a Scene,
}

impl<'a> Hand<'a> {
    fn new(scene: &'a Scene, accelerator: Accelerator) -> Self {
        let kernel = kernel::resolve(&KernelChoice::Debian(None), &scene.context.cache).unwrap();
        let initrd = scene.context.cache.join("floor-initramfs");
        let bytes = guest::initramfs(&kernel, Machine::Microvm, isocost::agent::bytes(), Vec::new());
        std::fs::write(&initrd, bytes.unwrap()).unwrap();
        let (accelerator, cpu) =
            if accelerator == Accelerator::Kvm { ("kvm", "host") } else { ("tcg", "max") };
        let program = version::find().unwrap().path;
        Self { program, kernel: kernel.vmlinux.unwrap(), initrd, accelerator, cpu, scene }
    }

    /// Milliseconds from spawning QEMU to the agent's first byte. Without the rate of its clock, which Isocost's line has, the kernel
    /// hangs now and then on a busy host: it gets another try.
    fn once(&self) -> f64 {
        std::iter::repeat_with(|| self.attempt()).take(5).flatten().next().unwrap()
    }

    fn attempt(&self) -> Option<f64> {
        let folder = tempfile::tempdir_in(&self.scene.context.scratch).unwrap();
        let socket = folder.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut qemu = self.command(&socket);

        let asked = Instant::now();
        let mut qemu = qemu.spawn().unwrap();
        let ms = first_byte(&listener).map(|()| asked.elapsed().as_secs_f64() * 1e3);

        qemu.kill().unwrap();
        qemu.wait().unwrap();
        if ms.is_none() {
            eprintln!("by hand: the guest ended or hung before a byte came");
        }
        ms
    }

    fn command(&self, socket: &Path) -> Command {
        let limits = &self.scene.context.limits;
        let mut command = Command::new(&self.program);
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-M", "microvm,isa-serial=on,rtc=on,pit=on,pic=off"])
            .args(["-accel", self.accelerator, "-cpu", self.cpu])
            .args(["-smp", &limits.cpus.to_string(), "-m", &format!("{}M", limits.memory_bytes >> 20)])
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initrd)
            .args(["-append", "quiet panic=-1 tsc=reliable no_timer_check cryptomgr.notests random.trust_cpu=on isocost.off=reboot"])
            .args(["-device", "virtio-serial-device", "-device", "virtserialport,chardev=agent,name=isocost.agent"])
            .args(["-chardev", &format!("socket,id=agent,path={}", socket.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}
