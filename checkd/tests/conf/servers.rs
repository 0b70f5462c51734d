//! `virtual_server`, `real_server` and checkers.

use crate::common::{bundle, codes, load, problems, problems_of, server};
use checkd::conf::diag::Code;
use core::time::Duration;
use ipc::config::check::{CheckerKind, HttpProtocol};
use ipc::config::ipvs::{Granularity, Method, Protocol, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_defaults_are_keepaliveds() {
    let bundle = bundle(server("", "TCP_CHECK {\n}\nHTTP_GET {\nurl {\npath /\n}\n}"));
    let service = &bundle.ipvs.services.rows()[0];
    let key = ServiceKey::Addr { addr: "192.0.2.9".parse().unwrap(), port: 80, protocol: Protocol::Tcp };
    assert_eq!((&service.keys[..], service.scheduler.as_str(), service.flags), (&[key][..], "wlc", 0));
    assert_eq!((service.persistence, service.granularity, service.sorry), (None, Granularity::WHOLE, None));
    let dest = bundle.ipvs.reals.rows()[0].dest;
    assert_eq!((dest.port, dest.method, dest.weight, dest.upper, dest.lower), (80, Method::Nat, 1, 0, 0));
    let checked = &bundle.check.services.rows()[0];
    assert_eq!((checked.label.as_str(), checked.quorum, checked.hysteresis), ("[192.0.2.9]:tcp:80", 1, 0));
    let real = &bundle.check.reals.rows()[0];
    assert_eq!(
        (real.label.to_string().as_str(), real.inhibit, real.alpha),
        ("[192.0.2.1]:tcp:80", Switch::Off, Switch::Off)
    );
    let [tcp, http] = bundle.check.checkers.rows() else { panic!("two checkers") };
    assert_eq!((tcp.timeout, tcp.delay_loop, tcp.warmup), (5 * SECOND, 60 * SECOND, 60 * SECOND));
    assert_eq!((tcp.retry, tcp.delay_before_retry), (1, SECOND));
    assert_eq!((http.retry, http.delay_before_retry), (1, 3 * SECOND));
    let CheckerKind::Http(http) = &http.kind else { panic!("no HTTP_GET") };
    assert_eq!((http.protocol, http.fast_recovery), (HttpProtocol::V10, Switch::Off));
    assert_eq!((http.urls[0].path.as_str(), http.urls[0].host.as_deref()), ("/", None));
    assert_eq!((&http.urls[0].status[..], http.urls[0].digest), (&[(200, 299)][..], None));
    assert_eq!((bundle.script.services, bundle.script.reals), (1, 1));
}

#[test]
fn the_innermost_setting_counts() {
    let outer =
        "delay_loop 6\nretry 2\nconnect_timeout 7\nwarmup 0\ndelay_before_retry 8\nvirtualhost v\nalpha\nweight 4";
    let inner = "retry 4\nconnect_timeout 9.5\nTCP_CHECK {\nretry 0\nconnect_ip 192.0.2.7\nconnect_port 8080\nbindto 192.0.2.8\n}
        HTTP_GET {\nalpha no\nhttp_protocol 1.1\nurl {\npath /a\nstatus_code 200 301-302\n}\nurl {\npath /b\nvirtualhost u
        digest 0123456789abcdef0123456789ABCDEF\n}\n}";
    let bundle = bundle(server(outer, inner));
    let [tcp, http] = bundle.check.checkers.rows() else { panic!("two checkers") };
    assert_eq!((tcp.retry, tcp.timeout, tcp.warmup), (0, Duration::from_millis(9500), Duration::ZERO));
    assert_eq!((tcp.delay_loop, tcp.delay_before_retry, tcp.alpha), (6 * SECOND, 8 * SECOND, Switch::On));
    assert_eq!((tcp.target, tcp.bind), ("192.0.2.7:8080".parse().unwrap(), Some("192.0.2.8:0".parse().unwrap())));
    assert_eq!((http.retry, http.alpha, http.target), (4, Switch::Off, "192.0.2.1:80".parse().unwrap()));
    let CheckerKind::Http(get) = &http.kind else { panic!("no HTTP_GET") };
    assert_eq!(get.protocol, HttpProtocol::V11);
    assert_eq!(get.urls[0].status, [(200, 200), (301, 302)]);
    assert_eq!(get.urls[0].host.as_deref(), Some("v"));
    assert_eq!(get.urls[1].host.as_deref(), Some("u"));
    assert_eq!(get.urls[1].digest.unwrap()[..3], [0x01, 0x23, 0x45]);
    assert_eq!(bundle.check.reals.rows()[0].weight, 4);
}

/// COMPAT: keepalived 2.2.7.
#[test]
fn a_method_is_for_the_servers_that_follow() {
    let text =
        "virtual_server 192.0.2.9 80 {\nprotocol TCP\nlvs_method DR\nsorry_server 192.0.2.4\nreal_server 192.0.2.1 {\n
        SMTP_CHECK {\nhost {\nretry 4\nalpha\n}\n}\n}\nlvs_method NAT\nreal_server 192.0.2.2 {\n}\n}\n";
    let bundle = bundle(text);
    let methods: Vec<Method> = bundle.ipvs.reals.rows().iter().map(|real| real.dest.method).collect();
    assert_eq!(methods, [Method::Dr, Method::Nat]);
    assert_eq!(bundle.ipvs.services.rows()[0].sorry.unwrap().method, Method::Dr);
    let smtp = &bundle.check.checkers.rows()[0];
    assert_eq!((smtp.retry, smtp.alpha), (4, Switch::On));
}

#[test]
fn every_scheduler_and_method_is_known() {
    for name in ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq", "twos"] {
        for keyword in ["lb_algo", "lvs_sched"] {
            let bundle = bundle(server(&format!("{keyword} {name}"), ""));
            assert_eq!(bundle.ipvs.services.rows()[0].scheduler, name);
        }
    }
    for (name, method) in
        [("NAT", Method::Nat), ("DR", Method::Dr), ("TUN", Method::Tun), ("TUN type ipip", Method::Tun)]
    {
        let text = server("", "").replace("lvs_method NAT", &format!("lb_kind {name}"));
        assert_eq!(bundle(&text).ipvs.reals.rows()[0].dest.method, method);
        assert_eq!(problems_of(&text), [""; 0]);
    }
    assert_eq!(
        problems_of(&server("lb_algo rrr", ""))[0].split(": `").next(),
        Some("4:9 error[V001] `rrr` is not a scheduler")
    );
}

#[test]
fn scheduler_flags() {
    let flags = |lines: &str| bundle(server(lines, "")).ipvs.services.rows()[0].flags;
    assert_eq!(flags("lvs_sched sh\nsh-port\nsh-fallback"), 0x18);
    assert_eq!(flags("flag-3"), 0x20);
    assert_eq!(flags("sh-port\nlvs_sched sh"), 0); // COMPAT: only after it
    assert_eq!(flags("ops"), 0);
    let udp = server("ops", "").replace("TCP", "udp");
    assert_eq!(bundle(udp).ipvs.services.rows()[0].flags, 0x04);
}

#[test]
fn persistence() {
    let of = |lines: &str| {
        let bundle = bundle(server(lines, ""));
        let service = &bundle.ipvs.services.rows()[0];
        (service.persistence, service.granularity.mask)
    };
    assert_eq!(of("persistence_timeout"), (Some(360), u32::MAX));
    assert_eq!(of("persistence_timeout 50\npersistence_granularity 255.255.255.0"), (Some(50), 0xffff_ff00));
    assert_eq!(of("persistence_granularity 255.255.0.0"), (Some(360), 0xffff_0000));
    assert_eq!(of("persistence_timeout 0"), (None, u32::MAX));
    let any = server("", "").replace("192.0.2.9 80", "192.0.2.9");
    assert_eq!(bundle(any).ipvs.services.rows()[0].persistence, Some(360));
}

#[test]
fn ports_of_real_servers_are_normalised() {
    let port = |kind: &str, real: &str, head: &str| {
        let text = format!("{head} {{\nlvs_method {kind}\nprotocol TCP\nreal_server 192.0.2.1 {real} {{\n}}\n}}\n");
        bundle(text).ipvs.reals.rows()[0].dest.port
    };
    let server = "virtual_server 192.0.2.9 80";
    assert_eq!(port("NAT", "8080", server), 8080);
    assert_eq!(port("NAT", "", server), 80);
    assert_eq!(port("NAT", "0", server), 80);
    assert_eq!(port("DR", "8080", server), 80);
    assert_eq!(port("TUN", "", server), 80);
    assert_eq!(port("DR", "80", "virtual_server fwmark 5"), 0);
    assert_eq!(port("NAT", "80", "virtual_server fwmark 5"), 80);
}

#[test]
fn thresholds_that_the_kernel_refuses_are_left_out() {
    let of = |lines: &str| {
        let compiled = load(server("", lines));
        let dest = compiled.bundle.as_ref().unwrap().ipvs.reals.rows()[0].dest;
        (dest.upper, dest.lower, problems(&compiled).len())
    };
    assert_eq!(of("uthreshold 5\nlthreshold 4"), (5, 4, 0));
    assert_eq!(of("uthreshold 5\nlthreshold 5"), (5, 5, 0));
    assert_eq!(of("uthreshold 5\nlthreshold 6"), (5, 0, 1));
    assert_eq!(of("lthreshold 6"), (0, 0, 1));
}

#[test]
fn firewall_marks() {
    let text = "virtual_server fwmark 5 {\nlvs_method NAT\nsorry_server 192.0.2.7 80\nreal_server 192.0.2.1 80 {\nTCP_CHECK {\n}\n}
        real_server 192.0.2.2 {\nTCP_CHECK {\n}\n}\n}\nvirtual_server fwmark 6 {\nip_family inet6\nlvs_method DR\nreal_server 2001:db8::1 {\n}\n}";
    let compiled = load(text);
    assert_eq!(problems(&compiled), ["9:1 error[R003] this checker does not know which port to connect to"]);
    let bundle = compiled.bundle.unwrap();
    assert_eq!(bundle.ipvs.services.rows()[0].keys, [ServiceKey::Fwmark { mark: 5, family: Family::V4 }]);
    assert_eq!(bundle.ipvs.services.rows()[1].keys, [ServiceKey::Fwmark { mark: 6, family: Family::V6 }]);
    assert_eq!(bundle.check.services.rows()[0].label, "FWM 5");
    assert_eq!(bundle.check.services.rows()[0].sorry.as_deref(), Some("[192.0.2.7]:none:80"));
    assert_eq!(bundle.check.reals.rows()[0].label.to_string(), "[192.0.2.1]:none:80");
    assert_eq!(bundle.check.checkers.rows()[0].target, "192.0.2.1:80".parse().unwrap());
}

#[test]
fn quorum_is_at_most_what_there_is() {
    let of = |lines: &str| {
        let bundle = bundle(server(lines, "weight 3"));
        let service = &bundle.check.services.rows()[0];
        (service.quorum, service.hysteresis)
    };
    assert_eq!(of("quorum 2\nhysteresis 1"), (2, 1));
    assert_eq!(of("quorum 9\nhysteresis 9"), (3, 2));
    assert_eq!(of("hysteresis 1"), (1, 0));
}

#[test]
fn sorry_servers() {
    let text = server("sorry_server 192.0.2.5 8080\nsorry_server_inhibit\nsorry_server 192.0.2.6", "");
    assert_eq!(codes(&text), [Code::REPEATED]);
    let bundle = bundle(text);
    let service = &bundle.ipvs.services.rows()[0];
    let sorry = service.sorry.unwrap();
    assert_eq!((sorry.addr.to_string().as_str(), sorry.port, sorry.weight), ("192.0.2.5", 8080, 1));
    assert_eq!(service.sorry_inhibit, Switch::On);
    assert_eq!(bundle.check.services.rows()[0].sorry.as_deref(), Some("[192.0.2.5]:tcp:8080"));
    let early = server("sorry_server_inhibit\nsorry_server 192.0.2.5", "");
    assert_eq!(codes(&early), [Code::CONFLICT]);
}

#[test]
fn scripts_of_servers() {
    let text = server("quorum_up /bin/u\nquorum_down \"/bin/d x\"", "notify_up /bin/a\nnotify_down /bin/b");
    let bundle = bundle(text);
    let labels: Vec<&str> = bundle.script.scripts.rows().iter().map(|s| s.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "quorum_up of virtual_server [192.0.2.9]:tcp:80",
            "quorum_down of virtual_server [192.0.2.9]:tcp:80",
            "notify_up of real_server [192.0.2.1]:tcp:80",
            "notify_down of real_server [192.0.2.1]:tcp:80"
        ]
    );
    let real = &bundle.check.reals.rows()[0];
    assert_eq!((real.notify_up.unwrap().0, real.notify_down.unwrap().0), (2, 3));
}

#[test]
fn what_cannot_be_served_is_left_out() {
    let text = "virtual_server 192.0.2.9 80 {\nprotocol TCP\n}
virtual_server group g {\nprotocol TCP\nreal_server 192.0.2.1 80 {\n}\n}
virtual_server 192.0.2.10 80 {\nlvs_method DR\nprotocol TCP
real_server 192.0.2.1 8080 {\nweight 5\n}\nreal_server 192.0.2.1 80 {\n}\nreal_server 2001:db8::1 80 {\n}\n}
virtual_server 192.0.2.10 80 {\nlvs_method DR\nprotocol TCP\nreal_server 192.0.2.3 80 {\n}\n}
";
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "1:1 error[R003] virtual server [192.0.2.9]:tcp:80 has no `real_server`",
            "4:22 error[R001] there is no `virtual_server_group g`",
            "12:1 warning[V003] with DR and TUN packets keep their port: 8080 becomes 80",
            "15:1 error[R002] real server [192.0.2.1]:tcp:80 is in this virtual server already",
            "17:1 error[R005] 2001:db8::1 is not of the address family of its virtual server",
            "20:1 warning[R002] virtual server [192.0.2.10]:tcp:80 is there already"
        ]
    );
    let bundle = compiled.bundle.unwrap();
    assert_eq!((bundle.ipvs.services.len(), bundle.ipvs.reals.len()), (1, 1));
    assert_eq!((bundle.check.services.len(), bundle.check.reals.len()), (1, 1));
}

#[test]
fn an_address_without_protocol_is_udp() {
    let text = server("", "").replace("protocol TCP\n", "");
    assert_eq!(problems_of(&text), ["1:1 error[R003] this virtual server has no `protocol`; it is taken as UDP"]);
    assert_eq!(bundle(text).check.services.rows()[0].label, "[192.0.2.9]:udp:80");
}

#[test]
fn urls_need_a_path() {
    let text = server(
        "",
        "HTTP_GET {\nurl {\nstatus_code 99 200\n}\nurl {\npath \"/a b\"\n}\n}\nSSL_GET {\nurl {\npath /\n}\n}",
    );
    assert_eq!(
        problems_of(&text),
        [
            "6:1 error[R003] `HTTP_GET` has no `url` to ask for",
            "7:1 error[R003] this `url` has no `path`",
            "8:13 error[V001] `99` is not a status code from 100 to 599 or a range of them",
            "10:1 error[R003] this `url` has no `path`",
            "11:7 error[V001] `/a b` is not a path without blanks (write %20)",
        ]
    );
    assert_eq!(bundle(text).check.checkers.len(), 1, "SSL_GET has its page");
}

#[test]
fn mail_about_real_servers_needs_a_server_and_a_recipient() {
    let mail = "global_defs {\nsmtp_server 192.0.2.3\nnotification_email {\na@example.org b@example.org\n}\n}\n";
    assert_eq!(problems_of(mail), [""; 0]);
    let text = format!("{mail}{}", server("", ""));
    assert_eq!(problems_of(&text), [""; 0]);
    assert_eq!(bundle(text).check.mail.to, ["a@example.org", "b@example.org"]);
}
