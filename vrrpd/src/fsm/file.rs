//! `track_file`: what the numbers in files add to the priority of an instance, or that they put it in FAULT.

use super::instance::Instance as Live;
use super::track::{Fault, Sum, Waiting};
use alloc::string::String;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::TrackFileUse;
use ipc::config::{FileIdx, Origin};
use ipc::table::Table;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// The number in it, 0 when there is none; `None` until the supervisor has handed it over for the first time.
    pub number: Option<i32>,
}

/// What a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// Add this to the priority.
    Add(i64),
    /// It is a fault.
    Fault,
}

/// COMPAT: keepalived 2.2.7, measured: with weight 0 any number but 0 is a fault, with `reverse` 0 is one; otherwise the number times the
/// weight counts, at most 253, and below -253 it is a fault.
fn says(number: i32, used: &TrackFileUse) -> Says {
    let reverse = used.weight.reverse == Switch::On;
    if used.weight.value == 0 {
        return if (number != 0) != reverse { Says::Fault } else { Says::Add(0) };
    }
    let product = i64::from(number).saturating_mul(i64::from(used.weight.value));
    match if reverse { product.saturating_neg() } else { product } {
        ..=-254 => Says::Fault,
        added => Says::Add(added.min(253)),
    }
}

impl Sum {
    /// Adds what its files say. An owner has no weighted trackers.
    pub(super) fn files(&mut self, live: &Live, files: &Table<FileIdx, File>) {
        let mut bonus = 0_i64;
        for used in &live.options.track_files {
            if live.conf.priority == 255 && used.weight.value != 0 {
                continue;
            }
            match files.at(used.file).and_then(|file| file.number) {
                None => self.waiting = Waiting::Yes,
                Some(number) => match says(number, used) {
                    Says::Add(added) => bonus = bonus.saturating_add(added),
                    Says::Fault => self.faults.push(Fault::File(used.file)),
                },
            }
        }
        self.bonus = self.bonus.saturating_add(i32::try_from(bonus).unwrap_or(i32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::config::vrrp::Weight;

    #[test]
    fn numbers_say_what_they_say_to_keepalived() {
        for (number, value, reverse, expected) in [
            (5, 2, Switch::Off, Says::Add(10)),
            (-3, 2, Switch::Off, Says::Add(-6)),
            (20, 10, Switch::On, Says::Add(-200)),
            (-30, 10, Switch::On, Says::Add(253)),
            (-126, 2, Switch::Off, Says::Add(-252)),
            (-127, 2, Switch::Off, Says::Fault),
            (i32::MIN, -254, Switch::Off, Says::Add(253)),
            (i32::MIN, 254, Switch::Off, Says::Fault),
            (1, 0, Switch::Off, Says::Fault),
            (0, 0, Switch::Off, Says::Add(0)),
            (1, 0, Switch::On, Says::Add(0)),
            (0, 0, Switch::On, Says::Fault),
        ] {
            let used = TrackFileUse { file: FileIdx(0), weight: Weight { value, reverse } };
            assert_eq!(says(number, &used), expected, "{number} {value} {reverse:?}");
        }
    }
}
