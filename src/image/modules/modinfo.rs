//! What a module says of itself in its `.modinfo` section: `key=value` strings, each ended by NUL.

use object::{Object, ObjectSection};

use super::super::error::ImageError;

/// The part that is needed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ModInfo {
    /// Names of modules it needs.
    pub(super) depends: Vec<String>,
    /// Names or aliases that should be loaded before it, where they exist.
    pub(super) soft_before: Vec<String>,
    /// Its aliases.
    pub(super) aliases: Vec<String>,
}

/// Reads the section of the module `name`.
pub(super) fn of(bytes: &[u8], name: &str) -> Result<ModInfo, ImageError> {
    let damaged = |e: object::Error| ImageError::malformed(format!("module {name}"), e);
    let file = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes).map_err(damaged)?;
    let section = file.section_by_name(".modinfo");
    let section = section
        .ok_or_else(|| ImageError::malformed(format!("module {name}"), "it has no .modinfo section"))?;
    Ok(parse(section.data().map_err(damaged)?))
}

pub(super) fn parse(section: &[u8]) -> ModInfo {
    let mut info = ModInfo::default();
    for entry in section.split(|byte| *byte == 0) {
        let Ok(entry) = std::str::from_utf8(entry) else { continue };
        match entry.split_once('=') {
            Some(("depends", value)) => info.depends.extend(names(value, ',')),
            Some(("softdep", value)) => info.soft_before.extend(before(value)),
            Some(("alias", value)) => info.aliases.push(value.to_owned()),
            _ => {}
        }
    }
    info
}

fn names(value: &str, separator: char) -> Vec<String> {
    value.split(separator).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The names between `pre:` and `post:`.
fn before(value: &str) -> Vec<String> {
    let mut before = false;
    let mut found = Vec::new();
    for word in value.split_whitespace() {
        match word {
            "pre:" => before = true,
            "post:" => before = false,
            name if before => found.push(name.to_owned()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_dependencies_before_and_aliases() {
        let info = parse(
            b"license=GPL\0softdep=pre: crc32c b post: z\0depends=jbd2,mbcache\0depends=\0alias=fs-ext4\0",
        );
        assert_eq!(info.depends, ["jbd2", "mbcache"]);
        assert_eq!(info.soft_before, ["crc32c", "b"]);
        assert_eq!(info.aliases, ["fs-ext4"]);
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..500)) {
            let _ = parse(&noise);
            let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
            elf.extend(&noise);
            let _ = of(&elf, "noise");
        }
    }
}
