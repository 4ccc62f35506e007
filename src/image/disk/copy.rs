//! Copies and digests of sparse files: holes stay holes, and are not read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom;
use sha2::{Digest, Sha256};

use super::super::error::ImageError;

const BLOCK_BYTES: usize = 1 << 16;

/// Copies the raw image `base` into `folder` and returns the copy's path: by sharing blocks where the file system
/// can, else by copying what is not a hole. The copy is writable.
///
/// # Errors
/// Where either file refuses.
pub fn raw_copy(base: &Path, folder: &Path) -> Result<PathBuf, ImageError> {
    let path = folder.join("layer.raw");
    let from = File::open(base).map_err(ImageError::io("open", base))?;
    let to = File::create_new(&path).map_err(ImageError::io("create", &path))?;
    if rustix::fs::ioctl_ficlone(&to, &from).is_err() {
        copy_data(&from, &to).map_err(ImageError::io("write", &path))?;
    }
    to.sync_all().map_err(ImageError::io("write", &path))?;
    Ok(path)
}

/// Copies `from` to the new file `to` without the blocks that are allocated but all zeros.
pub(super) fn thin_copy(from: &Path, to: &Path) -> Result<(), ImageError> {
    let source = File::open(from).map_err(ImageError::io("open", from))?;
    let target = File::create_new(to).map_err(ImageError::io("create", to))?;
    copy_data(&source, &target).map_err(ImageError::io("write", to))
}

fn copy_data(from: &File, to: &File) -> io::Result<()> {
    to.set_len(from.metadata()?.len())?;
    each_block(from, |offset, bytes| if is_zero(bytes) { Ok(()) } else { to.write_all_at(bytes, offset) })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// A digest of a file's length and of every block of it that is not all zeros, with its place: the same however the
/// file is laid out on the disk. Lower-case hex.
pub(super) fn sparse_digest(path: &Path) -> Result<String, ImageError> {
    let digest = || -> io::Result<Sha256> {
        let file = File::open(path)?;
        let mut hash = Sha256::new();
        hash.update(file.metadata()?.len().to_le_bytes());
        each_block(&file, |offset, bytes| {
            if !is_zero(bytes) {
                hash.update(offset.to_le_bytes());
                hash.update(bytes);
            }
            Ok(())
        })?;
        Ok(hash)
    };
    let hash = digest().map_err(ImageError::io("read", path))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Calls `visit` with each aligned block that has data, in order.
fn each_block(file: &File, mut visit: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut offset = 0;
    while let Some(data) = next_data(file, offset)? {
        // Aligned, so that the blocks of a file are the same wherever its holes begin.
        offset = offset.max(data - data % BLOCK_BYTES as u64);
        let size = (length - offset).min(BLOCK_BYTES as u64) as usize;
        file.read_exact_at(&mut buffer[..size], offset)?;
        visit(offset, &buffer[..size])?;
        offset += size as u64;
    }
    Ok(())
}

/// Where data begins at or after `offset`; `None` at the end.
fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
