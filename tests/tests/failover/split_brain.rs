//! Two masters that cannot hear each other, and a third host that hears both: when they hear each other again, it must look for the service
//! address at the one that stays.

use std::time::{Duration, SystemTime};
use tests::config::{VIP, Vrrp};
use tests::daemon::Program;
use tests::failure::{Failure, Outcome, wait_until};
use tests::lan::{Host, INTERFACE};
use tests::netns::run;
use tests::pair::{Pair, SOON};

/// How often the end of the split brain may come too late on a machine that has much to do.
const ATTEMPTS: u32 = 3;

/// Which adverts do not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Those of the winner.
    OneWay,
    /// Those of both.
    BothWays,
}

/// Who sends the first advert after the link is mended, and is heard by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Winner,
    Loser,
}

/// What a rule in the host's own packet filter keeps from it: all adverts.
fn deafen(host: &Host) -> Outcome {
    let rules = "table ip cut { chain in { type filter hook input priority 0 ; ip protocol 112 drop ; } ; }";
    run(host.netns.command("nft").arg(rules)).map(drop)
}

/// The end of it, for all of them at the same time.
fn mend(hosts: &[&Host]) -> Outcome {
    let begun: Result<Vec<_>, _> =
        hosts.iter().map(|host| host.netns.command("nft").arg("delete table ip cut").spawn()).collect();
    for mut nft in begun? {
        assert!(nft.wait()?.success(), "nft removes its table");
    }
    Ok(())
}

/// Where `host` looks for the service address.
fn looks_at(host: &Host) -> Outcome<String> {
    let text = host.netns.ip(&format!("neigh show {VIP} dev {INTERFACE}"))?;
    Ok(text.split_whitespace().skip_while(|word| *word != "lladdr").nth(1).unwrap_or_default().to_owned())
}

fn mac(host: &Host) -> String {
    host.mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Where the third host looks for the address after a split brain, and the winner's address.
fn split(loser: Program, more: &str, cut: Cut, first: First) -> Outcome<[String; 2]> {
    for _ in 0..ATTEMPTS {
        if let Some(found) = split_once(loser, more, cut, first)? {
            return Ok(found);
        }
    }
    Err(Failure::new(format!("{ATTEMPTS} times the link was not mended before the next advert, 0.3 s later")))
}

/// A pair whose winner is Holdfast and whose loser is `loser`, with a split brain and its end; nothing if the link was mended too late,
/// so that the other one may have been heard first.
fn split_once(loser: Program, more: &str, cut: Cut, first: First) -> Outcome<Option<[String; 2]>> {
    let pair = Pair::new()?;
    let third = pair.lan.host("third", "192.168.154.20/24")?;
    // A router's neighbour table: every announcement counts.
    third.netns.sysctl(&format!("ipv4/conf/{INTERFACE}/arp_accept"), "1")?;
    third.netns.sysctl(&format!("ipv4/neigh/{INTERFACE}/locktime"), "0")?;
    // Nothing is announced later that would make up for it.
    let quiet = |vrrp: Vrrp| vrrp.line("garp_master_delay 0").line("garp_lower_prio_delay 0");
    let [one, two] = pair.start(
        [Program::Holdfast, loser],
        &quiet(Vrrp::master(100)).to_string(),
        &quiet(Vrrp::backup(90)).line(more).to_string(),
    )?;
    wait_until("the winner is known", SOON, || Ok(looks_at(&third)? == mac(&pair.a)))?;

    if cut == Cut::BothWays {
        deafen(&pair.a)?;
    }
    deafen(&pair.b)?;
    pair.wait_master(&pair.b)?;
    if cut == Cut::BothWays {
        wait_until("the loser is believed", SOON, || Ok(looks_at(&third)? == mac(&pair.b)))?;
    }
    std::thread::sleep(Duration::from_millis(1500));
    let (sooner, later) = if first == First::Winner { (&pair.a, &pair.b) } else { (&pair.b, &pair.a) };
    pair.wire.clear();
    let before = pair.wait_advert(later)?.at;
    let deaf: &[&Host] = if cut == Cut::BothWays { &[&pair.a, &pair.b] } else { &[&pair.b] };
    mend(deaf)?;
    let mended = SystemTime::now();
    wait_until("the loser gives way", SOON, || Ok(two.log().matches("Entering BACKUP STATE").count() == 2))?;
    pair.wait_released(&pair.b)?;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(one.log().matches("Entering BACKUP STATE").count(), 1, "{}", one.log());
    // A winner that is not deaf answers the loser at once: there it is all the same.
    let late = cut == Cut::BothWays && pair.adverts_of(sooner).iter().any(|(at, _)| before < *at && *at <= mended);
    Ok((!late).then_some([looks_at(&third)?, mac(&pair.a)]))
}

#[test]
fn the_winner_announces_again_when_it_was_deaf_too() -> Outcome {
    let [found, winner] = split(Program::Holdfast, "", Cut::BothWays, First::Winner)?;
    assert_eq!(found, winner);
    let [found, winner] = split(Program::Holdfast, "", Cut::BothWays, First::Loser)?;
    assert_eq!(found, winner);
    Ok(())
}

#[test]
fn the_winner_announces_again_when_it_was_not_heard() -> Outcome {
    let [found, winner] = split(Program::Holdfast, "", Cut::OneWay, First::Winner)?;
    assert_eq!(found, winner);
    let [found, winner] = split(Program::Holdfast, "", Cut::OneWay, First::Loser)?;
    assert_eq!(found, winner);
    Ok(())
}

/// What the default of `higher_prio_send_advert` is for: without it the winner learns of nothing. Debian's keepalived in the place of
/// the loser sends no such advert by itself.
#[test]
fn a_loser_that_says_nothing_leaves_the_neighbours_with_it() -> Outcome {
    let [found, winner] = split(Program::Holdfast, "higher_prio_send_advert off", Cut::BothWays, First::Winner)?;
    assert_ne!(found, winner);
    let [found, winner] = split(Program::Keepalived, "", Cut::BothWays, First::Winner)?;
    assert_ne!(found, winner);
    let [found, winner] = split(Program::Keepalived, "higher_prio_send_advert", Cut::BothWays, First::Winner)?;
    assert_eq!(found, winner);
    Ok(())
}
