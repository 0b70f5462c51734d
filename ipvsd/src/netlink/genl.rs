//! The controller of generic netlink: which number the kernel gave to a family.

use super::attr::Attrs;
use super::paths::Request;
use alloc::string::{String, ToString};
use netlink_packet_core::NlasIterator;
use netlink_packet_generic::constants::{CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, GENL_HDRLEN};
use netlink_packet_generic::ctrl::GenlCtrlCmd;

/// GENL_ID_CTRL, the controller's own number.
pub const CONTROL: u16 = 16;

/// Its version, which the kernel does not look at.
const VERSION: u8 = 1;

/// Asks for the number of a family.
pub fn ask(name: &str) -> Request {
    let mut attrs = Attrs::behind(&[GenlCtrlCmd::GetFamily.into(), VERSION, 0, 0]);
    attrs.put_text(CTRL_ATTR_FAMILY_NAME, name);
    Request { kind: CONTROL, flags: 0, payload: attrs.into_bytes() }
}

/// The number in the controller's answer. Reads that one attribute and steps over the others, which newer kernels add to.
pub(super) fn family(payload: &[u8]) -> Result<Option<u16>, String> {
    for attribute in NlasIterator::new(payload.get(GENL_HDRLEN..).unwrap_or_default()) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        if attribute.kind() == CTRL_ATTR_FAMILY_ID {
            return Ok(attribute.value().first_chunk().map(|b| u16::from_ne_bytes(*b)));
        }
    }
    Ok(None)
}
