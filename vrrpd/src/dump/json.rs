//! `keepalived.json`.

mod instance;
mod object;
mod others;

use super::Moment;
use crate::active::Active;
use alloc::string::String;

/// One array of objects with `data` and `stats` (`json_version 1`), or that as `vrrp` beside `track_process`, `bfd` and `router`
/// (`json_version 2`). COMPAT: the keys of keepalived 2.2.7, compared with its output, and of 2.4.3; a password is masked.
pub fn text(active: &Active, at: Moment) -> String {
    let mut text = String::new();
    if active.json_version < 2 {
        instances(&mut text, active, at);
    } else {
        text.push('{');
        object::key(&mut text, "vrrp");
        instances(&mut text, active, at);
        let processes = active.processes.rows().iter();
        object::array(&mut text, "track_process", processes, |text, process| {
            object::object(text, |text| others::track_process(text, process));
        });
        object::array(&mut text, "bfd", active.bfds.rows().iter(), |text, session| {
            object::object(text, |text| others::bfd(text, session, at));
        });
        object::key(&mut text, "router");
        object::object(&mut text, |text| others::router(text, active));
        text.push('}');
    }
    text.push('\n');
    text
}

fn instances(text: &mut String, active: &Active, at: Moment) {
    object::elements(text, active.instances.rows().iter(), |text, instance| {
        object::object(text, |text| {
            object::key(text, "data");
            object::object(text, |text| instance::data(text, active, instance, at));
            object::key(text, "stats");
            object::object(text, |text| instance::stats(text, instance));
        });
    });
}
