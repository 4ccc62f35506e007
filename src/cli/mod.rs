//! The command line.
//!
//! In: arguments. Out: a result on standard output, everything else on standard error, and an exit code
//! ([`exit`]). Each command parses, checks, calls one function of the library and shows what came of it. It must know
//! nothing of statistics, nor of how anything boots or is measured.

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

mod args;
mod asked;
mod cache;
mod calibration;
mod clean;
mod commit;
mod compare;
mod console;
mod doctor;
mod execution;
mod list;
mod noise;
mod pilot;
mod place;
mod plan_text;
mod progress;
mod refusal;
mod report;
mod rerun;
mod results;
mod run;
mod selfcheck;
mod sessions;
mod shell;
mod tracking;
mod words;

pub mod exit;

use args::{Arguments, Command};
use console::Console;
use exit::Exit;
use refusal::Refusal;

/// Does what the process's arguments say.
#[must_use]
pub fn main() -> ExitCode {
    crate::sys::heed_children();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(shown) => {
            // Help and versions come this way too. A closed pipe is no error.
            let _ = shown.print();
            let exit = if shown.use_stderr() { Exit::Usage } else { Exit::Done };
            return exit.into();
        }
    };
    log_to_stderr(arguments.global.quiet);
    match carry_out(&arguments) {
        Ok(exit) => exit.into(),
        Err(Refusal { exit, text }) => {
            console::say(&text);
            exit.into()
        }
    }
}

/// What the library remarks beside its results (`tracing`). `ISOCOST_LOG=debug` shows more, `ISOCOST_LOG=off` nothing.
fn log_to_stderr(quiet: bool) {
    let usual = if quiet { "error" } else { "warn" };
    let asked = std::env::var("ISOCOST_LOG").ok().filter(|asked| !asked.is_empty());
    let filter =
        EnvFilter::try_new(asked.as_deref().unwrap_or(usual)).unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where a program that uses the library has its own already, that one stays.
    let _ = log.with_target(false).without_time().with_ansi(false).try_init();
}

fn carry_out(arguments: &Arguments) -> Result<Exit, Refusal> {
    let console = Console { quiet: arguments.global.quiet, json: arguments.global.json };
    let cache = || cache::folder(arguments.global.cache.as_deref());
    match &arguments.command {
        Command::Doctor(arguments) => doctor::doctor(arguments, console, &cache()?),
        Command::List(arguments) => list::list(arguments, console),
        Command::Run(arguments) => run::run(arguments, console, &cache()?),
        Command::Report(arguments) => report::report(arguments, console),
        Command::Rerun(arguments) => rerun::rerun(arguments, console, &cache()?),
        Command::Compare(arguments) => compare::compare(arguments, console, &cache()?),
        Command::Plan(arguments) => pilot::plan(arguments, console, &cache()?),
        Command::Calibrate(arguments) => calibration::calibrate(arguments, console, &cache()?),
        Command::Selfcheck(arguments) => selfcheck::selfcheck(arguments, console, &cache()?),
        Command::Gate(arguments) => tracking::gate(arguments, console, &cache()?),
        Command::Baseline(arguments) => tracking::baseline(arguments, console),
        Command::History(arguments) => tracking::history(arguments, console),
        Command::Clean => clean::clean_up(console, &cache()?),
        Command::Completions(arguments) => shell::completions(arguments, console),
        Command::Man(arguments) => shell::man(arguments, console),
    }
}
