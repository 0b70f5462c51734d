//! `track_src_ip`: an instance whose configured source address is missing is in FAULT. Debian's keepalived 2.2.7 is master without it,
//! against its own manual page, so there is nothing to compare with.

use std::time::Duration;
use tests::alone::{Alone, Shown};
use tests::failure::Outcome;
use tests::pair::with_log;

const CONFIG: &str = "vrrp_instance A {
 state BACKUP
 interface ens33
 mcast_src_ip 10.9.0.50
 track_src_ip
 virtual_router_id 5
 priority 200
 version 3
 advert_int 0.2
 virtual_ipaddress {
  10.8.0.188
 }
}
";

/// Missing at the start, it comes, is removed and comes back.
#[test]
fn an_instance_follows_its_source_address() -> Outcome {
    let alone = Alone::new()?;
    let address = |what: &str| alone.host.netns.ip(&format!("addr {what} 10.9.0.50/24 dev ens33"));
    let daemon = alone.start(CONFIG)?;
    let is = |shown| {
        let shows = alone.wait_shows("-o addr show dev ens33", shown, &["10.8.0.188"]);
        shows.map_err(|failure| with_log(&failure, &daemon))
    };
    std::thread::sleep(Duration::from_millis(1_500));
    is(Shown::None)?;
    assert_eq!(alone.wire.adverts().len(), 0, "missing from the start:\n{}", daemon.log());
    for _ in 0..2 {
        address("add")?;
        is(Shown::All)?;
        address("del")?;
        is(Shown::None)?;
    }
    let mut sources = alone.wire.adverts().into_iter().map(|(_, advert)| advert.source.to_string());
    assert!(sources.all(|source| source == "10.9.0.50"), "never from another address:\n{}", daemon.log());
    Ok(())
}
