//! Containers through the Docker API.
//!
//! In: a [`DockerSpec`], the agent's bytes, limits. Out: a running container whose agent has said Hello, the spans of its
//! start, and who spends on its behalf. The `docker` command is never used. bollard's runtime lives on a thread of
//! `engine` alone; what is timed waits in poll(2). It must never know what is measured in the container.

use std::path::PathBuf;
use std::sync::Arc;

use super::agent::AgentListener;
use super::{Environment, EnvironmentError, Instance, Kind, Prepared, RunContext};
use crate::environment::socket_folder::SocketFolder;
use crate::measure::host::CpuList;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName};
use crate::suite::DockerSpec;

mod container;
mod engine;
mod facts;
pub(crate) mod image;
mod instance;
mod payers;
mod start;

pub mod error;

pub use engine::address;
pub use image::LABEL;

use container::{SOCKET, Wanted};
use engine::{API_DEADLINE, Engine};
use error::DockerError;
use facts::About;
use image::Image;
use instance::DockerInstance;
use start::{Bounds, Container};

/// The socket's folder below an instance's: it is all of it that is mounted inside.
const SHARED: &str = "s";

/// A way to run the agent in a container.
pub struct DockerEnvironment {
    id: String,
    spec: DockerSpec,
    context: RunContext,
    address: String,
    /// Once something may have been made in it.
    engine: Option<Arc<Engine>>,
    ready: Option<Ready>,
    instances: u32,
}

/// What all instances share.
struct Ready {
    engine: Arc<Engine>,
    image: Image,
    cpus: CpuList,
    selinux: bool,
    /// Where the engine keeps everything.
    root: String,
    /// How it stores layers.
    driver: String,
}

impl DockerEnvironment {
    /// An environment that is not prepared yet, in the engine at [`address`].
    #[must_use]
    pub fn new(id: &str, spec: &DockerSpec, context: RunContext) -> Self {
        Self::at(&address(), id, spec, context)
    }

    /// The same in the engine at that address.
    #[must_use]
    pub fn at(address: &str, id: &str, spec: &DockerSpec, context: RunContext) -> Self {
        let (id, address) = (id.to_owned(), address.to_owned());
        Self { id, spec: spec.clone(), context, address, engine: None, ready: None, instances: 0 }
    }

    fn failed(&self, failure: Failure) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure }
    }

    fn make_ready(&mut self) -> Result<(Ready, Prepared), DockerError> {
        let stop = &self.context.stop;
        let engine = Arc::new(Engine::connect(&self.address, stop)?);
        let about = about(&engine, stop)?;
        let wanted = &self.spec.runtime;
        container::has_runtime(&about.info, wanted)
            .map_err(|known| DockerError::NoRuntime { wanted: wanted.clone(), known })?;
        self.engine = Some(Arc::clone(&engine));
        let image = image::build(&engine, &self.context.run_id, &self.id, &self.context.agent, stop)?;
        let cpus = self.context.cpus.instances.clone();
        let prepared = Prepared {
            image_bytes: image.bytes,
            facts: about.facts(&self.address, wanted, &image, &cpus.to_string()),
            warnings: warnings(&about, &engine),
        };
        let ready = Ready {
            engine,
            image,
            cpus,
            selinux: container::has_security(&about.info, "selinux"),
            root: about.info.docker_root_dir.unwrap_or_else(|| "/var/lib/docker".into()),
            driver: about.info.driver.unwrap_or_else(|| "unknown".into()),
        };
        Ok((ready, prepared))
    }

    fn start(&self, ready: &Ready) -> Result<Box<dyn Instance>, Failure> {
        let context = &self.context;
        let (folder, shared) = self.folder().map_err(|error| error.failure())?;
        let socket = folder.for_sockets().join(SHARED).join(SOCKET);
        let listener = AgentListener::bind(&socket);
        let listener =
            listener.map_err(|error| DockerError::io("make the socket", &socket)(error).failure())?;
        let body = container::body(&Wanted {
            run_id: &context.run_id,
            environment: &self.id,
            image: &ready.image.id,
            spec: &self.spec,
            limits: &context.limits,
            cpus: &ready.cpus,
            folder: &shared,
            selinux: ready.selinux,
        });
        let name = format!("isocost-{}-{}-{}", context.run_id, self.id, self.instances);
        let mut container = Container::new(name).map_err(|error| error.failure())?;
        let bounds = Bounds { deadline: context.start_deadline, stop: &context.stop };
        let engine = &ready.engine;
        let started = container.start(engine, body, listener, &bounds).and_then(|started| {
            let place = instance::place(engine, &container, &ready.root, &ready.driver);
            place.map(|place| (started, place)).map_err(|error| error.failure())
        });
        match started {
            Ok((started, place)) => {
                let (engine, deadline) = (Arc::clone(engine), context.stop_deadline);
                let instance =
                    DockerInstance::new(&self.id, engine, container, started, place, folder, deadline);
                Ok(Box::new(instance))
            }
            Err(failure) => Err(given_up(engine, container, failure)),
        }
    }

    fn folder(&self) -> Result<(SocketFolder, PathBuf), DockerError> {
        let scratch = &self.context.scratch;
        let made = SocketFolder::make("docker-", scratch, &format!("{SHARED}/{SOCKET}"));
        let made = made.map_err(DockerError::io("create a folder in", scratch))?;
        let shared = made.path().join(SHARED);
        std::fs::create_dir(&shared).map_err(DockerError::io("create", &shared))?;
        Ok((made, shared))
    }

    /// All that was made in it, by starts that failed and by a build that did, too.
    fn dispose_of(&self, engine: &Engine, built: bool) -> Result<(), DockerError> {
        let run_id = &self.context.run_id;
        start::remove_all(engine, &container::labels(run_id, &self.id))?;
        image::remove(engine, run_id, &image::tag(run_id, &self.id), built)
    }
}

/// What the engine says of itself.
fn about(engine: &Engine, stop: &super::agent::StopSignal) -> Result<About, DockerError> {
    let docker = engine.docker();
    let api = docker.client_version().to_string();
    let ask = async move { Ok((docker.info().await?, docker.version().await?)) };
    let (info, version) = engine.call("describe itself", API_DEADLINE, Some(stop), ask)?;
    Ok(About { info, version, api })
}

fn warnings(about: &About, engine: &Engine) -> Vec<String> {
    let mut all = container::unheld(&about.info);
    if engine.listener.is_none() {
        all.push(
            "the engine's processes cannot be seen from here (another PID namespace), so memory and CPU time of containers \
             are not accounted; run isocost beside the engine"
                .to_owned(),
        );
    }
    if container::has_security(&about.info, "selinux") {
        all.push(
            "SELinux would keep a container from the agent's socket: its label is switched off".to_owned(),
        );
    }
    let root = about.info.docker_root_dir.as_deref().unwrap_or_default();
    if std::fs::read_dir(root).is_err() {
        all.push(format!(
            "{root} is closed to this user: bytes added are the engine's sum of file lengths, not blocks on the disk; \
             run isocost as root for these"
        ));
    }
    all
}

/// Removes what is there of a start that failed.
fn given_up(engine: &Engine, mut container: Container, mut failure: Failure) -> Failure {
    if let Err(error) = container.remove(engine, API_DEADLINE) {
        failure.detail = format!("{}; and its container may still be there: {error}", failure.detail);
    }
    failure
}

impl Environment for DockerEnvironment {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Kind {
        Kind::Docker
    }

    fn accelerator(&self) -> Accelerator {
        Accelerator::None
    }

    fn prepare(&mut self) -> Result<Prepared, EnvironmentError> {
        let (ready, prepared) = self.make_ready().map_err(|error| self.failed(error.failure()))?;
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
        let built = self.ready.take().is_some();
        let Some(engine) = self.engine.take() else { return Ok(()) };
        self.dispose_of(&engine, built).map_err(|error| {
            let detail = format!("{error}; once the engine answers, type: isocost clean");
            self.failed(Failure { name: FailureName::NotRemoved, detail })
        })
    }
}

impl Drop for DockerEnvironment {
    fn drop(&mut self) {
        // Who wants to know whether it went calls `dispose`.
        let _ = self.dispose();
    }
}
