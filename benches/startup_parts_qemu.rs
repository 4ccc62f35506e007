//! What each channel of the harness adds to a start of QEMU: from spawn to the guest's first instruction, in rounds that take turns.
//!
//! - `bare`: the shortest command line for this kernel: the agent's port and the debug port that stamps it, nothing else;
//! - `full`: the same guest as it is measured: agent's port, firmware's port, monitor, console, disk;
//! - `no-firmware-port`: `full` without port 0x402, whose cost is the ratio of the two;
//! - `no-console`: `full` without the serial console.
//!
//! `cargo bench --bench startup_parts_qemu -- ROUNDS` (default 15). Needs QEMU and apt's Debian kernel.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isocost::environment::qemu::args::{Access, Board, Channels, Console, Disk, QemuPlan, arguments};
use isocost::environment::qemu::process::{Launch, QemuProcess};
use isocost::environment::qemu::tap::Tap;
use isocost::environment::qemu::version;
use isocost::image::{disk, guest, kernel, tsc};
use isocost::measure::sample::Accelerator;
use isocost::suite::{DiskFormat, KernelChoice, Machine};

#[path = "../tests/support/tiny_init.rs"]
mod tiny_init;

const VARIANTS: [&str; 4] = ["bare", "full", "no-firmware-port", "no-console"];

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(15);
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let plan = plan(&cache, scratch.path());
    let base = disk::base(&cache, 4 << 30).unwrap().path;
    let program = version::find().unwrap().path;

    let mut times = [const { Vec::new() }; VARIANTS.len()];
    for round in 0..=rounds {
        // Each round begins with another variant, so that none is always first; round 0 warms the caches.
        for turn in 0..VARIANTS.len() {
            let variant = (round + turn) % VARIANTS.len();
            let seconds = once(&program, &plan, &base, VARIANTS[variant]);
            if round > 0 {
                times[variant].extend(seconds);
            }
        }
    }
    for (name, times) in VARIANTS.iter().zip(&times) {
        println!("{name:<17} n {:>3}  median {:.3} s", times.len(), median(times));
    }
    let [bare, full, silent, mute] = times.each_ref().map(|times| median(times));
    println!("full / bare             {:.3}", full / bare);
    println!("full / no-firmware-port {:.3}", full / silent);
    println!("full / no-console       {:.3}", full / mute);
}

fn plan(cache: &Path, scratch: &Path) -> QemuPlan {
    let kernel = kernel::resolve(&KernelChoice::Debian(None), cache).unwrap();
    let init = tiny_init::program(tiny_init::FIRST_BYTE);
    let initrd = scratch.join("initramfs");
    std::fs::write(&initrd, guest::initramfs(&kernel, Machine::Microvm, &init, Vec::new()).unwrap()).unwrap();
    QemuPlan {
        board: Board {
            machine: Machine::Microvm,
            options: guest::parts(Machine::Microvm).unwrap().machine_options,
            accelerator: Accelerator::Tcg,
            cpus: 1,
            memory_bytes: 256 << 20,
        },
        kernel: kernel.vmlinux.unwrap(),
        initrd: Some(initrd),
        append: guest::boot_line(Machine::Microvm, tsc::host_tsc_khz()).unwrap().join(" "),
        disks: Vec::new(),
        channels: Channels::default(),
    }
}

/// Seconds to the first instruction; `None` (named on stderr) where it was not reached.
fn once(program: &Path, plan: &QemuPlan, base: &Path, variant: &str) -> Option<f64> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut plan = plan.clone();
    plan.channels.first_instruction = Some(at("first"));
    plan.channels.agent = Some(at("agent"));
    if variant != "bare" {
        plan.channels.monitor = Some(at("monitor"));
        if variant != "no-console" {
            plan.append.push_str(" console=ttyS0");
            plan.channels.console = Some(Console::Socket(at("console")));
        }
        plan.channels.firmware = (variant != "no-firmware-port").then(|| at("firmware"));
        let path = disk::overlay_qcow2(base, folder.path()).unwrap();
        plan.disks = vec![Disk { path, format: DiskFormat::Qcow2, access: Access::Uring, read_only: false }];
    }
    let sockets =
        ["agent", "monitor", "console", "firmware"].map(|name| UnixListener::bind(at(name)).unwrap());
    let first = UnixListener::bind(at("first")).unwrap();
    let launch = Launch {
        program: program.to_owned(),
        arguments: arguments(&plan),
        run_id: "bench".into(),
        cgroup_procs: Vec::new(),
    };
    let mut process = QemuProcess::spawn(&launch).unwrap();
    let tap = |socket| Tap::connection(socket, process.ended_owned().unwrap());
    let first = tap(first);
    let _others: Vec<Tap> = sockets.into_iter().map(tap).collect();
    let arrived = first.first(Duration::from_secs(60));
    if arrived.is_none() {
        eprintln!("{variant}: not reached; QEMU: {}", process.last_words());
    }
    arrived.map(|at| at.since(process.called).as_secs_f64())
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
