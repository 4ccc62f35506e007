//! For people: the machine's console on the terminal of the one who runs the test.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::process::Command;

use isocost::environment::qemu::args::Console;

use super::{Job, Machine};

impl Machine {
    /// Boots it with the job's files and hands its console over until it is switched off.
    pub(crate) fn shell(&self, job: &Job<'_>) {
        let socket = self.folder.join("console");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut started = self.start(job, Console::Socket(socket));
        let (console, _) = listener.accept().unwrap();
        let raw = Raw::set();
        let input = console.try_clone().unwrap();
        std::thread::spawn(move || copy(io::stdin(), input));
        copy(console.try_clone().unwrap(), io::stdout());
        drop(raw);
        let _ = console.shutdown(Shutdown::Both);
        started.process.wait(job.deadline, None).unwrap();
    }
}

/// Each key as it is typed. Where the one end is gone, so is the other.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// The terminal hands on every key, until this is dropped.
struct Raw;

impl Raw {
    fn set() -> Self {
        let _ = Command::new("stty").args(["raw", "-echo"]).status();
        Self
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = Command::new("stty").arg("sane").status();
    }
}
