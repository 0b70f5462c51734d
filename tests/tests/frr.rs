//! Interoperation with FRR's vrrpd: version 3 over IPv4 and IPv6, in both roles.

use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::frr::Frr;
use tests::lan::Host;
use tests::pair::{Pair, SOON, STEADY, with_log};

const FOUR: &str = "192.168.154.188/24";
const SIX: &str = "2001:db8::188/64";

/// One instance for each family; the first address of IPv6 must be link-local (RFC 9568 §5.2.9), and FRR has its own.
fn config(priority: u8) -> String {
    let six = format!(
        "vrrp_instance VI_6 {{\n    state BACKUP\n    interface ens33\n    virtual_router_id 51\n    priority {priority}\n    \
         advert_int 1\n    version 3\n    virtual_ipaddress {{\n        fe80::188/64\n        {SIX}\n    }}\n}}"
    );
    Vrrp::backup(priority).line("version 3").addresses(&[FOUR]).block(six).to_string()
}

/// Whether a host has advertised with this priority over both families since the recording was last cleared.
fn advertises(pair: &Pair, host: &Host, priority: u8) -> bool {
    let adverts: Vec<_> = pair.adverts_of(host).into_iter().map(|(_, advert)| advert).collect();
    [true, false].into_iter().all(|four| {
        adverts
            .iter()
            .any(|advert| advert.priority == priority && advert.source.is_ipv4() == four && advert.version == 3)
    })
}

fn wait_frr(frr: &Frr, state: &str) -> Outcome {
    wait_until(&format!("FRR is {state} over both families"), Duration::from_secs(15), || {
        Ok(frr.show("Status (v4)")? == state && frr.show("Status (v6)")? == state)
    })
}

#[test]
fn each_takes_over_from_the_other_and_listens_to_it() -> Outcome {
    let pair = Pair::with_ipv6()?;
    let mut frr = Frr::start(&pair.b, 100, FOUR, SIX)?;
    wait_until("FRR advertises over both families", Duration::from_secs(20), || Ok(advertises(&pair, &pair.b, 100)))?;
    wait_frr(&frr, "Master")?;

    // The higher priority deposes it.
    let mut one = Daemon::start(Program::Holdfast, &pair.a, &config(150))?;
    wait_until("Holdfast advertises", SOON, || Ok(advertises(&pair, &pair.a, 150)))
        .map_err(|failure| with_log(&failure, &one))?;
    wait_frr(&frr, "Backup")?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_secs(4));
    assert!(pair.adverts_of(&pair.b).is_empty(), "FRR takes every advert of ours");
    assert!(pair.longest_silence(&pair.a)? < STEADY);

    // It says goodbye: FRR need not wait for three intervals.
    pair.wire.clear();
    assert!(one.terminate()?.success());
    wait_until("FRR is master again", Duration::from_secs(2), || Ok(advertises(&pair, &pair.b, 100)))?;

    // A lower priority listens, and takes over when FRR goes.
    let low = Daemon::start(Program::Holdfast, &pair.a, &config(50))?;
    low.wait_log("(VI_1) Entering BACKUP STATE", SOON)?;
    low.wait_log("(VI_6) Entering BACKUP STATE", SOON)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_secs(5));
    assert!(pair.adverts_of(&pair.a).is_empty(), "every advert of FRR counts");
    assert!(!low.log().contains("dropped"), "{}", low.log());
    frr.terminate()?;
    wait_until("Holdfast takes over", SOON, || Ok(advertises(&pair, &pair.a, 50)))
        .map_err(|failure| with_log(&failure, &low))?;
    Ok(())
}
