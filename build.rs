//! Builds the agent as a small static program of its own and leaves it where `src/agent.rs` embeds it.
//!
//! `ISOCOST_AGENT=PATH` takes a file that is ready instead. The nested cargo has its own target folder, one for all
//! profiles of the harness, so that check, test and release builds share it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How the agent is built: the workspace's profile of that name, which is not there where the sources come from a registry.
const PROFILE: [&str; 6] =
    ["inherits=\"release\"", "opt-level=3", "lto=true", "codegen-units=1", "panic=\"abort\"", "strip=true"];

/// What cargo and clippy set for this build and must not be taken over by the nested one.
const NOT_INHERITED: [&str; 4] =
    ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ISOCOST_AGENT");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let sources = sources()?;
    // Tests build programs that stand in for the agent, and build them alike.
    println!("cargo::rustc-env=ISOCOST_AGENT_RUSTFLAGS={}", flags(&sources));
    let program = match std::env::var_os("ISOCOST_AGENT").filter(|path| !path.is_empty()) {
        Some(path) => ready(path.into()),
        None => build(&sources, &out)?,
    };
    let copied = std::fs::copy(&program, out.join("isocost-agent"));
    copied.map_err(|e| format!("cannot copy the agent from {}: {e}", program.display()))?;
    Ok(())
}

/// The workspace's own folder, also after the workspace was moved, or the package that a registry has.
fn sources() -> Result<PathBuf, Box<dyn Error>> {
    let beside = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("agent");
    match beside.join("Cargo.toml").exists() {
        true => Ok(beside),
        false => Ok(std::env::var("DEP_ISOCOST_AGENT_FOLDER")?.into()),
    }
}

fn ready(path: PathBuf) -> PathBuf {
    println!("cargo::rerun-if-changed={}", path.display());
    path
}

fn build(sources: &Path, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    watch(sources)?;
    let target = target_folder(out);
    // All that is needed is here already in most cases: it was fetched for the harness. Only where it was not, ask the network.
    let offline = cargo(sources, &target).arg("--offline").output()?;
    if !offline.status.success() {
        let online = cargo(sources, &target).output()?;
        if !online.status.success() {
            return Err(failure(sources, &online.stderr).into());
        }
    }
    Ok(target.join(TARGET).join("agent/isocost-agent"))
}

fn watch(sources: &Path) -> Result<(), Box<dyn Error>> {
    for part in ["src", "Cargo.toml", "build.rs"] {
        println!("cargo::rerun-if-changed={}", sources.join(part).display());
    }
    // Versions of dependencies: the workspace's, or the package's own.
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let locks = [here.join("Cargo.lock"), sources.join("Cargo.lock")];
    if let Some(lock) = locks.iter().find(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    Ok(())
}

/// In the harness's own target folder, which cargo marks where it makes it itself, or the build script's, in which the agent's name is
/// taken by the agent.
fn target_folder(out: &Path) -> PathBuf {
    let marked = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| out.join("agent-target"), |target| target.join("isocost-agent"))
}

fn cargo(sources: &Path, target: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--profile", "agent", "--target", TARGET, "--bin", "isocost-agent"]);
    command.arg("--manifest-path").arg(sources.join("Cargo.toml")).arg("--target-dir").arg(target);
    for setting in PROFILE {
        command.args(["--config", &format!("profile.agent.{setting}")]);
    }
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    let profiles =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PROFILE_"));
    for (name, _) in profiles {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(sources));
    command
}

/// Static, for a plain x86-64 CPU, and without the paths of the machine it is built on: the same bytes for everyone.
fn flags(sources: &Path) -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned(), "-Ctarget-cpu=x86-64".to_owned()];
    flags.push(remap(sources, "agent"));
    flags.extend(home.map(|home| remap(&home, "cargo")));
    flags.join("\x1f")
}

fn failure(sources: &Path, stderr: &[u8]) -> String {
    format!(
        "cannot build the agent from {}:\n{}\nIt needs Rust's target {TARGET} (rustup target add {TARGET}) and the C library's \
         static archive (Debian and Ubuntu: apt-get install libc6-dev; Fedora: dnf install glibc-static). \
         ISOCOST_AGENT=PATH takes one that is built already.",
        sources.display(),
        String::from_utf8_lossy(stderr)
    )
}
