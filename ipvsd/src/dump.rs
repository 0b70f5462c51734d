//! What the process knows, as text.

use crate::desired::Desired;
use crate::ledger::Ledger;
use crate::observed::Network;
use crate::plan::addrs;
use alloc::format;
use alloc::string::String;

/// One line per thing: instances with their addresses, interfaces, services with their real servers.
pub fn text(ledger: &Ledger, desired: &Desired, network: &Network) -> String {
    let mut text = String::from("------< Addresses >------\n");
    for (idx, instance) in ledger.instances() {
        let vips = desired.vips(idx);
        let want = vips.want.map_or_else(|| String::from("not said"), |w| format!("{w:?}"));
        text.push_str(&format!(" VRRP Instance = {}, wanted {want}\n", instance.name));
        for spec in &instance.addrs {
            let there = addrs::resolve(ledger, network, spec).is_some_and(|key| network.has(&key));
            let link = ledger.link(spec.link).unwrap_or_default();
            let state = if there { "present" } else { "absent" };
            text.push_str(&format!("   {} dev {link}, {state}\n", spec.prefix));
        }
    }
    text.push_str("------< Interfaces >------\n");
    for (_, name) in ledger.links() {
        text.push_str(&format!(" {:?}\n", crate::link::describe(name, ledger, network)));
    }
    text.push_str("------< LVS >------\n");
    for (idx, service) in ledger.services() {
        for key in &service.keys {
            text.push_str(&format!(" {}, {}\n", crate::show::service(key), service.scheduler));
        }
        for (real, record) in ledger.reals_of(idx).iter().filter_map(|real| Some((real, ledger.real(*real)?))) {
            let standing = desired.real(*real).map_or_else(|| String::from("not said"), |s| format!("{s:?}"));
            text.push_str(&format!(
                "   {}, wanted {standing}\n",
                crate::show::dest(record.dest.addr, record.dest.port)
            ));
        }
    }
    text
}
