//! What a client gets through virtual addresses: pages behind TLS, names over UDP and TCP, SCTP; by direct routing and by address translation, in
//! both families; and by marks that the packet filter gives.

use super::town::{ALIVE, DIRECT, Family, MARKED, SCTP_PORT, TRANSLATED, Town, virtual_server};
use super::{Outcome, SETTLED};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Failure, wait_until};
use tests::netns::run;
use tests::pair::with_log;

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Methods, virtual addresses, and whether the way back leads through the director.
const WAYS: [(&str, u8); 2] = [("DR", DIRECT), ("NAT", TRANSLATED)];

/// The addresses of the first two real servers, with a port.
fn reals(family: Family, port: u16) -> Vec<SocketAddr> {
    [12, 13].map(|last| SocketAddr::new(family.on_lan(last), port)).to_vec()
}

fn config() -> String {
    let page = "SSL_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 5\n }";
    let name = "DNS_CHECK {\n type A\n name who.test\n connect_timeout 5\n }";
    let mut text = Vrrp::master(100)
        .addresses(&["192.168.154.188", "192.168.154.189", "192.168.154.190"])
        .line("virtual_ipaddress_excluded {\n fd00:9::188\n fd00:9::189\n fd00:9::190\n }")
        .to_string();
    for family in FAMILIES {
        for (method, vip) in WAYS {
            let vip = family.on_lan(vip);
            // Nobody translates the answer to one packet.
            let datagrams = if method == "DR" { "ops" } else { "" };
            for (port, protocol, more, check) in [
                (443, "TCP", "", page),
                (53, "TCP", "", name),
                (53, "UDP", datagrams, name),
                (SCTP_PORT, "SCTP", "", ALIVE),
            ] {
                let more = format!("protocol {protocol}\n lvs_sched rr\n lvs_method {method}\n {more}");
                text += &virtual_server(&format!("{vip} {port}"), &more, &reals(family, port), check);
            }
        }
        let (mark, more) = match family {
            Family::V4 => (9, ""),
            Family::V6 => (10, "ip_family inet6"),
        };
        let more = format!("lvs_sched rr\n lvs_method DR\n persistence_timeout 60\n {more}");
        text += &virtual_server(&format!("fwmark {mark}"), &more, &reals(family, 0), ALIVE);
    }
    text
}

/// The client hears from two servers, one after the other.
fn both<T: Ord + std::fmt::Debug>(what: &str, mut ask: impl FnMut() -> Outcome<T>) -> Outcome {
    let (mut heard, mut refused) = (BTreeSet::new(), None);
    wait_until(what, SETTLED, || {
        match ask() {
            Ok(answer) => drop(heard.insert(answer)),
            Err(failure) => refused = Some(failure),
        }
        Ok(heard.len() == 2)
    })
    .map_err(|failure| Failure::new(format!("{failure}; heard {heard:?}, refused {refused:?}")))
}

/// All that is served at the virtual address of a method and family.
fn served(town: &Town, method: &str, vip: IpAddr, from: IpAddr) -> Outcome {
    let at = |port| SocketAddr::new(vip, port);
    both(&format!("{method}: both pages of {vip} behind TLS"), || {
        let (of, page) = town.secret_page(from, at(443))?;
        assert_eq!(of, page, "the certificate is that of the server which answers");
        Ok(page)
    })?;
    both(&format!("{method}: both names of {vip} by UDP"), || town.name_by_udp(from, at(53)))?;
    both(&format!("{method}: both names of {vip} by TCP"), || town.name_by_tcp(from, at(53)))?;
    both(&format!("{method}: both names of {vip} by SCTP"), || town.name_by_sctp(from, at(SCTP_PORT)))?;
    println!("{method} {vip}: served");
    Ok(())
}

/// A service by mark holds all that gets the mark: a client's pages of both kinds come from one server, another client's from the other. Direct
/// routing: the way back of the far addresses leads through the director, which has the virtual address itself and takes no answer of it.
fn served_by_mark(town: &Town, family: Family) -> Outcome {
    let at = |port| SocketAddr::new(family.on_lan(MARKED), port);
    let mut clients = [family.on_lan(100), family.on_lan(101)].into_iter();
    both(&format!("both pages by mark of {family:?}"), || {
        let Some(from) = clients.next() else { return Err(Failure::new("both clients have one server")) };
        let page = town.page(from, at(80))?;
        assert_eq!(town.secret_page(from, at(443))?, (page.clone(), page.clone()), "{from} stays with its server");
        assert_eq!(town.page(from, at(80))?, page, "{from} stays with its server");
        Ok(page)
    })?;
    println!("{family:?}: served by mark");
    Ok(())
}

#[test]
fn pages_behind_tls_names_and_sctp() -> Outcome {
    let town = Town::new()?;
    let marks = "table inet marks {\n chain first {\n type filter hook prerouting priority mangle;\n ip daddr 192.168.154.190 tcp dport { 80, 443 } meta \
                 mark set 9\n ip6 daddr fd00:9::190 tcp dport { 80, 443 } meta mark set 10\n }\n}\n";
    run(town.director.netns.command("nft").arg(marks))?;
    let mut daemon = Daemon::start(Program::under_test(), &town.director, &config())?;
    let all = || -> Outcome {
        for family in FAMILIES {
            for (method, vip) in WAYS {
                let from = if vip == DIRECT { family.on_lan(100) } else { family.afar(0, 1) };
                served(&town, method, family.on_lan(vip), from)?;
            }
            served_by_mark(&town, family)?;
        }
        Ok(())
    };
    all().map_err(|failure| with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    assert_eq!(town.ipvsadm("-Sn")?, "");
    Ok(())
}
