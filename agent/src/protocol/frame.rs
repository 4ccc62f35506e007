//! Frames: how a message becomes bytes on a stream, and what is refused before it is believed.
//!
//! `magic (4) · version (2, little-endian) · payload length (4, little-endian) · payload`. The length is checked before
//! a byte of the payload is read, so a reader never holds more than [`MAX_FRAME_BYTES`] and a header.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{MAX_FRAME_BYTES, VERSION};

/// What every frame begins with.
pub const MAGIC: [u8; 4] = *b"iso\xc0";

/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 10;

/// Why bytes are not a frame, or a message cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// It does not begin with [`MAGIC`]: the other end does not speak this protocol.
    Magic([u8; 4]),
    /// The other end speaks another version of it.
    Version(u16),
    /// More than [`MAX_FRAME_BYTES`] of payload: how many.
    TooLarge(usize),
    /// It ends before its header or its payload does: how many bytes there were.
    Truncated(usize),
    /// The payload is not a message of the type expected: the decoder's words.
    Undecodable(String),
    /// Bytes follow the message, inside the payload or behind the frame: how many.
    Trailing(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(found) => write!(f, "it begins with {found:02x?}, not with {MAGIC:02x?}"),
            Self::Version(found) => write!(f, "it is version {found} of the protocol, not {VERSION}"),
            Self::TooLarge(bytes) => write!(f, "it has {bytes} bytes, the most is {MAX_FRAME_BYTES}"),
            Self::Truncated(bytes) => write!(f, "it ends after {bytes} bytes"),
            Self::Undecodable(why) => write!(f, "it is not a message: {why}"),
            Self::Trailing(bytes) => write!(f, "{bytes} bytes follow it"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Why no message was read from a stream.
#[derive(Debug)]
pub enum ReadError {
    /// The other end hung up between two frames.
    Closed,
    /// What came is not a frame.
    Frame(FrameError),
    /// The stream failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the other end hung up"),
            Self::Frame(error) => write!(f, "a bad frame: {error}"),
            Self::Io(error) => write!(f, "the channel failed: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// A message as a whole frame.
///
/// # Errors
/// [`FrameError::TooLarge`], or [`FrameError::Undecodable`] where the encoder refuses it.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut frame = Vec::with_capacity(256);
    frame.extend(MAGIC);
    frame.extend(VERSION.to_le_bytes());
    frame.extend([0; 4]);
    let mut frame =
        postcard::to_extend(message, frame).map_err(|e| FrameError::Undecodable(e.to_string()))?;
    let payload = frame.len() - HEADER_BYTES;
    let length = u32::try_from(payload).ok().filter(|_| payload <= MAX_FRAME_BYTES);
    let length = length.ok_or(FrameError::TooLarge(payload))?;
    frame[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The length of the payload that follows this header, in bytes.
///
/// # Errors
/// Any but `Undecodable` and `Trailing`; magic is judged before version, version before length.
pub fn payload_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let [a, b, c, d, v0, v1, l0, l1, l2, l3] = header;
    if [a, b, c, d] != MAGIC {
        return Err(FrameError::Magic([a, b, c, d]));
    }
    match u16::from_le_bytes([v0, v1]) {
        VERSION => {}
        other => return Err(FrameError::Version(other)),
    }
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES { Err(FrameError::TooLarge(length)) } else { Ok(length) }
}

/// The message that is the whole of a payload.
///
/// # Errors
/// `Undecodable` or `Trailing`.
pub fn decode_payload<M: DeserializeOwned>(payload: &[u8]) -> Result<M, FrameError> {
    let taken = postcard::take_from_bytes(payload);
    let (message, rest) = taken.map_err(|e| FrameError::Undecodable(e.to_string()))?;
    if rest.is_empty() { Ok(message) } else { Err(FrameError::Trailing(rest.len())) }
}

/// The message of bytes that are exactly one frame.
///
/// # Errors
/// Any.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, FrameError> {
    let (header, rest) = bytes.split_first_chunk().ok_or(FrameError::Truncated(bytes.len()))?;
    let length = payload_length(*header)?;
    match rest.get(..length) {
        None => Err(FrameError::Truncated(bytes.len())),
        Some(payload) if payload.len() == rest.len() => decode_payload(payload),
        Some(_) => Err(FrameError::Trailing(rest.len() - length)),
    }
}

/// Reads one message; blocks.
///
/// # Errors
/// As [`ReadError`] says.
pub fn read<M: DeserializeOwned>(from: &mut impl Read) -> Result<M, ReadError> {
    let mut header = [0; HEADER_BYTES];
    match fill(from, &mut header)? {
        0 => return Err(ReadError::Closed),
        HEADER_BYTES => {}
        bytes => return Err(ReadError::Frame(FrameError::Truncated(bytes))),
    }
    let mut payload = vec![0; payload_length(header).map_err(ReadError::Frame)?];
    let read = fill(from, &mut payload)?;
    if read < payload.len() {
        return Err(ReadError::Frame(FrameError::Truncated(HEADER_BYTES + read)));
    }
    decode_payload(&payload).map_err(ReadError::Frame)
}

/// Fills `bytes` as far as the stream goes, and returns how far that was.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<usize, ReadError> {
    let mut done = 0;
    while done < bytes.len() {
        match from.read(&mut bytes[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Io(error)),
        }
    }
    Ok(done)
}

/// Writes one message; blocks.
///
/// # Errors
/// Where it is too large (`InvalidData`) or the stream fails.
pub fn write<M: Serialize>(to: &mut impl Write, message: &M) -> io::Result<()> {
    let frame = encode(message).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
    to.write_all(&frame)?;
    to.flush()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
