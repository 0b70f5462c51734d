//! The router flag of neighbour advertisements follows `net.ipv6.conf.IF.forwarding`, at once.

use tests::alone::{Alone, SOON, master};
use tests::failure::Outcome;
use tests::frame::neighbour_advertisement;

/// RFC 4861 §4.4: R.
const ROUTER: u8 = 0x80;

#[test]
fn a_neighbour_advertisement_says_whether_the_master_is_a_router() -> Outcome {
    let alone = Alone::new()?;
    let config = master(" garp_master_refresh 1\n virtual_ipaddress_excluded {\n fd00::77/64\n }\n");
    let _daemon = alone.start(&config)?;
    let said = |flag: u8| {
        alone.wire.clear();
        let is_it =
            |(address, flags): (std::net::Ipv6Addr, u8)| address.segments()[0] == 0xfd00 && flags & ROUTER == flag;
        alone.wire.wait("a neighbour advertisement with that router flag", SOON, |frame| {
            neighbour_advertisement(&frame.bytes).is_some_and(is_it)
        })
    };
    said(0)?;
    alone.host.netns.sysctl("ipv6/conf/ens33/forwarding", "1")?;
    said(ROUTER)?;
    alone.host.netns.sysctl("ipv6/conf/ens33/forwarding", "0")?;
    said(0).map(drop)
}
