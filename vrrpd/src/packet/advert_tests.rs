//! Adverts against what keepalived 2.2.7 really sent: captured on a veth pair, sender 192.168.77.1.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use ipc::config::Secret;
use ipc::config::vrrp::Auth;

const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2));

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn vips(last: &[u8]) -> Vec<IpAddr> {
    last.iter().map(|&n| Ipv4Addr::new(192, 168, 77, n).into()).collect()
}

fn v2<'a>(vrid: u8, priority: u8, addrs: &'a [IpAddr], auth: &Auth) -> Outgoing<'a> {
    Outgoing {
        version: Version::V2,
        vrid,
        priority,
        interval: Duration::from_secs(1),
        addrs,
        auth_type: auth::kind(auth),
        auth_data: auth::data(auth),
        checksum_as_v2: Switch::Off,
    }
}

fn v3<'a>(vrid: u8, priority: u8, centiseconds: u64, addrs: &'a [IpAddr]) -> Outgoing<'a> {
    Outgoing {
        version: Version::V3,
        vrid,
        priority,
        interval: Duration::from_millis(centiseconds * 10),
        addrs,
        auth_type: 0,
        auth_data: [0; 8],
        checksum_as_v2: Switch::Off,
    }
}

/// `vrrp_instance A { state MASTER; virtual_router_id 51; priority 100; advert_int 1;
/// authentication { auth_type PASS; auth_pass 1111 } virtual_ipaddress { 192.168.77.100/24; 192.168.77.101/24 }
/// virtual_ipaddress_excluded { 192.168.77.150/24 } }`
#[test]
fn version_2_with_password() {
    let auth = Auth::Pass(Secret::new(b"1111".to_vec()));
    let addrs = vips(&[100, 101]);
    assert_eq!(
        v2(51, 100, &addrs, &auth).encode(SENDER, GROUP, 255, 1),
        hex("45c0002c00010000ff70cce4c0a84d01e0000012213364020101fb4bc0a84d64c0a84d653131313100000000")
    );
    assert_eq!(
        v2(51, 100, &addrs, &auth).encode(SENDER, GROUP, 255, 2),
        hex("45c0002c00020000ff70cce3c0a84d01e0000012213364020101fb4bc0a84d64c0a84d653131313100000000")
    );
    // On SIGTERM.
    assert_eq!(
        v2(51, 0, &addrs, &auth).encode(SENDER, GROUP, 255, 7),
        hex("45c0002c00070000ff70ccdec0a84d01e00000122133000201015f4cc0a84d64c0a84d653131313100000000")
    );
}

/// `vrrp_instance B { state MASTER; virtual_router_id 52; priority 120; advert_int 1; virtual_ipaddress { 192.168.77.102/24 } }`
#[test]
fn version_2_without_authentication_still_has_eight_bytes_of_it() {
    let addrs = vips(&[102]);
    assert_eq!(
        v2(52, 120, &addrs, &Auth::None).encode(SENDER, GROUP, 255, 1),
        hex("45c0002800010000ff70cce8c0a84d01e000001221347801000158bac0a84d660000000000000000")
    );
    assert_eq!(
        v2(52, 0, &addrs, &Auth::None).encode(SENDER, GROUP, 255, 7),
        hex("45c0002800070000ff70cce2c0a84d01e0000012213400010001d0bac0a84d660000000000000000")
    );
}

/// `vrrp_instance C { version 3; state MASTER; virtual_router_id 53; priority 150; advert_int 0.5;
/// virtual_ipaddress { 192.168.77.103/24; 192.168.77.104/24; 192.168.77.105/24 } }`
#[test]
fn version_3_multicast() {
    let addrs = vips(&[103, 104, 105]);
    assert_eq!(
        v3(53, 150, 50, &addrs).encode(SENDER, GROUP, 255, 1),
        hex("45c0002800010000ff70cce8c0a84d01e00000123135960300322021c0a84d67c0a84d68c0a84d69")
    );
    assert_eq!(
        v3(53, 0, 50, &addrs).encode(SENDER, GROUP, 255, 16),
        hex("45c0002800100000ff70ccd9c0a84d01e0000012313500030032b621c0a84d67c0a84d68c0a84d69")
    );
}

/// `vrrp_instance D { version 3; state MASTER; virtual_router_id 54; priority 200; advert_int 0.5; unicast_src_ip 192.168.77.1
/// unicast_peer { 192.168.77.2; 192.168.77.3 } virtual_ipaddress { 192.168.77.106/24 } }`: both copies have the same id.
#[test]
fn version_3_unicast() {
    let addrs = vips(&[106]);
    let advert = v3(54, 200, 50, &addrs);
    assert_eq!(
        advert.encode(SENDER, PEER, 255, 1),
        hex("45c0002000010000ff709f58c0a84d01c0a84d023136c8010032dcb1c0a84d6a")
    );
    assert_eq!(
        advert.encode(SENDER, Ipv4Addr::new(192, 168, 77, 3).into(), 255, 1),
        hex("45c0002000010000ff709f57c0a84d01c0a84d033136c8010032dcb0c0a84d6a")
    );
}

/// `vrrp_instance E { state MASTER; virtual_router_id 55; priority 90; advert_int 1; unicast_ttl 64; unicast_src_ip 192.168.77.1
/// unicast_peer { 192.168.77.2 } authentication { auth_type PASS; auth_pass secret } virtual_ipaddress { 192.168.77.107/24 } }`
#[test]
fn version_2_unicast_with_its_own_ttl() {
    let auth = Auth::Pass(Secret::new(b"secret".to_vec()));
    assert_eq!(
        v2(55, 90, &vips(&[107]), &auth).encode(SENDER, PEER, 64, 1),
        hex("45c000280001000040705e51c0a84d01c0a84d0221375a0101013966c0a84d6b7365637265740000")
    );
}

/// `vrrp_instance F { version 3; state MASTER; virtual_router_id 56; priority 80; advert_int 1;
/// virtual_ipaddress { 192.168.77.108/24 } }`
#[test]
fn version_3_one_second() {
    assert_eq!(
        v3(56, 80, 100, &vips(&[108])).encode(SENDER, GROUP, 255, 1),
        hex("45c0002000010000ff70ccf0c0a84d01e00000123138500100648214c0a84d6c")
    );
}

const SENDER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

fn vips6(last: &[u16]) -> Vec<IpAddr> {
    last.iter().map(|&n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into()).collect()
}

/// The flow label of keepalived's packets is made up by the kernel.
fn without_flow_label(text: &str) -> Vec<u8> {
    let mut bytes = hex(text);
    (bytes[1], bytes[2], bytes[3]) = (bytes[1] & 0xf0, 0, 0);
    bytes
}

/// `vrrp_instance V6 { state MASTER; virtual_router_id 51; priority 100; advert_int 1;
/// virtual_ipaddress { fe80::51; 2001:db8::51/64 } virtual_ipaddress_excluded { 192.168.77.50/24 } }`
#[test]
fn ipv6_multicast() {
    let mut addrs = vec![IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x51))];
    addrs.extend(vips6(&[0x51]));
    assert_eq!(
        v3(51, 100, 100, &addrs).encode(SENDER6, GROUP6, 255, 1),
        without_flow_label(
            "6c07c334002870fffe8000000000000000\
0000fffe000001ff0200000000000000000000000000123133640200\
64405bfe80000000000000000000000000005120010db8000000000000000000000051"
        )
    );
}

/// `vrrp_instance V6 { version 2; priority 255; virtual_ipaddress { 2001:db8::51/64; 2001:db8::52/64 } }`: what no RFC has.
#[test]
fn ipv6_version_2_has_no_authentication_data() {
    let addrs = vips6(&[0x51, 0x52]);
    let ours = v2(51, 255, &addrs, &Auth::None).encode(SENDER6, GROUP6, 255, 1);
    let vrrp = "2133ff020001868420010db800000000000000000000005120010db8000000000000000000000052";
    assert_eq!(ours[40..], hex(vrrp));
}

/// `vrrp_instance V4 { state BACKUP; virtual_router_id 51; priority 254; authentication { auth_type AH; auth_pass s3cret }
/// virtual_ipaddress { 192.168.77.100/24 } }`, to the group and to a peer.
#[test]
fn authentication_header() {
    let auth = Auth::Ah(Secret::new(b"s3cret".to_vec()));
    let addrs = vips(&[100]);
    let body = v2(51, 254, &addrs, &auth).body(Family::V4);
    let key = auth::ah_key(&auth).unwrap();
    let with = |destination, sequence| {
        let id = u16::try_from(sequence).unwrap();
        let envelope = Envelope {
            source: SENDER,
            destination,
            ttl: 255,
            id,
            sum: Sum::Plain,
            trailer: None,
            ah: Some((&key, sequence)),
        };
        envelope.seal(&body)
    };
    let vrrp = "2133fe010201d0bcc0a84d640000000000000000";
    let expected = |head: &str| hex(&alloc::format!("{head}{vrrp}"));
    assert_eq!(
        with(GROUP, 1),
        expected("45c0004000010000ff33cd0dc0a84d01e000001270040000c0a84d0100000001d8d24800f7cdd4e78e9fd809")
    );
    assert_eq!(
        with(GROUP, 2),
        expected("45c0004000020000ff33cd0cc0a84d01e000001270040000c0a84d01000000021d98838a81de24950c5151f5")
    );
    assert_eq!(
        with(PEER, 1),
        expected("45c0004000010000ff339f75c0a84d01c0a84d0270040000c0a84d0100000001305e068ffb70beda5ff0a469")
    );
}

#[test]
fn more_than_255_addresses_are_cut() {
    let addrs: Vec<IpAddr> = (0..300u32).map(|n| Ipv4Addr::from(0x0a00_0000 + n).into()).collect();
    let packet = v3(1, 100, 100, &addrs).encode(SENDER, GROUP, 255, 1);
    assert_eq!(packet.len(), 20 + 8 + 255 * 4);
    let (_, payload) = ip::split(&packet).unwrap();
    assert_eq!(Incoming::parse(payload, Family::V4).unwrap().addrs().count(), 255);
}

#[test]
fn intervals_saturate_in_their_fields() {
    assert_eq!(seconds(Duration::from_secs(1000)), 255);
    assert_eq!(centiseconds(Duration::from_millis(40_950)), 4095);
    assert_eq!(centiseconds(Duration::from_secs(100)), 4095);
    assert_eq!(centiseconds(Duration::from_millis(19)), 1);
}
