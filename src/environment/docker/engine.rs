//! The container engine's API, asked from a synchronous program.
//!
//! bollard is asynchronous; its runtime lives on one thread of this module, and nobody else sees it. A call waits for
//! its answer, for its deadline, or for the run's stop, whichever comes first.

use std::future::Future;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as ApiError;
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::error::DockerError;
use crate::environment::agent::StopSignal;
use crate::measure::clock::Instant;
use crate::wait;

/// For calls that an engine answers within milliseconds: creating, starting and removing are slow on a busy disk.
pub(super) const API_DEADLINE: Duration = Duration::from_secs(60);

/// Where engines listen unless told otherwise.
const USUAL: &str = "unix:///var/run/docker.sock";

/// The address of the engine that containers are made in: `DOCKER_HOST`, or the usual socket.
#[must_use]
pub fn address() -> String {
    let named = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    named.unwrap_or_else(|| USUAL.to_owned())
}

/// An engine that answers. Dropping it ends its thread.
pub(super) struct Engine {
    docker: Docker,
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The process that made the socket, if the system says: the engine, or who starts it on demand.
    pub listener: Option<u32>,
}

impl Engine {
    /// Connects and agrees on an API version.
    pub(super) fn connect(address: &str, stop: &StopSignal) -> Result<Self, DockerError> {
        let Some(path) = address.strip_prefix("unix://") else {
            return Err(DockerError::Elsewhere(address.to_owned()));
        };
        let socket = UnixStream::connect(path).map_err(|error| refused(address, &error))?;
        let peer = rustix::net::sockopt::socket_peercred(&socket).ok();
        drop(socket);
        let api = |source| DockerError::Api { doing: "be connected to".into(), source };
        let docker = Docker::connect_with_host(address).map_err(api)?;
        let system = |source| DockerError::Io {
            doing: "make a thread for",
            path: "the container engine".into(),
            source,
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(system)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        // Ended by either: a message, or the sender's drop.
        let run = move || drop(runtime.block_on(ended));
        let thread =
            std::thread::Builder::new().name("container engine".into()).spawn(run).map_err(system)?;
        let listener = peer.map(|peer| peer.pid.as_raw_nonzero().get().unsigned_abs());
        let mut engine =
            Self { docker: docker.clone(), handle, end: Some(end), thread: Some(thread), listener };
        engine.docker =
            engine.call("say its version", API_DEADLINE, Some(stop), docker.negotiate_version())?;
        Ok(engine)
    }

    /// bollard's client, for futures that [`Engine::call`] is given.
    pub(super) fn docker(&self) -> Docker {
        self.docker.clone()
    }

    /// Has a future run on the engine's thread, not waited for.
    pub(super) fn start(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(future);
    }

    /// Has a call made and waits for its answer. `doing` is a verb with its object.
    pub(super) fn call<T: Send + 'static>(
        &self,
        doing: &str,
        deadline: Duration,
        stop: Option<&StopSignal>,
        call: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, DockerError> {
        let system = DockerError::io("wait for", "the container engine");
        let answered = match rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
            Ok(answered) => Arc::new(answered),
            Err(errno) => return Err(system(errno.into())),
        };
        let (tell, told) = mpsc::sync_channel(1);
        let raise = Arc::clone(&answered);
        let task = self.handle.spawn(async move {
            // The caller is there, or the task is aborted.
            let _ = tell.send(call.await);
            let _ = rustix::io::write(&*raise, &1u64.to_ne_bytes());
        });
        let mut fds = vec![PollFd::new(&*answered, PollFlags::IN)];
        fds.extend(stop.map(|stop| PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN)));
        let until = Instant::now().after(deadline);
        let seen = wait::any_readable(&mut fds, until).map_err(system)?;
        if let Ok(answer) = told.try_recv() {
            return answer.map_err(|source| DockerError::Api { doing: doing.to_owned(), source });
        }
        task.abort();
        match seen {
            true if stop.is_some_and(StopSignal::is_raised) => {
                Err(DockerError::Interrupted(doing.to_owned()))
            }
            true => Err(DockerError::Odd(format!("the thread that asked it to {doing} is gone"))),
            false => Err(DockerError::Late { doing: doing.to_owned(), after: deadline }),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn refused(address: &str, error: &std::io::Error) -> DockerError {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    match error.kind() {
        PermissionDenied => DockerError::Closed { address: address.to_owned() },
        kind => DockerError::NoEngine {
            address: address.to_owned(),
            why: error.to_string(),
            next: next(kind == NotFound).to_owned(),
        },
    }
}

/// What starts an engine here.
fn next(never_ran: bool) -> &'static str {
    let systemd = std::path::Path::new("/run/systemd/system").exists();
    match (never_ran, systemd) {
        (true, _) => {
            "sh setup/host.sh (from Isocost's sources), or install your distribution's Docker engine and start it"
        }
        (false, true) => "sudo systemctl start docker",
        (false, false) => "sudo service docker start",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn error(address: &str) -> DockerError {
        Engine::connect(address, &StopSignal::new().unwrap()).err().unwrap()
    }

    #[test]
    fn an_engine_elsewhere_and_none_at_all_are_told_apart() {
        assert!(matches!(error("tcp://192.0.2.1:2375"), DockerError::Elsewhere(_)));
        let none = error("unix:///nonexistent/docker.sock").to_string();
        assert!(none.contains("/nonexistent/docker.sock") && none.contains("setup/host.sh"), "{none}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let stale = error(&format!("unix://{}", path.display())).to_string();
        assert!(stale.contains("start"), "{stale}");
    }

    #[test]
    fn one_that_takes_the_call_and_is_silent_is_interrupted_by_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let stop = StopSignal::new().unwrap();
        let raiser = stop.clone();
        let begun = Instant::now();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            raiser.raise();
        });
        let error = Engine::connect(&format!("unix://{}", path.display()), &stop).err().unwrap();
        thread.join().unwrap();
        assert!(matches!(error, DockerError::Interrupted(_)), "{error}");
        assert!(Instant::now().since(begun) < API_DEADLINE / 2);
    }
}
