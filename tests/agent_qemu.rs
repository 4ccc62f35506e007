//! The real agent in a real QEMU: on every machine and both kinds of disk it is ready, sees where it is, works, and ends.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use isocost::environment::agent::{AgentListener, StopSignal, Watch};
use isocost::environment::qemu::args::{Access, Board, Channels, Disk, QemuPlan, arguments};
use isocost::environment::qemu::process::{Launch, QemuProcess};
use isocost::environment::qemu::{QemuEnvironment, version};
use isocost::environment::{Environment, Instance, Prepared, RunContext};
use isocost::image::{disk, guest, kernel, tsc};
use isocost::measure::clock::Instant;
use isocost::measure::counters::device::Device;
use isocost::measure::counters::vouch;
use isocost::measure::equality::Limits;
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::FailureName;
use isocost::measure::sense;
use isocost::suite::{AcceleratorChoice, DiskFormat, KernelChoice, Machine, QemuSpec};
use isocost_agent::protocol::{WorkOrder, Workload};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

const MEMORY_BYTES: u64 = 256 << 20;

const PATIENT: Duration = Duration::from_secs(60);

/// `None`, with a named skip, where it cannot be prepared; in CI that is a failure.
fn environment(machine: Machine, disk: DiskFormat, scratch: &Path) -> Option<QemuEnvironment> {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    let context = RunContext {
        run_id: "test-agent".into(),
        agent: isocost::agent::shared(),
        agent_sha256: isocost::agent::sha256().into(),
        scratch: scratch.to_owned(),
        qemu: None,
        cache,
        limits: Limits { cpus: 2, memory_bytes: MEMORY_BYTES },
        cpus: isocost::measure::host::CpuPlacement::here(2),
        start_deadline: PATIENT,
        stop_deadline: PATIENT,
        stop: StopSignal::new().unwrap(),
    };
    let spec =
        QemuSpec { machine, accelerator: AcceleratorChoice::Tcg, kernel: KernelChoice::Debian(None), disk };
    let mut made = QemuEnvironment::new("vm", &spec, context);
    let prepared = version::find().map_err(|e| e.to_string());
    match prepared.and_then(|_| made.prepare().map_err(|e| e.to_string())) {
        Ok(prepared) => {
            says_what_is_started(&prepared);
            Some(made)
        }
        Err(why) => {
            skip("agent_qemu", why);
            None
        }
    }
}

/// What run.json has of it: the whole command line, and a digest of each thing it is made of.
fn says_what_is_started(prepared: &Prepared) {
    let fact = |name: &str| &prepared.facts.iter().find(|(known, _)| known == name).unwrap().1;
    for word in ["INSTANCE/layer", "virtserialport", "isa-debugcon", "INSTANCE/monitor", "cache="] {
        assert!(fact("qemu.arguments").contains(word), "{word}: {}", fact("qemu.arguments"));
    }
    for name in ["kernel.sha256", "initramfs.sha256", "disk.digest"] {
        assert!(fact(name).len() == 64 && fact(name).bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}

/// On the disk that is measured, never on a RAM disk.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn booted(environment: &mut QemuEnvironment) -> Box<dyn Instance> {
    match environment.boot() {
        Ok(instance) => instance,
        Err(error) => panic!("{error}"),
    }
}

fn order(workload: Workload) -> WorkOrder {
    WorkOrder {
        workload,
        duration_ns: 50_000_000,
        threads: 1,
        bytes: 0,
        direct: false,
        seed: 1,
        slower_permille: 0,
    }
}

#[test]
fn every_machine_and_disk_is_ready_inspected_and_ended() {
    let scratch = scratch();
    let cases = [
        (Machine::Microvm, DiskFormat::Qcow2),
        (Machine::Q35, DiskFormat::Qcow2),
        (Machine::Pc, DiskFormat::Raw),
    ];
    for (machine, disk) in cases {
        let Some(mut environment) = environment(machine, disk, scratch.path()) else { return };
        let mut instance = booted(&mut environment);
        eprintln!("{machine:?}: {:?}", instance.start());
        sense::span(instance.start(), PATIENT).unwrap();
        assert!(instance.layer().took.unwrap() > Duration::from_micros(100), "{:?}", instance.layer());
        clocks_agree(&mut *instance);
        size_is_seen(&mut *instance);
        let end = instance.stop().unwrap();
        sense::span(&end, PATIENT).unwrap();
        environment.dispose().unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "{machine:?} left files");
    }
}

/// What the agent says of its own start lies within the start that the host saw.
fn clocks_agree(instance: &mut dyn Instance) {
    let span = instance.start().clone();
    let offset = instance.agent().clock_offset(20, PATIENT).unwrap();
    let hello = instance.agent().hello().clone();
    assert_eq!(hello.pid, 1);
    assert_eq!(hello.boot_id.len(), 36, "{hello:?}");
    let on_host = |inside: u64| Instant(u64::try_from(i128::from(inside) + offset.offset_ns).unwrap());
    let (first, ready) = (on_host(hello.first_instruction_ns), on_host(hello.ready_ns));
    let slack = Duration::from_nanos(offset.uncertainty_ns) + Duration::from_millis(500);
    let agent = span.children.iter().find(|part| part.name == "agent").unwrap();
    for (inside, outside) in [(first, agent.start), (ready, agent.end)] {
        let apart = inside.since(outside).max(outside.since(inside));
        assert!(apart < slack, "{inside:?} inside, {outside:?} on the host, {offset:?}");
    }
}

fn size_is_seen(instance: &mut dyn Instance) {
    let seen = instance.inspect(PATIENT).unwrap();
    assert_eq!(seen.agent_sha256, isocost::agent::sha256());
    assert_eq!((seen.online_cpus, seen.affinity_cpus, seen.quota_cpus), (Some(2), Some(2), None));
    let firmware = seen.firmware_memory_bytes.unwrap();
    assert!(firmware <= MEMORY_BYTES && firmware > MEMORY_BYTES / 100 * 99, "{seen:?}");
    assert!(seen.memory_total_bytes.unwrap() < firmware, "{seen:?}");
    assert_eq!(
        (seen.layer_file_system.as_deref(), seen.layer_source.as_deref()),
        (Some("ext4"), Some("/dev/vda"))
    );
    assert!(seen.cpu_flags.iter().any(|flag| flag == "sse2") && seen.clock_source.is_some(), "{seen:?}");
    assert!(!seen.mitigations.is_empty() && !seen.kernel_release.is_empty(), "{seen:?}");
}

#[test]
fn every_piece_of_work_is_done_and_refusals_are_survived() {
    let scratch = scratch();
    let Some(mut environment) = environment(Machine::Microvm, DiskFormat::Qcow2, scratch.path()) else {
        return;
    };
    let mut instance = booted(&mut environment);
    let refused = [
        WorkOrder { threads: 0, ..order(Workload::CpuInteger) },
        WorkOrder { bytes: 1 << 40, ..order(Workload::MemoryBandwidth) },
        WorkOrder { bytes: 1 << 40, ..order(Workload::DiskWrite) },
    ];
    for (order, name) in refused.into_iter().zip(["bad-order", "no-memory", "no-space"]) {
        let failure = instance.prepare_work(&order, PATIENT).unwrap_err();
        assert_eq!(failure.name, FailureName::WorkFailed, "{failure:?}");
        assert!(failure.detail.starts_with(name), "{failure:?}");
    }
    let failure = instance.run_work(PATIENT).unwrap_err();
    assert!(failure.detail.contains("no work is prepared"), "{failure:?}");
    for workload in Workload::ALL {
        let memory = matches!(workload, Workload::MemoryBandwidth | Workload::MemoryLatency);
        let order = WorkOrder { bytes: if memory { 32 << 20 } else { 4 << 20 }, ..order(workload) };
        instance.prepare_work(&order, PATIENT).unwrap();
        let worked = instance.run_work(PATIENT).unwrap();
        eprintln!("{workload:?}: {} in {} us", worked.done.units, worked.done.elapsed_ns / 1000);
        sense::work(&worked, &order).unwrap();
    }
    let threads = WorkOrder { threads: 2, ..order(Workload::Threads) };
    instance.prepare_work(&threads, PATIENT).unwrap();
    instance.run_work(PATIENT).unwrap();
    instance.stop().unwrap();
    environment.dispose().unwrap();
}

/// Exactly so many bytes and so many syncs, and the host's disk saw them.
#[test]
fn the_hosts_disk_vouches_for_what_the_guest_writes() {
    let scratch = scratch();
    for disk in [DiskFormat::Qcow2, DiskFormat::Raw] {
        let Some(mut environment) = environment(Machine::Microvm, disk, scratch.path()) else { return };
        let mut instance = booted(&mut environment);
        let device = match Device::behind(&instance.layer().host_path) {
            Ok(device) => device,
            Err(why) => {
                return skip("the_hosts_disk_vouches_for_what_the_guest_writes", why);
            }
        };
        let cases = [
            (Workload::DiskWrite, 8 << 20, false),
            (Workload::DiskWrite, 8 << 20, true),
            (Workload::DiskSync, 256 << 10, false),
        ];
        for (workload, bytes, direct) in cases {
            let order = WorkOrder { duration_ns: 0, bytes, direct, ..order(workload) };
            instance.prepare_work(&order, PATIENT).unwrap();
            let before = device.counts();
            let worked = instance.run_work(PATIENT).unwrap();
            let after = device.counts();
            sense::work(&worked, &order).unwrap();
            let done = worked.done;
            assert_eq!(done.bytes_written, bytes);
            vouch(&before, &after, done.bytes_written, done.syncs).unwrap();
        }
        // The disk has grown by what was written.
        assert!(instance.added_bytes().unwrap() >= 8 << 20);
        instance.stop().unwrap();
        environment.dispose().unwrap();
    }
}

/// The harness is gone, QEMU is not: nobody would ever end this guest but itself.
#[test]
fn a_guest_that_is_hung_up_on_powers_itself_off() {
    let scratch = scratch();
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let Some(environment) = environment(Machine::Microvm, DiskFormat::Qcow2, scratch.path()) else { return };
    drop(environment);
    let kernel = kernel::resolve(&KernelChoice::Debian(None), &cache).unwrap();
    let at = |name: &str| scratch.path().join(name);
    let initramfs = guest::initramfs(&kernel, Machine::Microvm, isocost::agent::bytes(), Vec::new());
    std::fs::write(at("initramfs"), initramfs.unwrap()).unwrap();
    let mut words = guest::boot_line(Machine::Microvm, tsc::host_tsc_khz()).unwrap();
    words.extend(["isocost.layer=/dev/vda".into(), "isocost.off=reboot".into()]);
    let path = disk::overlay_qcow2(&disk::base(&cache, 4 << 30).unwrap().path, scratch.path()).unwrap();
    let plan = QemuPlan {
        board: Board {
            machine: Machine::Microvm,
            options: guest::parts(Machine::Microvm).unwrap().machine_options,
            accelerator: Accelerator::Tcg,
            cpus: 1,
            memory_bytes: MEMORY_BYTES,
        },
        kernel: kernel.vmlinux.unwrap(),
        initrd: Some(at("initramfs")),
        append: words.join(" "),
        disks: vec![Disk { path, format: DiskFormat::Qcow2, access: Access::Cached, read_only: false }],
        channels: Channels { agent: Some(at("agent")), ..Channels::default() },
    };
    let listener = AgentListener::bind(&at("agent")).unwrap();
    let launch = Launch {
        program: version::find().unwrap().path,
        arguments: arguments(&plan),
        run_id: "test-hung-up".into(),
        cgroup_procs: Vec::new(),
    };
    let mut process = QemuProcess::spawn(&launch).unwrap();
    let stop = StopSignal::new().unwrap();
    let until = Instant(Instant::now().0 + u64::try_from(PATIENT.as_nanos()).unwrap());
    let watch = Watch { stop: &stop, ended: Some(process.ended()) };
    drop(listener.accept(watch, until).unwrap());
    assert_eq!(process.wait(PATIENT, None).unwrap().code(), Some(0));
}
