//! What the harness adds to the start of a container: from asking for it to its agent's first byte, by Isocost and by bare API
//! calls made by hand, in rounds that take turns.
//!
//! - by hand: two requests over one raw Unix socket that is connected beforehand (create; start, whose answer is not
//!   waited for), then a blocking accept(2) and read(2) on the socket the agent connects to. The same image, limits
//!   and mount.
//! - Isocost: what a run does and reports as `startup.ready`.
//!
//! `cargo bench --bench startup_floor_docker -- ROUNDS` (default 30). Needs a Docker engine. It fails where the whole
//! interval of the ratio is above the goal, 1.02.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use isocost::environment::Environment as _;
use isocost::environment::docker::{DockerEnvironment, address};
use isocost::suite::DockerSpec;

#[path = "support/floor.rs"]
mod floor;
#[path = "../tests/support/scene.rs"]
mod scene;
#[path = "../tests/support/skip.rs"]
mod skip;

use scene::{Scene, boot};

const GOAL: f64 = 1.02;

fn main() -> ExitCode {
    let rounds: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(30);
    let scene = Scene::new("floor");
    let spec = DockerSpec { runtime: "runc".into(), network: false };
    let mut docker = DockerEnvironment::new("docker", &spec, scene.context.clone());
    let prepared = match docker.prepare() {
        Ok(prepared) => prepared,
        Err(error) => {
            skip::skip("startup_floor_docker", error);
            return ExitCode::SUCCESS;
        }
    };
    let fact = |name: &str| prepared.facts.iter().find(|(one, _)| one == name).unwrap().1.clone();
    let bare = Bare { api: fact("engine.api"), image: fact("image.id"), cpus: fact("cpus"), scene: &scene };

    let ours = || {
        let instance = boot(&mut docker);
        let ms = instance.start().ns() as f64 / 1e6;
        instance.stop().unwrap();
        ms
    };
    let outcome = floor::race(rounds, GOAL, |round| bare.once(round), ours);
    docker.dispose().unwrap();
    outcome
}

/// The calls by hand.
struct Bare<'a> {
    api: String,
    image: String,
    cpus: String,
    scene: &'a Scene,
}

impl Bare<'_> {
    /// Milliseconds from sending the create call to the agent's first byte.
    fn once(&self, round: usize) -> f64 {
        let folder = tempfile::tempdir_in(&self.scene.context.scratch).unwrap();
        let listener = UnixListener::bind(folder.path().join("agent")).unwrap();
        let create = self.create(round, folder.path());
        let mut engine = self.connect();

        let asked = Instant::now();
        engine.write_all(create.as_bytes()).unwrap();
        let id = id_in(&answer(&mut engine, 201));
        engine
            .write_all(request(&format!("POST /v{}/containers/{id}/start", self.api), "").as_bytes())
            .unwrap();
        let (mut agent, _) = listener.accept().unwrap();
        agent.read_exact(&mut [0]).unwrap();
        let ms = asked.elapsed().as_secs_f64() * 1e3;

        answer(&mut engine, 204);
        let remove = request(&format!("DELETE /v{}/containers/{id}?force=1&v=1", self.api), "");
        engine.write_all(remove.as_bytes()).unwrap();
        answer(&mut engine, 204);
        ms
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(address().strip_prefix("unix://").unwrap()).unwrap()
    }

    /// The same container as Isocost's.
    fn create(&self, round: usize, folder: &Path) -> String {
        let context = &self.scene.context;
        let memory = context.limits.memory_bytes;
        let body = serde_json::json!({
            "Image": self.image,
            "Cmd": ["--socket", "/isocost/agent", "--layer", "/"],
            "Labels": {"isocost.run": context.run_id, "isocost.environment": "bare"},
            "HostConfig": {
                "Memory": memory,
                "MemorySwap": memory,
                "NanoCpus": u64::from(context.limits.cpus) * 1_000_000_000,
                "CpusetCpus": self.cpus,
                "NetworkMode": "none",
                "Runtime": "runc",
                "Mounts": [{"Type": "bind", "Source": folder, "Target": "/isocost"}],
            },
        });
        let call =
            format!("POST /v{}/containers/create?name=isocost-{}-bare-{round}", self.api, context.run_id);
        request(&call, &body.to_string())
    }
}

fn request(call: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{call} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The body of an answer that must have that status. The engine says the length of what is asked for here.
fn answer(engine: &mut UnixStream, status: u16) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = engine.read(&mut buffer).unwrap();
        assert!(read > 0, "the engine hung up");
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return body.to_owned();
        }
    }
}

fn id_in(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    value["Id"].as_str().unwrap().to_owned()
}
