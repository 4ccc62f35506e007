//! A PostgreSQL server of the test's own: its data in a temporary folder, its port on the loopback only.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const READY_WITHIN: Duration = Duration::from_secs(120);

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

/// `None`, with a named skip, where PostgreSQL is not installed; in CI that is a failure.
pub(crate) fn server() -> Option<Server> {
    match programs() {
        Some(programs) => Some(start(&programs)),
        None => {
            let why = "initdb is neither on PATH nor below /usr/lib/postgresql; type: sh setup/host.sh test";
            crate::skip::skip("postgresql", why);
            None
        }
    }
}

impl Server {
    /// The URL of a database that holds nothing yet.
    pub(crate) fn database(&self, name: &str) -> String {
        let admin = format!("postgres://isocost@127.0.0.1:{}/postgres", self.port);
        let mut client = postgres::Client::connect(&admin, postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        format!("postgres://isocost@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT: at once, without waiting for clients; the data goes with the folder.
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.child.wait();
    }
}

/// The folder of `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    std::env::split_paths(&path).chain(debian).find(|folder| folder.join("initdb").exists())
}

/// PostgreSQL refuses to run as root; then it runs as the user its package made, or as nobody.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn start(programs: &Path) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let user = other_user();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    if let Some((uid, gid)) = user {
        for path in [folder.path(), &data] {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
        }
    }
    let made = command(&programs.join("initdb"), user)
        .args(["--username=isocost", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = folder.path().join("log");
    let child = command(&programs.join("postgres"), user)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
        .arg(folder.path())
        .arg("-D")
        .arg(&data)
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let server = Server { child, port, _folder: folder };
    wait(&server, &log);
    server
}

/// It says nothing a program could wait on before it takes connections, so it is asked until it does.
fn wait(server: &Server, log: &Path) {
    let url = format!("postgres://isocost@127.0.0.1:{}/postgres", server.port);
    let began = Instant::now();
    while postgres::Client::connect(&url, postgres::NoTls).is_err() {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < READY_WITHIN, "PostgreSQL did not become ready: {said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
