//! The uncompressed kernel out of a bzImage, and what both say of themselves.
//!
//! A machine without firmware (microvm) enters the ELF file by the PVH note, without unpacking it in the guest.
//! Layout: <https://www.kernel.org/doc/html/latest/arch/x86/boot.html>.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

use super::compression::{Compression, unpack};
use super::error::ImageError;

/// No kernel unpacks to more.
pub const MAX_VMLINUX_BYTES: u64 = 512 << 20;

/// `XEN_ELFNOTE_PHYS32_ENTRY`: where PVH enters the kernel.
const PVH_NOTE: u32 = 18;

/// What is in a kernel file.
#[derive(Debug)]
pub enum Extracted {
    /// The ELF file.
    Vmlinux(Vec<u8>),
    /// It cannot be taken out, and why; the bzImage is booted instead.
    Unsupported(String),
}

/// Is this an ELF file?
#[must_use]
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Is this a bzImage?
#[must_use]
pub fn is_bzimage(bytes: &[u8]) -> bool {
    bytes.get(0x202..0x206) == Some(b"HdrS")
}

/// Takes the ELF file out of a bzImage.
///
/// # Errors
/// [`ImageError::Malformed`] where the file is no bzImage or is damaged; a compression that is not
/// known is no error but [`Extracted::Unsupported`].
pub fn extract(bzimage: &[u8], what: &str) -> Result<Extracted, ImageError> {
    let payload = payload(bzimage, what)?;
    let how = match Compression::of_magic(payload) {
        Some(how) => how,
        None if is_elf(payload) => Compression::None,
        None => return Ok(Extracted::Unsupported(unknown(payload))),
    };
    let elf = unpack(how, payload, MAX_VMLINUX_BYTES, &format!("the kernel inside {what}"))?;
    if !is_elf(&elf) {
        return Err(ImageError::malformed(what, "what it holds is no ELF file"));
    }
    Ok(Extracted::Vmlinux(elf))
}

fn unknown(payload: &[u8]) -> String {
    let magic: Vec<String> = payload.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("its compression is not LZ4, gzip, xz or zstd (it starts with {})", magic.join(" "))
}

/// The compressed part, by `payload_offset` and `payload_length` of the setup header (protocol 2.08).
fn payload<'a>(bzimage: &'a [u8], what: &str) -> Result<&'a [u8], ImageError> {
    let cut = || ImageError::malformed(what, "the bzImage is cut off");
    if !is_bzimage(bzimage) {
        return Err(ImageError::malformed(what, "it is no bzImage (no HdrS at 0x202)"));
    }
    let version = bzimage.get(0x206..0x208).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or_else(cut)?;
    if version < 0x208 {
        return Err(ImageError::malformed(what, format!("boot protocol {version:#x} is older than 2.08")));
    }
    let setup_sectors = match bzimage.get(0x1f1).copied().ok_or_else(cut)? {
        0 => 4,
        n => usize::from(n),
    };
    let offset = u32_at(bzimage, 0x248).ok_or_else(cut)? as usize;
    let length = u32_at(bzimage, 0x24c).ok_or_else(cut)? as usize;
    let start = (setup_sectors + 1) * 512 + offset;
    let end = start.checked_add(length).ok_or_else(cut)?;
    bzimage.get(start..end).ok_or_else(cut)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// The kernel's release as a bzImage's setup header has it (`uname -r`).
#[must_use]
pub fn release_of_bzimage(bzimage: &[u8]) -> Option<String> {
    let b = bzimage.get(0x20e..0x210)?;
    let start = usize::from(u16::from_le_bytes([b[0], b[1]])) + 0x200;
    first_word(bzimage.get(start..start + 256)?)
}

/// The kernel's release as its banner has it.
#[must_use]
pub fn release_of_vmlinux(vmlinux: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"Linux version ";
    let mut rest = vmlinux;
    while let Some(at) = find(rest, BANNER) {
        rest = &rest[at + BANNER.len()..];
        match first_word(&rest[..rest.len().min(256)]) {
            Some(word) if word.starts_with(|c: char| c.is_ascii_digit()) => return Some(word),
            _ => {}
        }
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The bytes before the first space or NUL, if they can name a folder.
fn first_word(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|b| matches!(b, b' ' | 0))?;
    let word = std::str::from_utf8(&bytes[..end]).ok()?;
    super::kernel::is_release(word).then(|| word.to_owned())
}

/// Can it be entered by PVH? False for whatever is no 64-bit ELF file with the note.
#[must_use]
pub fn has_pvh(vmlinux: &[u8]) -> bool {
    pvh_note(vmlinux).unwrap_or(false)
}

fn pvh_note(vmlinux: &[u8]) -> object::Result<bool> {
    let header = elf::FileHeader64::<Endianness>::parse(vmlinux)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, vmlinux)? {
        let Some(mut notes) = segment.notes(endian, vmlinux)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == b"Xen" && note.n_type(endian).0 == PVH_NOTE {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A bzImage of 1 setup sector with this payload.
    fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[0x1f1] = 1;
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        bytes[0x300..0x30b].copy_from_slice(b"6.1.0-test ");
        bytes[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn takes_out_what_is_inside() {
        let image = bzimage(b"\x7fELF and more");
        assert!(
            matches!(extract(&image, "t").unwrap(), Extracted::Vmlinux(elf) if elf == b"\x7fELF and more")
        );
        assert_eq!(release_of_bzimage(&image).as_deref(), Some("6.1.0-test"));
    }

    #[test]
    fn an_unknown_compression_is_said_not_failed() {
        let image = bzimage(b"\x89LZO\0\r\n");
        assert!(
            matches!(extract(&image, "t").unwrap(), Extracted::Unsupported(why) if why.contains("89 4c 5a 4f"))
        );
    }

    #[test]
    fn a_truncated_bzimage_is_malformed() {
        let image = bzimage(b"\x7fELF and more");
        for length in 0..image.len() {
            assert!(matches!(extract(&image[..length], "t"), Err(ImageError::Malformed { .. })), "{length}");
        }
    }

    #[test]
    fn a_payload_beyond_the_file_is_malformed() {
        let mut image = bzimage(b"\x7fELF");
        image[0x248..0x24c].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(extract(&image, "t"), Err(ImageError::Malformed { .. })));
    }

    #[test]
    fn the_release_is_read_from_the_banner() {
        let bytes = b"junk Linux version %s\0 Linux version 6.12.0-amd64 (x@y) and at least so much more";
        assert_eq!(release_of_vmlinux(bytes).as_deref(), Some("6.12.0-amd64"));
        assert_eq!(release_of_vmlinux(b"Linux version ../../etc (x"), None);
    }

    #[test]
    fn huge_sizes_in_an_elf_header_are_not_believed() {
        let mut bytes = vec![0xff; 4096];
        bytes[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
        assert!(!has_pvh(&bytes));
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
            let mut image = bzimage(&noise);
            let _ = extract(&image, "noise");
            let _ = has_pvh(&noise);
            let at = 0x1f0.min(noise.len());
            image.splice(0x1f0..0x1f0 + at, noise.iter().copied().take(at));
            let _ = extract(&image, "noise");
            let _ = (release_of_bzimage(&noise), release_of_vmlinux(&noise));
        }
    }
}
