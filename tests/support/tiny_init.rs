//! First programs of a guest that are not the agent: a few instructions in an ELF file made by hand.

#![allow(dead_code)]

/// iopl(3); out 0xe9, '!'; pause for ever.
pub(crate) const FIRST_BYTE: &[u8] = &[
    0xb8, 172, 0, 0, 0, 0xbf, 3, 0, 0, 0, 0x0f, 0x05, // iopl(3)
    0x66, 0xba, 0xe9, 0, 0xb0, b'!', 0xee, // out
    0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7, // pause()
];

/// open("/dev/console", O_WRONLY), then write to it for ever.
pub(crate) const FLOOD: &[u8] = &[
    0xb8, 2, 0, 0, 0, 0xbf, 0xa9, 0x00, 0x40, 0x00, 0xbe, 1, 0, 0, 0, 0x0f, 0x05, // open
    0x89, 0xc7, // mov edi, eax
    0xb8, 1, 0, 0, 0, 0xbe, 0x00, 0x00, 0x40, 0x00, 0xba, 0, 1, 0, 0, 0x0f, 0x05, 0xeb, 0xed, // write
];

/// A static ELF program of one segment, loaded whole at 0x400000, entered behind its headers (120 bytes).
pub(crate) fn program(code: &[u8]) -> Vec<u8> {
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([2u16, 62].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(1u32.to_le_bytes());
    elf.extend([0x40_0078u64, 64, 0].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(0u32.to_le_bytes());
    elf.extend([64u16, 56, 1, 0, 0, 0].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend([1u32, 5].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend([0u64, 0x40_0000, 0x40_0000, 4096, 4096, 4096].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(code);
    elf.resize(0xa9, 0);
    elf.extend(b"/dev/console\0");
    elf.resize(4096, b'x');
    elf
}
