//! The dumps against what keepalived 2.2.7 writes for one instance that is master.

use core::net::Ipv4Addr;
use ipc::config::vrrp::{Instance, Version};
use ipc::msg::control::DumpKind;
use tests::router::{Bench, config, instance, peer_advert};
use vrrpd::io::{Action, Event};

fn dump(bench: &mut Bench, kind: DumpKind) -> String {
    match bench.event(Event::Dump(kind)) {
        [Action::Dump(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn master() -> Bench {
    let mut bench = Bench::one(instance(51, 100));
    bench.to_master();
    bench.expire();
    bench
}

#[test]
fn stats_as_keepalived_writes_them() {
    let expected = "\
VRRP Instance: VI_51
  Advertisements:
    Received: 0
    Sent: 2
  Became master: 1
  Released master: 0
  Packet Errors:
    Length: 0
    TTL: 0
    Invalid Type: 0
    Advertisement Interval: 0
    Address List: 0
  Authentication Errors:
    Invalid Type: 0
    Type Mismatch: 0
    Failure: 0
  Priority Zero:
    Received: 0
    Sent: 0
";
    let mut bench = master();
    assert_eq!(dump(&mut bench, DumpKind::StatsClear), expected);
    assert!(dump(&mut bench, DumpKind::Stats).contains("Became master: 0"));
}

#[test]
fn json_has_the_keys_that_exporters_read() {
    let text = dump(&mut master(), DumpKind::Json);
    for part in [
        "[{\"data\":{\"iname\":\"VI_51\",\"vmac_ifname\":\"\",",
        "\"ifp_ifname\":\"eth0\",",
        "\"adver_int\":1,",
        "\"garp_delay\":5,",
        "\"vrid\":51,",
        "\"base_priority\":100,",
        "\"state\":2,\"wantstate\":2,\"version\":2,",
        "\"vipset\":true,",
        "\"nopreempt\":false,",
        "\"vips\":[\"10.0.51.100 dev eth0 set\"],\"evips\":[],\"auth_type\":0},",
        "\"stats\":{\"advert_rcvd\":0,\"advert_sent\":2,\"become_master\":1,",
        "\"auth_ext_missing\":0,",
        "\"rfc6527\":{\"vrrpv3StatisticsMasterTransitions\":1,\"vrrpv3StatisticsRcvdAdvertisements\":0,",
        "\"vrrpv3StatisticsPacketLengthErrors\":0}}}]\n",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn data_names_state_and_reasons() {
    let mut bench = master();
    let text = dump(&mut bench, DumpKind::Data);
    for line in [" VRRP Instance = VI_51", "   State = MASTER", "   Virtual Router ID = 51", "   Virtual IP (1):"] {
        assert!(text.lines().any(|have| have == line), "{line} is not in {text}");
    }
    bench.ipvs(ipc::msg::vips::IpvsToVrrp::LinkGone { name: "eth0".into() });
    assert!(dump(&mut bench, DumpKind::Data).contains("   Fault: interface eth0 does not exist"));
}

#[test]
fn json_version_2_wraps_version_1() {
    let mut conf = config(vec![instance(51, 100)]);
    let one = dump(&mut Bench::start(conf.clone()), DumpKind::Json);
    conf.globals.json_version = 2;
    let two = dump(&mut Bench::start(conf), DumpKind::Json);
    let router = "{\"vrrpv3RouterChecksumErrors\":0,\"vrrpv3RouterVersionErrors\":0,\"vrrpv3RouterVrIdErrors\":0}";
    let rest = format!("\"track_process\":[],\"bfd\":[],\"router\":{router}");
    assert_eq!(two, format!("{{\"vrrp\":{},{rest}}}\n", one.trim_end()));
}

/// RFC 6527 §3: of the router, whoever the packets were for; a reload without the instance takes nothing back.
#[test]
fn errors_of_the_router_count_strangers_and_outlive_instances() {
    // In version 2 another version has another length, which is what is counted then.
    let [ours, gone, stranger] = [51, 52, 99].map(|vrid| Instance { version: Version::V3, ..instance(vrid, 100) });
    let two = |instances| {
        let mut conf = config(instances);
        conf.globals.json_version = 2;
        conf
    };
    let mut bench = Bench::start(two(vec![ours.clone(), gone.clone()]));
    for conf in [&gone, &stranger] {
        let good = peer_advert(conf, 90, Ipv4Addr::new(10, 0, 0, 2));
        let (mut version, mut sum) = (good.clone(), good.clone());
        version[20] = 0x71;
        sum[26] ^= 1;
        for bytes in [good, version, sum] {
            bench.event(Event::Packet { ifindex: 2, bytes });
        }
    }
    let expected =
        "\"router\":{\"vrrpv3RouterChecksumErrors\":2,\"vrrpv3RouterVersionErrors\":2,\"vrrpv3RouterVrIdErrors\":3}";
    let text = dump(&mut bench, DumpKind::Json);
    assert!(text.contains(expected), "{text}");
    bench.reload(two(vec![ours]));
    let text = dump(&mut bench, DumpKind::Json);
    assert!(text.contains(expected), "{text}");
}
