//! What the time line of memory and CPU costs while an instance is watched: the sampler as it was first built against the one
//! that runs now, in turns, on the same live instances.
//!
//! The first one asked sysinfo for CPU time too, which reads `/proc/stat` and once `/proc/cpuinfo`, looked at every process of
//! the host each 0.9 s for new ones, and read proportional memory at once.
//!
//! `cargo bench --bench sampler -- ROUNDS` (default 3, of 6 s a sampler and instance). What cannot run here is left out by
//! name. It fails where the sampler takes 1 % of one core or more.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use isocost::analysis::statistics::order::median_of;
use isocost::environment::Environment;
use isocost::environment::docker::DockerEnvironment;
use isocost::environment::native::NativeEnvironment;
use isocost::environment::qemu::QemuEnvironment;
use isocost::measure::accounting::Accounts;
use isocost::measure::accounting::process::Table;
use isocost::measure::accounting::{Bill, PROC};
use isocost::measure::clock::Instant;
use isocost::measure::host::CpuList;
use isocost::measure::timeline::{MOST_CPU_SHARE, Sampler};
use isocost::suite::{AcceleratorChoice, DiskFormat, DockerSpec, KernelChoice, Machine, QemuSpec};
use rustix::time::{ClockId, clock_gettime};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

#[path = "../tests/support/scene.rs"]
mod scene;
#[path = "../tests/support/skip.rs"]
mod skip;

use scene::{Scene, boot};

const WATCHED: Duration = Duration::from_secs(6);

fn main() -> ExitCode {
    let rounds: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(3);
    let scene = Scene::new("sampler");
    let mut worst: f64 = 0.0;
    println!("share of one core, medians of {rounds} x {} s", WATCHED.as_secs());
    for (name, mut environment) in environments(&scene) {
        if let Err(error) = environment.prepare() {
            skip::skip(name, error);
            continue;
        }
        let instance = boot(&mut *environment);
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            before.push(first_built(instance.accounts()));
            now.push(ours(instance.accounts()));
        }
        let (before, now) = (median_of(&before).unwrap(), median_of(&now).unwrap());
        println!("{name:<7} first {:.3} %  now {:.3} %  ratio {:.2}", before * 1e2, now * 1e2, now / before);
        worst = worst.max(now);
        instance.stop().unwrap();
        environment.dispose().unwrap();
    }
    if worst < MOST_CPU_SHARE { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn environments(scene: &Scene) -> Vec<(&'static str, Box<dyn Environment>)> {
    let docker = DockerSpec { runtime: "runc".into(), network: false };
    let qemu = QemuSpec {
        machine: Machine::Microvm,
        accelerator: AcceleratorChoice::Auto,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    vec![
        ("native", Box::new(NativeEnvironment::new("native", scene.context.clone()))),
        ("docker", Box::new(DockerEnvironment::new("docker", &docker, scene.context.clone()))),
        ("qemu", Box::new(QemuEnvironment::new("qemu", &qemu, scene.context.clone()))),
    ]
}

fn ours(accounts: Accounts) -> f64 {
    let sampler = Sampler::start(accounts, Instant::now(), &CpuList::default()).unwrap();
    std::thread::sleep(WATCHED);
    let watched = sampler.finish().unwrap();
    assert!(watched.points.len() as f64 >= 9.0 * WATCHED.as_secs_f64(), "{} points", watched.points.len());
    watched.own_cpu.as_secs_f64() / watched.lasted.as_secs_f64()
}

fn first_built(accounts: Accounts) -> f64 {
    let watch = move || {
        let began = Instant::now();
        let roots = [&accounts.instance.roots[..], &accounts.engine.roots[..]].concat();
        let mut system = System::new().unwrap();
        let (mut pids, mut looked, mut next_pss) = (Vec::new(), None, began);
        loop {
            let now = Instant::now();
            if now.since(began) >= WATCHED {
                return own_cpu().as_secs_f64() / now.since(began).as_secs_f64();
            }
            if looked.is_none_or(|looked| now.since(looked) >= Duration::from_millis(900)) {
                let table = Table::read(Path::new(PROC)).unwrap();
                pids = table.tree(&roots).into_iter().map(Pid::from_u32).collect();
                looked = Some(now);
            }
            let what = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, what);
            if now >= next_pss {
                let before = own_cpu();
                std::hint::black_box(Bill::without_standing(&accounts).total());
                next_pss = Instant::now().after((own_cpu() - before) * 250);
            }
            std::thread::sleep(Duration::from_millis(90));
        }
    };
    std::thread::spawn(watch).join().unwrap()
}

fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}
