//! Routes and rules of instances and static ones, static addresses, options of addresses.

use std::collections::BTreeSet;
use std::time::Duration;
use tests::alone::{Alone, SOON, Shown, master};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::monitor::Monitor;

const ROUTES: &str = " virtual_routes {
  10.60.0.0/16 via 10.9.0.2 dev ens33
  10.61.0.0/16 via 10.9.0.2 dev ens33 metric 5 mtu 1400 src 10.9.0.1
  10.62.0.0/16 nexthop via 10.9.0.2 weight 3 nexthop via 10.9.0.3
  blackhole 10.63.0.0/16
  10.64.0.0/16 dev ens33 table 64 scope link
  10.65.0.0/16 via 10.9.0.2 dev ens33 no_track tos 0x10
  unreachable 10.66.0.0/16 table 6400
  10.67.0.0/16 via 10.9.9.9 dev ens33 onlink mtu lock 1300 advmss 1200 initcwnd 9 rto_min lock 250ms congctl cubic
  10.68.0.0/16 via 10.9.0.2 dev ens33 realms 4 hoplimit 9 quickack 1 features ecn
  prohibit 10.70.0.0/16
  throw 10.71.0.0/16 table 64
  local 10.72.0.0/16 dev ens33 table 64 scope host
  10.73.0.0/16 encap ip id 5 dst 10.9.0.2 ttl 7 dev ens33
  10.74.0.0/16 via 10.9.0.2 dev ens33 protocol 99 no_track
  default via 10.9.0.3 dev ens33 metric 900
  fd60::/64 via fd00::2 dev ens33
  fd61::/64 dev ens33 metric 77 pref high
  fd62::/64 nexthop via fd00::2 weight 2 nexthop via fd00::3
  fd63::/64 from fd64::/64 dev ens33
  fd65::/64 encap ip6 id 5 dst fd00::2 hoplimit 7 dev ens33
 }
";

const RULES: &str = " virtual_rules {
  from 10.60.0.0/16 table 60 iif ens33
  fwmark 7/0xff table 61
  to fd60::/64 table 62 preference 300
  from 10.1.0.0/16 unreachable preference 301 oif ens33
  from 10.3.0.0/16 table 6400 suppress_prefixlength 0 preference 302 no_track tos 0x10
  from 10.4.0.0/16 goto 400 preference 303
  from 10.5.0.0/16 nop preference 400
  uidrange 100-200 table 65 preference 401
  to 10.6.0.0/16 blackhole preference 402
  from 10.8.0.0/16 table 69 preference 407 realms 3/4
  from all sport 80-90 dport 100-100 ipproto 6 table 66 preference 403 inet
  tunnel-id 77 prohibit preference 404
  from all suppress_ifgroup 5 table 67 preference 405
 }
";

const ADDRESSES: &str = " virtual_ipaddress_excluded {
  10.9.4.1 peer 10.9.4.2
  10.9.3.1/32 scope link label ens33:a
  10.9.6.1/24 brd + noprefixroute
  fd00::5/64
  fd00::6/128 preferred_lft forever
  fd00::7/64 -nodad home
  fd00::8/64 preferred_lft 100 mngtmpaddr
  fd00::9/128
 }
";

const STATICS: &str = "static_ipaddress {
  10.9.7.1/24 dev ens33
  10.9.8.1/32 dev ens33 label ens33:s
  fd07::1/64 dev ens33
}
static_routes {
  10.77.0.0/16 via 10.9.0.2 dev ens33
  10.78.0.0/16 via 10.9.7.2 no_track
}
static_rules {
  from 10.50.0.0/16 table 50 iif ens33
  to 10.51.0.0/16 table 51 no_track preference 100
}
";

/// What a program makes of a file, and what is left when it has ended.
fn pictures(program: Program, config: &str) -> Outcome<(BTreeSet<String>, BTreeSet<String>, Alone)> {
    let alone = Alone::new()?;
    let mut daemon = Daemon::start(program, &alone.host, config)?;
    daemon.wait_log("Entering MASTER STATE", Duration::from_secs(20))?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    std::thread::sleep(Duration::from_millis(500));
    let during = alone.picture()?;
    daemon.terminate()?;
    let after = alone.picture()?;
    Ok((during, after, alone))
}

#[test]
fn the_kernel_holds_the_same_as_with_keepalived() -> Outcome {
    let config = [STATICS, &master(&[ROUTES, RULES, ADDRESSES].concat())].concat();
    let (theirs, left, _lan) = pictures(Program::Keepalived, &config)?;
    let (ours, nothing, alone) = pictures(Program::Holdfast, &config)?;
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    // IFA_PROTO, which keepalived has set since 2.3.
    let plain = |line: String| line.replace(" proto keepalived ens33", " ens33").replace(" proto 0x12", "");
    let ours: BTreeSet<String> = ours.into_iter().map(plain).collect();
    assert_eq!((only(&theirs, &ours), only(&ours, &theirs)), (vec![], vec![]));
    // keepalived 2.2.7 cannot remove an address with a peer: it names the address itself as the other end.
    assert!(left.iter().any(|line| line.contains("peer")), "{left:?}");
    assert_eq!(nothing, alone.empty, "left when it had ended");
    Ok(())
}

/// What keepalived 2.2.7 cannot read, or reads another way.
#[test]
fn routes_and_rules_that_keepalived_gets_wrong() -> Outcome {
    let alone = Alone::new()?;
    let blocks = " virtual_routes {
  10.60.0.0/16 via inet6 fe80::99 dev ens33
  10.61.0.0/16 via 10.9.0.2 dev ens33 rtt 100
 }
 virtual_rules {
  not from 10.1.0.0/16 table 70 preference 301
  iif missing0 table 71 preference 302 no_track
  sport 80 table 72 preference 303
 }
 virtual_ipaddress_excluded {
  10.9.5.1 peer 10.9.5.2/30
 }
";
    let mut daemon = alone.start(&master(blocks))?;
    alone.wait_shows(
        "-d -o -4 route",
        Shown::All,
        &[
            "10.60.0.0/16 via inet6 fe80::99 dev ens33",
            "10.61.0.0/16 via 10.9.0.2 dev ens33 proto keepalived scope global rtt 100ms",
        ],
    )?;
    let rules = [
        "301: not from 10.1.0.0/16 lookup 70",
        "302: from all iif missing0 [detached] lookup 71",
        "303: from all sport 80 lookup 72",
    ];
    alone.wait_shows("rule", Shown::All, &rules)?;
    alone.wait_shows("-o addr show ens33", Shown::All, &["inet 10.9.5.1 peer 10.9.5.2/30"])?;
    daemon.terminate()?;
    assert_eq!(alone.picture()?, alone.empty);
    Ok(())
}

#[test]
fn what_somebody_else_removes_is_put_back_and_said() -> Outcome {
    let alone = Alone::new()?;
    let daemon = alone.start(&[STATICS, &master(&[ROUTES, RULES].concat())].concat())?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    let things = [
        ("-4 route", "10.60.0.0/16", "route del 10.60.0.0/16", "(VI_1) route 10.60.0.0/16 via 10.9.0.2 dev ens33"),
        ("-4 route", "10.62.0.0/16", "route del 10.62.0.0/16", "(VI_1) route 10.62.0.0/16 via 10.9.0.2 via 10.9.0.3"),
        ("-6 route", "fd61::/64", "route del fd61::/64", "(VI_1) route fd61::/64 dev ens33 metric 77"),
        ("-4 rule", "lookup 61", "rule del table 61", "(VI_1) rule 16382: fwmark 7 table 61"),
        ("-4 route", "10.77.0.0/16", "route del 10.77.0.0/16", "(static) route 10.77.0.0/16 via 10.9.0.2 dev ens33"),
        ("-4 addr", "10.9.7.1/24", "addr del 10.9.7.1/24 dev ens33", "(static) 10.9.7.1/24 on ens33"),
    ];
    for (show, line, remove, said) in things {
        alone.host.netns.ip(remove)?;
        daemon.wait_log(&format!("{said} was removed by somebody else and has been put back"), SOON)?;
        alone.wait_shows(show, Shown::All, &[line])?;
    }
    // The second time it takes a second, the third two.
    alone.host.netns.ip("rule del table 61")?;
    std::thread::sleep(Duration::from_millis(300));
    alone.wait_shows("-4 rule", Shown::None, &["lookup 61"])?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    // 10.78.0.0/16 went with 10.9.7.1, of which the kernel says nothing.
    alone.wait_shows("-4 route", Shown::All, &["10.78.0.0/16 via 10.9.7.2"])
}

#[test]
fn what_a_crash_left_is_removed_at_the_start_and_static_things_stay() -> Outcome {
    let alone = Alone::new()?;
    let config = [STATICS, &master(&[ROUTES, RULES, ADDRESSES].concat())].concat();
    let mut daemon = alone.start(&config)?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    daemon.kill_all()?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    let waiting = config.replace("state MASTER", "state BACKUP\n advert_int 20");
    let mut daemon = alone.start(&waiting)?;
    alone.wait_shows("-4 rule", Shown::None, &["lookup 61"])?;
    alone.wait_shows(
        "-4 route show table all",
        Shown::None,
        &["10.60.0.0/16", "10.62.0.0/16", "10.66.0.0/16", "10.74.0.0/16"],
    )?;
    alone.wait_shows("-6 route", Shown::None, &["fd60::/64", "fd62::/64"])?;
    alone.wait_shows("-4 route", Shown::All, &["10.77.0.0/16", "10.78.0.0/16"])?;
    daemon.terminate()?;
    assert_eq!(alone.picture()?, alone.empty);
    Ok(())
}

#[test]
fn a_reload_touches_what_it_changes_and_nothing_else() -> Outcome {
    let alone = Alone::new()?;
    let config = [STATICS, &master(&[ROUTES, RULES].concat())].concat();
    let daemon = alone.start(&config)?;
    alone.wait_shows("-4 rule", Shown::All, &["lookup 61"])?;
    let before = alone.picture()?;
    let monitor = Monitor::of(&alone.host, &["route", "rule", "address"])?;
    let next = config
        .replace("metric 5 mtu 1400", "metric 5 mtu 1300")
        .replace("  10.60.0.0/16 via 10.9.0.2 dev ens33\n", "  10.59.0.0/16 via 10.9.0.2 dev ens33\n")
        .replace("preference 301", "preference 299")
        .replace("10.77.0.0/16 via 10.9.0.2", "10.77.0.0/16 via 10.9.0.3");
    daemon.reload(&next)?;
    alone.wait_shows("-4 route", Shown::All, &["10.59.0.0/16", "10.77.0.0/16 via 10.9.0.3", "metric 5 mtu 1300"])?;
    alone.wait_shows("-4 rule", Shown::All, &["299: from 10.1.0.0/16"])?;
    alone.wait_shows("-4 route", Shown::None, &["10.60.0.0/16", "10.77.0.0/16 via 10.9.0.2", "metric 5 mtu 1400"])?;
    alone.wait_shows("-4 rule", Shown::None, &["301:"])?;
    std::thread::sleep(Duration::from_millis(300));
    let mut changes = monitor.lines()?;
    changes.retain(|line| !line.contains("fe80::"));
    let expected = ["10.59.0.0/16", "10.60.0.0/16", "10.61.0.0/16", "10.77.0.0/16", "10.1.0.0/16"];
    let others: Vec<&String> = changes.iter().filter(|line| !expected.iter().any(|e| line.contains(e))).collect();
    assert_eq!(others, Vec::<&String>::new());
    assert_eq!(changes.len(), 8, "each of four once away and once back: {changes:#?}");
    daemon.reload(&config)?;
    wait_until("everything is as before", SOON, || Ok(alone.picture()? == before))
}

#[test]
fn routes_come_back_with_their_interface() -> Outcome {
    let alone = Alone::new()?;
    let lines = [STATICS, "static_routes {\n fd77::/64 via fd07::2 dev ens33\n}\n"].concat();
    let daemon = alone.start(&[&lines, &master(&[ROUTES, ADDRESSES].concat())[..]].concat())?;
    alone.wait_shows("-4 route", Shown::All, &["10.60.0.0/16", "10.77.0.0/16"])?;
    alone.wait_shows("-6 route", Shown::All, &["fd77::/64"])?;
    alone.host.netns.ip("link set ens33 down")?;
    daemon.wait_log("Entering FAULT STATE", SOON)?;
    alone.wait_shows("-4 route", Shown::None, &["10.77.0.0/16"])?;
    alone.host.netns.ip("link set ens33 up")?;
    alone.wait_shows("-4 route", Shown::All, &["10.77.0.0/16", "10.78.0.0/16"])?;
    alone.wait_shows("-6 route", Shown::All, &["fd77::/64"])?;
    alone.wait_shows("-4 route", Shown::All, &["10.60.0.0/16"])?;
    let log = daemon.log();
    assert!(!log.contains("removed by somebody else"), "{log}");
    Ok(())
}
