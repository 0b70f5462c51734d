//! What the log says when the packet filter is refused.

use crate::filter::{Purpose, TableKey};
use crate::netlink::Errno;
use alloc::format;
use alloc::string::String;
use ipc::net::Family;

/// A table cannot have the one of its two parts.
pub(super) fn without_reports(key: TableKey, name: &str, errno: Errno) -> String {
    let (family, hint) = (family(key), hint(errno));
    format!(
        "Cannot keep multicast reports off virtual MAC interfaces in the nftables table {family} {name}: {errno}{hint}; they leave with \
         virtual MAC addresses; packets to addresses are dropped all the same (no_accept); trying again after 1, 2, 4 and at most every 60 \
         seconds"
    )
}

fn family(key: TableKey) -> &'static str {
    match key.family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

fn hint(errno: Errno) -> &'static str {
    match errno.0 {
        libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EINVAL => "; this kernel may have no nf_tables",
        libc::ENOENT => "; this kernel may lack a part of nf_tables",
        _ => "",
    }
}

/// A table cannot be had.
pub(super) fn complaint(key: TableKey, name: &str, errno: Errno) -> String {
    let (family, hint) = (family(key), hint(errno));
    let (what, so) = match key.purpose {
        Purpose::Vips => (
            "no_accept and use_vmac",
            "packets to addresses are not dropped, and multicast reports leave with virtual MAC addresses",
        ),
        Purpose::Marks => {
            ("nftables_ipvs", "the packets of virtual server groups get no mark and reach no real server")
        }
    };
    format!(
        "Cannot change the nftables table {family} {name} for {what}: {errno}{hint}; until it can be, {so}; trying again after 1, 2, 4 and \
         at most every 60 seconds"
    )
}
