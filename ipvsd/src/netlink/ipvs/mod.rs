//! IPVS

use super::reply::Fact;
use alloc::string::String;

pub(super) fn fact(_seq: u32, _payload: &[u8]) -> Result<Option<Fact>, String> {
    Ok(None)
}
