//! Payloads that a hostile agent might send: a message that is written again is the same one.

#![no_main]

use isocost_agent::protocol::FromAgent;
use isocost_agent::protocol::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = frame::decode_payload::<FromAgent>(bytes) else { return };
    let written = frame::encode(&message).expect("what came in a frame fits into one");
    let again = frame::decode::<FromAgent>(&written).expect("what was written can be read");
    // Compared as bytes, for NaN is not equal to itself.
    assert_eq!(frame::encode(&again).expect("it fitted"), written);
});
