//! The agent as a child process: the control that containers and virtual machines are held against.
//!
//! In: the agent's bytes, limits. Out: a running child with the same CPUs and the same memory as the others, as far as
//! this user may limit it. What lays the limits around it happens before the clock starts: they are not what a process
//! costs. It must never know what is measured.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::agent::AgentListener;
use super::cgroup::limit::{Group, Place, Switched};
use super::{Environment, EnvironmentError, Instance, Kind, Layer, Prepared, RUN_VARIABLE, RunContext};
use crate::environment::socket_folder::SocketFolder;
use crate::measure::host::CpuList;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName};
use crate::sys::Program;

mod child;
mod instance;
mod keeper;

use instance::NativeInstance;
use keeper::Order;

const SOCKET: &str = "agent";
const LAYER: &str = "layer";

/// A way to run the agent as a child process.
pub struct NativeEnvironment {
    id: String,
    context: RunContext,
    ready: Option<Ready>,
    instances: u32,
}

/// What all instances share.
struct Ready {
    agent: PathBuf,
    place: Result<Place, String>,
    /// Put back at the end.
    _switched: Option<Switched>,
    cpus: CpuList,
    folder: SocketFolder,
}

impl NativeEnvironment {
    /// An environment that is not prepared yet.
    #[must_use]
    pub fn new(id: &str, context: RunContext) -> Self {
        Self { id: id.to_owned(), context, ready: None, instances: 0 }
    }

    fn failed(&self, failure: Failure) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure }
    }

    fn make_ready(&self) -> Result<Ready, Failure> {
        let scratch = &self.context.scratch;
        let folder = SocketFolder::make("native-", scratch, SOCKET)
            .map_err(io_failure("create a folder in", scratch))?;
        let agent = folder.path().join("isocost-agent");
        let write = || {
            std::fs::write(&agent, &self.context.agent)?;
            std::fs::set_permissions(&agent, Permissions::from_mode(0o755))
        };
        write().map_err(io_failure("write", &agent))?;
        let (place, switched) = match Place::find(&self.context.run_id, &self.context.limits) {
            Ok((place, switched)) => (Ok(place), switched),
            Err(why) => (Err(why), None),
        };
        Ok(Ready { agent, place, _switched: switched, cpus: self.context.cpus.instances.clone(), folder })
    }

    fn start(&self, ready: &Ready) -> Result<Box<dyn Instance>, Failure> {
        let context = &self.context;
        let folder = SocketFolder::make("process-", &context.scratch, SOCKET);
        let folder = folder.map_err(io_failure("create a folder in", &context.scratch))?;
        let (socket, layer) = (folder.for_sockets().join(SOCKET), folder.path().join(LAYER));
        std::fs::create_dir(&layer).map_err(io_failure("create", &layer))?;
        let listener = AgentListener::bind(&socket).map_err(io_failure("make the socket", &socket))?;
        let group = self.group(ready)?;
        let words = [b"--socket", socket.as_os_str().as_bytes(), b"--layer", layer.as_os_str().as_bytes()];
        let program = Program::new(&ready.agent, &words, &[format!("{RUN_VARIABLE}={}", context.run_id)]);
        let started = keeper::start(Order {
            program: program.map_err(io_failure("name", &ready.agent))?,
            entrance: group.as_ref().map(Group::entrance),
            cpus: ready.cpus.clone(),
            listener,
            deadline: context.start_deadline,
            stop: context.stop.clone(),
        });
        let started = started.map_err(|failure| instance::with_kills(failure, group.as_ref()))?;
        let layer = Layer::new(&layer, "directory");
        let stop_deadline = context.stop_deadline;
        Ok(Box::new(NativeInstance::new(&self.id, started, group, layer, folder, stop_deadline)))
    }

    /// How the names of its instances' groups begin.
    fn prefix(&self) -> String {
        format!("isocost-{}-{}-", self.context.run_id, self.id)
    }

    fn group(&self, ready: &Ready) -> Result<Option<Group>, Failure> {
        let Ok(place) = &ready.place else { return Ok(None) };
        let name = format!("{}{}", self.prefix(), self.instances);
        let group = place.make(&name, &self.context.limits);
        group.map(Some).map_err(|(path, error)| io_failure("limit by", &path)(error))
    }
}

impl Environment for NativeEnvironment {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Kind {
        Kind::Native
    }

    fn accelerator(&self) -> Accelerator {
        Accelerator::None
    }

    fn prepare(&mut self) -> Result<Prepared, EnvironmentError> {
        let ready = self.make_ready().map_err(|failure| self.failed(failure))?;
        let prepared = describe(&ready, &self.context);
        self.ready = Some(ready);
        Ok(prepared)
    }

    fn boot(&mut self) -> Result<Box<dyn Instance>, EnvironmentError> {
        if self.ready.is_none() {
            self.prepare()?;
        }
        self.instances += 1;
        let started = match &self.ready {
            Some(ready) => self.start(ready),
            None => Err(Failure { name: FailureName::NotStarted, detail: "it was not prepared".into() }),
        };
        started.map_err(|failure| self.failed(failure))
    }

    fn dispose(&mut self) -> Result<(), EnvironmentError> {
        let Some(ready) = self.ready.take() else { return Ok(()) };
        let path = ready.folder.path().to_owned();
        // Groups of starts that failed, and of ends that did.
        let swept = ready.place.as_ref().map_or(Ok(()), |place| place.sweep(&self.prefix()));
        let closed = ready.folder.close().map_err(|error| (path, error));
        swept.and(closed).map_err(|(path, error)| {
            let detail = format!("cannot remove {}: {error}; type: isocost clean", path.display());
            self.failed(Failure { name: FailureName::NotRemoved, detail })
        })
    }
}

/// For `map_err`.
fn io_failure(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let doing = format!("cannot {doing} {}", path.display());
    move |error| Failure { name: FailureName::NotStarted, detail: format!("{doing}: {error}") }
}

fn describe(ready: &Ready, context: &RunContext) -> Prepared {
    let limits = &context.limits;
    let quota = match &ready.place {
        Ok(place) if place.has_cpu() => format!("quota of {} CPUs", limits.cpus),
        _ => "no quota".to_owned(),
    };
    let place = match &ready.place {
        Ok(place) => format!("{}, below {}", version(place), place.shown().display()),
        Err(_) => "none".to_owned(),
    };
    let facts = vec![
        ("cgroup".to_owned(), place),
        ("cpus".to_owned(), format!("{} by affinity; {quota}", ready.cpus)),
    ];
    let image_bytes = u64::try_from(context.agent.len()).ok();
    Prepared { image_bytes, facts, warnings: warnings(&ready.place, &ready.cpus, context) }
}

fn version(place: &Place) -> &'static str {
    match place {
        Place::V1 { .. } => "v1",
        Place::V2 { .. } => "v2",
    }
}

fn warnings(place: &Result<Place, String>, cpus: &CpuList, context: &RunContext) -> Vec<String> {
    let limits = &context.limits;
    let mut all = Vec::new();
    match place {
        Err(why) => all.push(format!(
            "its memory is not limited to {} MiB, because no control group could be made ({why}); ratios to it are \
             withheld. Run isocost as root, or where systemd has control groups of version 2: systemd-run --user \
             --scope isocost run",
            limits.memory_bytes >> 20
        )),
        Ok(place) if !place.has_cpu() => all.push(format!(
            "its CPU time has no quota, because {} gives no cpu controller; it is kept to {} CPUs by affinity",
            place.shown().display(),
            limits.cpus
        )),
        Ok(_) => {}
    }
    if cpus.len() < limits.cpus as usize {
        all.push(format!(
            "isocost itself may use {} CPUs only, fewer than the limit of {}; see: taskset -p $$",
            cpus.len(),
            limits.cpus
        ));
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::environment::agent::StopSignal;
    use crate::measure::equality::Limits;
    use crate::measure::host::CpuPlacement;

    fn context(scratch: &Path) -> RunContext {
        RunContext {
            run_id: format!("unit-native-{}", std::process::id()),
            agent: std::sync::Arc::from(&b"#!/bin/sh\necho why >&2\nexit 3\n"[..]),
            agent_sha256: String::new(),
            scratch: scratch.to_owned(),
            qemu: None,
            cache: scratch.to_owned(),
            limits: Limits { cpus: 1, memory_bytes: 64 << 20 },
            cpus: CpuPlacement::here(1),
            start_deadline: Duration::from_secs(20),
            stop_deadline: Duration::from_secs(20),
            stop: StopSignal::new().unwrap(),
        }
    }

    #[test]
    fn what_was_not_limited_is_told_with_the_next_thing_to_type() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let all = warnings(&Err("/sys/fs/cgroup: Permission denied".into()), &CpuList::default(), &context);
        assert_eq!(all.len(), 2);
        assert!(all[0].contains("64 MiB") && all[0].contains("systemd-run --user --scope"), "{}", all[0]);
        let one: CpuList = [0].into_iter().collect();
        let without = Place::V2 { parent: "/cg".into(), cpu: false };
        assert!(warnings(&Ok(without), &one, &context)[0].contains("/cg gives no cpu controller"));
        let whole = Place::V2 { parent: "/cg".into(), cpu: true };
        assert!(warnings(&Ok(whole), &one, &context).is_empty());
    }

    #[test]
    fn an_agent_that_ends_at_once_is_named_with_its_last_words_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let mut native = NativeEnvironment::new("native", context(scratch.path()));
        let prepared = native.prepare().unwrap();
        assert_eq!(prepared.image_bytes, Some(30));
        let failure = native.boot().err().unwrap().failure;
        assert_eq!(failure.name, FailureName::ExitedEarly, "{}", failure.detail);
        assert!(
            failure.detail.contains("exit status 3") && failure.detail.contains("why"),
            "{}",
            failure.detail
        );
        native.dispose().unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
