//! A whole Debian machine with a stock KVM of its own: software emulation gives it AMD's SVM.
//!
//! In: a script and files. Out: the files it leaves. It has no network and shares no folder: both cross on a raw disk
//! that holds a tar stream. docs/testing-machine.md says how it is made.

#![allow(dead_code)]

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use isocost::environment::qemu::args::{Access, Board, Channels, Console, Disk, QemuPlan, arguments};
use isocost::environment::qemu::process::{Launch, QemuProcess};
use isocost::environment::qemu::version::Binary;
use isocost::image::debian::{self, Recipe, System};
use isocost::image::initramfs::ExtraFile;
use isocost::image::{disk, guest, tsc};
use isocost::measure::sample::Accelerator;
use isocost::suite::{self, DiskFormat};

#[path = "machine/emulator.rs"]
mod emulator;
#[path = "machine/shell.rs"]
mod shell;

/// What a user installs to run Isocost with KVM, and what a machine needs to boot that the least Debian lacks. Docker
/// refuses to work where AppArmor is on and its parser is not there.
const PACKAGES: [&str; 15] = [
    "linux-image-cloud-amd64",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "udev",
    "kmod",
    "procps",
    "iproute2",
    "iptables",
    "ca-certificates",
    "e2fsprogs",
    "apparmor",
    "docker.io",
    "qemu-system-x86",
    "qemu-utils",
];

/// The agent mounts the root and hands over to systemd, which gives everything time on a host that is busy. Page tables of
/// four levels: a guest's guest would walk five by five in software. A tick that comes by itself: one that is set anew by the
/// interrupt before it ends for ever where one is lost.
const BOOT_WORDS: [&str; 8] = [
    "console=ttyS0",
    "no5lvl",
    "nohz=off",
    "highres=off",
    "lapic=notscdeadline",
    "isocost.root=/dev/vda",
    "isocost.off=poweroff",
    "systemd.default_timeout_start_sec=900",
];

/// It has no network: who has its console is the one who started it.
const ROOT_ON_CONSOLE: &str =
    "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear %I linux\n";

/// Without a network apt still offers the kernel's package: a folder is its only source.
const KERNEL_OFFERED: &str = r#"mkdir /srv/packages
    cd /srv/packages
    kernel=$(dpkg-query --show --showformat '${Depends}' linux-image-cloud-amd64 | cut -d ' ' -f 1)
    apt-get download "$kernel"
    apt-cache show --no-all-versions "$kernel" | sed "s,^Filename: .*,Filename: ./$(echo *.deb)," > Packages
    rm -f /etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/srv/packages ./' > /etc/apt/sources.list"#;

/// The user who is not root.
pub(crate) const USER: &str = "tester";

/// Security updates come about as often.
const MAX_AGE: Duration = Duration::from_secs(30 * 86_400);

const OUT_BYTES: u64 = 1 << 30;

/// A minute does on idle CPUs.
const BOOT: Duration = Duration::from_secs(6 * 60);

/// How often its console is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A CPU that its kernel calls stuck for so long comes no further. (One that waits for this host does, and is told of for less.)
const STUCK: u64 = 90;

/// Each step of a job is told of, and each start of a virtual machine by the kernel: one that waits for a lost timer says
/// nothing. Half a minute is usual between two lines.
const SILENCE: Duration = Duration::from_secs(3 * 60);

/// What its kernel says before it gives up.
const PANIC: &str = "Kernel panic - not syncing";

/// What `job.sh` says once all that comes out is on the disk. A machine that ends before was reset by a fault of its CPU.
const DONE: &str = "the job is done";

const ATTEMPTS: u32 = 4;

/// What a job is.
pub(crate) struct Job<'a> {
    /// For a shell, in the folder with the files; what it leaves in `out/` comes back.
    pub(crate) script: &'a str,
    /// Files of this host and their names there; they keep their modes.
    pub(crate) files: &'a [(PathBuf, String)],
    /// What the script says first on the console; it then tells of each step.
    pub(crate) begun: &'a str,
    pub(crate) deadline: Duration,
}

/// A machine of one release, not running.
pub(crate) struct Machine {
    pub(crate) system: System,
    qemu: Binary,
    /// Console and outcome of its last job stay here, to be looked at.
    pub(crate) folder: PathBuf,
    /// One of a release at a time.
    _turn: File,
}

/// A machine that is running.
struct Started {
    process: QemuProcess,
    output: PathBuf,
    /// All its disks.
    _work: tempfile::TempDir,
}

impl Machine {
    /// Finds or makes it, and waits for its turn; or says what is missing.
    pub(crate) fn of(suite: &str) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make a Debian system's disk".into());
        }
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let cache = scratch.join("cache");
        std::fs::create_dir_all(&cache).map_err(|e| e.to_string())?;
        let turn = File::create(cache.join(format!("machine-{suite}.lock"))).map_err(|e| e.to_string())?;
        rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).map_err(|e| e.to_string())?;
        let qemu = emulator::find(&cache)?;
        let system = debian::system(&recipe(suite), &cache, MAX_AGE).map_err(|e| e.to_string())?;
        let folder = scratch.join("debian-machine").join(suite);
        // Of the job before.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        Ok(Self { system, qemu, folder, _turn: turn })
    }

    /// Boots it, has the job done and returns the folder with what it left. One that comes no further is started anew:
    /// emulation of two CPUs, and of KVM on them, loses a timer or an interrupt at times.
    pub(crate) fn run(&self, job: &Job<'_>) -> PathBuf {
        let console = self.folder.join("console.log");
        for attempt in 1..=ATTEMPTS {
            let mut started = self.start(job, Console::File(console.clone()));
            let last = attempt == ATTEMPTS;
            let began = Instant::now();
            let why = loop {
                let ended = started.process.wait(LOOK, None);
                let (lasted, said) = (began.elapsed(), text(&console));
                let mut words = || format!("{}; {}", started.process.last_words(), tail(&console));
                match ended {
                    Ok(_) if said.contains(DONE) => return self.unpack(&started.output, &console),
                    Ok(_) if !last => break "it ended before its job did",
                    Ok(status) => panic!("{status}: it ended before its job did; {}", words()),
                    Err(error) => assert!(lasted < job.deadline, "{error}; {}", words()),
                }
                if let Some(why) = no_further(job, lasted, &said, silence(&console)).filter(|_| !last) {
                    break why;
                }
            };
            eprintln!("{why} (attempt {attempt}), so it is started anew: {}", tail(&console));
        }
        unreachable!("the last attempt ends otherwise")
    }

    fn unpack(&self, output: &Path, console: &Path) -> PathBuf {
        let out = self.folder.join("out");
        let unpacked = tar::Archive::new(BufReader::new(File::open(output).unwrap())).unpack(&out);
        assert!(unpacked.is_ok(), "{unpacked:?}; the end of {}: {}", console.display(), tail(console));
        out
    }

    fn start(&self, job: &Job<'_>, console: Console) -> Started {
        let work = tempfile::tempdir_in(&self.folder).unwrap();
        let (input, output) = (work.path().join("in.tar"), work.path().join("out.tar"));
        write_input(job, &input);
        File::create(&output).unwrap().set_len(OUT_BYTES).unwrap();
        let launch = Launch {
            program: self.qemu.path.clone(),
            arguments: arguments(&self.plan(work.path(), &input, &output, console)),
            run_id: "test-debian-machine".into(),
            cgroup_procs: Vec::new(),
        };
        Started { process: QemuProcess::spawn(&launch).unwrap(), output, _work: work }
    }

    /// The board that the measured guests have too, larger, with a root disk of its own to write on.
    fn plan(&self, work: &Path, input: &Path, output: &Path, console: Console) -> QemuPlan {
        let kernel = &self.system.kernel;
        let initrd = work.join("initramfs");
        let agent = isocost::agent::bytes();
        let initramfs = guest::initramfs(kernel, suite::Machine::Q35, agent, Vec::new()).unwrap();
        std::fs::write(&initrd, initramfs).unwrap();
        let root = disk::overlay_qcow2(&self.system.disk, work).unwrap();
        let disk = |path: &Path, format, read_only| Disk {
            path: path.into(),
            format,
            access: Access::Cached,
            read_only,
        };
        let mut words = guest::boot_line(suite::Machine::Q35, tsc::host_tsc_khz()).unwrap();
        words.extend(BOOT_WORDS.map(String::from));
        QemuPlan {
            board: Board {
                machine: suite::Machine::Q35,
                options: guest::parts(suite::Machine::Q35).unwrap().machine_options,
                accelerator: Accelerator::Tcg,
                cpus: 2,
                memory_bytes: 4 << 30,
            },
            kernel: kernel.bzimage.clone().unwrap(),
            initrd: Some(initrd),
            append: words.join(" "),
            disks: vec![
                disk(&root, DiskFormat::Qcow2, false),
                disk(input, DiskFormat::Raw, true),
                disk(output, DiskFormat::Raw, false),
            ],
            channels: Channels { console: Some(console), ..Channels::default() },
        }
    }
}

fn recipe(suite: &str) -> Recipe {
    let file = |path: &str, text: &str, mode| ExtraFile { path: path.into(), bytes: text.into(), mode };
    Recipe {
        suite: suite.into(),
        mirror: None,
        packages: PACKAGES.map(String::from).to_vec(),
        files: vec![
            file("/etc/hostname", "machine\n", 0o644),
            file("/etc/modules-load.d/kvm.conf", "kvm_amd\n", 0o644),
            file("/etc/systemd/system/serial-getty@ttyS0.service.d/root.conf", ROOT_ON_CONSOLE, 0o644),
            file("/usr/local/lib/job", include_str!("machine/job.sh"), 0o755),
            file("/etc/systemd/system/job.service", include_str!("machine/job.service"), 0o644),
        ],
        commands: vec![
            format!("useradd --create-home --groups docker,kvm {USER}"),
            "systemctl enable job.service".into(),
            KERNEL_OFFERED.into(),
        ],
        disk_bytes: 6 << 30,
    }
}

/// Why a machine that runs will come no further, if it will not.
fn no_further(job: &Job<'_>, lasted: Duration, said: &str, silence: Duration) -> Option<&'static str> {
    let begun = said.contains(job.begun);
    if said.contains(PANIC) {
        Some("its kernel panicked")
    } else if stuck_for(said) >= STUCK {
        Some("its kernel says that a CPU is stuck")
    } else if begun && silence > SILENCE {
        Some("it fell silent")
    } else if !begun && lasted > BOOT {
        Some("it did not boot")
    } else {
        None
    }
}

fn write_input(job: &Job<'_>, path: &Path) {
    let mut builder = tar::Builder::new(BufWriter::new(File::create(path).unwrap()));
    for (from, name) in job.files {
        builder.append_path_with_name(from, name).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(job.script.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "run", job.script.as_bytes()).unwrap();
    let mut file = builder.into_inner().unwrap();
    file.flush().unwrap();
    // A disk has whole sectors; tar ends at two empty ones.
    let length = file.get_ref().metadata().unwrap().len();
    file.get_ref().set_len(length.next_multiple_of(4096) + 4096).unwrap();
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Since when nothing was said.
fn silence(console: &Path) -> Duration {
    let last = std::fs::metadata(console).and_then(|file| file.modified());
    last.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
}

/// The longest that the kernel's watchdog says a CPU was stuck, in seconds.
fn stuck_for(console: &str) -> u64 {
    let told = console.split("stuck for ").skip(1);
    told.filter_map(|rest| rest.split_once('s')?.0.parse().ok()).max().unwrap_or(0)
}

fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(3000)..]).into_owned();
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
