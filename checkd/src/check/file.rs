//! `FILE_CHECK`: what the number in a file says of a server.

use super::{Fault, Verdict};
use ipc::config::file::FileWeight;
use ipc::config::vrrp::Switch;

/// The verdict, and what is added to the weight of the server.
///
/// COMPAT: keepalived 2.2.7, measured: with weight 0 any number but 0 is a failure, with `reverse` 0 is one; otherwise the number times
/// the weight is added, with `reverse` taken away, and at -2147483648 or below it is a failure.
pub fn judge(number: i32, FileWeight { value, reverse }: FileWeight) -> (Verdict, i64) {
    let fail = (Verdict::Fail(Fault::Number), 0);
    if value == 0 {
        let fails = match reverse {
            Switch::Off => number != 0,
            Switch::On => number == 0,
        };
        return if fails { fail } else { (Verdict::Pass, 0) };
    }
    // Two 32-bit numbers.
    let product = i64::from(number).saturating_mul(i64::from(value));
    let added = match reverse {
        Switch::Off => product,
        Switch::On => product.saturating_neg(),
    };
    if added <= i64::from(i32::MIN) { fail } else { (Verdict::Pass, added) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_judged_as_by_keepalived() {
        let fail = (Verdict::Fail(Fault::Number), 0);
        let pass = |added| (Verdict::Pass, added);
        for (number, value, reverse, expected) in [
            (5, 2, Switch::Off, pass(10)),
            (-5, 2, Switch::Off, pass(-10)),
            (5, -3, Switch::On, pass(15)),
            (-5, -3, Switch::On, pass(-15)),
            (1, 0, Switch::Off, fail),
            (0, 0, Switch::Off, pass(0)),
            (1, 0, Switch::On, pass(0)),
            (0, 0, Switch::On, fail),
            (i32::MAX, -3, Switch::On, pass(3 * i64::from(i32::MAX))),
            (i32::MIN, -3, Switch::On, fail),
            (i32::MIN, 1, Switch::Off, fail),
            (i32::MIN + 1, 1, Switch::Off, pass(i64::from(i32::MIN) + 1)),
            (i32::MIN, i32::MAX, Switch::Off, fail),
            (i32::MIN, i32::MIN, Switch::Off, pass(1 << 62)),
        ] {
            assert_eq!(judge(number, FileWeight { value, reverse }), expected, "{number} {value} {reverse:?}");
        }
    }
}
