//! Netlink as bytes: requests are made and replies are read here, nothing is sent.
//!
//! [`batch`] puts many requests into few writes; [`reply`] cuts what was received into facts; [`route`] knows links and
//! addresses, [`paths`] routes and rules, [`link`] interfaces that are made, [`attr`] how attributes are written, [`ipvs`] the generic netlink family of IPVS, [`genl`]
//! how a family's number is asked for, [`nft`] the packet filter.

pub mod attr;
pub mod batch;
pub mod genl;
pub mod ipvs;
pub mod link;
pub mod nft;
pub mod paths;
pub mod reply;
pub mod route;
#[cfg(test)]
mod tests;

/// Which netlink protocol a request goes to; each has its own socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bus {
    /// NETLINK_ROUTE: links, addresses, routes, rules.
    Route,
    /// NETLINK_GENERIC: IPVS.
    Generic,
    /// NETLINK_NETFILTER: nftables.
    Filter,
    /// NETLINK_NETFILTER where the IPVS table is, which may be another network namespace: nftables of `nftables_ipvs`.
    Marks,
}

impl core::fmt::Display for Bus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Bus::Route => "rtnetlink",
            Bus::Generic => "generic netlink",
            Bus::Filter | Bus::Marks => "netfilter netlink",
        })
    }
}

/// A positive error number of the kernel, with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(nix::errno::Errno::from_raw(self.0).desc())
    }
}
