//! `virtual_server_group`, and the services of groups. The table that keepalived 2.2.7 makes of the first configuration is the
//! one that `Dest::under` gives here.

use crate::common::{load, problems, problems_of};
use ipc::config::ServerGroupIdx;
use ipc::config::ipvs::{Dest, GroupEntry, IpvsConfig, Protocol, ServiceKey};
use ipc::net::Family;

const GROUPS: &str = "virtual_server_group G {
  10.0.0.1 80
  10.0.0.2-3 81
  fwmark 5
  fwmark 7 inet6
  10.1.0.0/31 0
}
virtual_server_group H {
  10.2.0.1 80
  fd00::1-2 82
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 10.9.0.1 {
  }
  real_server 10.9.0.2 90 {
    weight 2
  }
}
virtual_server group H {
  protocol UDP
  lvs_method NAT
  lvs_sched rr
  sorry_server 10.9.0.5 99
  real_server 10.9.0.1 {
  }
  real_server 10.9.0.2 90 {
  }
}
virtual_server group H {
  protocol TCP
  lvs_method TUN
  lvs_sched rr
  real_server 10.9.0.1 {
  }
}
";

/// `PROTOCOL ADDRESS:PORT -> DESTINATION:PORT …`
fn table(config: &IpvsConfig) -> Vec<String> {
    let mut table = Vec::new();
    for (idx, service) in config.services.iter() {
        for key in &service.keys {
            let dests = config.reals.iter().filter(|(_, real)| real.service == idx).map(|(_, real)| real.dest);
            let dests = dests.chain(service.sorry).filter_map(|dest| dest.under(*key));
            let dests: Vec<String> = dests.map(|Dest { addr, port, .. }| format!("{addr} {port}")).collect();
            let name = match key {
                ServiceKey::Addr { addr, port, protocol } => format!("{protocol:?} {addr} {port}"),
                ServiceKey::Fwmark { mark, family } => format!("mark {mark} {family:?}"),
            };
            table.push(format!("{name}: {}", dests.join(", ")));
        }
    }
    table
}

#[test]
fn a_service_of_a_group_is_one_service_with_many_keys() {
    let compiled = load(GROUPS);
    assert_eq!(
        problems(&compiled),
        [
            "12:1 warning[V003] a virtual server of all ports needs persistence; 360 s are taken",
            "18:3 warning[V003] with DR and TUN packets keep their port: no line of the group has port 90",
        ]
    );
    let bundle = compiled.bundle.unwrap();
    assert_eq!(
        table(&bundle.ipvs),
        [
            "Tcp 10.0.0.1 80: 10.9.0.1 80, 10.9.0.2 80",
            "Tcp 10.0.0.2 81: 10.9.0.1 81, 10.9.0.2 81",
            "Tcp 10.0.0.3 81: 10.9.0.1 81, 10.9.0.2 81",
            "mark 5 V4: 10.9.0.1 0, 10.9.0.2 0",
            "mark 7 V6: ",
            "Tcp 10.1.0.0 0: 10.9.0.1 0, 10.9.0.2 0",
            "Tcp 10.1.0.1 0: 10.9.0.1 0, 10.9.0.2 0",
            "Udp 10.2.0.1 80: 10.9.0.1 0, 10.9.0.2 90, 10.9.0.5 99",
            "Udp fd00::1 82: ",
            "Udp fd00::2 82: ",
            "Tcp 10.2.0.1 80: 10.9.0.1 80",
            "Tcp fd00::1 82: 10.9.0.1 82",
            "Tcp fd00::2 82: 10.9.0.1 82",
        ]
    );
    let persistence: Vec<Option<u32>> = bundle.ipvs.services.rows().iter().map(|s| s.persistence).collect();
    assert_eq!(persistence, [Some(360), None, None]);
    let groups: Vec<Option<ServerGroupIdx>> = bundle.ipvs.services.rows().iter().map(|s| s.group).collect();
    assert_eq!(groups, [Some(ServerGroupIdx(0)), Some(ServerGroupIdx(1)), Some(ServerGroupIdx(1))]);
    let mark = GroupEntry::Fwmark { mark: 7, family: Some(Family::V6) };
    assert_eq!(bundle.ipvs.groups.rows()[0].entries[3], mark);
    let labels: Vec<&str> = bundle.check.services.rows().iter().map(|s| s.label.as_str()).collect();
    assert_eq!(labels, ["[G]:0", "[H]:0", "[H]:1"]);
    let labels: Vec<String> = bundle.check.reals.rows().iter().map(|r| r.label.to_string()).collect();
    assert_eq!(labels[..3], ["[10.9.0.1]:tcp:0", "[10.9.0.2]:tcp:90", "[10.9.0.1]:udp:0"]);
}

#[test]
fn a_group_that_cannot_be_used_is_reported_once() {
    let text = "virtual_server_group empty {\n}\nvirtual_server_group both {\n10.0.0.1 80\nfd00::1 80\nfwmark 5\n}
virtual_server group empty {\nprotocol TCP\nreal_server 10.0.0.9 80 {\n}\n}
virtual_server group both {\nprotocol TCP\nreal_server 10.0.0.9 80 {\n}\n}\n";
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "1:1 error[R003] `virtual_server_group empty` has no address and no mark",
            "3:1 error[R003] `virtual_server_group both` has addresses of both families, so its marks need `inet` or `inet6`",
        ]
    );
    assert!(compiled.bundle.unwrap().ipvs.services.is_empty());
}

#[test]
fn a_group_of_marks_needs_no_protocol() {
    let text = "virtual_server_group m {\nfwmark 5\n}
virtual_server group m {\nlvs_method DR\nreal_server fd00::9 80 {\nTCP_CHECK {\n}\n}\n}\n";
    let compiled = load(text);
    assert_eq!(problems(&compiled), [""; 0]);
    let bundle = compiled.bundle.unwrap();
    assert_eq!(bundle.ipvs.services.rows()[0].keys, [ServiceKey::Fwmark { mark: 5, family: Family::V6 }]);
    assert_eq!(bundle.check.reals.rows()[0].label.to_string(), "[fd00::9]:none:80");
    assert_eq!(bundle.check.checkers.rows()[0].target, "[fd00::9]:80".parse().unwrap());
}

#[test]
fn an_address_may_be_shared_with_a_group() {
    let text = "virtual_server_group g {\n10.0.0.1 80\n10.0.0.0/30 80\n}
virtual_server 10.0.0.2 80 {\nprotocol TCP\nlvs_method DR\nreal_server 10.0.0.9 80 {\n}\n}
virtual_server group g {\nprotocol TCP\nlvs_method DR\nreal_server 10.0.0.9 80 {\n}\n}\n";
    let compiled = load(text);
    assert_eq!(problems(&compiled), ["11:1 warning[R002] 1 of the 4 addresses of [g]:0 have a virtual server already"]);
    let key = |n: u8| ServiceKey::Addr { addr: [10, 0, 0, n].into(), port: 80, protocol: Protocol::Tcp };
    let bundle = compiled.bundle.unwrap();
    assert_eq!(bundle.ipvs.services.rows()[1].keys, [key(1), key(0), key(2), key(3)]);
}

#[test]
fn a_flood_of_addresses_is_refused() {
    let service = |protocol: &str| {
        format!("virtual_server group g {{\nprotocol {protocol}\nlvs_method DR\nreal_server 10.0.0.9 80 {{\n}}\n}}\n")
    };
    let lines: String = (0..3).map(|n| format!("10.{n}.0.0/16 80\n")).collect();
    let text = format!("virtual_server_group g {{\n{lines}}}\n{}{}", service("TCP"), service("UDP"));
    assert_eq!(
        problems_of(&text),
        ["12:22 error[R008] `virtual_server_group g` has 196608 addresses, and 65536 more are allowed"]
    );
}
