//! `vrrp_instance` and `vrrp_sync_group`.

use crate::common::{bundle, instance, load, problems, problems_of};
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Auth, GarpTiming, Instance, Preemption, Switch, Transport, UnicastSources, Version, Wanted};
use ipc::net::Family;

fn only(lines: &str) -> Instance {
    bundle(instance(lines)).vrrp.instances.rows()[0].clone()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_defaults_are_keepaliveds() {
    let instance = only("");
    assert_eq!((instance.version, instance.priority, instance.wanted), (Version::V2, 100, Wanted::Backup));
    assert_eq!((instance.advert_int, instance.down_timer_adverts), (Duration::from_secs(1), 3));
    assert_eq!(instance.preemption, Preemption::Preempt { delay: Duration::ZERO });
    assert_eq!(instance.transport, Transport::Multicast { group: ip("224.0.0.18") });
    assert_eq!((instance.auth, instance.source), (Auth::None, None));
    let five = Duration::from_secs(5);
    assert_eq!(
        instance.garp,
        GarpTiming {
            repeat: 5,
            delay: five,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: five
        }
    );
}

#[test]
fn state_and_priority_decide_each_other() {
    let start = |lines| {
        let instance = only(lines);
        (instance.wanted, instance.priority)
    };
    assert_eq!(start("state MASTER"), (Wanted::Master, 255));
    assert_eq!(start("state BACKUP"), (Wanted::Backup, 100));
    assert_eq!(start("priority 255"), (Wanted::Master, 255));
    assert_eq!(start("state MASTER\npriority 150"), (Wanted::Master, 150));
    assert_eq!(start("state MASTER\nstate BACKUP\npriority 5"), (Wanted::Master, 5));
    assert_eq!(start("state Master\npriority 300"), (Wanted::Backup, 100));
}

#[test]
fn preemption_is_normalised() {
    let second = Duration::from_secs(1);
    assert_eq!(only("nopreempt").preemption, Preemption::NoPreempt);
    assert_eq!(only("nopreempt\npreempt").preemption, Preemption::Preempt { delay: Duration::ZERO });
    assert_eq!(only("preempt_delay 1").preemption, Preemption::Preempt { delay: second });
    assert_eq!(only("nopreempt\npreempt_delay 1").preemption, Preemption::NoPreempt);
    let master = only("state MASTER\npriority 5\nnopreempt\npreempt_delay 1");
    assert_eq!(master.preemption, Preemption::Preempt { delay: Duration::ZERO });
    assert_eq!(only("priority 255\nnopreempt").preemption, Preemption::Preempt { delay: Duration::ZERO });
}

#[test]
fn the_interval_fits_the_version() {
    let millis = |lines: &str| only(lines).advert_int.as_millis();
    assert_eq!(millis("advert_int 1.4"), 1000);
    assert_eq!(millis("advert_int 1.6"), 2000);
    assert_eq!(millis("advert_int 0.01"), 1000);
    assert_eq!(millis("version 3\nadvert_int 0.014"), 10);
    assert_eq!(millis("version 3\nadvert_int 0.016"), 20);
    assert_eq!(millis("version 3\nadvert_int 100"), 40_950);
    assert_eq!(millis("advert_int 300"), 1000); // out of range: ignored
    assert_eq!(
        problems_of(&instance("advert_int 1.4")),
        ["7:1 warning[V003] `advert_int` 1.4 becomes 1 s in version 2"]
    );
}

#[test]
fn passwords_have_eight_bytes_and_are_for_version_2() {
    let auth = |lines: &str| only(&format!("{lines}\nauthentication {{\nauth_type PASS\nauth_pass 123456789\n}}")).auth;
    assert!(matches!(auth(""), Auth::Pass(secret) if secret.reveal() == b"12345678"));
    assert_eq!(auth("version 3"), Auth::None);
    let without = only("authentication {\nauth_pass abc\n}");
    assert_eq!(without.auth, Auth::None);
}

#[test]
fn a_password_is_in_no_message() {
    let text = instance("authentication {\nauth_type PASS\nauth_pass hushhushhush\nauth_pas hush1 {\n}\n}");
    let compiled = load(text);
    assert_eq!(compiled.diags.list().len(), 2);
    assert!(!format!("{:?}", compiled.diags.list()).contains("hush"));
    assert!(compiled.diags.secrets().len() >= 2);
}

#[test]
fn unicast_needs_a_peer() {
    let lines = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n192.0.2.3 min_ttl 5 max_ttl 10\n192.0.2.2\n}";
    let compiled = load(instance(lines));
    assert_eq!(problems(&compiled), ["11:1 warning[R002] 192.0.2.2 is a peer already"]);
    let bundle = compiled.bundle.unwrap();
    let instance_ = &bundle.vrrp.instances.rows()[0];
    assert_eq!(instance_.source, Some(ip("192.0.2.1")));
    let Transport::Unicast { peers, ttl, sources } = &instance_.transport else { panic!("multicast") };
    let all: Vec<_> = peers.iter().map(|p| (p.addr, p.min_ttl, p.max_ttl)).collect();
    assert_eq!(all, [(ip("192.0.2.2"), 0, 255), (ip("192.0.2.3"), 5, 10)]);
    assert_eq!((*ttl, *sources), (255, UnicastSources::PeersOnly));

    let problems = problems_of(&instance("unicast_src_ip 192.0.2.1\nunicast_ttl 3"));
    assert_eq!(
        problems,
        [
            "7:1 warning[W109] `vrrp_instance A` has no unicast peer and uses multicast",
            "8:1 warning[R005] `unicast_ttl` has no effect without `unicast_peer`"
        ]
    );
}

#[test]
fn addresses_have_options() {
    let text = "vrrp_instance A {
        interface eth0
        virtual_router_id 1
        virtual_ipaddress {
            192.0.2.9
            192.0.2.10/24 dev eth1 brd + scope link label eth1:1
            192.0.2.11/24 brd 192.0.2.200 no_track
            192.0.2.9/24
            192.0.2.12/33
            2001:db8::1
        }
        virtual_ipaddress_excluded {
            192.0.2.13/28 brd - dev ens33 no_track
        }
    }";
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "7:13 warning[W105] with the prefix /24 this address brings a route to its whole subnet: packets to that subnet will leave by `eth0`",
            "8:13 warning[R002] 192.0.2.9 is an address of this instance already",
            "9:13 error[V001] `192.0.2.12/33` is not an address with a prefix of 0 to 32 bits",
            "10:13 error[R005] an advert has addresses of one family only, and this instance speaks IPv4"
        ]
    );
    let bundle = compiled.bundle.unwrap();
    let links: Vec<&str> = bundle.ipvs.links.rows().iter().map(|l| l.name.as_str()).collect();
    assert_eq!(links, ["eth0", "eth1", "ens33"]);
    assert_eq!(bundle.ipvs.links, bundle.vrrp.links);
    let addrs = &bundle.ipvs.instances.rows()[0].addrs;
    let shown: Vec<_> = addrs
        .iter()
        .map(|a| (a.prefix.to_string(), a.link.0, a.broadcast.map(|b| b.to_string()), a.scope, a.label.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("192.0.2.9/32".to_owned(), 0, None, 0, None),
            ("192.0.2.10/24".to_owned(), 1, Some("192.0.2.255".to_owned()), 253, Some("eth1:1".to_owned())),
            ("192.0.2.11/24".to_owned(), 0, Some("192.0.2.200".to_owned()), 0, None),
            ("192.0.2.13/28".to_owned(), 2, Some("192.0.2.0".to_owned()), 0, None),
        ]
    );
    assert_eq!(addrs[1].origin.line, 6);
    let instance = &bundle.vrrp.instances.rows()[0];
    assert_eq!((instance.vips.len(), instance.excluded.len()), (3, 1));
    // Its own interface and eth1; ens33 is not tracked.
    assert_eq!(instance.track_links.iter().map(|t| t.link.0).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn more_addresses_than_an_advert_holds_are_excluded() {
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n~SEQ(I,1,200) 10.0.0.${I}\n~SEQ(I,1,100) 10.0.1.${I}\n}\n}";
    let compiled = load(text);
    assert_eq!(problems(&compiled).len(), 1);
    let bundle = compiled.bundle.unwrap();
    let instance = &bundle.vrrp.instances.rows()[0];
    assert_eq!((instance.vips.len(), instance.excluded.len()), (255, 45));
    assert_eq!(bundle.ipvs.instances.rows()[0].addrs.len(), 300);
}

#[test]
fn addresses_stay_while_no_backup_can_have_taken_over() {
    let hold = |lines: &str| bundle(instance(lines)).ipvs.instances.rows()[0].hold.as_millis();
    assert_eq!(hold(""), 2000);
    assert_eq!(hold("version 3\nadvert_int 0.1\ndown_timer_adverts 5"), 400);
    assert_eq!(hold("down_timer_adverts 1"), 0);
}

#[test]
fn what_an_instance_cannot_do_without_is_fatal() {
    for (text, message) in [
        ("vrrp_instance A {\ninterface eth0\n}", "1:15 fatal[R003] `vrrp_instance A` has no `virtual_router_id`"),
        ("vrrp_instance A {\nvirtual_router_id 1\n}", "1:15 fatal[R003] `vrrp_instance A` has no `interface`"),
        (
            "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nversion 3\n}",
            "1:15 fatal[R003] `vrrp_instance A` has no `virtual_ipaddress`",
        ),
    ] {
        let compiled = load(text);
        assert_eq!(problems(&compiled), [message]);
        assert!(compiled.bundle.is_none());
    }
    let twice = format!("{}{}", instance(""), instance("").replace(" A ", " B "));
    let compiled = load(twice);
    assert_eq!(
        problems(&compiled),
        [
            "11:1 fatal[R009] `virtual_router_id` 1 is used twice on one interface",
            "13:1 warning[W113] 192.0.2.9 is an address of two instances on one interface"
        ]
    );
}

/// COMPAT: keepalived 2.2.7, measured.
#[test]
fn the_first_address_decides_the_family() {
    let with = |inside: &str| {
        format!("vrrp_instance B {{\ninterface eth0\nvirtual_router_id 1\npriority 90\n{inside}\n}}\n{}", instance(""))
    };
    let six =
        "virtual_ipaddress {\nfe80::1\n2001:db8::1/64\n}\nvirtual_ipaddress_excluded {\n192.0.2.77\n2001:db8::2\n}";
    let bundle = bundle(with(six));
    let b = &bundle.vrrp.instances.rows()[0];
    assert_eq!((b.family, b.version), (Family::V6, Version::V3));
    assert_eq!(b.transport, Transport::Multicast { group: ip("ff02::12") });
    assert_eq!((b.vips.len(), b.excluded.len()), (2, 2));
    assert_eq!(bundle.ipvs.instances.rows()[0].addrs.len(), 4);
    // One number on one interface is two routers in two families.
    assert_eq!(bundle.vrrp.instances.len(), 2);

    let alone = |inside: &str| with(inside).replace("_id 1\npriority", "_id 2\npriority");
    let first = |inside: &str| load(alone(inside)).bundle.unwrap().vrrp.instances.rows()[0].clone();
    let four = first("mcast_src_ip 192.0.2.1\nvirtual_ipaddress {\n2001:db8::1\n}\nno_virtual_ipaddress").family;
    assert_eq!(four, Family::V4, "the source stands first");
    let unicast =
        first("unicast_src_ip 2001:db8::1\nunicast_peer {\n2001:db8::2\n}\nvirtual_ipaddress {\n2001:db8::9\n}");
    assert!(matches!(unicast.transport, Transport::Unicast { ttl: 64, .. }), "the kernel's hop limit");
    let two = first("version 2\nvirtual_ipaddress {\n2001:db8::9\n}");
    assert_eq!(two.version, Version::V2, "as keepalived has it, with a warning");
    let strict = first("version 2\nstrict_mode\nvirtual_ipaddress {\nfe80::9\n}");
    assert_eq!(strict.version, Version::V3);

    let other = "virtual_ipaddress {\nfe80::1\n192.0.2.77\n}\nauthentication {\nauth_type AH\nauth_pass abc\n}";
    assert_eq!(
        problems(&load(with(other))),
        [
            "7:1 error[R005] an advert has addresses of one family only, and this instance speaks IPv6",
            "10:1 warning[R005] version 3 has no authentication"
        ]
    );
}

#[test]
fn an_advert_of_ipv6_holds_89_addresses() {
    let lines: String = (1..=95).map(|n| format!("fe80::{n:x}\n")).collect();
    let text = format!(
        "vrrp_instance B {{\ninterface eth0\nvirtual_router_id 2\npriority 90\nvirtual_ipaddress {{\n{lines}}}\n}}\n"
    );
    let b = load(text).bundle.unwrap().vrrp.instances.rows()[0].clone();
    assert_eq!((b.vips.len(), b.excluded.len()), (89, 6));
}

#[test]
fn an_authentication_header_starts_as_backup() {
    let text = instance("state MASTER\npriority 150\nauthentication {\nauth_type AH\nauth_pass s3cret\n}");
    let compiled = load(text);
    let a = &compiled.bundle.as_ref().unwrap().vrrp.instances.rows()[0];
    assert_eq!(a.wanted, Wanted::Backup);
    assert!(matches!(a.auth, Auth::Ah(_)));
}

#[test]
fn global_settings_are_defaults() {
    let text = format!(
        "{}global_defs {{\nvrrp_version 3\nvrrp_garp_master_repeat 2\nvrrp_garp_master_delay 0\nvrrp_mcast_group4 224.0.0.99
         vrrp_down_timer_adverts 4\nvrrp_lower_prio_no_advert\nvrrp_startup_delay 1.5\nv3_checksum_as_v2\n}}\n",
        instance("garp_lower_prio_repeat 1\nhigher_prio_send_advert on")
    );
    let bundle = bundle(text);
    let instance = &bundle.vrrp.instances.rows()[0];
    assert_eq!((instance.version, instance.down_timer_adverts), (Version::V3, 4));
    assert_eq!((instance.garp.repeat, instance.garp.delay), (2, Duration::ZERO));
    assert_eq!((instance.garp.lower_prio_repeat, instance.garp.lower_prio_delay), (1, Duration::ZERO));
    assert_eq!((instance.lower_prio_no_advert, instance.higher_prio_send_advert), (Switch::On, Switch::On));
    assert_eq!(instance.v3_checksum_as_v2, Switch::On);
    assert_eq!(instance.transport, Transport::Multicast { group: ip("224.0.0.99") });
    assert_eq!(bundle.vrrp.startup_delay, Duration::from_millis(1500));
}

#[test]
fn vrf_is_in_the_place_of_an_interface() {
    let unicast = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n";
    let vips = "virtual_ipaddress {\n192.0.2.9/24 dev eth0\n}\n";
    let text = |lines: &str| format!("vrrp_instance A {{\nvirtual_router_id 1\n{lines}}}\n");
    let bundle = bundle(text(&format!("vrf red\n{unicast}{vips}")));
    let instance = &bundle.vrrp.instances.rows()[0];
    let name = |link| bundle.vrrp.links.at(link).unwrap().name.clone();
    assert_eq!(name(instance.link), "red");
    assert_eq!(instance.vips.iter().map(|vip| name(vip.link)).collect::<Vec<_>>(), ["eth0"]);

    let all = |lines: String| problems_of(&text(&lines)).join("\n");
    let both = all(format!("vrf red\ninterface eth0\n{unicast}{vips}"));
    assert!(both.contains("warning[R005] `vrf` is for an instance without `interface`"), "{both}");
    assert!(all(format!("vrf red\n{vips}")).contains("but is not unicast or has no source"));
    let made = all(format!("vrf red\nuse_vmac\n{unicast}{vips}"));
    assert!(made.contains("only `vrf`"), "{made}");
    // The source is an address of one of the VRF's interfaces: looked for on the VRF, it would never be there.
    let tracked = format!("vrf red\ntrack_src_ip\n{unicast}{vips}");
    let warned = all(tracked.clone());
    assert!(warned.contains("warning[R005] `track_src_ip` looks for the source on one interface"), "{warned}");
    assert_eq!(self::bundle(text(&tracked)).vrrp.instances.rows()[0].track_source, Switch::Off);
    let nowhere = vips.replace(" dev eth0", "");
    assert!(all(format!("vrf red\n{unicast}{nowhere}")).contains("no `dev`"));
}

#[test]
fn unicast_with_a_source_has_no_interface_in_keepalived() {
    let lines = "virtual_router_id 1\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n";
    let problems = problems_of(&format!("vrrp_instance A {{\n{lines}}}\n"));
    let expected = "1:15 error[R006] `vrrp_instance A` has no `interface`, without which it cannot be run yet";
    assert_eq!(problems, [expected]);
}
