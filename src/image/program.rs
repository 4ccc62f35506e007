//! Runs the few programs of others that make images.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::error::ImageError;

/// A program, the Debian package that has it, and what to do when it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    pub(super) next: &'static str,
}

impl Program {
    /// Runs it in `folder` in the C locale and returns what it wrote to standard output.
    pub(super) fn run(
        &self,
        arguments: &[OsString],
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Result<String, ImageError> {
        let mut command = Command::new(self.name);
        command.args(arguments).current_dir(folder).env("LC_ALL", "C").envs(environment.iter().copied());
        // Administrators' programs live in sbin, which is not on everybody's path.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        let output = command.output().map_err(|error| self.not_started(error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(ImageError::ProgramFailed {
            command: line(self.name, arguments),
            said: last_lines(&output.stderr, &output.status.to_string()),
            next: self.next,
        })
    }

    fn not_started(&self, error: std::io::Error) -> ImageError {
        if error.kind() == std::io::ErrorKind::NotFound {
            return ImageError::ProgramMissing { program: self.name, package: self.package };
        }
        ImageError::Io { doing: "run", path: self.name.into(), source: error }
    }
}

fn line(name: &str, arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    format!("{name} {}", words.join(" "))
}

/// The last lines a person needs, or `otherwise` where nothing was written.
fn last_lines(written: &[u8], otherwise: &str) -> String {
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(4)..].join("; ");
    if tail.is_empty() { otherwise.to_owned() } else { tail }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let program = Program { name: "isocost-no-such-program", package: "some-package", next: "" };
        let error = program.run(&[], Path::new("/"), &[]).unwrap_err();
        assert!(error.to_string().contains("sudo apt-get install some-package"), "{error}");
    }

    #[test]
    fn a_failure_shows_what_was_said() {
        let program = Program { name: "sh", package: "dash", next: "look at it" };
        let error = program.run(&["-c".into(), "echo no room >&2; exit 3".into()], Path::new("/"), &[]);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("no room") && text.contains("look at it"), "{text}");
    }
}
