//! Processes by `/proc`: trees, proportional memory, CPU time.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

use super::{Figure, unreadable};
use crate::measure::sample::Failure;

/// Who is whose child, at one moment.
#[derive(Debug, Default)]
pub struct Table {
    children: HashMap<u32, Vec<u32>>,
    all: HashSet<u32>,
}

impl Table {
    /// Reads the parents of all processes once.
    ///
    /// # Errors
    /// Where the folder cannot be listed; processes that end meanwhile are left out.
    pub fn read(proc: &Path) -> io::Result<Self> {
        let mut table = Self::default();
        for (pid, stat) in all(proc)? {
            table.add(pid, stat.parent);
        }
        Ok(table)
    }

    pub(crate) fn add(&mut self, pid: u32, parent: u32) {
        self.children.entry(parent).or_default().push(pid);
        self.all.insert(pid);
    }

    /// `roots` that live, and all that descend from them, each once.
    #[must_use]
    pub fn tree(&self, roots: &[u32]) -> Vec<u32> {
        let mut found = HashSet::new();
        let mut order = Vec::new();
        let mut open: Vec<u32> = roots.iter().copied().filter(|pid| self.all.contains(pid)).collect();
        while let Some(pid) = open.pop() {
            if found.insert(pid) {
                order.push(pid);
                open.extend(self.children.get(&pid).into_iter().flatten());
            }
        }
        order
    }
}

/// `roots` that live, and all that descend from them, each once: by the lists of children that each thread has, which costs
/// nothing for whom it is not about; by a look at all processes where the kernel keeps none (`CONFIG_PROC_CHILDREN`).
///
/// # Errors
/// Where the folder cannot be listed; processes that end meanwhile are left out.
pub(crate) fn tree(proc: &Path, roots: &[u32]) -> io::Result<Vec<u32>> {
    match by_children(proc, roots) {
        Some(found) => Ok(found),
        None => Ok(Table::read(proc)?.tree(roots)),
    }
}

/// `None` where a thread lives and has no list.
fn by_children(proc: &Path, roots: &[u32]) -> Option<Vec<u32>> {
    let (mut seen, mut found, mut open) = (HashSet::new(), Vec::new(), roots.to_vec());
    while let Some(pid) = open.pop() {
        if !seen.insert(pid) {
            continue;
        }
        let Ok(threads) = std::fs::read_dir(proc.join(pid.to_string()).join("task")) else { continue };
        found.push(pid);
        for thread in threads.flatten().map(|thread| thread.path()) {
            match std::fs::read_to_string(thread.join("children")) {
                Ok(children) => {
                    open.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()))
                }
                Err(error) if error.kind() == ErrorKind::NotFound && thread.join("stat").exists() => {
                    return None;
                }
                Err(_) => {}
            }
        }
    }
    Some(found)
}

/// CPU time of processes from one reading to the next, from files that stay open.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    known: HashMap<u32, (File, u64)>,
    text: Vec<u8>,
}

impl Ticks {
    /// What `pids` used since the last reading that they were in; nothing for who is new.
    pub(crate) fn since_last(&mut self, proc: &Path, pids: impl Iterator<Item = u32>) -> Duration {
        let mut known = HashMap::new();
        let mut used = 0;
        for pid in pids {
            let before = self.known.remove(&pid);
            let last = before.as_ref().map(|(_, ticks)| *ticks);
            let path = || proc.join(pid.to_string()).join("stat");
            let Some(file) = before.map(|(file, _)| file).or_else(|| File::open(path()).ok()) else {
                continue;
            };
            // An open file is of one process, even where its pid is another's by now.
            let Some(now) = own_ticks(&file, &mut self.text) else { continue };
            used += now.saturating_sub(last.unwrap_or(now));
            known.insert(pid, (file, now));
        }
        self.known = known;
        tick() * u32::try_from(used).unwrap_or(u32::MAX)
    }
}

fn own_ticks(mut file: &File, text: &mut Vec<u8>) -> Option<u64> {
    file.rewind().ok()?;
    text.clear();
    file.read_to_end(text).ok()?;
    parse_stat(text).map(|stat| stat.own_ticks)
}

/// What is needed of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) parent: u32,
    /// It is a thread of the kernel.
    pub(crate) kernel: bool,
    /// utime and stime.
    pub(crate) own_ticks: u64,
    /// Those of the children that were waited for.
    pub(crate) children_ticks: u64,
    /// When it began, in ticks since boot: tells two processes of one pid apart.
    pub(crate) began: u64,
}

impl Stat {
    pub(crate) fn ticks(&self) -> u64 {
        self.own_ticks.saturating_add(self.children_ticks)
    }
}

/// All processes that live; those that end meanwhile are left out.
pub(crate) fn all(proc: &Path) -> io::Result<Vec<(u32, Stat)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(proc)? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        all.extend(read_stat(proc, pid).ok().map(|stat| (pid, stat)));
    }
    Ok(all)
}

/// `PF_KTHREAD` of the kernel's include/linux/sched.h.
const KERNEL_THREAD: u64 = 0x0020_0000;

fn read_stat(proc: &Path, pid: u32) -> io::Result<Stat> {
    let text = std::fs::read(proc.join(pid.to_string()).join("stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
}

/// The name in brackets may hold anything, so fields are counted from the last bracket.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let close = text.iter().rposition(|&b| b == b')')?;
    let open = text[..close].iter().position(|&b| b == b'(')?;
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok());
    Some(Stat {
        name: String::from_utf8_lossy(&text[open + 1..close]).into_owned(),
        parent: u32::try_from(number(1)?).ok()?,
        kernel: number(6)? & KERNEL_THREAD != 0,
        own_ticks: number(11)?.checked_add(number(12)?)?,
        children_ticks: number(13)?.checked_add(number(14)?)?,
        began: number(19)?,
    })
}

/// CPU time used by `pids` and by children they have waited for.
///
/// # Errors
/// Whose file could not be read, and why. Who has ended meanwhile is in its parent's time.
pub fn cpu_ns(proc: &Path, pids: &[u32]) -> Result<Figure, Failure> {
    cpu_by(proc, pids, |pid| crate::sys::process_cpu_ns(pid).ok())
}

/// The same with `clock` for the time of a process without its children; who has none is read in ticks.
fn cpu_by(proc: &Path, pids: &[u32], clock: impl Fn(u32) -> Option<u64>) -> Result<Figure, Failure> {
    let tick = u64::try_from(tick().as_nanos()).unwrap_or(u64::MAX);
    let (mut value, mut any, mut by_clock, mut in_ticks) = (0u64, false, false, false);
    for &pid in pids {
        let stat = match read_stat(proc, pid) {
            Ok(stat) => stat,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(unreadable(format!("{}/{pid}/stat: {error}", proc.display()))),
        };
        let own = clock(pid);
        let ticks = stat.children_ticks.saturating_add(if own.is_some() { 0 } else { stat.own_ticks });
        value = value.saturating_add(own.unwrap_or(0)).saturating_add(ticks.saturating_mul(tick));
        (any, by_clock, in_ticks) = (true, by_clock || own.is_some(), in_ticks || ticks > 0);
    }
    if !any {
        return Err(unreadable("the processes whose CPU time was asked for have ended".into()));
    }
    let source = match (by_clock, in_ticks) {
        (true, false) => "the process's CPU clock",
        (true, true) => "the process's CPU clock + /proc/PID/stat for its ended children",
        (false, _) => "/proc/PID/stat",
    };
    Ok(Figure { value, source: source.into() })
}

/// The resolution of `/proc/PID/stat`: 10 ms almost everywhere.
#[must_use]
pub fn tick() -> Duration {
    Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100).max(1)
}

/// Proportional memory of `pids` in bytes.
///
/// # Errors
/// Whose could not be read, and why: another user's processes are closed to all but root.
pub fn pss(proc: &Path, pids: &[u32]) -> Result<Figure, Failure> {
    let mut value = 0;
    let mut source = "smaps_rollup";
    for &pid in pids {
        let folder = proc.join(pid.to_string());
        let text = match std::fs::read_to_string(folder.join("smaps_rollup")) {
            // Before Linux 4.14 only the long form is there.
            Err(error) if error.kind() == ErrorKind::NotFound && folder.exists() => {
                source = "smaps";
                std::fs::read_to_string(folder.join("smaps"))
            }
            other => other,
        };
        value += match text {
            Ok(text) => pss_lines(&text),
            Err(error) if is_gone(&error) => 0,
            Err(error) => return Err(closed(proc, pid, &error)),
        };
    }
    Ok(Figure { value, source: format!("/proc/PID/{source}") })
}

/// Proportional memory of `pids`, and of the guest's RAM inside it: the mapping of exactly `guest_ram` bytes.
///
/// # Errors
/// As [`pss`]; and where no such mapping exists.
pub fn pss_split(proc: &Path, pids: &[u32], guest_ram: u64) -> Result<(Figure, Figure), Failure> {
    let (mut own, mut guest) = (0, None);
    for &pid in pids {
        let text = match std::fs::read_to_string(proc.join(pid.to_string()).join("smaps")) {
            Ok(text) => text,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(closed(proc, pid, &error)),
        };
        for mapping in mappings(&text) {
            if mapping.size == guest_ram && guest.is_none() {
                guest = Some(mapping.pss);
            } else {
                own += mapping.pss;
            }
        }
    }
    let Some(guest) = guest else {
        return Err(unreadable(format!(
            "no process of {pids:?} has a mapping of {guest_ram} bytes, the guest's RAM"
        )));
    };
    let figure = |value, of: &str| Figure { value, source: format!("/proc/PID/smaps, {of}") };
    Ok((figure(own, "all but the guest's RAM"), figure(guest, "the mapping that is the guest's RAM")))
}

fn closed(proc: &Path, pid: u32, error: &io::Error) -> Failure {
    let mend = if error.kind() == ErrorKind::PermissionDenied {
        "; it is another user's, run isocost as root to read it"
    } else {
        ""
    };
    unreadable(format!("memory of {}/{pid}: {error}{mend}", proc.display()))
}

/// The process ended between the look at the table and this one.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn pss_lines(text: &str) -> u64 {
    text.lines().filter_map(|line| kilobytes(line, "Pss:")).sum()
}

fn kilobytes(line: &str, key: &str) -> Option<u64> {
    let number = line.strip_prefix(key)?.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok().map(|kb| kb * 1024)
}

struct Mapping {
    size: u64,
    pss: u64,
}

/// Every mapping begins with its `Size:` line among those with a key.
fn mappings(text: &str) -> Vec<Mapping> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(size) = kilobytes(line, "Size:") {
            all.push(Mapping { size, pss: 0 });
        } else if let (Some(pss), Some(last)) = (kilobytes(line, "Pss:"), all.last_mut()) {
            last.pss = pss;
        }
    }
    all
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
