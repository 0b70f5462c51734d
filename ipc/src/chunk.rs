//! Values longer than a frame, in pieces.

use crate::codec::{CodecError, SLICE_LIMIT};
use core::fmt;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes in one piece; leaves room for the frame's own fields.
pub const CHUNK_BYTES: usize = 60 * 1024;

/// One piece of a longer value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Whether more follow.
    pub more: More,
    /// The bytes. As a sequence of numbers, what serde makes of a vector, each would be encoded and decoded on its own.
    #[serde(serialize_with = "as_bytes", deserialize_with = "from_bytes")]
    pub bytes: Vec<u8>,
}

fn as_bytes<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

fn from_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_byte_buf(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Whether a piece is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum More {
    /// Another piece follows.
    Follows,
    /// This is the last.
    Last,
}

/// Cuts bytes into pieces; an empty value is one empty last piece.
pub fn cut(bytes: &[u8]) -> impl Iterator<Item = Chunk> + '_ {
    let count = bytes.len().div_ceil(CHUNK_BYTES).max(1);
    (0..count).map(move |n| {
        let start = n.saturating_mul(CHUNK_BYTES);
        let end = start.saturating_add(CHUNK_BYTES).min(bytes.len());
        Chunk {
            more: if n.saturating_add(1) == count { More::Last } else { More::Follows },
            bytes: bytes.get(start..end).unwrap_or_default().to_vec(),
        }
    })
}

/// Puts pieces together, up to [`SLICE_LIMIT`] bytes.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
}

impl Assembly {
    /// Takes a piece; gives the whole value at the last one.
    pub fn push(&mut self, chunk: Chunk) -> Result<Option<Vec<u8>>, CodecError> {
        if self.bytes.len().saturating_add(chunk.bytes.len()) > SLICE_LIMIT {
            self.bytes = Vec::new();
            return Err(CodecError::TooLong);
        }
        if self.bytes.is_empty() {
            self.bytes = chunk.bytes;
        } else {
            self.bytes.extend_from_slice(&chunk.bytes);
        }
        Ok(match chunk.more {
            More::Follows => None,
            More::Last => Some(core::mem::take(&mut self.bytes)),
        })
    }
}
