//! Disks of guests: an ext4 base image that is made once, and what each instance writes to: an overlay or a copy.

mod copy;
mod make;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::program::Program;

pub use copy::raw_copy;
pub use make::{Base, base, from_tree};

const QEMU_IMG: Program =
    Program { name: "qemu-img", package: "qemu-utils", next: "look at the space left in the folder" };

/// Makes a qcow2 file in `folder` whose unwritten blocks are those of the raw image `base`, and returns its path. It is on the disk
/// by then: who reads it past the page cache first would wait for that.
///
/// # Errors
/// Where qemu-img is missing or fails.
pub fn overlay_qcow2(base: &Path, folder: &Path) -> Result<PathBuf, ImageError> {
    let base = std::path::absolute(base).map_err(ImageError::io("find", base))?;
    let overlay = folder.join("layer.qcow2");
    QEMU_IMG.run(&make::overlay_arguments(&base, &overlay), Path::new("/"), &[])?;
    let written = File::open(&overlay).and_then(|file| file.sync_all());
    written.map_err(ImageError::io("write", &overlay))?;
    Ok(overlay)
}

/// Can QEMU open this image of [`base`] past the page cache, by io_uring? It is asked to.
#[must_use]
pub fn takes_io_uring(base: &Path) -> bool {
    opens(base, "io_uring")
}

/// The name alone, from its folder, for a comma in a path would end it.
fn opens(image: &Path, interface: &str) -> bool {
    let (Some(folder), Some(name)) = (image.parent(), image.file_name()) else { return false };
    let mut opened = OsString::from(format!(
        "driver=raw,file.driver=file,file.cache.direct=on,file.aio={interface},file.filename="
    ));
    opened.push(name);
    QEMU_IMG.run(&["info".into(), "--image-opts".into(), opened], folder, &[]).is_ok()
}

/// Bytes a file takes on the disk (allocated blocks), which for a sparse file is less than its length.
///
/// # Errors
/// Where the file cannot be looked at.
pub fn allocated_bytes(path: &Path) -> Result<u64, ImageError> {
    let meta = std::fs::metadata(path).map_err(ImageError::io("look at", path))?;
    Ok(meta.blocks() * 512)
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).map_err(ImageError::io("create a file in", folder))?;
    file.write_all(bytes).map_err(ImageError::io("write", path))?;
    file.persist(path).map_err(|e| ImageError::io("create", path)(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
