//! What all instances of one environment share: QEMU, kernel, initramfs, base disk, and who executes them.

use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::args::{Access, Board, Channels, Disk, QemuPlan, arguments};
use super::error::QemuError;
use super::race::{self, Contest, Decision, Key};
use super::version::{self, Binary};
use crate::environment::socket_folder::SocketFolder;
use crate::environment::{Prepared, RunContext};
use crate::image::disk::Base;
use crate::image::kernel::{Kernel, sha256_hex};
use crate::image::{disk, guest, kernel, tsc};
use crate::measure::sample::Accelerator;
use crate::suite::{AcceleratorChoice, DiskFormat, Machine, QemuSpec};

/// The writable layer's size; a sparse file, so unused space costs nothing.
const LAYER_BYTES: u64 = 4 << 30;

/// The longest name of a socket below such a folder, with that of the race's own folder.
const LONGEST_SOCKET: &str = "race-123456/tcg";

/// The most vCPUs of a microvm. Its ACPI tables share the last page of RAM with the end of the initramfs (see
/// [`crate::image::initramfs`]) and grow by some 60 bytes a vCPU: with 64 they no longer fit.
const MICROVM_CPUS: u32 = 48;

/// Everything a start needs.
pub(crate) struct Ready {
    pub qemu: Binary,
    /// Without disks and channels.
    pub plan: QemuPlan,
    pub base: PathBuf,
    pub access: Access,
    pub decision: Option<Decision>,
    /// Holds the initramfs.
    pub folder: SocketFolder,
}

/// Makes a folder for sockets, and what else a guest needs.
pub(crate) fn folder(prefix: &str, scratch: &Path) -> Result<SocketFolder, QemuError> {
    SocketFolder::make(prefix, scratch, LONGEST_SOCKET).map_err(QemuError::io("create a folder in", scratch))
}

/// Finds or makes all of it.
///
/// # Errors
/// What is missing or failed.
pub(crate) fn prepare(spec: &QemuSpec, context: &RunContext) -> Result<(Ready, Prepared), QemuError> {
    let qemu = version::named(context.qemu.as_deref())?;
    let kernel = kernel::resolve(&spec.kernel, &context.cache)?;
    let folder = folder("image-", &context.scratch)?;
    let initramfs = guest::initramfs(&kernel, spec.machine, &context.agent, Vec::new())?;
    let initrd = folder.path().join("initramfs");
    std::fs::write(&initrd, &initramfs).map_err(QemuError::io("write", &initrd))?;
    let base = disk::base(&context.cache, LAYER_BYTES)?;
    let mut plan = plan(spec, context, &kernel, initrd)?;

    let words = emulation_words();
    let contest = Contest {
        qemu: &qemu,
        plan: &plan,
        emulation_words: &words,
        run_id: &context.run_id,
        scratch: folder.for_sockets(),
        stop: &context.stop,
    };
    let decision = choose(spec.accelerator, &contest, booted_sha256(&kernel, &plan.kernel), &context.cache)?;
    plan.board.accelerator = decision.as_ref().map_or(Accelerator::Tcg, |decision| decision.accelerator);
    if plan.board.accelerator == Accelerator::Tcg {
        plan.append.push_str(&words);
    }
    let access = access(&context.scratch, &base.path);
    let shown = shown(&plan, spec.disk, access);
    let made = Made { initramfs_sha256: &sha256_hex(&initramfs), base: &base, access, shown: &shown };
    let prepared = describe(&qemu, &kernel, &plan, decision.as_ref(), &made);
    Ok((Ready { qemu, plan, base: base.path, access, decision, folder }, prepared))
}

fn plan(
    spec: &QemuSpec,
    context: &RunContext,
    kernel: &Kernel,
    initrd: PathBuf,
) -> Result<QemuPlan, QemuError> {
    let asked = context.limits.cpus;
    if spec.machine == Machine::Microvm && asked > MICROVM_CPUS {
        return Err(QemuError::TooManyCpus { asked, most: MICROVM_CPUS });
    }
    let board = Board {
        machine: spec.machine,
        options: guest::parts(spec.machine)?.machine_options,
        accelerator: Accelerator::Tcg,
        cpus: context.limits.cpus,
        memory_bytes: context.limits.memory_bytes,
    };
    let mut words = guest::boot_line(spec.machine, None)?;
    // microvm has no ACPI power-off: it resets, and `-no-reboot` makes that the end.
    let off = if spec.machine == Machine::Microvm { "reboot" } else { "poweroff" };
    words.extend(["console=ttyS0".into(), "isocost.layer=/dev/vda".into(), format!("isocost.off={off}")]);
    let kernel = bootable(spec.machine, kernel)?;
    let (disks, channels) = (Vec::new(), Channels::default());
    Ok(QemuPlan { board, kernel, initrd: Some(initrd), append: words.join(" "), disks, channels })
}

/// microvm starts an uncompressed kernel by PVH soonest; the others boot what a distribution ships.
fn bootable(machine: Machine, kernel: &Kernel) -> Result<PathBuf, QemuError> {
    let vmlinux = kernel.vmlinux.as_ref().filter(|_| kernel.has_pvh);
    let (first, second) = match machine {
        Machine::Microvm => (vmlinux, kernel.bzimage.as_ref()),
        Machine::Q35 | Machine::Pc => (kernel.bzimage.as_ref(), vmlinux),
    };
    first.or(second).cloned().ok_or_else(|| {
        let source = std::io::Error::other("it is neither a bzImage nor a vmlinux with a PVH entry");
        QemuError::Io { doing: "boot the kernel", path: PathBuf::from(&kernel.label), source }
    })
}

fn booted_sha256<'a>(kernel: &'a Kernel, booted: &Path) -> &'a str {
    match &kernel.vmlinux_sha256 {
        Some(sha256) if kernel.vmlinux.as_deref() == Some(booted) => sha256,
        _ => &kernel.sha256,
    }
}

/// Emulation gives the guest the host's counter, and the guest need not find out its rate.
fn emulation_words() -> String {
    tsc::host_tsc_khz().map(|khz| format!(" tsc_early_khz={khz}")).unwrap_or_default()
}

fn choose(
    choice: AcceleratorChoice,
    contest: &Contest<'_>,
    kernel_sha256: &str,
    cache: &Path,
) -> Result<Option<Decision>, QemuError> {
    if choice == AcceleratorChoice::Tcg {
        return Ok(None);
    }
    if choice == AcceleratorChoice::Kvm {
        race::kvm_opens().map_err(QemuError::NoKvm)?;
    }
    let decision = race::decide(contest, &Key::of(contest, kernel_sha256), cache)?;
    if choice == AcceleratorChoice::Kvm && decision.accelerator != Accelerator::Kvm {
        return Err(QemuError::NoKvm(decision.explain()));
    }
    Ok(Some(decision))
}

/// The fastest that the file system and the kernel have: some switch io_uring off.
fn access(folder: &Path, base: &Path) -> Access {
    if !takes_direct(folder) {
        Access::Cached
    } else if disk::takes_io_uring(base) {
        Access::Uring
    } else {
        Access::Native
    }
}

/// Can files in this folder be opened past the page cache?
fn takes_direct(folder: &Path) -> bool {
    let Ok(file) = tempfile::NamedTempFile::new_in(folder) else { return false };
    rustix::fs::open(file.path(), OFlags::RDWR | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty()).is_ok()
}

/// The plan with what each instance has of its own, in a folder of its own that is called so.
fn shown(plan: &QemuPlan, format: DiskFormat, access: Access) -> QemuPlan {
    let folder = Path::new("INSTANCE");
    let disks = vec![Disk { path: folder.join("layer"), format, access, read_only: false }];
    QemuPlan { disks, channels: Channels::below(folder), ..plan.clone() }
}

/// What instances share, and how they will be started.
struct Made<'a> {
    initramfs_sha256: &'a str,
    base: &'a Base,
    access: Access,
    shown: &'a QemuPlan,
}

fn describe(
    qemu: &Binary,
    kernel: &Kernel,
    plan: &QemuPlan,
    decision: Option<&Decision>,
    made: &Made<'_>,
) -> Prepared {
    let host = rustix::system::uname().release().to_string_lossy().into_owned();
    let line =
        arguments(made.shown).iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let explained = decision.map_or_else(|| "TCG was asked for".to_owned(), Decision::explain);
    let facts = [
        ("qemu", qemu.banner.clone()),
        ("qemu.path", qemu.path.display().to_string()),
        ("qemu.arguments", line.join(" ")),
        ("accelerator", if plan.board.accelerator == Accelerator::Kvm { "kvm" } else { "tcg" }.into()),
        ("accelerator.why", explained),
        ("kernel", kernel.label.clone()),
        ("kernel.release", kernel.release.clone()),
        ("kernel.source", kernel.source.clone()),
        ("kernel.sha256", kernel.sha256.clone()),
        ("kernel.booted", plan.kernel.display().to_string()),
        ("kernel.booted.sha256", booted_sha256(kernel, &plan.kernel).to_owned()),
        ("kernel.line", plan.append.clone()),
        ("initramfs.sha256", made.initramfs_sha256.to_owned()),
        ("disk.digest", made.base.digest.clone()),
        ("disk.cache", made.access.shown().into()),
        ("host.kernel", host.clone()),
    ];
    let mut warnings = kernel.warnings.clone();
    if kernel.release != host {
        warnings.push(format!(
            "the guest's kernel is {}, the host's {host}: they are not the same",
            kernel.release
        ));
    }
    if made.access == Access::Cached {
        warnings.push("the disk goes through the host's page cache: its file system has no O_DIRECT".into());
    }
    Prepared {
        image_bytes: image_bytes(plan, &made.base.path),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        warnings,
    }
}

/// Kernel, initramfs and what the base disk takes; `None` where one cannot be looked at.
fn image_bytes(plan: &QemuPlan, base: &Path) -> Option<u64> {
    let length = |path: &Path| std::fs::metadata(path).ok().map(|meta| meta.len());
    let initrd = plan.initrd.as_deref().map_or(Some(0), length)?;
    Some(length(&plan.kernel)? + initrd + disk::allocated_bytes(base).ok()?)
}
