//! The agent: one program that is a child process, a container's entry point, or PID 1 of a virtual machine.
//!
//!     isocost-agent --socket PATH --layer FOLDER    connects to the harness; disk work is done in FOLDER
//!     isocost-agent                                 as PID 1 of a guest: what the kernel's command line says
//!     isocost-agent --exit                          does nothing, which is a workload of its own
//!
//! In: a byte stream. Out: answers. It must never know the harness, Docker or QEMU.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use isocost_agent::clock;
use isocost_agent::link::Link;
use isocost_agent::work::fork::EXIT_ARGUMENT;

mod pid1;
mod serve;

use serve::Server;

/// What it is to be.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    Exit,
    Guest,
    Connect { socket: PathBuf, layer: PathBuf },
    Usage,
}

const USAGE: &str = "usage: isocost-agent --socket PATH --layer FOLDER\n\
                     It is started by isocost; without arguments it is the first program of a virtual machine.";

fn main() -> ExitCode {
    let first_instruction_ns = clock::now_ns();
    let role = role(std::env::args_os().skip(1), std::process::id());
    match role {
        Role::Exit => ExitCode::SUCCESS,
        Role::Guest => pid1::run(first_instruction_ns),
        Role::Connect { socket, layer } => connect(&socket, layer, first_instruction_ns),
        Role::Usage => {
            say(USAGE);
            ExitCode::from(2)
        }
    }
}

/// A container's agent is PID 1 too, but has arguments.
fn role(arguments: impl Iterator<Item = std::ffi::OsString>, pid: u32) -> Role {
    let mut arguments = arguments.peekable();
    if pid == 1 && arguments.peek().is_none_or(|first| !first.to_string_lossy().starts_with("--")) {
        return Role::Guest;
    }
    let (mut socket, mut layer) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some(EXIT_ARGUMENT) => return Role::Exit,
            Some("--socket") => socket = arguments.next().map(PathBuf::from),
            Some("--layer") => layer = arguments.next().map(PathBuf::from),
            _ => return Role::Usage,
        }
    }
    match (socket, layer) {
        (Some(socket), Some(layer)) => Role::Connect { socket, layer },
        _ => Role::Usage,
    }
}

fn connect(socket: &std::path::Path, layer: PathBuf, first_instruction_ns: u64) -> ExitCode {
    let served = Link::connect(socket)
        .map_err(|error| format!("cannot connect to {}: {error}", socket.display()))
        .and_then(|link| serve_and_part(link, layer, first_instruction_ns));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

fn serve_and_part(link: Link, layer: PathBuf, first_instruction_ns: u64) -> Result<(), String> {
    let mut server = Server::new(link, layer)?;
    server.serve(first_instruction_ns)?;
    server.bye();
    Ok(())
}

/// For a person who looks at the container's log or the guest's console. If nobody can hear it, so be it.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "isocost-agent: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str], pid: u32) -> Role {
        role(arguments.iter().map(Into::into), pid)
    }

    #[test]
    fn arguments_decide_what_it_is_and_pid_1_without_any_is_a_guest() {
        let connect = Role::Connect { socket: "/s".into(), layer: "/l".into() };
        assert_eq!(of(&["--socket", "/s", "--layer", "/l"], 1), connect);
        assert_eq!(of(&["--layer", "/l", "--socket", "/s"], 7), connect);
        // A kernel hands on words that it does not know.
        assert_eq!(of(&["splash"], 1), Role::Guest);
        assert_eq!([of(&[], 1), of(&[], 7)], [Role::Guest, Role::Usage]);
        assert_eq!([of(&["--exit"], 1), of(&["--exit"], 7)], [Role::Exit, Role::Exit]);
        for wrong in [&["--socket", "/s"][..], &["--socket"], &["--what"], &["x"]] {
            assert_eq!(of(wrong, 7), Role::Usage);
        }
    }
}
