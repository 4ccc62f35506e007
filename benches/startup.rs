//! From asking for an instance to its agent's Hello, in each environment, as a run measures it: the ends are not timed.
//!
//! `cargo bench --bench startup`, or `… -- native` for one. An environment that cannot run here is named and left out.
//! These are figures of one environment after the other; a run takes turns, which is what a comparison needs.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use isocost::environment::Environment;
use isocost::environment::docker::DockerEnvironment;
use isocost::environment::native::NativeEnvironment;
use isocost::environment::qemu::QemuEnvironment;
use isocost::suite::{AcceleratorChoice, DiskFormat, DockerSpec, KernelChoice, Machine, QemuSpec};

#[path = "../tests/support/scene.rs"]
mod scene;
#[path = "../tests/support/skip.rs"]
mod skip;

use scene::{Scene, boot};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(20))
        .configure_from_args();
    let scene = Scene::new("bench");
    let docker = DockerSpec { runtime: "runc".into(), network: false };
    bench(&mut criterion, "native", &mut NativeEnvironment::new("native", scene.context.clone()));
    bench(&mut criterion, "docker", &mut DockerEnvironment::new("docker", &docker, scene.context.clone()));
    for machine in [Machine::Microvm, Machine::Q35] {
        let name = format!("qemu {}", format!("{machine:?}").to_lowercase());
        let qemu = QemuSpec {
            machine,
            accelerator: AcceleratorChoice::Auto,
            kernel: KernelChoice::Debian(None),
            disk: DiskFormat::Qcow2,
        };
        bench(&mut criterion, &name, &mut QemuEnvironment::new("qemu", &qemu, scene.context.clone()));
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, name: &str, environment: &mut dyn Environment) {
    if let Err(error) = environment.prepare() {
        return skip::skip(name, error);
    }
    let mut group = criterion.benchmark_group("startup");
    // A start takes too long for samples of growing size.
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bench| {
        bench.iter_custom(|starts| {
            let one = || {
                let instance = boot(environment);
                let length = Duration::from_nanos(instance.start().ns());
                instance.stop().unwrap();
                length
            };
            std::iter::repeat_with(one).take(usize::try_from(starts).unwrap()).sum()
        });
    });
    group.finish();
    environment.dispose().unwrap();
}
