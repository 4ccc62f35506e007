//! Debian's real kernel, fetched by apt: unpacked, its modules planned, its initramfs built, its cache kept whole.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;

use isocost::image::ImageError;
use isocost::image::kernel::{Kernel, resolve};
use isocost::image::modules::plan;
use isocost::image::{disk, guest};
use isocost::suite::{KernelChoice, Machine};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

/// apt offers Debian's kernel on Debian only. In CI it must.
fn apt_offers_it() -> bool {
    let shown = std::process::Command::new("apt-cache").args(["show", "linux-image-cloud-amd64"]).output();
    let offered = shown.is_ok_and(|output| output.status.success() && !output.stdout.is_empty());
    if !offered {
        skip("guest_image", "apt offers no linux-image-cloud-amd64 here");
    }
    offered
}

fn debian(cache: &Path) -> Kernel {
    resolve(&KernelChoice::Debian(None), cache).unwrap()
}

fn names(kernel: &Kernel, wanted: &[&str]) -> Vec<String> {
    plan(kernel, wanted).unwrap().into_iter().map(|module| module.name).collect()
}

#[test]
fn debians_kernel_is_fetched_kept_and_repaired() {
    if !apt_offers_it() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let first = debian(cache.path());
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    assert!(first.has_pvh && first.label.contains(&first.release), "{first:?}");
    for file in [&first.bzimage, &first.vmlinux, &first.modules] {
        assert!(file.as_ref().is_some_and(|path| path.exists()), "{file:?}");
    }
    let vmlinux = first.vmlinux.clone().unwrap();
    assert!(std::fs::read(&vmlinux).unwrap().starts_with(b"\x7fELF"));
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let before = inode(&vmlinux);
    assert_eq!(debian(cache.path()), first);
    assert_eq!(inode(&vmlinux), before, "the second call fetched it again");

    each_machine_gets_what_it_needs(&first);
    pins_name_it(&first, cache.path());
    a_damaged_copy_is_made_again(&first, cache.path());
    its_own_files_can_be_named(&first, cache.path());
}

fn each_machine_gets_what_it_needs(kernel: &Kernel) {
    let microvm = names(kernel, &["virtio_mmio", "virtio_console"]);
    assert!(microvm.contains(&"virtio_console".to_owned()), "{microvm:?}");
    let order = |name: &str| microvm.iter().position(|found| found == name);
    assert!(order("virtio_ring") <= order("virtio"), "{microvm:?}");
    for machine in [Machine::Microvm, Machine::Q35, Machine::Pc] {
        let one = guest::initramfs(kernel, machine, b"agent", Vec::new()).unwrap();
        assert_eq!(one, guest::initramfs(kernel, machine, b"agent", Vec::new()).unwrap());
    }
    let error = plan(kernel, &["no-such-module"]).unwrap_err();
    assert!(matches!(error, ImageError::ModuleMissing { .. }), "{error}");
}

fn pins_name_it(kernel: &Kernel, cache: &Path) {
    let version = kernel.label.split(' ').nth(1).unwrap().to_owned();
    for pin in [version, kernel.release.clone()] {
        assert_eq!(&resolve(&KernelChoice::Debian(Some(pin)), cache).unwrap(), kernel);
    }
    let error = resolve(&KernelChoice::Debian(Some("0.0.1-1".into())), cache).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("0.0.1-1") && text.contains(&kernel.release), "{text}");
}

fn a_damaged_copy_is_made_again(kernel: &Kernel, cache: &Path) {
    let bzimage = kernel.bzimage.clone().unwrap();
    std::fs::write(&bzimage, b"damage").unwrap();
    let again = debian(cache);
    assert!(again.warnings.iter().any(|warning| warning.contains("damaged")), "{:?}", again.warnings);
    assert_eq!(again.sha256, kernel.sha256);
    assert!(std::fs::metadata(&bzimage).unwrap().len() > 1 << 20);
}

/// The same files as a user's own kernel: as a bzImage, a vmlinux, and a folder.
fn its_own_files_can_be_named(kernel: &Kernel, cache: &Path) {
    let bzimage = kernel.bzimage.clone().unwrap();
    let folder = bzimage.parent().unwrap().parent().unwrap().to_owned();
    for path in [bzimage, kernel.vmlinux.clone().unwrap(), folder] {
        let own = resolve(&KernelChoice::Path(path), cache).unwrap();
        assert_eq!((&own.release, own.has_pvh), (&kernel.release, true));
        assert_eq!((&own.vmlinux_sha256, &own.modules), (&kernel.vmlinux_sha256, &kernel.modules));
    }
}

#[test]
fn what_is_no_kernel_is_refused_with_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "not a kernel").unwrap();
    for path in [path, folder.path().join("absent"), folder.path().to_owned()] {
        let error = resolve(&KernelChoice::Path(path.clone()), folder.path()).unwrap_err();
        assert!(matches!(error, ImageError::KernelUnusable { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

/// qemu-img itself must accept the overlay, and find its base in it.
#[test]
fn an_overlay_is_small_and_knows_its_base() {
    let have = std::process::Command::new("qemu-img").arg("--version").output().is_ok();
    if !have {
        return skip("an_overlay_is_small_and_knows_its_base", "no qemu-img (apt-get install qemu-utils)");
    }
    let folder = tempfile::tempdir().unwrap();
    let base = disk::base(folder.path(), 256 << 20).unwrap().path;
    let overlay = disk::overlay_qcow2(&base, folder.path()).unwrap();
    assert!(disk::allocated_bytes(&overlay).unwrap() < 1 << 20);
    let info = std::process::Command::new("qemu-img")
        .args(["info", "--output=json"])
        .arg(&overlay)
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(info["virtual-size"], 256 << 20);
    assert_eq!(info["backing-filename"], base.to_str().unwrap());
    let error = disk::overlay_qcow2(&folder.path().join("absent"), folder.path()).unwrap_err();
    assert!(matches!(error, ImageError::ProgramFailed { .. }), "{error}");
}
