//! The `isocost` command.

use std::panic::catch_unwind;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The panic's own message is on standard error by then.
    catch_unwind(isocost::cli::main).unwrap_or_else(|_| ExitCode::from(isocost::cli::exit::FAULT))
}
