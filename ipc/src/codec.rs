//! Frames as bytes. The only file that names bincode (the crate is no longer maintained, RUSTSEC-2025-0141; the exit is a
//! change of this file).
//!
//! Little-endian integers, of fixed width in frames and as short as they are in slices, of which the supervisor keeps one for each child;
//! a limit that both encoding and decoding respect; every byte must be consumed.

use crate::config::{Generation, origin};
use core::fmt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest frame in bytes.
pub const FRAME_LIMIT: usize = 64 * 1024;

/// Most messages in one frame.
pub const MESSAGES_LIMIT: usize = 16 * 1024;

/// One frame: everything one turn of an event loop has to say to one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<M> {
    /// The generation whose indices the messages use.
    pub generation: Generation,
    /// The messages, in order.
    pub messages: Vec<M>,
}

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// More than [`FRAME_LIMIT`], or more than the value's own limit.
    TooLong,
    /// Not a value of this type, or bytes left over.
    Malformed(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::TooLong => write!(f, "longer than {FRAME_LIMIT} bytes"),
            CodecError::Malformed(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for CodecError {}

macro_rules! frame_config {
    () => {
        bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<{ FRAME_LIMIT }>()
    };
}

/// Encodes a value for a frame.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = origin::in_one_value(|| bincode::serde::encode_to_vec(value, frame_config!()))
        .map_err(|e| CodecError::Malformed(e.to_string()))?;
    if bytes.len() > FRAME_LIMIT { Err(CodecError::TooLong) } else { Ok(bytes) }
}

/// Decodes a whole frame.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > FRAME_LIMIT {
        return Err(CodecError::TooLong);
    }
    exactly(origin::in_one_value(|| bincode::serde::decode_from_slice(bytes, frame_config!())), bytes.len())
}

macro_rules! slice_config {
    () => {
        bincode::config::standard().with_little_endian().with_variable_int_encoding().with_limit::<{ SLICE_LIMIT }>()
    };
}

/// Largest configuration slice in bytes.
pub const SLICE_LIMIT: usize = 256 * 1024 * 1024;

/// Encodes a configuration slice, which travels in pieces (see [`crate::chunk`]).
pub fn encode_slice<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = origin::in_one_value(|| bincode::serde::encode_to_vec(value, slice_config!()))
        .map_err(|e| CodecError::Malformed(e.to_string()))?;
    if bytes.len() > SLICE_LIMIT { Err(CodecError::TooLong) } else { Ok(bytes) }
}

/// Decodes a configuration slice.
pub fn decode_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > SLICE_LIMIT {
        return Err(CodecError::TooLong);
    }
    exactly(origin::in_one_value(|| bincode::serde::decode_from_slice(bytes, slice_config!())), bytes.len())
}

fn exactly<T>(decoded: Result<(T, usize), bincode::error::DecodeError>, len: usize) -> Result<T, CodecError> {
    match decoded {
        Ok((value, used)) if used == len => Ok(value),
        Ok((_, used)) => Err(CodecError::Malformed(format!("{} bytes left over", len.saturating_sub(used)))),
        Err(e) => Err(CodecError::Malformed(e.to_string())),
    }
}
