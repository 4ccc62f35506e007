//! Stands in for the agent in tests and does what the real one never does. It finds its channel as the agent does:
//! natively, in a container, and as the first program of a guest. Which misdeed is written into the file (see
//! `tests/support/hostile.rs`), because the harness decides on the arguments.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use isocost_agent::clock;
use isocost_agent::guest::Guest;
use isocost_agent::link::Link;
use isocost_agent::protocol::frame::{self, MAGIC};
use isocost_agent::protocol::{FromAgent, Hello, VERSION};

/// Found by its beginning in the file; what follows is replaced by the name of a misdeed, padded with blanks.
static MISDEED: [u8; 32] = *b"hostile misdeed:                ";

fn main() -> ExitCode {
    let misdeed = std::hint::black_box(&MISDEED);
    let misdeed = String::from_utf8_lossy(&misdeed[16..]).trim().to_owned();
    if misdeed == "exit-at-once" {
        return ExitCode::from(7);
    }
    if misdeed == "never-connect" {
        park();
    }
    let Some(mut link) = link() else { return ExitCode::from(2) };
    // A channel that breaks is what most of these are for.
    let _ = commit(&misdeed, &mut link);
    ExitCode::from(7)
}

fn link() -> Option<Link> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let socket = arguments.iter().position(|word| word == "--socket").and_then(|at| arguments.get(at + 1));
    match socket {
        Some(path) => Link::connect(path.as_ref()).ok(),
        None => Guest::begin().ok()?.bring_up().ok(),
    }
}

fn commit(misdeed: &str, link: &mut Link) -> std::io::Result<()> {
    match misdeed {
        "never-ready" => park(),
        "flood" => loop {
            link.write_all(&[0x55; 4096])?;
        },
        "flood-of-hellos" => loop {
            frame::write(link, &hello())?;
        },
        "garbage" => {
            link.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            park()
        }
        "huge-frame" => {
            link.write_all(&[&MAGIC[..], &VERSION.to_le_bytes(), &u32::MAX.to_le_bytes()].concat())?;
            park()
        }
        "other-version" => {
            link.write_all(&[&MAGIC[..], &(VERSION + 1).to_le_bytes(), &[0; 4]].concat())?;
            park()
        }
        "half-a-hello" => {
            let bytes = frame::encode(&hello()).map_err(std::io::Error::other)?;
            link.write_all(&bytes[..bytes.len() / 2])?;
            park()
        }
        "slow-drip" => {
            link.write_all(&[&MAGIC[..], &VERSION.to_le_bytes(), &100_000u32.to_le_bytes()].concat())?;
            loop {
                link.write_all(&[0])?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        "exit-after-hello" => frame::write(link, &hello()),
        "hang-after-hello" => {
            frame::write(link, &hello())?;
            park()
        }
        _ => Ok(()),
    }
}

fn hello() -> FromAgent {
    FromAgent::Hello(Hello {
        agent_version: "hostile".into(),
        pid: std::process::id(),
        // As a process it runs on the host's kernel, and says so.
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        first_instruction_ns: clock::now_ns(),
        ready_ns: clock::now_ns(),
    })
}

/// Waits for ever, without work.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}
