//! For tests: a shell that lives until it is dropped.

use std::process::{Child, Command};

/// Uses all of a CPU, as far as others leave it.
pub(crate) const SPIN: &str = "while :; do :; done";

pub(crate) struct Shell(Child);

impl Shell {
    pub(crate) fn start(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().expect("a shell"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
