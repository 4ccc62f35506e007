//! Bytes out of compressed bytes, never more than a limit: what is unpacked comes from files of others.

use std::io::Read;

use super::error::ImageError;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// The old frame format of LZ4, which kernels use.
    Lz4Legacy,
}

impl Compression {
    /// Told by the first bytes; `None` where they are of no known format.
    #[must_use]
    pub fn of_magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4Legacy),
            _ => None,
        }
    }

    /// Told by the end of a file's name; a name without a known end is not compressed.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, end)| end) {
            Some("gz") => Self::Gzip,
            Some("xz") => Self::Xz,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A reader of the bytes behind `input`. LZ4 is not read as a stream: see [`unpack`].
///
/// # Errors
/// Where the head of the stream is no such thing.
pub fn reader<'a>(
    how: Compression,
    input: impl Read + 'a,
    what: &str,
) -> Result<Box<dyn Read + 'a>, ImageError> {
    Ok(match how {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(flate2::read::GzDecoder::new(input)),
        Compression::Xz => Box::new(liblzma::read::XzDecoder::new(input)),
        Compression::Zstd => Box::new(
            ruzstd::decoding::StreamingDecoder::new(input).map_err(|e| ImageError::malformed(what, e))?,
        ),
        Compression::Lz4Legacy => return Err(ImageError::malformed(what, "LZ4 is not expected here")),
    })
}

/// Unpacks all of `input`, at most `cap` bytes of it. `what` names it in an error.
///
/// # Errors
/// [`ImageError::TooLarge`] beyond `cap`, [`ImageError::Malformed`] for damage.
pub fn unpack(how: Compression, input: &[u8], cap: u64, what: &str) -> Result<Vec<u8>, ImageError> {
    if how == Compression::Lz4Legacy {
        return unpack_lz4(input, cap, what);
    }
    let mut bytes = Vec::new();
    let read = reader(how, input, what)?.take(cap + 1).read_to_end(&mut bytes);
    read.map_err(|e| ImageError::malformed(what, e))?;
    if bytes.len() as u64 > cap {
        return Err(ImageError::TooLarge { what: what.to_owned(), cap_bytes: cap });
    }
    Ok(bytes)
}

/// Bytes one block of the old LZ4 frame format unpacks to at most.
const LZ4_BLOCK_BYTES: usize = 8 << 20;

/// Blocks of `length, bytes` after a magic number. Kernels put the unpacked length, 4 bytes, behind the last block.
fn unpack_lz4(input: &[u8], cap: u64, what: &str) -> Result<Vec<u8>, ImageError> {
    let mut rest = input.get(4..).unwrap_or_default();
    let mut bytes = Vec::new();
    let mut block = vec![0; LZ4_BLOCK_BYTES];
    while rest.len() > 4 {
        let (head, tail) = rest.split_at(4);
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let packed =
            tail.get(..length).ok_or_else(|| ImageError::malformed(what, "an LZ4 block is cut off"))?;
        let size = lz4_flex::block::decompress_into(packed, &mut block)
            .map_err(|e| ImageError::malformed(what, e))?;
        if (bytes.len() + size) as u64 > cap {
            return Err(ImageError::TooLarge { what: what.to_owned(), cap_bytes: cap });
        }
        bytes.extend_from_slice(&block[..size]);
        rest = &tail[length..];
    }
    check_appended_length(rest, bytes.len(), what)?;
    Ok(bytes)
}

fn check_appended_length(rest: &[u8], got: usize, what: &str) -> Result<(), ImageError> {
    let Ok(length) = <[u8; 4]>::try_from(rest) else { return Ok(()) };
    let said = u32::from_le_bytes(length) as usize;
    if said == got {
        return Ok(());
    }
    Err(ImageError::malformed(what, format!("{got} bytes came out where {said} were promised")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn lz4(blocks: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0x02, 0x21, 0x4c, 0x18];
        let mut total = 0;
        for block in blocks {
            let packed = lz4_flex::block::compress(block);
            out.extend((packed.len() as u32).to_le_bytes());
            out.extend(packed);
            total += block.len() as u32;
        }
        out.extend(total.to_le_bytes());
        out
    }

    #[test]
    fn unpacks_what_was_packed() {
        let text = b"the same bytes".repeat(1000);
        for packed in [gzip(&text), lz4(&[&text, b"", b"tail"])] {
            let how = Compression::of_magic(&packed).unwrap();
            let got = unpack(how, &packed, 1 << 20, "test").unwrap();
            assert!(got.starts_with(&text));
        }
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&text[..], 1).read_to_end(&mut xz).unwrap();
        xz.extend((text.len() as u32).to_le_bytes());
        assert_eq!(Compression::of_magic(&xz), Some(Compression::Xz));
        assert_eq!(unpack(Compression::Xz, &xz, 1 << 20, "test").unwrap(), text);
        let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(Compression::of_magic(&zstd), Some(Compression::Zstd));
        assert_eq!(unpack(Compression::Zstd, &zstd, 1 << 20, "test").unwrap(), text);
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let bomb = vec![0; 40 << 20];
        for packed in [gzip(&bomb), lz4(&[&bomb[..8 << 20]; 3])] {
            let how = Compression::of_magic(&packed).unwrap();
            let error = unpack(how, &packed, 16 << 20, "the bomb").unwrap_err();
            assert!(matches!(error, ImageError::TooLarge { cap_bytes: 16_777_216, .. }), "{error}");
        }
    }

    #[test]
    fn a_wrong_length_behind_lz4_is_damage() {
        let mut packed = lz4(&[b"abc"]);
        let last = packed.len() - 1;
        packed[last] = 9;
        assert!(matches!(
            unpack(Compression::Lz4Legacy, &packed, 100, "t"),
            Err(ImageError::Malformed { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(
            mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            which in 0usize..4,
        ) {
            let magics: [&[u8]; 4] =
                [&[0x1f, 0x8b, 8], &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd], &[2, 0x21, 0x4c, 0x18]];
            let mut input = magics[which].to_vec();
            input.append(&mut bytes);
            let how = Compression::of_magic(&input).unwrap();
            let _ = unpack(how, &input, 1 << 16, "noise");
        }
    }
}
