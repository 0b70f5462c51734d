//! What the process knows, as text.

use crate::desired::Desired;
use crate::ledger::{Ledger, Owner};
use crate::observed::{Counted, Network, Table};
use crate::path::Row;
use crate::plan::addrs;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::ipvs::ServiceKey;

/// One line per thing: instances with their addresses, routes, interfaces, services with their real servers.
pub fn text(
    ledger: &Ledger,
    desired: &Desired,
    network: &Network,
    paths: &[Row],
    table: &Table,
    counted: &Counted,
) -> String {
    let mut text = String::from("------< Addresses >------\n");
    for owner in ledger.owners() {
        let want = desired.want(owner).map_or_else(|| String::from("not said"), |w| format!("{w:?}"));
        match owner {
            Owner::Statics if ledger.addrs_of(owner).is_empty() => continue,
            Owner::Statics => text.push_str(" Static\n"),
            Owner::Instance(_) => {
                text.push_str(&format!(" VRRP Instance = {}, wanted {want}\n", ledger.name_of(owner)));
            }
        }
        for spec in ledger.addrs_of(owner) {
            let there = addrs::resolve(ledger, network, spec).is_some_and(|key| network.has(&key));
            let link = ledger.link(spec.link).unwrap_or_default();
            let state = if there { "present" } else { "absent" };
            text.push_str(&format!("   {} dev {link}, {state}\n", spec.prefix));
        }
    }
    text.push_str("------< Routes and rules >------\n");
    for row in paths {
        let users: Vec<&str> = row.users.iter().map(|owner| ledger.name_of(*owner)).collect();
        let users = if users.is_empty() { String::from("nobody any more") } else { users.join(", ") };
        text.push_str(&format!("   {}, of {users}, {:?}\n", row.path, row.standing));
    }
    text.push_str("------< Interfaces >------\n");
    for (_, name) in ledger.links() {
        text.push_str(&format!(" {:?}\n", crate::link::describe(name, ledger, network)));
    }
    text.push_str("------< LVS >------\n");
    for key in ledger.keys() {
        lvs_service(ledger, desired, table, counted, key, &mut text);
    }
    text
}

/// A service with its destinations, as the kernel has them and as they are wanted.
fn lvs_service(
    ledger: &Ledger,
    desired: &Desired,
    table: &Table,
    counted: &Counted,
    key: &ServiceKey,
    text: &mut String,
) {
    let there = table.service(key);
    let scheduler = there.map_or("not in the kernel", |s| s.fact.scheduler.as_str());
    text.push_str(&format!(" {}, {scheduler}\n", crate::show::service(key)));
    if let Some(counts) = counted.services.get(key) {
        text.push_str(&format!("   {}\n", crate::show::counts(counts)));
    }
    for idx in ledger.users_of(key) {
        for (real, record) in ledger.reals_of(idx).iter().filter_map(|real| Some((real, ledger.real(*real)?))) {
            let Some(dest) = record.dest.under(*key) else { continue };
            let standing = desired.real(*real).map_or_else(|| String::from("not said"), |s| format!("{s:?}"));
            let weight = there.and_then(|s| s.dest((dest.addr, dest.port))).map(|d| d.weight);
            let weight = weight.map_or_else(|| String::from("not in the kernel"), |n| format!("weight {n}"));
            text.push_str(&format!("   {}, {weight}, wanted {standing}\n", crate::show::dest(dest.addr, dest.port)));
            if let Some(counts) = counted.dests.get(&(*key, dest.addr, dest.port)) {
                let connections =
                    format!("active {}, inactive {}, persistent {}", counts.active, counts.inactive, counts.persistent);
                text.push_str(&format!("     {connections}, {}\n", crate::show::counts(counts)));
            }
        }
    }
    for (addr, port) in desired.draining_of(key) {
        text.push_str(&format!("   {}, being drained\n", crate::show::dest(addr, port)));
    }
}
