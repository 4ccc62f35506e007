//! The embedded agent with a slower start: a loop before its first instruction, put into what is unused at the end of its code.

#![allow(clippy::unwrap_used)]

const HEADER: usize = 64;
const EXECUTABLE: u32 = 1;
const LOAD: u32 = 1;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// The agent's bytes, made to go `turns` times round a loop of two instructions before it begins. All else is as it was.
pub(crate) fn program(turns: u32) -> Vec<u8> {
    let mut bytes = isocost::agent::shared().to_vec();
    assert_eq!((&bytes[..5], bytes[18]), (&b"\x7fELF\x02"[..], 62), "a 64-bit program for x86-64");
    let entry = u64_at(&bytes, 24);
    let (table, size, count) = (u64_at(&bytes, 32) as usize, usize::from(bytes[54]), usize::from(bytes[56]));
    assert!(table >= HEADER);
    let headers = (0..count).map(|i| table + i * size);
    let code = headers
        .clone()
        .find(|&at| u32_at(&bytes, at) == LOAD && u32_at(&bytes, at + 4) & EXECUTABLE != 0)
        .unwrap();
    let (offset, address, filled) =
        (u64_at(&bytes, code + 8), u64_at(&bytes, code + 16), u64_at(&bytes, code + 32));
    let next = headers.map(|at| u64_at(&bytes, at + 8)).filter(|&other| other >= offset + filled).min();
    let (place, at) = (offset + filled, address + filled);
    // mov ecx, turns; 1: dec ecx; jnz 1b; jmp entry
    let mut stub = vec![0xb9];
    stub.extend(turns.to_le_bytes());
    stub.extend([0xff, 0xc9, 0x75, 0xfc, 0xe9]);
    let after = at + stub.len() as u64 + 4;
    stub.extend((entry.wrapping_sub(after) as u32).to_le_bytes());
    let room = next.unwrap_or(bytes.len() as u64) - place;
    assert!(room >= stub.len() as u64, "{room} bytes are unused after the code");
    bytes[place as usize..place as usize + stub.len()].copy_from_slice(&stub);
    put(&mut bytes, 24, at);
    for part in [code + 32, code + 40] {
        put(&mut bytes, part, filled + stub.len() as u64);
    }
    bytes
}
