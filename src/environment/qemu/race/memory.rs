//! The answer of a race is kept for as long as everything it depends on is the same.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Contest, Decision, Lane, run};
use crate::environment::qemu::error::QemuError;
use crate::environment::qemu::version::Binary;
use crate::image::kernel::sha256_hex;

/// All that an answer depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// SHA-256 of the guest's kernel, as booted.
    pub kernel_sha256: String,
    /// The emulator.
    pub qemu: Binary,
    /// Machine type, vCPUs and bytes of RAM.
    pub board: (crate::suite::Machine, u32, u64),
    /// The machine's options.
    pub options: Vec<String>,
    /// The guest's command line, but for what emulation alone gets.
    pub line: String,
    /// SHA-256 of the initramfs; empty where there is none.
    pub initramfs_sha256: String,
    /// The version of isocost that had them race.
    pub isocost: String,
    /// `uname -r` of the host.
    pub host_kernel: String,
    /// The first `model name` of the host; empty where unreadable.
    pub cpu_model: String,
    /// Modules of the host whose name begins with `kvm`, sorted.
    pub kvm_modules: Vec<String>,
    /// Could `/dev/kvm` be opened by this user?
    pub kvm_opens: bool,
}

impl Key {
    /// Of this host, for a kernel and a board.
    #[must_use]
    pub fn of(contest: &Contest<'_>, kernel_sha256: &str) -> Self {
        let board = &contest.plan.board;
        let Surroundings { isocost, host_kernel, cpu_model, kvm_modules, kvm_opens } =
            Surroundings::of_this_host();
        // One that cannot be read cannot be booted either.
        let initramfs = contest.plan.initrd.as_ref().and_then(|path| std::fs::read(path).ok());
        Self {
            kernel_sha256: kernel_sha256.to_owned(),
            qemu: contest.qemu.clone(),
            board: (board.machine, board.cpus, board.memory_bytes),
            options: board.options.clone(),
            line: contest.plan.append.clone(),
            initramfs_sha256: initramfs.map(|bytes| sha256_hex(&bytes)).unwrap_or_default(),
            isocost,
            host_kernel,
            cpu_model,
            kvm_modules,
            kvm_opens,
        }
    }

    fn file(&self, cache: &Path) -> PathBuf {
        let text = serde_json::to_vec(self).unwrap_or_default();
        folder(cache).join(format!("{}.json", &sha256_hex(&text)[..16]))
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    key: Key,
    decision: Decision,
}

/// The answer for `key` if there is one in `cache`, else the answer of a race, which is then kept if it lasts: one that a failure of the moment gave does not.
///
/// # Errors
/// As [`run`] has them, or where the cache cannot be written.
pub fn decide(contest: &Contest<'_>, key: &Key, cache: &Path) -> Result<Decision, QemuError> {
    if let Some(decision) = remembered(key, cache) {
        return Ok(decision);
    }
    let decision = run(contest)?;
    if lasts(key, &decision) {
        keep(key, &decision, cache)?;
    }
    Ok(decision)
}

/// How the C library and GLib say that a program found itself in a state that cannot be.
const ASSERTIONS: [&str; 2] = ["Assertion `", "assertion failed"];

/// Would the next race end the same way?
///
/// Where `/dev/kvm` opens and QEMU ended under KVM all the same, another hypervisor may have held it, memory may have been short,
/// or a driver not ready: that passes, and such a race is short. Where it fell over what KVM answered, as over a register that
/// the host's KVM does not let it set, it will do so again. A kernel that does not come to user space under KVM is the host's
/// way too, and a long race.
#[must_use]
pub fn lasts(key: &Key, decision: &Decision) -> bool {
    match &decision.kvm {
        Lane::Failed { reason } if key.kvm_opens => ASSERTIONS.iter().any(|words| reason.contains(words)),
        _ => true,
    }
}

/// The answer that is kept for `key`. A file that cannot be read counts as none.
#[must_use]
pub fn remembered(key: &Key, cache: &Path) -> Option<Decision> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(key.file(cache)).ok()?).ok()?;
    (kept.key == *key).then_some(kept.decision)
}

/// Drops the answer for `key`, so that the next question is a race again.
///
/// # Errors
/// Where the file is there and cannot be removed.
pub fn forget(key: &Key, cache: &Path) -> Result<(), QemuError> {
    let path = key.file(cache);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(QemuError::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// All answers that are kept for this host as it is now, and this emulator; for any kernel and board.
#[must_use]
pub fn known(qemu: &Binary, cache: &Path) -> Vec<(Key, Decision)> {
    let files = std::fs::read_dir(folder(cache)).into_iter().flatten().flatten();
    let kept =
        files.filter_map(|file| serde_json::from_slice::<Kept>(&std::fs::read(file.path()).ok()?).ok());
    let here = Surroundings::of_this_host();
    kept.filter(|kept| kept.key.qemu == *qemu && here.are_of(&kept.key))
        .map(|kept| (kept.key, kept.decision))
        .collect()
}

/// Drops every answer.
///
/// # Errors
/// Where they are there and cannot be removed.
pub fn forget_all(cache: &Path) -> Result<(), QemuError> {
    let folder = folder(cache);
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(QemuError::io("remove", folder)(e)),
        _ => Ok(()),
    }
}

/// What an answer depends on that is not of the guest.
struct Surroundings {
    isocost: String,
    host_kernel: String,
    cpu_model: String,
    kvm_modules: Vec<String>,
    kvm_opens: bool,
}

impl Surroundings {
    fn of_this_host() -> Self {
        Self {
            isocost: env!("CARGO_PKG_VERSION").to_owned(),
            host_kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            cpu_model: cpu_model(),
            kvm_modules: kvm_modules(),
            kvm_opens: super::kvm_opens().is_ok(),
        }
    }

    fn are_of(&self, key: &Key) -> bool {
        let parts = (&self.isocost, &self.host_kernel, &self.cpu_model, &self.kvm_modules, self.kvm_opens);
        parts == (&key.isocost, &key.host_kernel, &key.cpu_model, &key.kvm_modules, key.kvm_opens)
    }
}

fn keep(key: &Key, decision: &Decision, cache: &Path) -> Result<(), QemuError> {
    let (folder, path) = (folder(cache), key.file(cache));
    std::fs::create_dir_all(&folder).map_err(QemuError::io("create", &folder))?;
    let kept = Kept { key: key.clone(), decision: decision.clone() };
    let text = serde_json::to_vec_pretty(&kept).map_err(|e| QemuError::io("write", &path)(e.into()))?;
    // Whole or not at all: two runs may decide at once.
    let file =
        tempfile::NamedTempFile::new_in(&folder).map_err(QemuError::io("create a file in", &folder))?;
    std::fs::write(file.path(), text).map_err(QemuError::io("write", &path))?;
    file.persist(&path).map_err(|e| QemuError::io("create", &path)(e.error))?;
    Ok(())
}

fn folder(cache: &Path) -> PathBuf {
    cache.join("accelerator")
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim().to_owned()).unwrap_or_default()
}

fn kvm_modules() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/module").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("kvm")).collect();
    names.sort();
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::environment::qemu::race::judge;
    use crate::environment::qemu::version::OLDEST;
    use crate::suite::Machine;

    fn key() -> Key {
        Key {
            kernel_sha256: "ab".into(),
            qemu: Binary { path: "/q".into(), version: OLDEST, banner: "QEMU".into(), stamp: (1, 2) },
            board: (Machine::Microvm, 2, 1 << 28),
            options: vec!["pic=off".into()],
            line: "console=ttyS0".into(),
            initramfs_sha256: "ef".into(),
            isocost: "0.1.0".into(),
            host_kernel: "6.1".into(),
            cpu_model: "x".into(),
            kvm_modules: vec!["kvm".into()],
            kvm_opens: true,
        }
    }

    #[test]
    fn an_answer_is_kept_until_something_it_depends_on_changes() {
        let cache = tempfile::tempdir().unwrap();
        let decision = judge(Lane::Outrun { seconds: 1.5 }, Lane::Arrived { seconds: 1.5 }).unwrap();
        keep(&key(), &decision, cache.path()).unwrap();
        assert_eq!(remembered(&key(), cache.path()), Some(decision));
        let changed: [fn(&mut Key); 8] = [
            |key| key.kernel_sha256 = "cd".into(),
            |key| key.options.clear(),
            |key| key.line.push_str(" nokaslr"),
            |key| key.initramfs_sha256.clear(),
            |key| key.isocost = "0.2.0".into(),
            |key| key.qemu.stamp.1 = 3,
            |key| key.kvm_modules.clear(),
            |key| key.kvm_opens = false,
        ];
        for change in changed {
            let mut other = key();
            change(&mut other);
            assert_eq!(remembered(&other, cache.path()), None);
        }
        forget(&key(), cache.path()).unwrap();
        forget(&key(), cache.path()).unwrap();
        assert_eq!(remembered(&key(), cache.path()), None);
    }

    #[test]
    fn answers_for_this_host_are_known_and_others_are_not() {
        let cache = tempfile::tempdir().unwrap();
        let decision = judge(Lane::Outrun { seconds: 1.5 }, Lane::Arrived { seconds: 1.5 }).unwrap();
        let Surroundings { isocost, host_kernel, cpu_model, kvm_modules, kvm_opens } =
            Surroundings::of_this_host();
        let here = Key { isocost, host_kernel, cpu_model, kvm_modules, kvm_opens, ..key() };
        keep(&here, &decision, cache.path()).unwrap();
        keep(&Key { host_kernel: "another".into(), ..here.clone() }, &decision, cache.path()).unwrap();
        assert_eq!(known(&here.qemu, cache.path()), [(here.clone(), decision)]);
        assert!(known(&Binary { stamp: (9, 9), ..here.qemu.clone() }, cache.path()).is_empty());
        forget_all(cache.path()).unwrap();
        forget_all(cache.path()).unwrap();
        assert!(known(&here.qemu, cache.path()).is_empty());
    }

    #[test]
    fn what_kept_kvm_from_running_for_a_moment_is_no_lasting_answer() {
        let arrived = || Lane::Arrived { seconds: 1.5 };
        let failed =
            || Lane::Failed { reason: "QEMU ended: exit status: 1; it said: Device or resource busy".into() };
        let lasts = |key: &Key, kvm, tcg| super::lasts(key, &judge(kvm, tcg).unwrap());
        assert!(!lasts(&key(), failed(), arrived()));
        let refused = "QEMU ended: signal: 6 (SIGABRT); it said: qemu-system-x86_64: error: failed to set MSR 0x10a to \
                       0xc000069 | qemu-system-x86_64: target/i386/kvm/kvm.c:3849: kvm_buf_set_msrs: Assertion `ret == \
                       cpu->kvm_msr_buf->nmsrs' failed.";
        assert!(lasts(&key(), Lane::Failed { reason: refused.into() }, arrived()));
        let killed = || Lane::Failed { reason: "QEMU ended: signal: 9 (SIGKILL)".into() };
        assert!(!lasts(&key(), killed(), arrived()));
        assert!(lasts(&key(), Lane::Outrun { seconds: 1.5 }, arrived()));
        assert!(lasts(&key(), arrived(), failed()));
        // Where the device does not open there is nothing to wait for, and once it does the key is another one.
        assert!(lasts(&Key { kvm_opens: false, ..key() }, failed(), arrived()));
    }

    #[test]
    fn a_damaged_answer_counts_as_none() {
        let cache = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder(cache.path())).unwrap();
        std::fs::write(key().file(cache.path()), "{").unwrap();
        assert_eq!(remembered(&key(), cache.path()), None);
    }
}
