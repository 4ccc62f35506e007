//! The agent that this harness carries: the bytes that become a child process, a container's entry point and a
//! guest's `/init`. `build.rs` makes them.

use std::sync::{Arc, LazyLock};

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use object::elf;
    use object::read::elf::{ElfFile64, ProgramHeader as _};
    use object::{Endianness, Object as _};

    use super::*;

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
