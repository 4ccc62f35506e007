//! The rules every suite keeps, whoever wrote it and whatever the host.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::locate::Step;
use super::units::{Size, Time};
use super::workloads::{is_disk, is_memory, name_of};
use super::{EnvironmentSpec, KernelChoice, KindSpec, Suite, WorkloadSpec};

/// One thing that does not fit: which key, and what about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The way to the value in the suite's file.
    pub path: Vec<Step>,
    /// Goes on where the key stops: `is 0, and …`.
    pub what: String,
}

impl Misfit {
    /// The key, as `workload.bytes`.
    #[must_use]
    pub fn key(&self) -> String {
        let keys = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key(), self.what)
    }
}

const MOST_CPUS: u32 = 1024;
const LEAST_MEMORY: u64 = 64 << 20;
const MOST_MEMORY: u64 = 1 << 44;
const MOST_BLOCKS: u32 = 10_000;
const MOST_ENVIRONMENTS: usize = 64;
const MOST_WORKLOADS: usize = 256;
const LONGEST_WORK: Duration = Duration::from_secs(3600);
const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 3600);
const LEAST_FILE: u64 = 1 << 20;
const MOST_FILE: u64 = 2 << 30;
const LONGEST_ID: usize = 40;
/// Samples that belong to no workload are kept under these.
const TAKEN: [&str; 4] = ["start", "idle", "image", "stop"];
/// With fewer pairs than this the signed-rank test has no 95 % interval.
const LEAST_FOR_AN_INTERVAL: u32 = 6;

type Checked = Result<(), Misfit>;

fn misfit(path: &[Step], what: String) -> Checked {
    Err(Misfit { path: path.to_vec(), what })
}

/// Holds a suite against the rules.
///
/// # Errors
/// The first key that breaks one, and what is allowed.
pub fn check(suite: &Suite) -> Checked {
    name(suite)?;
    limits(suite)?;
    blocks(suite)?;
    deadlines(suite)?;
    environments(suite)?;
    workloads(suite)
}

/// What a suite may do and a reader should know.
#[must_use]
pub fn warnings(suite: &Suite) -> Vec<String> {
    let mut all = Vec::new();
    if !suite.environments.iter().any(|one| matches!(one.kind, KindSpec::Native(_))) {
        all.push("there is no environment of kind native: nothing can be told relative to native".to_owned());
    }
    for one in suite.environments.iter().filter(|one| one.slower_permille > 0) {
        let percent = f64::from(one.slower_permille) / 10.0;
        all.push(format!(
            "the work of {} is slowed on purpose by {percent} %: its figures say nothing else",
            one.id
        ));
    }
    let count = suite.blocks.count;
    if count < LEAST_FOR_AN_INTERVAL {
        all.push(format!(
            "{count} blocks are too few for a 95 % interval of a comparison; {LEAST_FOR_AN_INTERVAL} are the least"
        ));
    }
    all
}

fn name(suite: &Suite) -> Checked {
    let wrong = [
        (suite.name.is_empty(), "is empty"),
        (suite.name.chars().count() > 64, "is longer than 64 characters"),
        (suite.name.contains('/'), "has a `/` in it"),
        (suite.name.chars().any(char::is_control), "has a line break or another control character in it"),
    ];
    if let Some((_, what)) = wrong.iter().find(|(is_wrong, _)| *is_wrong) {
        return misfit(&[Step::Key("name")], (*what).to_owned());
    }
    if suite.description.chars().count() > 400 {
        return misfit(&[Step::Key("description")], "is longer than 400 characters".to_owned());
    }
    if suite.description.chars().any(char::is_control) {
        let what = "has a line break or another control character in it".to_owned();
        return misfit(&[Step::Key("description")], what);
    }
    Ok(())
}

fn limits(suite: &Suite) -> Checked {
    let (cpus, memory) = (suite.limits.cpus, suite.limits.memory_bytes);
    if !(1..=MOST_CPUS).contains(&cpus) {
        let what = format!("is {cpus}; it is a whole number from 1 to {MOST_CPUS}");
        return misfit(&[Step::Key("limits"), Step::Key("cpus")], what);
    }
    let path = [Step::Key("limits"), Step::Key("memory")];
    if !(LEAST_MEMORY..=MOST_MEMORY).contains(&memory) {
        let what = format!("is {}; it is from {} to {}", Size(memory), Size(LEAST_MEMORY), Size(MOST_MEMORY));
        return misfit(&path, what);
    }
    if !memory.is_multiple_of(1 << 20) {
        return misfit(&path, format!("is {}; a virtual machine has whole MiB", Size(memory)));
    }
    Ok(())
}

fn blocks(suite: &Suite) -> Checked {
    let blocks = &suite.blocks;
    let at = |key| [Step::Key("blocks"), Step::Key(key)];
    if !(1..=MOST_BLOCKS).contains(&blocks.count) {
        let what = format!("is {}; it is a whole number from 1 to {MOST_BLOCKS}", blocks.count);
        return misfit(&at("count"), what);
    }
    for (key, value) in [("warm_up", blocks.warm_up), ("cold", blocks.cold)] {
        if value > MOST_BLOCKS {
            return misfit(&at(key), format!("is {value}; it is at most {MOST_BLOCKS}"));
        }
    }
    Ok(())
}

fn deadlines(suite: &Suite) -> Checked {
    let deadlines = &suite.deadlines;
    for (key, time) in [("start", deadlines.start), ("work", deadlines.work), ("stop", deadlines.stop)] {
        if time.is_zero() || time > LONGEST_DEADLINE {
            let what = format!("is {}; it is from 1ms to {}", Time(time), Time(LONGEST_DEADLINE));
            return misfit(&[Step::Key("deadlines"), Step::Key(key)], what);
        }
    }
    Ok(())
}

fn id(list: &'static str, index: usize, id: &str, seen: &mut BTreeSet<String>) -> Checked {
    let path = [Step::Key(list), Step::Index(index), Step::Key("id")];
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(allowed) {
        let shown: String = id.chars().take(LONGEST_ID).collect();
        let what = format!(
            "is {shown:?}; it is made of lower-case letters, digits and hyphens, at most {LONGEST_ID} of them"
        );
        return misfit(&path, what);
    }
    if !seen.insert(id.to_owned()) {
        return misfit(&path, format!("is `{id}` a second time; each is unique in its suite"));
    }
    Ok(())
}

fn environments(suite: &Suite) -> Checked {
    let count = suite.environments.len();
    if !(1..=MOST_ENVIRONMENTS).contains(&count) {
        let what = format!("is there {count} times; a suite has 1 to {MOST_ENVIRONMENTS} `[[environment]]`");
        return misfit(&[Step::Key("environment")], what);
    }
    let mut seen = BTreeSet::new();
    for (index, environment) in suite.environments.iter().enumerate() {
        id("environment", index, &environment.id, &mut seen)?;
        settings(index, environment)?;
        let known = |id: &&String| suite.workloads.iter().any(|one| one.id == **id);
        if let Some(other) = environment.workloads.iter().flatten().find(|id| !known(id)) {
            let path = [Step::Key("environment"), Step::Index(index), Step::Key("workloads")];
            return misfit(
                &path,
                format!("of {} names `{other}`, which the suite does not have", environment.id),
            );
        }
    }
    Ok(())
}

fn settings(index: usize, environment: &EnvironmentSpec) -> Checked {
    let at = |key| [Step::Key("environment"), Step::Index(index), Step::Key(key)];
    match &environment.kind {
        KindSpec::Native(_) => {}
        KindSpec::Docker(spec) => {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if spec.runtime.is_empty() || spec.runtime.len() > 64 || !spec.runtime.chars().all(allowed) {
                let what = format!("of {} is no name a runtime can have; such as runc", environment.id);
                return misfit(&at("runtime"), what);
            }
        }
        KindSpec::Qemu(spec) => {
            let empty = match &spec.kernel {
                KernelChoice::Debian(version) => version.as_deref() == Some(""),
                KernelChoice::Path(path) => path.as_os_str().is_empty(),
                KernelChoice::Host => false,
            };
            if empty {
                let what = format!(
                    "of {} is empty; it is `debian`, `debian:VERSION`, `host` or a path",
                    environment.id
                );
                return misfit(&at("kernel"), what);
            }
        }
    }
    Ok(())
}

fn workloads(suite: &Suite) -> Checked {
    if suite.workloads.len() > MOST_WORKLOADS {
        let what = format!("is there {} times, at most {MOST_WORKLOADS} are allowed", suite.workloads.len());
        return misfit(&[Step::Key("workload")], what);
    }
    let mut seen = BTreeSet::new();
    for (index, workload) in suite.workloads.iter().enumerate() {
        id("workload", index, &workload.id, &mut seen)?;
        let wrong = |key, what: String| {
            let path = [Step::Key("workload"), Step::Index(index), Step::Key(key)];
            misfit(&path, format!("of {} {what}", workload.id))
        };
        if TAKEN.contains(&workload.id.as_str()) {
            return wrong("id", format!("is taken; {} name what is no workload", TAKEN.join(", ")));
        }
        duration(workload).or_else(|what| wrong("duration", what))?;
        bytes(workload, suite.limits.memory_bytes).or_else(|what| wrong("bytes", what))?;
        if workload.direct && !is_disk(workload.run) {
            return wrong("direct", format!("is for work on the disk, and {} is not", name_of(workload.run)));
        }
        threads(workload, suite.limits.cpus).or_else(|what| wrong("threads", what))?;
    }
    Ok(())
}

fn duration(workload: &WorkloadSpec) -> Result<(), String> {
    let WorkloadSpec { duration, run, bytes, .. } = workload;
    if duration.is_zero() && !(is_disk(*run) && *bytes > 0) {
        return Err("is missing or zero; such as \"150ms\" (work on the disk may have `bytes` alone: once)"
            .to_owned());
    }
    if *duration > LONGEST_WORK {
        return Err(format!("is {}; at most {}", Time(*duration), Time(LONGEST_WORK)));
    }
    Ok(())
}

fn bytes(workload: &WorkloadSpec, memory: u64) -> Result<(), String> {
    let WorkloadSpec { run, bytes, .. } = workload;
    if *bytes == 0 {
        return Ok(());
    }
    if is_disk(*run) {
        if !(LEAST_FILE..=MOST_FILE).contains(bytes) {
            return Err(format!(
                "is {}; a file is from {} to {}",
                Size(*bytes),
                Size(LEAST_FILE),
                Size(MOST_FILE)
            ));
        }
        if !bytes.is_multiple_of(LEAST_FILE) {
            return Err(format!("is {}; a file has whole MiB", Size(*bytes)));
        }
        return Ok(());
    }
    if !is_memory(*run) {
        return Err(format!("is for work on memory or the disk, and {} is neither", name_of(*run)));
    }
    // Copying has two buffers, and a guest's kernel needs room beside them.
    if *bytes > memory / 4 {
        return Err(format!(
            "is {}; at most a quarter of limits.memory, which is {}",
            Size(*bytes),
            Size(memory)
        ));
    }
    Ok(())
}

fn threads(workload: &WorkloadSpec, cpus: u32) -> Result<(), String> {
    let Some(threads) = workload.threads else { return Ok(()) };
    if workload.run != isocost_agent::protocol::Workload::Threads {
        return Err(format!("is for the work `threads`, and this is {}", name_of(workload.run)));
    }
    if !(1..=cpus).contains(&threads) {
        return Err(format!("is {threads}; it is from 1 to limits.cpus, which is {cpus}"));
    }
    Ok(())
}
