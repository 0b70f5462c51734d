//! The controller of generic netlink: which number the kernel gave to a family.

use alloc::string::{String, ToString};
use netlink_packet_core::NlasIterator;
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::constants::{CTRL_ATTR_FAMILY_ID, GENL_HDRLEN};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};

/// GENL_ID_CTRL, the controller's own number.
pub const CONTROL: u16 = 16;

/// Asks for the number of a family.
pub fn ask(name: &str) -> GenlMessage<GenlCtrl> {
    GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: alloc::vec![GenlCtrlAttrs::FamilyName(name.to_string())],
    })
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
