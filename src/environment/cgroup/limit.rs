//! Control groups of our own, with limits: where they may be made, how a child gets into one, and their end.
//!
//! A group's name begins with `isocost-<run id>-`, by which `clean` finds what a crash left.

use std::fs::{DirEntry, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Mount, Mounts};
use crate::measure::accounting::Cgroup;
use crate::measure::clock::Instant;
use crate::measure::equality::Limits;
use crate::sys::{self, Birth, Program};
use crate::wait;

/// What the kernel hands out CPU time by, in microseconds: its own default, and the container engines'.
const PERIOD_US: u64 = 100_000;

/// Where groups with limits can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below one folder of version 2.
    V2 {
        /// The group that ours are children of.
        parent: PathBuf,
        /// Its children have the `cpu` controller; `memory` they all have.
        cpu: bool,
    },
    /// Below one folder of each controller of version 1.
    V1 { memory: PathBuf, cpu: PathBuf, cpuacct: Option<PathBuf> },
}

impl Place {
    /// Looks for one by making a group, with limits, and a child in it. The outermost that is permitted is best:
    /// nobody else's limits hold there.
    ///
    /// # Errors
    /// Why there is none, for the reader.
    pub(crate) fn find(run_id: &str, limits: &Limits) -> Result<(Self, Option<Switched>), String> {
        let mounts = Mounts::read();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = format!("isocost-{run_id}-probe");
        let mut why = Vec::new();
        for place in candidates(&mounts, &own) {
            let made = place.prepared().and_then(|(place, switched)| {
                // Dropped in this order where it cannot be used: the group first.
                place.make(&name, limits).map(|group| (group, place, switched))
            });
            match made {
                Ok((group, place, switched)) => match group.probe() {
                    Ok(()) => return Ok((place, switched)),
                    Err(error) => why.push(format!("{}: {error}", place.shown().display())),
                },
                Err((path, error)) => why.push(format!("{}: {error}", path.display())),
            }
        }
        // The innermost is what a user may expect to be theirs.
        let last = why.pop();
        Err(last.unwrap_or_else(|| "no memory controller is mounted".to_owned()))
    }

    /// A folder of it that says which it is.
    pub(crate) fn shown(&self) -> &Path {
        match self {
            Self::V2 { parent, .. } => parent,
            Self::V1 { memory, .. } => memory,
        }
    }

    /// Groups made here can have a quota of CPU time.
    pub(crate) fn has_cpu(&self) -> bool {
        !matches!(self, Self::V2 { cpu: false, .. })
    }

    /// Has version 2 give its children the controllers; what was switched on for that is the other part.
    fn prepared(self) -> Result<(Self, Option<Switched>), (PathBuf, io::Error)> {
        let Self::V2 { parent, .. } = self else { return Ok((self, None)) };
        let switch = parent.join(SWITCH);
        let mut switched = Switched { parent: parent.clone(), controllers: Vec::new() };
        for controller in ["memory", "cpu"] {
            if lists(&parent.join("cgroup.controllers"), controller) && !lists(&switch, controller) {
                match std::fs::write(&switch, format!("+{controller}")) {
                    Ok(()) => switched.controllers.push(controller),
                    Err(error) if controller == "memory" => return Err((switch, error)),
                    // Without the quota there still is affinity.
                    Err(_) => {}
                }
            }
        }
        if !lists(&switch, "memory") {
            return Err((switch, io::Error::other("it has no memory controller to give")));
        }
        let cpu = lists(&switch, "cpu");
        let switched = Some(switched).filter(|switched| !switched.controllers.is_empty());
        Ok((Self::V2 { parent, cpu }, switched))
    }

    /// Makes a group.
    ///
    /// # Errors
    /// The file or folder, and the system's words; nothing of it is left.
    pub(crate) fn make(&self, name: &str, limits: &Limits) -> Result<Group, (PathBuf, io::Error)> {
        let mut group = Group { place: self.clone(), folders: Vec::new() };
        self.switch_on_again();
        for parent in self.parents() {
            let folder = parent.join(name);
            std::fs::create_dir(&folder).map_err(|error| (folder.clone(), error))?;
            group.folders.push(folder);
        }
        for (file, value) in settings(self, name, limits) {
            match std::fs::write(&file.path, value) {
                Err(error) if file.needed || error.kind() != io::ErrorKind::NotFound => {
                    return Err((file.path, error));
                }
                _ => {}
            }
        }
        Ok(group)
    }

    /// Removes groups whose names begin so: what is left of them whose own removal failed.
    ///
    /// # Errors
    /// The first folder that stays, and why.
    pub(crate) fn sweep(&self, prefix: &str) -> Result<(), (PathBuf, io::Error)> {
        let entries =
            self.parents().into_iter().flat_map(|parent| std::fs::read_dir(parent).into_iter().flatten());
        let is_ours = |entry: &DirEntry| entry.file_name().as_bytes().starts_with(prefix.as_bytes());
        remove_all(entries.flatten().filter(is_ours).map(|entry| entry.path()))
    }

    /// Another run may have put back what it had switched on, for this one had no group just then. It stays on this time.
    fn switch_on_again(&self) {
        let Self::V2 { parent, cpu } = self else { return };
        let switch = parent.join(SWITCH);
        for controller in ["memory"].into_iter().chain(cpu.then_some("cpu")) {
            if !lists(&switch, controller) {
                // Where it fails, so do the limits, which are told.
                let _ = std::fs::write(&switch, format!("+{controller}"));
            }
        }
    }

    /// Each once: controllers of version 1 may share a mount.
    fn parents(&self) -> Vec<&Path> {
        let mut all: Vec<&Path> = match self {
            Self::V2 { parent, .. } => vec![parent],
            Self::V1 { memory, cpu, cpuacct } => [Some(memory), Some(cpu), cpuacct.as_ref()]
                .into_iter()
                .flatten()
                .map(PathBuf::as_path)
                .collect(),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Names what the children of a group of version 2 get.
const SWITCH: &str = "cgroup.subtree_control";

fn lists(file: &Path, controller: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().any(|name| name == controller)
}

/// Controllers that children of a group of version 2 did not have before. Dropping it takes them away again, each unless
/// somebody else uses it by now.
#[derive(Debug)]
pub(crate) struct Switched {
    parent: PathBuf,
    controllers: Vec<&'static str>,
}

impl Drop for Switched {
    fn drop(&mut self) {
        for controller in self.controllers.iter().filter(|controller| !is_used(&self.parent, controller)) {
            // The kernel refuses where a child gives it to its own children.
            let _ = std::fs::write(self.parent.join(SWITCH), format!("-{controller}"));
        }
    }
}

/// What a group has that nobody has set: each file, and how it begins.
fn unset(controller: &str) -> &'static [(&'static str, &'static str)] {
    match controller {
        "memory" => &[
            ("memory.max", "max"),
            ("memory.high", "max"),
            ("memory.swap.max", "max"),
            ("memory.low", "0"),
            ("memory.min", "0"),
        ],
        _ => &[("cpu.max", "max"), ("cpu.weight", "100"), ("cpu.idle", "0")],
    }
}

/// Has anybody set anything of it in a child, or passed it on to grandchildren?
fn is_used(parent: &Path, controller: &str) -> bool {
    let is_set = |child: &Path| {
        let differs = |(file, unset): &(&str, &str)| {
            let text = std::fs::read_to_string(child.join(file));
            text.is_ok_and(|text| text.split_ascii_whitespace().next() != Some(unset))
        };
        lists(&child.join(SWITCH), controller) || self::unset(controller).iter().any(differs)
    };
    let children = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    children.filter(|path| path.is_dir()).any(|child| is_set(&child))
}

/// From the outermost to the group that this process is in.
fn candidates(mounts: &Mounts, own: &str) -> Vec<Place> {
    let own_of = |controller: &str| {
        let mut all = super::groups(own);
        all.find(|(names, _)| names.split(',').any(|name| name == controller))
            .map(|(_, path)| Path::new(path))
    };
    if let (Some(memory), Some(cpu)) = (mounts.v1("memory"), mounts.v1("cpu")) {
        let cpuacct = mounts.v1("cpuacct");
        let outermost = Place::V1 {
            memory: memory.point.clone(),
            cpu: cpu.point.clone(),
            cpuacct: cpuacct.map(|mount| mount.point.clone()),
        };
        let below = |mount: &Mount, name: &str| mount.folder(own_of(name)?);
        let own = below(memory, "memory").zip(below(cpu, "cpu")).map(|(memory, cpu)| Place::V1 {
            memory,
            cpu,
            cpuacct: cpuacct.and_then(|mount| below(mount, "cpuacct")),
        });
        let own = own.filter(|own| *own != outermost);
        return std::iter::once(outermost).chain(own).collect();
    }
    let Some(mount) = &mounts.v2 else { return Vec::new() };
    let own = own_of("").and_then(|group| mount.folder(group)).unwrap_or_else(|| mount.point.clone());
    let mut parents: Vec<&Path> = own.ancestors().take_while(|path| path.starts_with(&mount.point)).collect();
    parents.reverse();
    parents.into_iter().map(|parent| Place::V2 { parent: parent.to_owned(), cpu: false }).collect()
}

/// One file of a group. What is not `needed` may be missing: swap is not accounted everywhere.
struct Setting {
    path: PathBuf,
    needed: bool,
}

fn settings(place: &Place, name: &str, limits: &Limits) -> Vec<(Setting, String)> {
    let file = |parent: &Path, file: &str, needed| Setting { path: parent.join(name).join(file), needed };
    let (memory, quota) = (limits.memory_bytes.to_string(), u64::from(limits.cpus) * PERIOD_US);
    match place {
        Place::V2 { parent, cpu } => {
            let mut all = vec![
                (file(parent, "memory.max", true), memory),
                (file(parent, "memory.swap.max", false), "0".to_owned()),
            ];
            if *cpu {
                all.push((file(parent, "cpu.max", true), format!("{quota} {PERIOD_US}")));
            }
            all
        }
        Place::V1 { memory: parent, cpu, .. } => vec![
            (file(parent, "memory.limit_in_bytes", true), memory.clone()),
            // Memory and swap together.
            (file(parent, "memory.memsw.limit_in_bytes", false), memory),
            (file(cpu, "cpu.cfs_period_us", true), PERIOD_US.to_string()),
            (file(cpu, "cpu.cfs_quota_us", true), quota.to_string()),
        ],
    }
}

/// A group with limits. Dropping it removes it as well as can be; [`Group::remove`] says what stays.
#[derive(Debug)]
pub(crate) struct Group {
    place: Place,
    folders: Vec<PathBuf>,
}

impl Group {
    /// Its files, for accounts.
    pub(crate) fn cgroup(&self) -> Cgroup {
        let name = self.folders.first().and_then(|folder| folder.file_name()).unwrap_or_default();
        match &self.place {
            Place::V2 { parent, .. } => Cgroup::V2(parent.join(name)),
            Place::V1 { memory, cpuacct, .. } => Cgroup::V1 {
                memory: Some(memory.join(name)),
                cpuacct: cpuacct.as_ref().map(|parent| parent.join(name)),
                blkio: None,
            },
        }
    }

    /// The way in, for the thread that will spawn a child.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { folders: self.folders.clone(), with_thread: matches!(self.place, Place::V1 { .. }) }
    }

    /// Can a child be born in it? The program is not there, so all that can fail otherwise is its birth.
    fn probe(&self) -> io::Result<()> {
        let born = || {
            let cradle = self.entrance().enter()?;
            let program = Program::new(Path::new("/nonexistent/isocost"), &[], &[])?;
            match sys::spawn(&program, cradle.birth(), File::open("/dev/null")?.as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            }
        };
        // On a thread of its own, which ends: see `Entrance::enter`.
        let scope = std::thread::scope(|scope| scope.spawn(born).join());
        scope.unwrap_or_else(|_| Err(io::Error::other("the probe panicked")))
    }

    /// How often the kernel killed a process in it because its memory was at the limit; `None` where it does not say.
    pub(crate) fn memory_kills(&self) -> Option<u64> {
        let (folder, file) = match self.cgroup() {
            Cgroup::V2(folder) => (folder, "memory.events"),
            Cgroup::V1 { memory, .. } => (memory?, "memory.oom_control"),
        };
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// Removes it. Who is still in it is killed first.
    ///
    /// # Errors
    /// The first folder that stays, and why.
    pub(crate) fn remove(mut self) -> Result<(), (PathBuf, io::Error)> {
        remove_all(std::mem::take(&mut self.folders))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = remove(folder);
        }
    }
}

/// Who was killed is out of its group at once, as a rule.
const DEATH: Duration = Duration::from_secs(2);

/// All are tried before the first error is told.
fn remove_all(folders: impl IntoIterator<Item = PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let removed: Vec<_> = folders.into_iter().map(|folder| remove(&folder)).collect();
    removed.into_iter().collect()
}

fn remove(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err((folder.to_owned(), error)),
        _ => Ok(()),
    };
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let until = Instant::now().after(DEATH);
            kill_all(folder, until);
            gone(remove_by(folder, until))
        }
        other => gone(other),
    }
}

/// The kernel lets go of a thread some microseconds after it was waited for, and tells nobody.
fn remove_by(folder: &Path, until: Instant) -> io::Result<()> {
    loop {
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < until => {
                std::thread::sleep(Duration::from_micros(50));
            }
            other => return other,
        }
    }
}

/// Kills the processes in a group and waits for their end. Threads of this process, which version 1 may have there,
/// are not touched.
fn kill_all(folder: &Path, until: Instant) {
    let pids = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let pids = pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    for pid in pids.filter(|pid| *pid != rustix::process::getpid()) {
        let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let _ = rustix::process::pidfd_send_signal(&process, Signal::KILL);
        let _ = wait::any_readable(&mut [PollFd::new(&process, PollFlags::IN)], until);
    }
}

/// The way into a group.
#[derive(Debug)]
pub(crate) struct Entrance {
    folders: Vec<PathBuf>,
    with_thread: bool,
}

impl Entrance {
    /// Gets ready for children of the calling thread to be born in the group.
    ///
    /// Version 2 takes a child alone. In version 1 threads have groups of their own, so the calling thread joins, and
    /// has to end before the group can be removed.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn enter(&self) -> io::Result<Cradle> {
        if !self.with_thread {
            return Ok(Cradle(self.folders.first().map(File::open).transpose()?));
        }
        for folder in &self.folders {
            // 0 is the thread that writes.
            std::fs::write(folder.join("tasks"), "0")?;
        }
        Ok(Cradle(None))
    }
}

/// Where the next child of this thread is born.
#[derive(Debug)]
pub(crate) struct Cradle(Option<File>);

impl Cradle {
    /// For [`sys::spawn`].
    pub(crate) fn birth(&self) -> Birth<'_> {
        self.0.as_ref().map_or(Birth::Inherit, |folder| Birth::Into(folder.as_fd()))
    }

    /// No group at all.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { cpus: 2, memory_bytes: 64 << 20 };

    #[test]
    fn what_begins_so_is_swept_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["isocost-r1-a-1", "isocost-r1-a-2", "isocost-r1-b-1", "isocost-r12-a-1"];
        folders.iter().for_each(|name| std::fs::create_dir(root.path().join(name)).unwrap());
        let place = Place::V2 { parent: root.path().to_owned(), cpu: true };
        place.sweep("isocost-r1-a-").unwrap();
        assert_eq!(folders.map(|name| root.path().join(name).exists()), [false, false, true, true]);
        std::fs::write(root.path().join("isocost-r1-b-1/file"), "").unwrap();
        assert_eq!(place.sweep("isocost-r1-b-").unwrap_err().0, root.path().join("isocost-r1-b-1"));
    }

    #[test]
    fn version_2_is_tried_from_the_outermost_inwards() {
        let mounts = Mounts::parse("30 1 0:27 / /cg rw - cgroup2 cgroup2 rw\n");
        let all = candidates(&mounts, "0::/user.slice/user-1.slice/session-2.scope\n");
        let shown: Vec<_> = all.iter().map(|place| place.shown().to_str().unwrap()).collect();
        assert_eq!(
            shown,
            [
                "/cg",
                "/cg/user.slice",
                "/cg/user.slice/user-1.slice",
                "/cg/user.slice/user-1.slice/session-2.scope"
            ]
        );
    }

    #[test]
    fn version_1_is_taken_where_it_has_the_controllers() {
        let mounts = Mounts::parse(
            "30 1 0:27 / /cg/memory rw - cgroup x rw,memory\n31 1 0:28 / /cg/cpu rw - cgroup x rw,cpu,cpuacct\n\
             32 1 0:29 / /cg/unified rw - cgroup2 x rw\n",
        );
        let all = candidates(&mounts, "1:memory:/box\n2:cpu,cpuacct:/\n0::/\n");
        let (cpu, cpuacct) = (PathBuf::from("/cg/cpu"), Some(PathBuf::from("/cg/cpu")));
        let at =
            |memory: &str| Place::V1 { memory: memory.into(), cpu: cpu.clone(), cpuacct: cpuacct.clone() };
        assert_eq!(all, [at("/cg/memory"), at("/cg/memory/box")]);
        assert_eq!(all[0].parents(), [Path::new("/cg/cpu"), Path::new("/cg/memory")]);
    }

    #[test]
    fn the_limits_are_what_was_asked_for() {
        let of = |place: &Place| {
            let all = settings(place, "g", &LIMITS).into_iter();
            all.map(|(file, value)| format!("{}={value}", file.path.display())).collect::<Vec<_>>()
        };
        let v2 = |cpu| Place::V2 { parent: "/cg".into(), cpu };
        assert_eq!(
            of(&v2(true)),
            ["/cg/g/memory.max=67108864", "/cg/g/memory.swap.max=0", "/cg/g/cpu.max=200000 100000"]
        );
        assert_eq!(of(&v2(false)).len(), 2);
        let v1 = Place::V1 { memory: "/m".into(), cpu: "/c".into(), cpuacct: None };
        assert_eq!(of(&v1)[0], "/m/g/memory.limit_in_bytes=67108864");
        assert_eq!(of(&v1)[3], "/c/g/cpu.cfs_quota_us=200000");
    }

    /// A folder that looks like a group, with files that keep what was last written to them.
    fn made_up(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn what_was_switched_on_is_switched_off_again_unless_somebody_uses_it() {
        let own = made_up(&[
            ("cgroup.controllers", "cpu io memory"),
            (SWITCH, "memory"),
            ("a.slice/cpu.weight", "100"),
        ]);
        let place = || Place::V2 { parent: own.path().to_owned(), cpu: false };
        let said = || std::fs::read_to_string(own.path().join(SWITCH)).unwrap();
        // The kernel's file would say both; this one says what was written.
        assert!(place().prepared().is_err());
        assert_eq!(said(), "-cpu");
        std::fs::write(own.path().join(SWITCH), "memory cpu\n").unwrap();
        let (prepared, switched) = place().prepared().unwrap();
        assert!(prepared.has_cpu() && switched.is_none());
        assert_eq!(said(), "memory cpu\n", "nothing was ours");

        let controllers = || Switched { parent: own.path().to_owned(), controllers: vec!["memory", "cpu"] };
        drop(controllers());
        assert_eq!(said(), "-cpu");
        for (file, text) in [
            ("a.slice/cpu.weight", "200"),
            ("a.slice/cpu.max", "50000 100000"),
            ("b/cgroup.subtree_control", "cpu"),
        ] {
            let used = made_up(&[(file, text)]);
            assert!(is_used(used.path(), "cpu") && !is_used(used.path(), "memory"), "{file}");
        }
        for (file, text) in [("a.slice/memory.max", "1048576"), ("a.slice/memory.low", "4096")] {
            assert!(is_used(made_up(&[(file, text)]).path(), "memory"), "{file}");
        }
    }

    #[test]
    fn a_group_of_this_host_holds_a_child_and_goes() {
        let id = format!("unit-{}", std::process::id());
        let (place, _switched) = match Place::find(&id, &LIMITS) {
            Ok(found) => found,
            Err(why) => return println!("SKIPPED a_group_of_this_host_holds_a_child_and_goes: {why}"),
        };
        let group = place.make(&format!("isocost-{id}-x"), &LIMITS).unwrap();
        let cgroup = group.cgroup();
        let seen = std::thread::scope(|scope| {
            let spawn = || {
                let cradle = group.entrance().enter().unwrap();
                let program = Program::new(Path::new("/bin/sleep"), &[b"1000"], &[]).unwrap();
                let child =
                    sys::spawn(&program, cradle.birth(), File::open("/dev/null").unwrap().as_fd()).unwrap();
                let seen = Mounts::read().of(u32::try_from(child.pid.as_raw_nonzero().get()).unwrap());
                rustix::process::kill_process(child.pid, rustix::process::Signal::KILL).unwrap();
                rustix::process::waitpid(Some(child.pid), rustix::process::WaitOptions::empty()).unwrap();
                seen
            };
            scope.spawn(spawn).join().unwrap()
        });
        let memory = |cgroup: &Cgroup| match cgroup {
            Cgroup::V2(folder) => folder.clone(),
            Cgroup::V1 { memory, .. } => memory.clone().unwrap(),
        };
        assert_eq!(memory(&seen.unwrap()), memory(&cgroup));
        assert_eq!(group.memory_kills(), Some(0));
        let folders = group.folders.clone();
        group.remove().unwrap();
        assert!(folders.iter().all(|folder| !folder.exists()));
        assert!(place.make(&format!("isocost-{id}-x"), &LIMITS).is_ok(), "made again, and dropped");
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
