//! The file that disk work is done on.
//!
//! Every 4 KiB page begins with a stamp that says which page it is, of which seed: a write is of bytes that no layer
//! can leave out or compress, and a read counts only if it brought what had been written.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, statvfs};

use super::super::random::{Random, mix};
use super::super::{Refusal, bytes_of};
use crate::protocol::WorkOrder;

/// The unit of random reads, of synced writes and of alignment.
pub(super) const PAGE: usize = 4096;

/// The unit of sequential work.
pub(super) const CHUNK: usize = 1 << 20;

/// What a file system must keep free beside the file.
const SPARE_BYTES: u64 = 16 << 20;

/// A buffer whose first byte lies on a page, as O_DIRECT wants it.
pub(super) struct Aligned {
    bytes: Vec<u8>,
    from: usize,
    length: usize,
}

impl Aligned {
    /// Filled with bytes that do not repeat within it.
    pub(super) fn new(length: usize, seed: u64) -> Self {
        let mut bytes = vec![0; length + PAGE];
        let from = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        let mut random = Random(seed);
        for word in bytes[from..from + length].chunks_exact_mut(8) {
            word.copy_from_slice(&random.next().to_le_bytes());
        }
        Self { bytes, from, length }
    }

    pub(super) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + self.length]
    }
}

/// Stamps the pages of `bytes`, which are to lie at `at` in the file, and adds the stamps up.
fn stamp(bytes: &mut [u8], at: u64, seed: u64) -> u64 {
    let mut sum = 0u64;
    for (page, bytes) in (at / PAGE as u64..).zip(bytes.chunks_mut(PAGE)) {
        let stamp = mix(seed ^ page);
        sum = sum.wrapping_add(stamp);
        if let Some(first) = bytes.first_chunk_mut() {
            *first = stamp.to_le_bytes();
        }
    }
    sum
}

/// Checks the stamps of what was read at `at`, and adds them up.
fn check(bytes: &[u8], at: u64, seed: u64) -> Result<u64, Refusal> {
    let mut sum = 0u64;
    for (page, bytes) in (at / PAGE as u64..).zip(bytes.chunks(PAGE)) {
        let Some(first) = bytes.first_chunk() else { continue };
        let (found, wanted) = (u64::from_le_bytes(*first), mix(seed ^ page));
        if found != wanted {
            let detail = format!("page {page} of the file came back as another than was written");
            return Err(Refusal { name: "io", detail });
        }
        sum = sum.wrapping_add(found);
    }
    Ok(sum)
}

/// The file that work is done on. Removed when it is dropped.
pub(super) struct WorkFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    seed: u64,
}

impl Drop for WorkFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl WorkFile {
    /// A new one, empty.
    pub(super) fn new(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        let bytes = bytes_of(order.bytes);
        if !bytes.is_multiple_of(PAGE as u64) {
            return Err(Refusal::order(format!(
                "a file of {bytes} bytes, which are not whole pages of {PAGE}"
            )));
        }
        room(layer, bytes)?;
        let path = layer.join(format!("isocost-work-{}", std::process::id()));
        // What one that was killed left behind.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Refusal::io(&format!("remove {}", path.display()), error));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = open(&path, &mut options, order.direct)?;
        Ok(Self { path, file, bytes, seed: order.seed })
    }

    /// A new one that is full and on the medium; in the page cache unless the order goes around it.
    pub(super) fn full(order: &WorkOrder, layer: &Path) -> Result<Self, Refusal> {
        let made = Self::new(order, layer)?;
        let mut buffer = Aligned::new(CHUNK, order.seed);
        made.pass(&mut buffer, |_| true)?;
        if !order.direct {
            made.read_all(&mut buffer, |_| true)?;
        }
        Ok(made)
    }

    fn failed(&self, doing: &str, error: impl Into<io::Error>) -> Refusal {
        Refusal::io(&format!("{doing} {}", self.path.display()), error)
    }

    /// Writes the whole file in chunks and syncs it; `wanted` is asked before each chunk. Returns bytes and checksum.
    pub(super) fn pass(
        &self,
        buffer: &mut Aligned,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> Result<(u64, u64), Refusal> {
        let (mut at, mut sum) = (0, 0u64);
        while at < self.bytes && wanted(at) {
            let length = usize::try_from(self.bytes - at).unwrap_or(CHUNK).min(CHUNK);
            sum = sum.wrapping_add(self.write(&mut buffer.get_mut()[..length], at)?);
            at += length as u64;
        }
        self.sync()?;
        Ok((at, sum))
    }

    /// Stamps and writes; returns a checksum.
    pub(super) fn write(&self, bytes: &mut [u8], at: u64) -> Result<u64, Refusal> {
        let sum = stamp(bytes, at, self.seed);
        self.file.write_all_at(bytes, at).map_err(|e| self.failed("write", e))?;
        Ok(sum)
    }

    pub(super) fn pages(&self) -> u64 {
        self.bytes / PAGE as u64
    }

    /// Has it the length that was written?
    pub(super) fn is_whole(&self) -> Result<(), Refusal> {
        let length = self.file.metadata().map_err(|e| self.failed("look at", e))?.len();
        if length == self.bytes {
            return Ok(());
        }
        let (path, bytes) = (self.path.display(), self.bytes);
        Err(Refusal { name: "io", detail: format!("{path} has {length} bytes after {bytes} were written") })
    }

    pub(super) fn sync(&self) -> Result<(), Refusal> {
        self.file.sync_data().map_err(|e| self.failed("sync", e))
    }

    pub(super) fn empty(&self) -> Result<(), Refusal> {
        self.file.set_len(0).map_err(|e| self.failed("shorten", e))
    }

    /// Reads the whole file in chunks and checks it. Returns bytes and checksum.
    pub(super) fn read_all(
        &self,
        buffer: &mut Aligned,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> Result<(u64, u64), Refusal> {
        let (mut at, mut sum) = (0, 0u64);
        while at < self.bytes && wanted(at) {
            let length = usize::try_from(self.bytes - at).unwrap_or(CHUNK).min(CHUNK);
            sum = sum.wrapping_add(self.read(&mut buffer.get_mut()[..length], at)?);
            at += length as u64;
        }
        Ok((at, sum))
    }

    pub(super) fn read(&self, into: &mut [u8], at: u64) -> Result<u64, Refusal> {
        self.file.read_exact_at(into, at).map_err(|e| self.failed("read", e))?;
        check(into, at, self.seed)
    }
}

fn open(path: &Path, options: &mut OpenOptions, direct: bool) -> Result<File, Refusal> {
    let mut flags = OFlags::NOFOLLOW;
    flags.set(OFlags::DIRECT, direct);
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput if direct => {
            let detail = format!("the file system of {} has no O_DIRECT", path.display());
            Refusal { name: "unsupported", detail }
        }
        _ => Refusal::io(&format!("open {}", path.display()), error),
    })
}

/// Is there room for `bytes`?
fn room(layer: &Path, bytes: u64) -> Result<(), Refusal> {
    let seen = statvfs(layer).map_err(|e| Refusal::io(&format!("look at {}", layer.display()), e))?;
    let free = seen.f_bavail.saturating_mul(seen.f_frsize);
    if bytes.saturating_add(SPARE_BYTES) <= free {
        return Ok(());
    }
    let detail = format!("{} has {free} bytes free, {bytes} and some to spare are needed", layer.display());
    Err(Refusal { name: "no-space", detail })
}
