//! Isocost itself in whole Debian machines with stock KVM, systemd and cgroup v2: as root, and as a user who is in the
//! groups docker and kvm. docs/testing-machine.md says how they are made.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use isocost::environment::Kind;
use isocost::journal::record::{Ending, EnvironmentRecord};
use isocost::journal::{self, Run};
use isocost::measure::sample::Accelerator;
use isocost::measure::sample::{FailureName, Outcome, Sample};

#[path = "support/machine.rs"]
mod machine;
#[path = "support/skip.rs"]
mod skip;

use skip::skip;

use machine::{Job, Machine};

const PROGRAM: &str = env!("CARGO_BIN_EXE_isocost");

/// What the visit takes on two idle CPUs, several times over.
const DEADLINE: Duration = Duration::from_secs(40 * 60);

/// Measured blocks of each run.
const BLOCKS: u32 = 3;

#[test]
fn debian_12_measures_with_kvm() {
    visit("bookworm");
}

#[test]
fn debian_13_measures_with_kvm() {
    visit("trixie");
}

#[test]
#[ignore = "for people: a shell in the machine that ISOCOST_MACHINE names, trixie or bookworm"]
fn shell() {
    let suite = std::env::var("ISOCOST_MACHINE").unwrap_or_else(|_| "trixie".into());
    let Some(machine) = machine(&suite) else { return };
    machine.shell(&Job {
        script: "install -m 755 isocost /usr/local/bin/isocost; apt-get update; exec sleep infinity",
        files: &[(PathBuf::from(PROGRAM), "isocost".into())],
        begun: "",
        deadline: DEADLINE,
    });
}

/// `None`, with a named skip, where there can be no such machine; in CI that is a failure.
fn machine(suite: &str) -> Option<Machine> {
    match Machine::of(suite) {
        Ok(machine) => Some(machine),
        Err(why) => {
            skip(&format!("debian_machine {suite}"), why);
            None
        }
    }
}

/// Two machines at once would be twice as many CPUs as a small host has, and what is measured in them would wait for its own.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn visit(suite: &str) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Instant::now();
    let Some(machine) = machine(suite) else { return };
    let made = began.elapsed();
    let left = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/machine/left.pl"));
    let mut files = vec![(PathBuf::from(PROGRAM), "isocost".into()), (left.to_owned(), "left.pl".into())];
    files.extend(libraries());
    let script = include_str!("support/machine/visit.sh");
    let out = machine.run(&Job { script, files: &files, begun: "the engine is up", deadline: DEADLINE });
    eprintln!("{suite}: made or found in {made:.0?}, used for {:.0?}", began.elapsed() - made);
    let visit = Visit { out };
    eprintln!("{}", visit.text("times"));

    visit.every_step_is_done();
    visit.nothing_is_left();
    visit.a_killed_run_is_found();
    for who in ["root", "user"] {
        let run = visit.run(who);
        it_is_whole(&run, who == "root");
        virtual_machines_had_kvm(&run);
        memory_is_of_cgroup_v2(&run);
        the_agent_is_the_same_everywhere(&run);
    }
    every_family_has_figures(&visit.run("root"));
    a_users_own_scope_has_limits(&visit.run("user"), &visit.run("scope"));
    visit.emulated_runs_are_kept_apart(&scratch(suite));
}

/// Beside the machine's folder, and made anew.
fn scratch(suite: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-machine-host").join(suite);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the program was linked with on this host, the loader among it, and where it goes in the machine.
fn libraries() -> Vec<(PathBuf, String)> {
    let listed = Command::new("ldd").arg(PROGRAM).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    paths.map(|path| (path.clone(), format!("lib/{}", path.file_name().unwrap().display()))).collect()
}

/// The program on this host, with the cache of its tests; returns what it said.
fn here(arguments: &[&str], codes: &[i32]) -> String {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");
    let output = Command::new(PROGRAM).args(arguments).args(["--cache", cache]).output().unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{arguments:?}: {wrong}");
    String::from_utf8(output.stdout).unwrap()
}

/// What came out of a machine.
struct Visit {
    out: PathBuf,
}

impl Visit {
    fn text(&self, name: &str) -> String {
        let path = self.out.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    fn run(&self, who: &str) -> Run {
        journal::read(&self.out.join(format!("{who}-run"))).unwrap()
    }

    fn every_step_is_done(&self) {
        let steps = ["doctor", "run", "clean", "left"];
        let steps = ["root", "user"].iter().flat_map(|who| steps.map(|step| format!("{who}-{step}")));
        let more = [
            "update",
            "left-before",
            "killed-before",
            "killed-clean",
            "killed-left",
            "scope-run",
            "scope-clean",
        ]
        .map(String::from);
        for step in steps.chain(more) {
            let (said, wrong) = (self.text(&format!("{step}.stdout")), self.text(&format!("{step}.stderr")));
            // The memory of a container's processes, which are root's, is a failed sample for anybody else.
            let some_failed = match step.as_str() {
                "user-run" => true,
                "root-run" => !cells_that_stood_still(&self.run("root")).is_empty(),
                _ => false,
            };
            let expected = if some_failed { "4\n" } else { "0\n" };
            assert_eq!(self.text(&format!("{step}.status")), expected, "{step}:\n{said}\n{wrong}");
        }
        assert_eq!(self.text("status"), "0\n", "{}", self.text("journal"));
    }

    fn nothing_is_left(&self) {
        let probe = self.text("left-probe.stdout");
        for seen in ["process sleep\n", "group /sys/fs/cgroup/isocost-probe\n", "file /tmp/isocost-probe\n"] {
            assert!(probe.contains(seen), "a thing that is left is not seen: {seen:?} in {probe}");
        }
        for step in ["left-before", "root-left", "killed-left", "user-left"] {
            assert_eq!(self.text(&format!("{step}.stdout")), "", "{step}");
        }
    }

    /// What was killed in mid-run left things, which `clean` has removed, and its samples.
    fn a_killed_run_is_found(&self) {
        let left = self.text("killed-before.stdout");
        assert!(left.contains("image ") && left.contains("/.cache/isocost/runs/"), "{left}");
        let cleaned = self.text("killed-clean.stdout");
        assert!(cleaned.contains("removed image"), "{cleaned}");
        let run = self.run("killed");
        assert!(!run.complete && run.samples.iter().any(|sample| sample.metric == "startup.ready"));
    }

    /// This run and one of the same suite that was emulated, in one report.
    fn emulated_runs_are_kept_apart(&self, scratch: &Path) {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (kvm, tcg) = (path(&self.out.join("root-run")), path(&scratch.join("tcg")));
        let run = ["run", "quick", "--env", "native,qemu", "--workload", "cpu-integer", "--blocks", "1"];
        // A busy host may void a figure.
        here(&[&run[..], &["--accel", "tcg", "-o", &tcg]].concat(), &[0, 4]);
        let joint = path(&scratch.join("joint"));
        let said = here(&["report", &kvm, &tcg, "-o", &joint], &[0]);
        assert!(said.contains("qemu ran under kvm and tcg"), "{said}");
        let id = |folder: &str| journal::read(Path::new(folder)).unwrap().record.run_id;
        let expected = BTreeSet::from([(id(&kvm), "kvm".to_owned()), (id(&tcg), "tcg".to_owned())]);
        assert_eq!(accelerators_beside(&Path::new(&joint).join("side-by-side.csv")), expected);
    }
}

/// Each run and its accelerator in the rows of the virtual machine, of which none may be held against another run's.
fn accelerators_beside(path: &Path) -> BTreeSet<(String, String)> {
    let mut file = csv::Reader::from_path(path).unwrap();
    let rows: Vec<BTreeMap<String, String>> = file.deserialize().map(Result::unwrap).collect();
    let of_machines = || rows.iter().filter(|row| row["environment"] == "qemu");
    for row in of_machines() {
        assert!(row["factor_to_first"].is_empty() && row["against_first"] != "equal", "{row:?}");
    }
    of_machines().map(|row| (row["run"].clone(), row["accelerator"].clone())).collect()
}

fn it_is_whole(run: &Run, by_root: bool) {
    assert!(run.complete && !run.dropped_tail);
    assert_eq!(run.record.ending, Ending::Complete);
    let still = cells_that_stood_still(run);
    assert!(still.len() <= MOST_STILL, "{still:?}");
    if !still.is_empty() {
        eprintln!("virtual machines that stood still or ended, by name and block: {still:?}");
    }
    let told = |one: &Sample| closed(one, by_root) || stood_still(one);
    let failed: Vec<_> = run.samples.iter().filter(|one| one.value().is_none() && !told(one)).collect();
    assert!(failed.is_empty(), "{} of {} samples failed: {failed:#?}", failed.len(), run.samples.len());
    for (environment, metric) in
        ["native", "docker", "qemu"].iter().flat_map(|id| METRICS.map(|metric| (id, metric)))
    {
        if !by_root && *environment == "docker" && metric == "memory.total.idle" {
            continue;
        }
        let taken = run.samples.iter().filter(|s| s.environment == **environment && s.metric == metric);
        let blocks: BTreeSet<u32> = taken
            .filter(|sample| !sample.warm_up && sample.value().is_some())
            .map(|sample| sample.block)
            .collect();
        // A block that others disturbed is measured again.
        let lost = still.iter().filter(|(id, _)| id == environment).count();
        assert!(
            blocks.len() + lost >= BLOCKS as usize,
            "{environment} has {metric} in the blocks {blocks:?}"
        );
    }
}

/// In an emulated KVM a virtual machine stands still now and then: its own kernel tells of a CPU that stalled, and what was
/// asked of it is not answered in time, or it is never ready; or an interrupt that nobody sent ends it. (`tests/qemu*.rs` allow
/// nothing of the kind.)
fn stood_still(sample: &Sample) -> bool {
    let Outcome::Failed(failure) = &sample.outcome else { return false };
    let names = [FailureName::TimedOut, FailureName::NeverReady, FailureName::ExitedEarly];
    names.contains(&failure.name) && sample.environment.starts_with("qemu")
}

/// So many of the virtual machines of a run may.
const MOST_STILL: usize = 2;

fn cells_that_stood_still(run: &Run) -> BTreeSet<(&str, u32)> {
    let all = run.samples.iter().filter(|sample| stood_still(sample));
    all.map(|sample| (&*sample.environment, sample.block)).collect()
}

/// The kernel lets nobody but root read how processes of root use their memory; their control group it does.
fn closed(sample: &Sample, by_root: bool) -> bool {
    let unreadable =
        matches!(&sample.outcome, Outcome::Failed(failure) if failure.name == FailureName::Unreadable);
    !by_root && unreadable && sample.environment == "docker" && sample.metric.starts_with("memory.")
}

/// One of each family: start, memory, CPU, disk.
const METRICS: [&str; 4] =
    ["startup.ready", "memory.total.idle", "cpu.integer.rate", "disk.sync.latency.p50"];

fn virtual_machines_had_kvm(run: &Run) {
    let of_kind =
        |kind| run.record.environments.iter().filter(move |one: &&EnvironmentRecord| one.kind == kind);
    let machines: BTreeSet<&str> = of_kind(Kind::Qemu).map(|one| one.id.as_str()).collect();
    assert!(machines.contains("qemu"), "{machines:?}");
    let expected = |id: &str| if machines.contains(id) { Accelerator::Kvm } else { Accelerator::None };
    for environment in &run.record.environments {
        assert_eq!(environment.accelerator, expected(&environment.id), "{}", environment.id);
    }
    for sample in &run.samples {
        assert_eq!(sample.accelerator, expected(&sample.environment), "{sample:?}");
    }
}

fn memory_is_of_cgroup_v2(run: &Run) {
    assert_eq!(run.record.host.cgroup, "v2");
    for metric in ["memory.cgroup.idle", "memory.cgroup.peak"] {
        let taken = run.samples.iter().filter(|s| s.environment == "docker" && s.metric == metric);
        let values: Vec<f64> = taken.filter_map(|sample| sample.value()).collect();
        assert!(
            values.len() >= BLOCKS as usize && values.iter().all(|bytes| *bytes > 0.0),
            "{metric}: {values:?}"
        );
    }
    let docker = run.record.environments.iter().find(|one| one.id == "docker").unwrap();
    let facts = &docker.prepared.facts;
    assert!(facts.iter().any(|(_, value)| value.contains("systemd")), "not by systemd: {facts:?}");
}

fn the_agent_is_the_same_everywhere(run: &Run) {
    assert_eq!(run.record.agent_sha256, isocost::agent::sha256());
    for environment in &run.record.environments {
        let seen = environment.inspection.as_ref();
        let seen = seen.unwrap_or_else(|| panic!("{} was not looked at from inside", environment.id));
        assert_eq!(seen.agent_sha256, run.record.agent_sha256, "{}", environment.id);
    }
}

/// Where systemd lets a user make control groups, a process of that user has the limits of the others.
fn a_users_own_scope_has_limits(outside: &Run, inside: &Run) {
    let limits = |run: &Run| {
        let native = run.record.environments.iter().find(|one| one.id == "native").unwrap();
        let seen = native.inspection.as_ref().unwrap();
        (seen.quota_cpus, seen.cgroup_memory_limit_bytes, native.prepared.facts.clone())
    };
    let (quota, memory, facts) = limits(inside);
    assert_eq!((quota, memory), (Some(2.0), Some(256 << 20)), "{facts:?}");
    assert_eq!(limits(outside).1, None, "a login's session may make none, and the run says so");
    assert!(
        outside.record.warnings.iter().any(|text| text.contains("systemd-run")),
        "{:?}",
        outside.record.warnings
    );
}

/// Each workload of the suite in each environment that it is for.
fn every_family_has_figures(run: &Run) {
    let workloads: Vec<&str> = run.record.plan.suite.workloads.iter().map(|one| one.id.as_str()).collect();
    assert!(workloads.len() > 10, "{workloads:?}");
    for environment in ["native", "docker", "qemu"] {
        let of = run.samples.iter().filter(|sample| sample.environment == environment);
        let have: BTreeSet<&str> = of.map(|sample| sample.workload.as_str()).collect();
        let missing: Vec<_> = workloads.iter().filter(|id| !have.contains(*id)).collect();
        assert!(missing.is_empty(), "{environment} has nothing of {missing:?}");
    }
}
