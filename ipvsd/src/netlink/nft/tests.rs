use super::tables::{add, create, remove, take};
use super::{HEADER, Transaction};
use crate::filter::{Element, Layout, Purpose, TableKey};
use ipc::config::ipvs::Protocol;
use ipc::config::vrrp::Switch;
use ipc::net::Family;
use std::vec::Vec;

/// Kind, flags and sequence number of each message.
fn messages(mut bytes: &[u8]) -> Vec<(u16, u16, u32)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let length = usize::try_from(word(0)).unwrap();
        assert!(length >= HEADER + 4 && length.is_multiple_of(4) && length <= bytes.len(), "length {length}");
        all.push((half(4), half(6), word(8)));
        bytes = &bytes[length..];
    }
    all
}

fn layout() -> Layout {
    Layout {
        name: "t".into(),
        priority: -1,
        counters: Switch::On,
        deaf: Switch::On,
        outgoing: Switch::On,
        vmacs: Switch::On,
        maps: std::vec![Protocol::Tcp],
    }
}

#[test]
fn a_transaction_begins_and_ends_and_its_last_request_alone_is_acknowledged() {
    for purpose in [Purpose::Vips, Purpose::Marks] {
        for family in [Family::V4, Family::V6] {
            let mut transaction = Transaction::new(7);
            assert!(transaction.is_empty());
            create(&mut transaction, TableKey { purpose, family }, &layout());
            let (first, last, end) = (transaction.first(), transaction.last(), transaction.end());
            let all = messages(&transaction.finish());
            assert_eq!(all.first().map(|m| (m.0, m.2)), Some((16, first)));
            assert_eq!(all.last().map(|m| (m.0, m.2)), Some((17, end)));
            for (n, (kind, flags, seq)) in all.iter().enumerate() {
                assert_eq!(*seq, 7 + u32::try_from(n).unwrap());
                assert_eq!(flags & 0x4 != 0, *seq == last, "message {n} of kind {kind:#x}");
            }
            // New, gone, new: whatever was there.
            assert_eq!(all[1..4].iter().map(|m| m.0 & 0xff).collect::<Vec<_>>(), [0, 2, 0]);
        }
    }
}

#[test]
fn an_element_is_taken_out_as_it_was_put_in() {
    let key = TableKey { purpose: Purpose::Marks, family: Family::V6 };
    let (first, last) = ("fd00::1".parse().unwrap(), "fd00::9".parse().unwrap());
    let element = Element::Mark { protocol: Protocol::Sctp, first, last, port: 80, mark: 1000 };
    let (mut put, mut took) = (Transaction::new(1), Transaction::new(1));
    add(&mut put, key, "t", [&element]);
    take(&mut took, key, "t", [&element]);
    let (mut put, took) = (put.finish(), took.finish());
    // The messages differ in kind and flags alone.
    let at = HEADER + 4 + 4;
    (put[at], put[at + 2], put[at + 3]) = (took[at], took[at + 2], took[at + 3]);
    assert_eq!(put, took);
}

#[test]
fn a_thousand_elements_are_a_few_messages() {
    let key = TableKey { purpose: Purpose::Vips, family: Family::V4 };
    let all: Vec<Element> = (0..1000_u32).map(|n| Element::Vip(std::net::Ipv4Addr::from_bits(n).into())).collect();
    let mut transaction = Transaction::new(1);
    add(&mut transaction, key, "t", &all);
    assert_eq!(messages(&transaction.finish()).len(), 4);
    let mut transaction = Transaction::new(1);
    remove(&mut transaction, Family::V4, "t");
    assert_eq!(messages(&transaction.finish()).len(), 4);
}
