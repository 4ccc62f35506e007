//! The command line.
//!
//! In: arguments. Out: a result on standard output, everything else on standard error, and an exit code
//! ([`exit`]). Each command parses, checks, calls one function of the library and shows what came of it. It must know
//! nothing of statistics, nor of how anything boots or is measured.

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod asked;
mod cache;
mod clean;
mod console;
mod doctor;
mod execution;

mod list;
mod noise;
mod place;
mod plan_text;
mod progress;
mod refusal;
mod report;
mod rerun;
mod results;
mod run;
mod shell;
mod words;

pub mod exit;

use args::{Arguments, Command};
use console::Console;
use exit::Exit;
use refusal::Refusal;

/// Does what the process's arguments say.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(shown) => {
            // Help and versions come this way too. A closed pipe is no error.
            let _ = shown.print();
            let exit = if shown.use_stderr() { Exit::Usage } else { Exit::Done };
            return exit.into();
        }
    };
    match carry_out(&arguments) {
        Ok(exit) => exit.into(),
        Err(Refusal { exit, text }) => {
            console::say(&text);
            exit.into()
        }
    }
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
        Command::Clean => clean::clean_up(console, &cache()?),
        Command::Completions(arguments) => shell::completions(arguments, console),
        Command::Man(arguments) => shell::man(arguments, console),
    }
}
