//! Virtual machines by QEMU.
//!
//! In: a [`QemuSpec`], the kernel and disks from [`crate::image`], limits. Out: a running guest whose agent has said
//! Hello, the spans of its start, and what it costs. It must never know what is measured in the guest, and never
//! trust what the guest writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment::socket_folder::SocketFolder;
use crate::environment::{
    Environment, EnvironmentError, Instance, Kind, Layer, Prepared, RUN_VARIABLE, RunContext,
};
use crate::image::{Errand, disk};
use crate::measure::clock::Instant;
use crate::measure::sample::Accelerator;
use crate::suite::{DiskFormat, QemuSpec};

mod boot;
mod instance;
mod prepare;

pub mod args;
pub mod error;
pub mod process;
pub mod qmp;
pub mod race;
pub mod version;

pub use super::tap;

use args::Disk;
use error::QemuError;
use prepare::Ready;

/// A way to run the agent in a virtual machine. Boot on a thread that outlives the instance: QEMU dies with it
/// (see [`crate::sys::harden`]).
pub struct QemuEnvironment {
    id: String,
    spec: QemuSpec,
    context: RunContext,
    ready: Option<Ready>,
    /// What the next guest writes to, where it was made ahead.
    next: Option<LaidOut>,
}

/// A guest's own folder, with its writable layer.
struct LaidOut {
    folder: SocketFolder,
    layer: PathBuf,
    took: Duration,
}

impl QemuEnvironment {
    /// An environment that is not prepared yet.
    #[must_use]
    pub fn new(id: &str, spec: &QemuSpec, context: RunContext) -> Self {
        Self { id: id.to_owned(), spec: spec.clone(), context, ready: None, next: None }
    }

    /// Why the accelerator is what it is; known after [`Environment::prepare`], and only where there was a choice.
    #[must_use]
    pub fn decision(&self) -> Option<&race::Decision> {
        self.ready.as_ref()?.decision.as_ref()
    }

    fn failed(&self, error: QemuError) -> EnvironmentError {
        EnvironmentError { environment: self.id.clone(), failure: error.failure() }
    }

    /// For the programs that make images.
    fn errand(&self) -> Errand {
        Errand { mark: (RUN_VARIABLE, self.context.run_id.clone()), stop: self.context.stop.clone() }
    }

    fn make_next(&self, ready: &Ready) -> Result<LaidOut, EnvironmentError> {
        let folder = prepare::folder("vm-", &self.context.scratch).map_err(|e| self.failed(e))?;
        let begun = Instant::now();
        let make = || make_layer(self.spec.disk, &ready.base, folder.path());
        let layer = self.errand().carry_out(make).map_err(|e| self.failed(e))?;
        Ok(LaidOut { folder, layer, took: Instant::now().since(begun) })
    }

    fn start(&self, ready: &Ready, laid_out: LaidOut) -> Result<Box<dyn Instance>, EnvironmentError> {
        let LaidOut { folder, layer, took } = laid_out;
        let mut plan = ready.plan.clone();
        plan.disks = vec![Disk {
            path: layer.clone(),
            format: self.spec.disk,
            access: ready.access,
            read_only: false,
        }];
        let started = boot::start(&boot::Start {
            program: &ready.qemu.path,
            plan: &plan,
            run_id: &self.context.run_id,
            cpus: &self.context.cpus.instances,
            folder: folder.for_sockets(),
            deadline: self.context.start_deadline,
            stop: &self.context.stop,
        });
        let started =
            started.map_err(|failure| EnvironmentError { environment: self.id.clone(), failure })?;
        Ok(Box::new(instance::QemuInstance {
            id: self.id.clone(),
            started,
            layer: Layer { took: Some(took), ..Layer::new(&layer, driver(self.spec.disk)) },
            memory_bytes: plan.board.memory_bytes,
            stop_deadline: self.context.stop_deadline,
            folder,
        }))
    }
}

impl Environment for QemuEnvironment {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Kind {
        Kind::Qemu
    }

    fn accelerator(&self) -> Accelerator {
        self.ready.as_ref().map_or(Accelerator::Tcg, |ready| ready.plan.board.accelerator)
    }

    fn prepare(&mut self) -> Result<Prepared, EnvironmentError> {
        let prepare = || prepare::prepare(&self.spec, &self.context);
        let (ready, mut prepared) = self.errand().carry_out(prepare).map_err(|e| self.failed(e))?;
        prepared.facts.push(("cpus".to_owned(), self.context.cpus.instances.to_string()));
        self.ready = Some(ready);
        Ok(prepared)
    }

    fn lay_out(&mut self) -> Result<(), EnvironmentError> {
        if self.ready.is_none() {
            self.prepare()?;
        }
        self.next = self.ready.as_ref().map(|ready| self.make_next(ready)).transpose()?;
        Ok(())
    }

    fn boot(&mut self) -> Result<Box<dyn Instance>, EnvironmentError> {
        if self.next.is_none() {
            self.lay_out()?;
        }
        match (self.next.take(), &self.ready) {
            (Some(laid_out), Some(ready)) => self.start(ready, laid_out),
            _ => Err(self.failed(QemuError::Interrupted("it was prepared"))),
        }
    }

    fn dispose(&mut self) -> Result<(), EnvironmentError> {
        self.next = None;
        let Some(ready) = self.ready.take() else { return Ok(()) };
        let path = ready.folder.path().to_owned();
        ready.folder.close().map_err(|e| self.failed(QemuError::io("remove", path)(e)))
    }
}

/// The writable layer is made before the clock starts, and before the page cache is dropped for a cold start, because
/// `qemu-img` brings in most of the libraries that QEMU needs. What it takes is a figure of its own, `startup.layer`: an engine makes
/// a container's inside the start.
fn make_layer(format: DiskFormat, base: &Path, folder: &Path) -> Result<PathBuf, QemuError> {
    Ok(match format {
        DiskFormat::Qcow2 => disk::overlay_qcow2(base, folder)?,
        DiskFormat::Raw => disk::raw_copy(base, folder)?,
    })
}

fn driver(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Raw => "raw",
    }
}
