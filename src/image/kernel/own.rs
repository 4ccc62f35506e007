//! Kernels that are on this machine already: the host's, or one the user names.

use std::path::{Path, PathBuf};

use super::super::cache::LockedFolder;
use super::super::error::ImageError;
use super::super::vmlinux::{
    Extracted, MAX_VMLINUX_BYTES, extract, has_pvh, is_bzimage, is_elf, release_of_bzimage,
    release_of_vmlinux,
};
use super::{Kernel, sha256_hex};
use crate::named_file;

/// The kernel this host runs.
pub(super) fn host(cache: &Path) -> Result<Kernel, ImageError> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    host_below(Path::new("/"), &release, cache)
}

fn host_below(root: &Path, release: &str, cache: &Path) -> Result<Kernel, ImageError> {
    let path = root.join("boot").join(format!("vmlinuz-{release}"));
    if !path.exists() {
        let why = format!("this host runs {release}, and there is no such file");
        let next = "name a kernel with `--kernel PATH`, or take Debian's with `--kernel debian`";
        return Err(ImageError::KernelUnusable { path, why, next: next.into() });
    }
    let modules = Some(root.join("lib/modules").join(release)).filter(|folder| folder.is_dir());
    loaded(&path, "host", modules, cache)
}

/// The kernel at `path`: a bzImage, a vmlinux, or a folder laid out like a kernel package.
pub(super) fn at_path(path: &Path, cache: &Path) -> Result<Kernel, ImageError> {
    let path = std::path::absolute(path).map_err(ImageError::io("find", path))?;
    if path.is_dir() {
        let file = only_kernel_in(&path)?;
        return loaded(&file, "own", None, cache);
    }
    loaded(&path, "own", None, cache)
}

/// The one `vmlinuz*`, `bzImage` or `vmlinux*` in `boot/` of the folder, or in the folder itself.
fn only_kernel_in(folder: &Path) -> Result<PathBuf, ImageError> {
    let mut found = kernels_in(&folder.join("boot"));
    if found.is_empty() {
        found = kernels_in(folder);
    }
    // Both forms of one kernel: the compressed one is what its maker ships.
    if found.iter().any(|path| !named(path, "vmlinux")) {
        found.retain(|path| !named(path, "vmlinux"));
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([file]) => Ok(file),
        Err(found) => Err(ImageError::KernelUnusable {
            path: folder.to_owned(),
            why: format!("there are {} kernels in the folder and its boot/, not one", found.len()),
            next: "name the kernel's file itself".into(),
        }),
    }
}

fn named(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

fn kernels_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_kernel =
        |p: &PathBuf| p.is_file() && ["vmlinuz", "vmlinux", "bzImage"].iter().any(|n| named(p, n));
    paths.filter(is_kernel).collect()
}

fn loaded(path: &Path, maker: &str, modules: Option<PathBuf>, cache: &Path) -> Result<Kernel, ImageError> {
    let bytes = read_kernel(path)?;
    let name = path.display().to_string();
    let release = if is_elf(&bytes) { release_of_vmlinux(&bytes) } else { release_of_bzimage(&bytes) };
    let release = release.ok_or_else(|| ImageError::KernelUnusable {
        path: path.to_owned(),
        why: "it is neither a bzImage nor a vmlinux: no release is in it".into(),
        next: "name a bzImage (vmlinuz) or an uncompressed vmlinux for x86-64".into(),
    })?;
    let modules = modules.or_else(|| modules_beside(path, &release));
    let mut kernel = Kernel {
        label: format!("{maker} {release}"),
        bzimage: None,
        vmlinux: None,
        has_pvh: false,
        sha256: sha256_hex(&bytes),
        vmlinux_sha256: None,
        warnings: Vec::new(),
        source: name,
        modules,
        release,
    };
    if kernel.modules.is_none() {
        kernel.warnings.push(format!(
            "kernel {} has no lib/modules/{} beside it: all that the guest needs must be built in",
            kernel.source, kernel.release
        ));
    }
    add_forms(&mut kernel, path, &bytes, cache)?;
    Ok(kernel)
}

fn read_kernel(path: &Path) -> Result<Vec<u8>, ImageError> {
    let unusable =
        |why: String, next: String| ImageError::KernelUnusable { path: path.to_owned(), why, next };
    let bytes = named_file::read(path, MAX_VMLINUX_BYTES).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => {
            ImageError::TooLarge { what: path.display().to_string(), cap_bytes: MAX_VMLINUX_BYTES }
        }
        std::io::ErrorKind::PermissionDenied => unusable(
            "this user may not read it".into(),
            format!(
                "allow it with `sudo chmod a+r {}`, or take Debian's with `--kernel debian`",
                path.display()
            ),
        ),
        _ => unusable(error.to_string(), "name a bzImage or a vmlinux".into()),
    })?;
    if !is_elf(&bytes) && !is_bzimage(&bytes) {
        let next = "name a bzImage (vmlinuz) or an uncompressed vmlinux for x86-64";
        return Err(unusable("it is neither a bzImage nor an ELF file".into(), next.into()));
    }
    Ok(bytes)
}

/// `lib/modules/RELEASE` in the kernel's folder or in the one above.
fn modules_beside(path: &Path, release: &str) -> Option<PathBuf> {
    let folders = path.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join("lib/modules").join(release)).find(|folder| folder.is_dir())
}

fn add_forms(kernel: &mut Kernel, path: &Path, bytes: &[u8], cache: &Path) -> Result<(), ImageError> {
    if is_elf(bytes) {
        kernel.vmlinux = Some(path.to_owned());
        kernel.vmlinux_sha256 = Some(kernel.sha256.clone());
        kernel.has_pvh = has_pvh(bytes);
        return Ok(());
    }
    kernel.bzimage = Some(path.to_owned());
    match extract(bytes, &kernel.source)? {
        Extracted::Unsupported(why) => {
            kernel
                .warnings
                .push(format!("the uncompressed kernel cannot be taken out of {}: {why}", kernel.source));
        }
        Extracted::Vmlinux(vmlinux) => {
            kernel.has_pvh = has_pvh(&vmlinux);
            kernel.vmlinux_sha256 = Some(sha256_hex(&vmlinux));
            kernel.vmlinux = Some(keep(&vmlinux, &kernel.sha256, cache)?);
        }
    }
    Ok(())
}

/// Writes the extracted kernel to the cache, named by the hash of what it was taken out of. It is extracted anew
/// each time, so that a kept file that was damaged is replaced.
fn keep(vmlinux: &[u8], sha256: &str, cache: &Path) -> Result<PathBuf, ImageError> {
    let folder = LockedFolder::of(cache, "vmlinux-1")?;
    let path = folder.path().join(sha256);
    if std::fs::read(&path).is_ok_and(|kept| kept == vmlinux) {
        return Ok(path);
    }
    super::super::disk::write_whole(&path, vmlinux)?;
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A vmlinux as far as its first bytes and its banner.
    fn vmlinux(release: &str) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0".to_vec();
        bytes.extend(format!("Linux version {release} (x@y) and some more").as_bytes());
        bytes
    }

    #[test]
    fn a_host_without_its_kernel_s_file_is_told_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let error = host_below(root.path(), "9.9.9", root.path()).unwrap_err().to_string();
        assert!(error.contains("boot/vmlinuz-9.9.9") && error.contains("--kernel debian"), "{error}");
    }

    #[test]
    fn a_host_s_kernel_is_taken_with_its_modules() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("boot")).unwrap();
        std::fs::create_dir_all(root.path().join("lib/modules/9.9.9")).unwrap();
        std::fs::write(root.path().join("boot/vmlinuz-9.9.9"), vmlinux("9.9.9")).unwrap();
        let kernel = host_below(root.path(), "9.9.9", root.path()).unwrap();
        assert_eq!((kernel.label.as_str(), kernel.release.as_str()), ("host 9.9.9", "9.9.9"));
        assert_eq!(kernel.modules, Some(root.path().join("lib/modules/9.9.9")));
        assert!(!kernel.has_pvh && kernel.warnings.is_empty(), "{kernel:?}");
    }

    #[test]
    fn a_kernel_that_may_not_be_read_is_told_how() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("vmlinuz-9.9.9");
        std::fs::write(&path, vmlinux("9.9.9")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        match read_kernel(&path) {
            // Root may read everything.
            Ok(_) => assert!(rustix::process::geteuid().is_root()),
            Err(error) => assert!(error.to_string().contains("sudo chmod a+r"), "{error}"),
        }
    }

    #[test]
    fn a_kernel_without_modules_warns() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("vmlinux");
        std::fs::write(&path, vmlinux("9.9.9")).unwrap();
        let kernel = at_path(&path, root.path()).unwrap();
        assert!(kernel.modules.is_none() && kernel.warnings[0].contains("built in"), "{kernel:?}");
        assert_eq!(kernel.vmlinux, Some(path));
    }

    #[test]
    fn what_has_no_end_is_no_kernel() {
        let root = tempfile::tempdir().unwrap();
        let error = at_path(Path::new("/dev/zero"), root.path()).unwrap_err().to_string();
        assert!(error.contains("not a file"), "{error}");
        let large = root.path().join("vmlinux");
        std::fs::File::create(&large).unwrap().set_len(MAX_VMLINUX_BYTES + 1).unwrap();
        assert!(matches!(at_path(&large, root.path()), Err(ImageError::TooLarge { .. })));
    }

    #[test]
    fn two_kernels_in_a_folder_are_one_too_many() {
        let root = tempfile::tempdir().unwrap();
        for name in ["vmlinuz-1", "vmlinuz-2"] {
            std::fs::write(root.path().join(name), b"x").unwrap();
        }
        let error = at_path(root.path(), root.path()).unwrap_err().to_string();
        assert!(error.contains("2 kernels"), "{error}");
    }
}
