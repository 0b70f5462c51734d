//! What IPVS of this kernel is: IPVS_INFO_ATTR_*.

use netlink_packet_core::{DecodeError, DefaultNla, Nla, NlaBuffer, Parseable, emit_u32, parse_u32};

const VERSION: u16 = 1;
const CONN_TAB_SIZE: u16 = 2;

/// One attribute of the answer to [`super::ask_info`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfoAttr {
    /// Version, 0x010201 for 1.2.1.
    Version(u32),
    /// Buckets of the connection table.
    ConnTabSize(u32),
    /// Any other.
    Other(DefaultNla),
}

impl Nla for InfoAttr {
    fn value_len(&self) -> usize {
        match self {
            InfoAttr::Version(_) | InfoAttr::ConnTabSize(_) => 4,
            InfoAttr::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            InfoAttr::Version(_) => VERSION,
            InfoAttr::ConnTabSize(_) => CONN_TAB_SIZE,
            InfoAttr::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            InfoAttr::Version(n) | InfoAttr::ConnTabSize(n) => drop(emit_u32(buffer, *n)),
            InfoAttr::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for InfoAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        Ok(match attribute.kind() {
            VERSION => InfoAttr::Version(parse_u32(attribute.value())?),
            CONN_TAB_SIZE => InfoAttr::ConnTabSize(parse_u32(attribute.value())?),
            _ => InfoAttr::Other(DefaultNla::parse(attribute)?),
        })
    }
}
