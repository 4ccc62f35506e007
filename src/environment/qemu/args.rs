//! From a plan to QEMU's command line: pure, so that it can be read in a test.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::measure::sample::Accelerator;
use crate::suite::{DiskFormat, Machine};

/// Where the agent writes one byte as its first instruction.
pub const FIRST_INSTRUCTION_PORT: u16 = 0xe9;

/// Where SeaBIOS writes its messages, on every machine type that is supported.
pub const FIRMWARE_PORT: u16 = 0x402;

/// The name of the agent's virtio-serial port inside the guest.
pub const AGENT_PORT: &str = "isocost.agent";

/// A virtual machine as QEMU is to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuPlan {
    /// The board.
    pub board: Board,
    /// bzImage or vmlinux.
    pub kernel: PathBuf,
    /// Its initramfs.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub append: String,
    /// In the order of the guest's `/dev/vda`, `/dev/vdb`, …
    pub disks: Vec<Disk>,
    /// What it is connected to.
    pub channels: Channels,
}

/// The board and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Machine type.
    pub machine: Machine,
    /// What follows it in `-machine` (see [`GuestParts`](crate::image::guest::GuestParts)).
    pub options: Vec<String>,
    /// KVM or TCG.
    pub accelerator: Accelerator,
    /// vCPUs.
    pub cpus: u32,
    /// RAM in bytes (whole MiB; the rest is dropped).
    pub memory_bytes: u64,
}

/// How QEMU reads and writes a file. The guest's flushes are honoured by all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Through the host's page cache, by threads.
    Cached,
    /// Past it (O_DIRECT), by the older of the kernel's asynchronous interfaces. QEMU tries it out on each file it opens, and waits
    /// some 35 ms for the end of that.
    Native,
    /// Past it, by io_uring.
    Uring,
}

impl Access {
    /// The words for it on a command line.
    fn words(self) -> &'static str {
        match self {
            Self::Cached => "cache=writeback,aio=threads",
            Self::Native => "cache=none,aio=native",
            Self::Uring => "cache=none,aio=io_uring",
        }
    }

    /// What it is, for the record of a run.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Cached => "writeback, flushes honoured",
            Self::Native => "none (O_DIRECT, native AIO), flushes honoured",
            Self::Uring => "none (O_DIRECT, io_uring), flushes honoured",
        }
    }
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub format: DiskFormat,
    /// How QEMU reads and writes it.
    pub access: Access,
    /// Not to be written.
    pub read_only: bool,
}

/// Unix sockets on which the harness listens, and files that QEMU writes. What is `None` is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channels {
    /// The agent's virtio-serial port.
    pub agent: Option<PathBuf>,
    /// [`FIRST_INSTRUCTION_PORT`].
    pub first_instruction: Option<PathBuf>,
    /// [`FIRMWARE_PORT`].
    pub firmware: Option<PathBuf>,
    /// QEMU's monitor.
    pub monitor: Option<PathBuf>,
    /// The serial console.
    pub console: Option<Console>,
}

impl Channels {
    /// All of them, as sockets in this folder.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        let at = |name: &str| folder.join(name);
        Self {
            agent: Some(at("agent")),
            first_instruction: Some(at("first")),
            firmware: Some(at("firmware")),
            monitor: Some(at("monitor")),
            console: Some(Console::Socket(at("console"))),
        }
    }
}

/// Where the serial console goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Console {
    /// To a socket: the reader bounds what it keeps.
    Socket(PathBuf),
    /// To a file, without a bound: for guests that are trusted.
    File(PathBuf),
}

/// QEMU's arguments.
#[must_use]
pub fn arguments(plan: &QemuPlan) -> Vec<OsString> {
    let mut a = Arguments::default();
    a.board(&plan.board);
    a.boot(plan);
    a.channels(plan.board.machine, &plan.channels);
    for (index, disk) in plan.disks.iter().enumerate() {
        a.disk(plan.board.machine, index, disk);
    }
    a.0
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    /// `-option PREFIX path SUFFIX`, as one word behind the option.
    fn with_path(&mut self, option: &str, before: &str, path: &Path, after: &str) {
        let mut word = OsString::from(before);
        word.push(escaped(path));
        word.push(after);
        self.0.extend([option.into(), word]);
    }

    fn board(&mut self, board: &Board) {
        // No configuration file, no default devices, no window: what is not named here is not there.
        self.words(&["-no-user-config", "-nodefaults", "-display", "none"]);
        // A guest that resets itself ends QEMU: a panic (`panic=-1`) is then an early exit, not a loop.
        self.words(&["-no-reboot"]);
        let machine = [&[machine(board.machine).to_owned()], board.options.as_slice()].concat().join(",");
        self.words(&["-machine", &machine, "-accel", accelerator(board.accelerator)]);
        // Under KVM the host's own model; under emulation all that TCG can give (named models print warnings).
        self.words(&["-cpu", if board.accelerator == Accelerator::Kvm { "host" } else { "max" }]);
        self.words(&["-smp", &board.cpus.to_string()]);
        self.words(&["-m", &format!("{}M", board.memory_bytes >> 20)]);
    }

    fn boot(&mut self, plan: &QemuPlan) {
        self.0.extend(["-kernel".into(), plan.kernel.clone().into_os_string()]);
        if let Some(initrd) = &plan.initrd {
            self.0.extend(["-initrd".into(), initrd.clone().into_os_string()]);
        }
        self.words(&["-append", &plan.append]);
    }

    fn channels(&mut self, machine: Machine, channels: &Channels) {
        if let Some(path) = &channels.first_instruction {
            self.debug_port("first", FIRST_INSTRUCTION_PORT, path);
        }
        if let Some(path) = &channels.firmware {
            self.debug_port("firmware", FIRMWARE_PORT, path);
        }
        if let Some(path) = &channels.monitor {
            self.socket("monitor", path);
            self.words(&["-qmp", "chardev:monitor"]);
        }
        match &channels.console {
            Some(Console::Socket(path)) => {
                self.socket("console", path);
                self.words(&["-serial", "chardev:console"]);
            }
            Some(Console::File(path)) => {
                self.with_path("-chardev", "file,id=console,path=", path, "");
                self.words(&["-serial", "chardev:console"]);
            }
            None => {}
        }
        if let Some(path) = &channels.agent {
            self.socket("agent", path);
            self.words(&["-device", &format!("virtio-serial-{}", transport(machine))]);
            self.words(&["-device", &format!("virtserialport,chardev=agent,name={AGENT_PORT}")]);
        }
    }

    fn socket(&mut self, id: &str, path: &Path) {
        self.with_path("-chardev", &format!("socket,id={id},server=off,path="), path, "");
    }

    fn debug_port(&mut self, id: &str, port: u16, path: &Path) {
        self.socket(id, path);
        self.words(&["-device", &format!("isa-debugcon,iobase={port:#x},chardev={id}")]);
    }

    fn disk(&mut self, machine: Machine, index: usize, disk: &Disk) {
        let format = match disk.format {
            DiskFormat::Qcow2 => "qcow2",
            DiskFormat::Raw => "raw",
        };
        let access = disk.access.words();
        let read_only = if disk.read_only { ",readonly=on" } else { "" };
        let before = format!("if=none,id=disk{index},format={format},{access}{read_only},file=");
        self.with_path("-drive", &before, &disk.path, "");
        self.words(&["-device", &format!("virtio-blk-{},drive=disk{index}", transport(machine))]);
    }
}

fn machine(machine: Machine) -> &'static str {
    match machine {
        Machine::Microvm => "microvm",
        Machine::Q35 => "q35",
        Machine::Pc => "pc",
    }
}

fn accelerator(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::Kvm => "kvm",
        // One host thread for each vCPU, as under KVM.
        Accelerator::Tcg | Accelerator::None => "tcg,thread=multi",
    }
}

/// microvm has no PCI bus: its virtio devices are memory-mapped.
fn transport(machine: Machine) -> &'static str {
    match machine {
        Machine::Microvm => "device",
        Machine::Q35 | Machine::Pc => "pci",
    }
}

/// QEMU's option lists end a value at a comma; two commas are one.
fn escaped(path: &Path) -> OsString {
    let bytes: Vec<&[u8]> = path.as_os_str().as_bytes().split(|byte| *byte == b',').collect();
    OsString::from_vec(bytes.join(OsStr::new(",,").as_bytes()))
}

#[cfg(test)]
mod tests;
