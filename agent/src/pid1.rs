//! The agent as the first program of a guest.

use std::process::ExitCode;

use isocost_agent::guest::{Guest, LAYER};

use crate::say;
use crate::serve::Server;

/// Does all of it; returns only where this is not a guest of ours, or cannot be ended.
pub(crate) fn run(first_instruction_ns: u64) -> ExitCode {
    let guest = match Guest::begin() {
        Ok(guest) => guest,
        Err(why) => {
            say(&why);
            return ExitCode::from(2);
        }
    };
    if let Err(why) = work(&guest, first_instruction_ns) {
        say(&why);
    }
    say(&guest.end());
    ExitCode::FAILURE
}

/// From modules to Bye, which comes when the disk is in order.
fn work(guest: &Guest, first_instruction_ns: u64) -> Result<(), String> {
    let mut server = Server::new(guest.bring_up()?, LAYER.into())?;
    let served = server.serve(first_instruction_ns);
    let unmounted = guest.unmount_layer();
    server.bye();
    served.and(unmounted)
}
