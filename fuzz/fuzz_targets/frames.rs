//! A stream of bytes, read frame by frame as the agent reads it: it ends in an error or at its end, and never takes
//! memory beyond one frame.

#![no_main]

use isocost_agent::protocol::ToAgent;
use isocost_agent::protocol::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while frame::read::<ToAgent>(&mut rest).is_ok() {}
});
