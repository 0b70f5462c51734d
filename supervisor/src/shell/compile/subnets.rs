//! Which subnets this machine reaches directly, and by which interface, so that the compiler can warn of an address that would take one
//! of them away. What cannot be read or understood is left out: nothing depends on it.

use ipc::net::Prefix;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes that they take in the message to the compiler at most, which has 64 KiB for everything: some 800 subnets.
const ROOM: usize = 20 * 1024;

/// Bytes of a list that are read: a machine may have a million routes.
const BYTES: u64 = 512 * 1024;

/// proc(5), `/proc/net/if_inet6`: the scope of link-local addresses, and of `::1`.
const SCOPES_OF_NO_SUBNET: u8 = 0x30;

/// Those of IPv4 from its routes, those of IPv6 from the addresses.
pub fn of_this_machine() -> Vec<(String, Prefix)> {
    let v4 = read("/proc/self/net/route");
    let v6 = read("/proc/self/net/if_inet6");
    fitting(v4.lines().skip(1).filter_map(route).chain(v6.lines().filter_map(address)))
}

fn fitting(subnets: impl Iterator<Item = (String, Prefix)>) -> Vec<(String, Prefix)> {
    let mut room = ROOM;
    subnets
        .map_while(|subnet| {
            // A length, a name, a tag, an address of 16 bytes and a prefix length.
            room = room.checked_sub(subnet.0.len().saturating_add(20))?;
            Some(subnet)
        })
        .collect()
}

fn read(path: &str) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES).read_to_end(&mut text));
    if read.is_err() {
        return String::new();
    }
    text.truncate(text.iter().rposition(|b| *b == b'\n').unwrap_or_default());
    String::from_utf8_lossy(&text).into_owned()
}

/// `IFACE DESTINATION GATEWAY FLAGS REFCNT USE METRIC MASK …`, numbers as the processor has them in memory.
fn route(line: &str) -> Option<(String, Prefix)> {
    let mut words = line.split_ascii_whitespace();
    let (link, to, gateway, mask) = (words.next()?, words.next()?, words.next()?, words.nth(4)?);
    let number = |word| u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes).map(u32::from_be_bytes);
    let len = u8::try_from(number(mask)?.leading_ones()).ok()?;
    // What is rejected or dropped has no interface.
    let direct = number(gateway)? == 0 && (1..32).contains(&len) && link != "*";
    direct.then_some((link.to_owned(), Prefix { addr: Ipv4Addr::from_bits(number(to)?).into(), len }))
}

/// `ADDRESS IFINDEX PREFIX_LENGTH SCOPE FLAGS IFACE`, hexadecimal.
fn address(line: &str) -> Option<(String, Prefix)> {
    let mut words = line.split_ascii_whitespace();
    let (addr, len, scope) = (words.next()?, words.nth(1)?, words.next()?);
    let byte = |word| u8::from_str_radix(word, 16).ok();
    let addr = Ipv6Addr::from_bits(u128::from_str_radix(addr, 16).ok()?);
    let len = byte(len)?;
    let subnet = byte(scope)? & SCOPES_OF_NO_SUBNET == 0 && (1..128).contains(&len);
    subnet.then_some((words.nth(1)?.to_owned(), Prefix { addr: addr.into(), len }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(to: [u8; 4], gateway: [u8; 4], mask: [u8; 4]) -> Option<String> {
        let hex = |bytes| format!("{:08X}", u32::from_ne_bytes(bytes));
        let line = format!("eth0\t{}\t{}\t0001\t0\t0\t0\t{}\t0\t0\t0", hex(to), hex(gateway), hex(mask));
        route(&line).map(|(link, prefix)| format!("{link} {prefix}"))
    }

    #[test]
    fn subnets_are_routes_without_a_gateway() {
        assert_eq!(v4([10, 1, 2, 0], [0; 4], [255, 255, 255, 0]).as_deref(), Some("eth0 10.1.2.0/24"));
        for (gateway, mask) in [([10, 1, 2, 1], [255, 255, 255, 0]), ([0; 4], [0; 4]), ([0; 4], [255; 4])] {
            assert_eq!(v4([10, 1, 2, 0], gateway, mask), None);
        }
        assert_eq!(route("Iface Destination Gateway"), None);
        assert_eq!(route("*\t000A0A0A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0"), None);
    }

    #[test]
    fn a_machine_with_many_routes_tells_some() {
        let prefix = Prefix { addr: Ipv4Addr::new(10, 0, 0, 0).into(), len: 24 };
        let some = fitting(std::iter::repeat_n((String::from("eth0"), prefix), 100_000));
        assert!((500..2_000).contains(&some.len()), "{}", some.len());
        assert!(ipc::codec::encode(&some).is_ok_and(|bytes| bytes.len() <= ROOM));
    }

    #[test]
    fn subnets_are_those_of_addresses() {
        let of = |line| address(line).map(|(link, prefix)| format!("{link} {prefix}"));
        assert_eq!(of("20010db8000000000000000000000002 04 40 00 82     eth0").as_deref(), Some("eth0 2001:db8::2/64"));
        for none in
            ["fe800000000000000000000000000001 04 40 20 80 eth0", "00000000000000000000000000000001 01 80 10 80 lo", ""]
        {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
