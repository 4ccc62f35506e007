//! The initramfs: the agent as `/init`, modules, and the folders and devices PID 1 needs. Made by nothing but
//! this code, so the same input always gives the same bytes.

use cpio::newc::{Builder, trailer};

use super::error::ImageError;
use super::modules::ModuleFile;

/// The list of modules in the order to load them: a path a line.
pub const MODULES_LIST: &str = "/isocost/modules";

/// The line of [`MODULES_LIST`] between what the agent's channel needs and what the disk needs.
pub const LAYER_MARK: &str = "-- layer";

/// Where the modules themselves are.
const MODULES_FOLDER: &str = "isocost/ko";

/// What goes in.
#[derive(Debug, Clone, Default)]
pub struct InitramfsSpec<'a> {
    /// The program that becomes PID 1.
    pub agent: &'a [u8],
    /// Modules of the agent's channel, in load order: loaded first.
    pub channel: Vec<ModuleFile>,
    /// Modules of the disk, in load order; those that are in `channel` too are not repeated.
    pub disk: Vec<ModuleFile>,
    /// Further files.
    pub extra: Vec<ExtraFile>,
}

/// A file of the caller's own.
#[derive(Debug, Clone)]
pub struct ExtraFile {
    /// Absolute; the folders above it are made.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Permissions, for example `0o644`.
    pub mode: u32,
}

/// QEMU loads the archive so that it ends in the last page of RAM, and on microvm the firmware's ACPI tables have the end
/// of that page. An archive that ends one byte into the page leaves them alone; one that filled it would be written over
/// them, and the kernel then hangs on a table of nonsense, or misses the devices that the tables name.
const PAGE: usize = 4096;

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// The archive, uncompressed (compressing it does not make a start faster).
///
/// # Errors
/// [`ImageError::BadEntry`] for a path among the extra files that is not absolute or has `..`.
pub fn build(spec: &InitramfsSpec<'_>) -> Result<Vec<u8>, ImageError> {
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "layer", "newroot", "isocost", MODULES_FOLDER] {
        archive.folder(folder)?;
    }
    archive.device("dev/console", 0o600, 5, 1)?;
    archive.device("dev/null", 0o666, 1, 3)?;
    archive.file("init", spec.agent, 0o755)?;
    let disk: Vec<_> = spec.disk.iter().filter(|m| spec.channel.iter().all(|c| c.name != m.name)).collect();
    for module in spec.channel.iter().chain(disk.iter().copied()) {
        archive.file(path_of(module).trim_start_matches('/'), &module.bytes, 0o644)?;
    }
    let list = modules_list(&spec.channel, &disk);
    archive.file(MODULES_LIST.trim_start_matches('/'), list.as_bytes(), 0o644)?;
    for extra in &spec.extra {
        archive.extra(extra)?;
    }
    archive.finish()
}

fn path_of(module: &ModuleFile) -> String {
    format!("/{MODULES_FOLDER}/{}.ko", module.name)
}

fn modules_list(channel: &[ModuleFile], disk: &[&ModuleFile]) -> String {
    let first = channel.iter().map(path_of);
    let then = disk.iter().map(|module| path_of(module));
    first.chain([LAYER_MARK.to_owned()]).chain(then).map(|line| line + "\n").collect()
}

/// A cpio archive in the making; inode numbers count up, times are 0.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    names: std::collections::BTreeSet<String>,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32) -> Builder {
        self.entries += 1;
        self.names.insert(name.to_owned());
        Builder::new(name).ino(self.entries).mode(mode).nlink(1)
    }

    fn write(&mut self, name: &str, header: Builder, content: &[u8]) -> Result<(), ImageError> {
        let too_large = || ImageError::TooLarge { what: format!("/{name}"), cap_bytes: u32::MAX.into() };
        let size = u32::try_from(content.len()).map_err(|_| too_large())?;
        let mut writer = header.write(&mut self.bytes, size);
        let written =
            std::io::Write::write_all(&mut writer, content).and_then(|()| writer.finish().map(|_| ()));
        written.map_err(|e| ImageError::malformed(format!("/{name} of the initramfs"), e))
    }

    fn folder(&mut self, name: &str) -> Result<(), ImageError> {
        let header = self.entry(name, FOLDER).nlink(2);
        self.write(name, header, &[])
    }

    fn device(&mut self, name: &str, mode: u32, major: u32, minor: u32) -> Result<(), ImageError> {
        let header = self.entry(name, CHARACTER_DEVICE | mode).rdev_major(major).rdev_minor(minor);
        self.write(name, header, &[])
    }

    fn file(&mut self, name: &str, content: &[u8], mode: u32) -> Result<(), ImageError> {
        let header = self.entry(name, FILE | mode);
        self.write(name, header, content)
    }

    fn extra(&mut self, extra: &ExtraFile) -> Result<(), ImageError> {
        let bad = |why| ImageError::BadEntry { path: extra.path.clone(), why };
        let name = extra.path.strip_prefix('/').ok_or_else(|| bad("it is not absolute"))?;
        if name.contains('\0') || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(bad("each part of it must be a name"));
        }
        if self.names.contains(name) {
            return Err(bad("something else is there already"));
        }
        let slashes: Vec<usize> = name.match_indices('/').map(|(at, _)| at).collect();
        for above in slashes.into_iter().map(|at| &name[..at]) {
            if !self.names.contains(above) {
                self.folder(above)?;
            }
        }
        self.file(name, &extra.bytes, extra.mode & 0o7777)
    }

    fn finish(mut self) -> Result<Vec<u8>, ImageError> {
        trailer(&mut self.bytes).map_err(|e| ImageError::malformed("the initramfs", e))?;
        // Zeroes behind the trailer are part of the format.
        self.bytes.resize(self.bytes.len().next_multiple_of(PAGE) + 1, 0);
        Ok(self.bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::kernel::sha256_hex;
    use super::*;

    fn module(name: &str) -> ModuleFile {
        ModuleFile { name: name.into(), bytes: format!("{name}'s bytes").into_bytes() }
    }

    fn spec() -> InitramfsSpec<'static> {
        InitramfsSpec {
            agent: b"agent",
            channel: vec![module("virtio_ring"), module("virtio_console")],
            disk: vec![module("virtio_ring"), module("virtio_blk")],
            extra: vec![ExtraFile { path: "/etc/deep/file".into(), bytes: b"text".to_vec(), mode: 0o600 }],
        }
    }

    fn listed(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let (mut rest, mut found) = (bytes, Vec::new());
        loop {
            let mut reader = cpio::newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return found;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
            rest = reader.finish().unwrap();
            found.push((name, mode, content));
        }
    }

    #[test]
    fn has_what_pid_1_needs() {
        let entries = listed(&build(&spec()).unwrap());
        let of = |name: &str| entries.iter().find(|(n, ..)| n == name).unwrap();
        assert_eq!(of("init"), &("init".into(), 0o100_755, b"agent".to_vec()));
        assert_eq!(of("dev/console").1, 0o020_600);
        assert_eq!(of("etc/deep").1, 0o040_755);
        assert_eq!(of("etc/deep/file").1, 0o100_600);
        let list = String::from_utf8(of("isocost/modules").2.clone()).unwrap();
        let expected = "/isocost/ko/virtio_ring.ko\n/isocost/ko/virtio_console.ko\n-- layer\n/isocost/ko/virtio_blk.ko\n";
        assert_eq!(list, expected);
        assert_eq!(of("isocost/ko/virtio_blk.ko").2, b"virtio_blk's bytes");
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_for_ever() {
        let bytes = build(&spec()).unwrap();
        assert_eq!(bytes, build(&spec()).unwrap());
        assert_eq!(sha256_hex(&bytes), "c40e839706777204bc5855823585d6212460a5c7b2deb2d3951294fc82b98529");
    }

    #[test]
    fn it_leaves_the_last_page_of_memory_to_the_firmware() {
        for length in [0, 1, 4096, 5000] {
            let agent = vec![1; length];
            let bytes = build(&InitramfsSpec { agent: &agent, ..InitramfsSpec::default() }).unwrap();
            assert_eq!(bytes.len() % PAGE, 1);
        }
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        for path in ["relative", "/a/../b", "/a//b", "/", "/init"] {
            let extra = vec![ExtraFile { path: path.into(), bytes: Vec::new(), mode: 0o644 }];
            let error = build(&InitramfsSpec { agent: b"x", extra, ..InitramfsSpec::default() }).unwrap_err();
            assert!(matches!(error, ImageError::BadEntry { .. }), "{path}");
        }
    }
}
