//! Lines of blocks that hold no keywords: addresses, routes, rules, names.

use super::generate::{LINKS, NAMES, Tape, address, arguments, number, quoted};

/// Options of an address; `L` stands for an interface.
const ADDRESS: &[&str] = &[
    "dev INTERFACE",
    "brd +",
    "brd 192.0.2.255",
    "scope link",
    "scope 7",
    "label NAME",
    "peer 192.0.2.200/30",
    "home",
    "noprefixroute",
    "autojoin",
    "-nodad",
    "preferred_lft 0..100",
    "preferred_lft forever",
    "no_track",
    "use_vmac",
    "track_group NAME",
    "mngtmpaddr",
];

const ROUTE: &[&str] = &[
    "via 192.0.2.254",
    "via fd00::9",
    "via inet6 fe80::9",
    "inet",
    "dev INTERFACE",
    "oif INTERFACE",
    "src 192.0.2.3",
    "from fd00::/64",
    "tos 10",
    "table main",
    "table 0..300",
    "protocol static",
    "scope link",
    "metric 0..100",
    "onlink",
    "encap ip id 7 dst 192.0.2.9 ttl 9 tos 4 flags 3",
    "encap mpls 16/17",
    "encap ila 1:2:3:ffff",
    "realms 1/2",
    "realms 7",
    "expires 30",
    "mtu lock 1400",
    "mtu 1300",
    "hoplimit 7",
    "rtt 5ms",
    "rttvar 1s",
    "rto_min 3",
    "features ecn",
    "quickack 1",
    "fastopen_no_cookie 1",
    "congctl lock cubic",
    "congctl reno",
    "pref high",
    "ttl-propagate disabled",
    "vrf INTERFACE",
    "append",
    "add",
    "no_track",
    "track_group NAME",
    "nexthop via 192.0.2.8 dev INTERFACE weight 3 nexthop dev INTERFACE encap ip6 id 1 src fd00::3",
];

const RULE: &[&str] = &[
    "from 192.0.2.0/24",
    "to 198.51.100.0/24",
    "from any",
    "from default",
    "to all",
    "from fd00::/8",
    "inet6",
    "inet",
    "not",
    "table 0..300",
    "table main",
    "goto 100..40000",
    "preference 0..40000",
    "tos 10",
    "fwmark 5/0xff",
    "fwmark 6",
    "realms 3",
    "suppress_prefixlength 0..128",
    "suppress_ifgroup 4",
    "iif INTERFACE",
    "oif INTERFACE",
    "tunnel-id 18446744073709551615",
    "uidrange 1-5",
    "l3mdev",
    "protocol 7",
    "ipproto tcp",
    "sport 1-2",
    "dport 9",
    "no_track",
    "track_group NAME",
    "nop",
    "blackhole",
    "prohibit",
    "unreachable",
    "type unreachable",
];

fn options(t: &mut Tape<'_>, first: String, from: &[&str]) -> String {
    let mut line = first;
    for _ in 0..t.below(6) {
        let option = t.pick(from);
        line.push(' ');
        line.push_str(&arguments(t, option));
    }
    line
}

/// A line of such a block.
pub fn line(t: &mut Tape<'_>, block: &str) -> String {
    let text = match block {
        "virtual_ipaddress" | "virtual_ipaddress_excluded" | "static_ipaddress" => {
            let ip = address(t);
            let prefix = t.pick(&["", "/24", "/32", "/64", "/31"]);
            let first = format!("{ip}{prefix}");
            options(t, first, ADDRESS)
        }
        "virtual_routes" | "static_routes" => {
            let first = t.pick(&[
                "10.0.0.0/8",
                "default",
                "blackhole 10.1.0.0/16",
                "fd01::/32",
                "to 10.2.0.1",
                "throw default",
            ]);
            options(t, first.to_owned(), ROUTE)
        }
        "virtual_rules" | "static_rules" => options(t, String::new(), RULE),
        "unicast_peer" => {
            let first = address(t).to_owned();
            options(t, first, &["min_ttl 0..255", "max_ttl 0..255"])
        }
        "track_interface" | "linkbeat_interfaces" | "interfaces" | "interface_up_down_delays" => {
            let link = quoted(t.pick(LINKS));
            let more = match block {
                "track_interface" => t.pick(&["", "weight 10", "weight -254 reverse", "weight 0", "weight 5 reverse"]),
                "linkbeat_interfaces" => t.pick(&["", "MII", "ETHTOOL", "IOCTL"]),
                "interface_up_down_delays" => t.pick(&["1", "0.5 2", "0 255"]),
                _ => "",
            };
            format!("{link} {more}")
        }
        "track_script" | "track_file" | "track_process" | "track_bfd" => {
            let more = t.pick(&["", "weight 10", "weight -254 reverse", "weight 0", "weight 0 reverse"]);
            format!("{} {more}", quoted(t.pick(NAMES)))
        }
        "virtual_server_group" => match t.below(5) {
            0 => format!("fwmark {} {}", number(t, 1, 20), t.pick(&["", "inet", "inet6"])),
            1 => format!("fd00::{}-ff 80", 1 + t.below(9)),
            2 => "192.0.2.0/30 53".to_owned(),
            3 => format!("192.0.2.{}-20", 10 + t.below(9)),
            _ => format!("{} {}", address(t), number(t, 0, 65_535)),
        },
        "notification_email" => quoted(t.pick(&["a@example", "@b c", "include d"])),
        "host" => format!("connect_port {}", number(t, 1, 65_535)),
        _ => quoted(t.pick(NAMES)),
    };
    text + "\n"
}
