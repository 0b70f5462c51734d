//! An address: `10.0.0.1/24 brd 10.0.0.255 dev eth0 scope global label eth0:1`.

use super::Names;
use crate::print::address::scope;
use alloc::string::String;
use core::fmt::Write as _;
use ipc::config::ipvs::{AddrMore, AddrSpec};
use ipc::config::vrrp::Switch;
use ipc::net::Prefix;

/// The words of one.
pub(super) fn words(names: &Names<'_>, address: &AddrSpec, no_track: Switch) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, names, address, no_track);
    text
}

fn write(text: &mut String, names: &Names<'_>, address: &AddrSpec, no_track: Switch) -> core::fmt::Result {
    let AddrSpec { prefix, link, broadcast, scope: number, label, more, origin: _ } = address;
    let AddrMore { peer, home, mngtmpaddr, noprefixroute, autojoin, dad, preferred_lft, use_vmac: _ } = more;
    match peer {
        // The length is the peer's.
        Some(_) => write!(text, "{}", prefix.addr)?,
        None => write!(text, "{}", Short(*prefix))?,
    }
    if let Some(broadcast) = broadcast {
        write!(text, " brd {broadcast}")?;
    }
    write!(text, " dev {}", names.of(*link))?;
    if let Some(parent) = names.parent(*link) {
        write!(text, "@{parent}")?;
    }
    write!(text, " scope {}", scope(*number))?;
    if let Some(label) = label {
        write!(text, " label {label}")?;
    }
    if let Some(peer) = peer {
        write!(text, " peer {}", Prefix { addr: *peer, len: prefix.len })?;
    }
    let flags = [
        (*home, " home"),
        (*dad, " -nodad"),
        (*mngtmpaddr, " mngtmpaddr"),
        (*noprefixroute, " noprefixroute"),
        (*autojoin, " autojoin"),
    ];
    flags.iter().filter(|(set, _)| *set == Switch::On).for_each(|(_, word)| text.push_str(word));
    if prefix.addr.is_ipv6() {
        let whole = if prefix.len == 128 { 0 } else { u32::MAX };
        match preferred_lft.unwrap_or(whole) {
            0 => text.push_str(" deprecated"),
            u32::MAX => text.push_str(" preferred_lft forever"),
            seconds => write!(text, " preferred_lft {seconds}")?,
        }
    }
    if no_track == Switch::On {
        text.push_str(" no_track");
    }
    Ok(())
}

/// A prefix; without its length when it is that of one address.
pub(super) struct Short(pub(super) Prefix);

impl core::fmt::Display for Short {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let whole = if self.0.addr.is_ipv4() { 32 } else { 128 };
        if self.0.len == whole { write!(f, "{}", self.0.addr) } else { write!(f, "{}", self.0) }
    }
}
