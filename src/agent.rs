//! The agent that this harness carries: the bytes that become a child process, a container's entry point and a
//! guest's `/init`. `build.rs` makes them.

use std::sync::{Arc, LazyLock};

use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _};

use crate::image::kernel::sha256_hex;

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/isocost-agent"));

static SHA256: LazyLock<String> = LazyLock::new(|| sha256_hex(BYTES));

/// The program: a static x86-64 ELF file.
#[must_use]
pub fn bytes() -> &'static [u8] {
    BYTES
}

/// The same, as [`RunContext`](crate::environment::RunContext) takes it.
#[must_use]
pub fn shared() -> Arc<[u8]> {
    BYTES.into()
}

/// The SHA-256 of [`bytes()`], lower-case hex.
#[must_use]
pub fn sha256() -> &'static str {
    &SHA256
}

/// Can those bytes be started as an agent is: in an empty container and as a guest's `/init`, where no loader is?
///
/// # Errors
/// What they are instead, said of a file.
pub fn check(program: &[u8]) -> Result<(), &'static str> {
    let file = ElfFile64::<Endianness>::parse(program).map_err(|_| "is no 64-bit ELF program")?;
    let header = file.elf_header();
    let endian = file.endian();
    if header.e_machine(endian) != elf::EM_X86_64 || endian != Endianness::Little {
        return Err("is a program for another kind of processor");
    }
    let segments = file.elf_program_headers();
    if segments.iter().any(|one| one.p_type(endian) == elf::PT_INTERP) {
        return Err("is linked dynamically");
    }
    let entry = file.entry();
    let is_in = |one: &elf::ProgramHeader64<Endianness>| {
        one.p_type(endian) == elf::PT_LOAD
            && one.p_flags(endian) & elf::PF_X == elf::PF_X
            && entry.checked_sub(one.p_vaddr(endian)).is_some_and(|at| at < one.p_filesz(endian))
    };
    if segments.iter().any(is_in) { Ok(()) } else { Err("is an object file or a library") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_starts_without_a_loader_can_be_an_agent() {
        assert_eq!(check(bytes()), Ok(()));
        let with = |at: usize, byte: u8| {
            let mut changed = bytes().to_vec();
            changed[at] = byte;
            check(&changed)
        };
        assert!(check(b"root:x:0:0").is_err() && check(&bytes()[..60]).is_err());
        // Its class, its machine (AArch64), a first segment that names a loader, an entry that is nowhere.
        assert_eq!(with(4, 1), Err("is no 64-bit ELF program"));
        assert_eq!(with(18, 183), Err("is a program for another kind of processor"));
        assert_eq!(with(64, 3), Err("is linked dynamically"));
        assert_eq!(with(31, 0x7f), Err("is an object file or a library"));
    }

    #[test]
    fn it_is_small_static_and_stripped() {
        assert!(bytes().len() <= 1_500_000, "the agent has {} bytes", bytes().len());
        let file = ElfFile64::<Endianness>::parse(bytes()).unwrap();
        assert_eq!(file.architecture(), object::Architecture::X86_64);
        let interpreted =
            |header: &elf::ProgramHeader64<Endianness>| header.p_type(Endianness::Little) == elf::PT_INTERP;
        assert!(!file.elf_program_headers().iter().any(interpreted), "it needs a dynamic loader");
        assert_eq!(file.symbols().count(), 0, "it has symbols that nobody needs");
    }

    /// A path of the machine it was built on would make another hash on each.
    #[test]
    fn it_does_not_name_the_machine_it_was_built_on() {
        for path in [env!("CARGO_MANIFEST_DIR"), "/.cargo/registry"] {
            let found = bytes().windows(path.len()).position(|window| window == path.as_bytes());
            let around = found.map(|at| String::from_utf8_lossy(&bytes()[at..at + 80]).into_owned());
            assert_eq!(around, None);
        }
    }
}
