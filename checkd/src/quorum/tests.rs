use super::{Quorum, after};
use alloc::string::String;
use ipc::config::Origin;
use ipc::config::check::Service;
use ipc::config::vrrp::Switch;
use proptest::prelude::*;

fn service(quorum: u32, hysteresis: u32) -> Service {
    Service {
        label: String::from("[10.9.0.1]:tcp:80"),
        quorum,
        hysteresis,
        sorry: None,
        omega: Switch::Off,
        ha_suspend: Switch::Off,
        smtp_alert: Switch::Off,
        snmp_name: None,
        quorum_up: None,
        quorum_down: None,
        origin: Origin::default(),
    }
}

#[test]
fn every_row() {
    use Quorum::{Down, Up};
    // quorum, hysteresis, weight, after Down, after Up
    let table = [
        (1, 0, 0, Down, Down),
        (1, 0, 1, Up, Up),
        (1, 0, 2, Up, Up),
        (2, 0, 1, Down, Down),
        (2, 0, 2, Up, Up),
        // Between the limits it stays.
        (3, 1, 1, Down, Down),
        (3, 1, 2, Down, Up),
        (3, 1, 3, Down, Up),
        (3, 1, 4, Up, Up),
        // Nothing is never enough.
        (0, 0, 0, Down, Down),
        (3, 3, 0, Down, Down),
        (3, 3, 1, Down, Up),
    ];
    for (quorum, hysteresis, weight, from_down, from_up) in table {
        let service = service(quorum, hysteresis);
        assert_eq!(after(&service, Down, weight), from_down, "down, {quorum}±{hysteresis}, {weight}");
        assert_eq!(after(&service, Up, weight), from_up, "up, {quorum}±{hysteresis}, {weight}");
    }
}

proptest! {
    #[test]
    fn what_has_settled_stays(quorum: u32, hysteresis: u32, weight: u64, up: bool) {
        let service = service(quorum, hysteresis);
        let once = after(&service, if up { Quorum::Up } else { Quorum::Down }, weight);
        prop_assert_eq!(after(&service, once, weight), once);
    }

    #[test]
    fn more_weight_never_costs_the_quorum(quorum in 0u32..20, hysteresis in 0u32..20, weight in 0u64..60, up: bool) {
        let service = service(quorum, hysteresis);
        let before = if up { Quorum::Up } else { Quorum::Down };
        if after(&service, before, weight) == Quorum::Up {
            prop_assert_eq!(after(&service, before, weight + 1), Quorum::Up);
        }
    }
}
