//! The embedded agent with a slower start: a loop before its first instruction, in a segment of its own at the end of the file.

#![allow(clippy::unwrap_used)]

const EXECUTABLE_AND_READABLE: u32 = 5;
const LOAD: u32 = 1;
const NOTE: u32 = 4;
const PAGE: u64 = 4096;

/// An entry of the table of segments.
type Segment = [u8; 56];

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The agent's bytes, made to go `turns` times round a loop of two instructions before it begins. All else is as it was, but for a
/// note that nobody reads: its entry in the table becomes the new segment's.
pub(crate) fn program(turns: u32) -> Vec<u8> {
    let mut bytes = isocost::agent::shared().to_vec();
    assert_eq!((&bytes[..5], bytes[18]), (&b"\x7fELF\x02"[..], 62), "a 64-bit program for x86-64");
    let (entry, table, count) = (u64_at(&bytes, 24), u64_at(&bytes, 32) as usize, usize::from(bytes[56]));
    assert_eq!(usize::from(bytes[54]), size_of::<Segment>());
    let from = |i: usize| table + i * size_of::<Segment>();
    let mut segments: Vec<Segment> =
        (0..count).map(|i| bytes[from(i)..from(i + 1)].try_into().unwrap()).collect();
    let note = segments.iter().position(|one| u32_at(one, 0) == NOTE).unwrap();
    segments.remove(note);

    bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
    let place = bytes.len() as u64;
    let loads = segments.iter().filter(|one| u32_at(*one, 0) == LOAD);
    let end = loads.map(|one| u64_at(one, 16) + u64_at(one, 40)).max().unwrap();
    let address = end.next_multiple_of(PAGE);
    // mov ecx, turns; 1: dec ecx; jnz 1b; jmp entry
    let mut code = vec![0xb9];
    code.extend(turns.to_le_bytes());
    code.extend([0xff, 0xc9, 0x75, 0xfc, 0xe9]);
    let after = address + code.len() as u64 + 4;
    code.extend((entry.wrapping_sub(after) as u32).to_le_bytes());

    let length = code.len() as u64;
    let mut own = Vec::from(LOAD.to_le_bytes());
    own.extend(EXECUTABLE_AND_READABLE.to_le_bytes());
    for number in [place, address, address, length, length, PAGE] {
        own.extend(number.to_le_bytes());
    }
    // Loaded segments stand in the order of their addresses.
    let last = segments.iter().rposition(|one| u32_at(one, 0) == LOAD).unwrap();
    segments.insert(last + 1, own.try_into().unwrap());
    for (i, segment) in segments.iter().enumerate() {
        bytes[from(i)..from(i + 1)].copy_from_slice(segment);
    }
    bytes[24..32].copy_from_slice(&address.to_le_bytes());
    bytes.extend(code);
    bytes
}
