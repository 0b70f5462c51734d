//! Frames as bytes: what arrives may be anything.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used)]

use ipc::chunk::{Assembly, CHUNK_BYTES, Chunk, More, cut};
use ipc::codec::{CodecError, FRAME_LIMIT, Frame, decode, decode_slice, encode, encode_slice};
use ipc::config::check::{CheckConfig, Checker, CheckerKind, How};
use ipc::config::ipvs::IpvsConfig;
use ipc::config::script::ScriptConfig;
use ipc::config::vrrp::{Switch, VrrpConfig};
use ipc::config::{Generation, InstanceIdx, Origin, RealIdx};
use ipc::msg::compile::{FromCompile, ToCompile};
use ipc::msg::control::{FromCheck, FromIpvs, FromVrrp, ToCheck, ToIpvs, ToVrrp};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing};
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

fn frame<M>(messages: Vec<M>) -> Frame<M> {
    Frame { generation: Generation(7), messages }
}

/// What decodes is what its bytes say: encoding it again gives the same bytes.
fn decodes_or_not<M: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = decode::<Frame<M>>(bytes) {
        assert_eq!(encode(&value).unwrap(), bytes);
    }
}

/// Every message enum there is.
fn every_message(bytes: &[u8]) {
    decodes_or_not::<ToVrrp>(bytes);
    decodes_or_not::<FromVrrp>(bytes);
    decodes_or_not::<ToCheck>(bytes);
    decodes_or_not::<FromCheck>(bytes);
    decodes_or_not::<ToIpvs>(bytes);
    decodes_or_not::<FromIpvs>(bytes);
    decodes_or_not::<ToCompile>(bytes);
    decodes_or_not::<FromCompile>(bytes);
    decodes_or_not::<VrrpToIpvs>(bytes);
    decodes_or_not::<IpvsToVrrp>(bytes);
    decodes_or_not::<CheckToIpvs>(bytes);
    decodes_or_not::<IpvsToCheck>(bytes);
}

fn every_slice(bytes: &[u8]) {
    let _ = decode_slice::<ScriptConfig>(bytes);
    let _ = decode_slice::<IpvsConfig>(bytes);
    let _ = decode_slice::<VrrpConfig>(bytes);
    let _ = decode_slice::<CheckConfig>(bytes);
}

/// A frame header with plausible small counts and variant numbers, which random bytes hardly ever hit.
fn nearly_a_frame() -> impl Strategy<Value = Vec<u8>> {
    let small_words = proptest::collection::vec(prop_oneof![0u32..8, any::<u32>()], 0..12);
    (any::<u32>(), 0u64..4, small_words, proptest::collection::vec(any::<u8>(), 0..8)).prop_map(
        |(generation, count, words, rest)| {
            let mut bytes = generation.to_le_bytes().to_vec();
            bytes.extend(count.to_le_bytes());
            words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            bytes.extend(rest);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        every_message(&bytes);
        every_slice(&bytes);
    }

    #[test]
    fn nearly_right_bytes_never_panic(bytes in nearly_a_frame()) {
        every_message(&bytes);
        every_slice(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = encode(&frame(vec![
            CheckToIpvs::Resync,
            CheckToIpvs::SetReal { real: RealIdx(3), want: Standing::Serving },
            CheckToIpvs::Synced,
        ])).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        every_message(&bytes);
    }

    #[test]
    fn pieces_make_the_whole(length in prop_oneof![0..3 * CHUNK_BYTES, Just(CHUNK_BYTES), Just(2 * CHUNK_BYTES)]) {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        let mut assembly = Assembly::default();
        let mut whole = None;
        for piece in cut(&bytes) {
            prop_assert!(whole.is_none(), "pieces after the last");
            prop_assert!(encode(&frame(vec![piece.clone()])).is_ok());
            whole = assembly.push(piece).unwrap();
        }
        prop_assert_eq!(whole, Some(bytes));
    }
}

fn round_trip<M: Serialize + DeserializeOwned + PartialEq + Debug>(messages: Vec<M>) {
    let frame = frame(messages);
    assert_eq!(decode::<Frame<M>>(&encode(&frame).unwrap()).unwrap(), frame);
}

#[test]
fn messages_survive() {
    round_trip(vec![
        VrrpToIpvs::SetVips { instance: InstanceIdx(65_535), want: Presence::Present },
        VrrpToIpvs::Synced,
    ]);
    round_trip(vec![IpvsToVrrp::LinkGone { name: "eth0".to_owned() }]);
    round_trip(vec![Chunk { more: More::Last, bytes: vec![0; CHUNK_BYTES] }]);
}

#[test]
fn an_empty_slice_survives() {
    let whole = VrrpConfig::default();
    let bytes = encode_slice(&whole).unwrap();
    assert_eq!(decode_slice::<VrrpConfig>(&bytes).unwrap(), whole);
}

/// A TCP_CHECK of the only real server.
fn checker(line: u32, how: How) -> Checker {
    let origin = Origin { file: "a.conf".into(), line };
    Checker { real: RealIdx(0), target: ([192, 0, 2, 1], 80).into(), how: Arc::new(how), origin }
}

fn every(seconds: u64) -> How {
    let second = Duration::from_secs(1);
    How {
        bind: None,
        bind_if: None,
        fwmark: 0,
        marked: None,
        timeout: second,
        delay_loop: Duration::from_secs(seconds),
        retry: 1,
        delay_before_retry: second,
        warmup: second,
        log_all_failures: Switch::Off,
        alpha: Switch::Off,
        kind: CheckerKind::Tcp,
    }
}

#[test]
fn what_checkers_have_in_common_is_there_once() {
    let hows = [every(3), every(6), every(3)];
    let checkers = hows.into_iter().zip(1..).map(|(how, line)| checker(line, how)).collect();
    let whole = CheckConfig { checkers, ..CheckConfig::default() };
    let bytes = encode_slice(&whole).unwrap();
    assert_eq!(bytes.windows(6).filter(|bytes| bytes == b"a.conf").count(), 1, "the name of the file");
    let read = decode_slice::<CheckConfig>(&bytes).unwrap();
    assert_eq!(read, whole);
    let [a, b, c] = read.checkers.rows() else { panic!("three checkers") };
    assert!(Arc::ptr_eq(&a.how, &c.how) && !Arc::ptr_eq(&a.how, &b.how));
}

#[test]
fn more_ways_than_are_compared_survive() {
    let checkers = (1..100).map(|n| checker(n, every(u64::from(n % 40)))).collect();
    let whole = CheckConfig { checkers, ..CheckConfig::default() };
    assert_eq!(decode_slice::<CheckConfig>(&encode_slice(&whole).unwrap()).unwrap(), whole);
}

#[test]
fn what_points_to_nothing_is_an_error() {
    let whole = CheckConfig { checkers: [checker(7, every(3))].into_iter().collect(), ..CheckConfig::default() };
    let bytes = encode_slice(&whole).unwrap();
    // The name of the file, its first time: place 0, then the name.
    let name = bytes.windows(6).position(|bytes| bytes == b"a.conf").unwrap();
    assert_eq!(bytes[name - 3..name], [0, 1, 6]);
    let known = [&bytes[..name - 3], &[5, 0], &bytes[name + 6..]].concat();
    assert!(
        matches!(decode_slice::<CheckConfig>(&known), Err(CodecError::Malformed(why)) if why.contains("file name"))
    );
    // Before it the port, the address and what it is asked by.
    let mut other = bytes.clone();
    other[name - 4] = 9;
    assert!(matches!(decode_slice::<CheckConfig>(&other), Err(CodecError::Malformed(why)) if why.contains("asks")));
}

#[test]
fn bytes_left_over_are_an_error() {
    let mut bytes = encode(&frame(vec![VrrpToIpvs::Synced])).unwrap();
    bytes.push(0);
    assert!(
        matches!(decode::<Frame<VrrpToIpvs>>(&bytes), Err(CodecError::Malformed(why)) if why == "1 bytes left over")
    );
    let mut bytes = encode_slice(&CheckConfig::default()).unwrap();
    bytes.push(0);
    assert!(decode_slice::<CheckConfig>(&bytes).is_err());
}

#[test]
fn missing_bytes_are_an_error() {
    let bytes = encode(&frame(vec![VrrpToIpvs::SetVips { instance: InstanceIdx(1), want: Presence::Absent }])).unwrap();
    for length in 0..bytes.len() {
        assert!(decode::<Frame<VrrpToIpvs>>(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn frames_over_the_limit_are_neither_made_nor_read() {
    let long = frame(vec![IpvsToVrrp::LinkGone { name: "x".repeat(FRAME_LIMIT) }]);
    assert!(encode(&long).is_err());
    assert!(matches!(decode::<Frame<VrrpToIpvs>>(&vec![0; FRAME_LIMIT + 1]), Err(CodecError::TooLong)));
}

#[test]
fn a_claimed_length_costs_nothing() {
    // A frame of 2^60 messages, and a name of 2^60 bytes.
    let mut bytes = Generation(1).0.to_le_bytes().to_vec();
    bytes.extend((1u64 << 60).to_le_bytes());
    assert!(decode::<Frame<VrrpToIpvs>>(&bytes).is_err());
    let mut bytes = Generation(1).0.to_le_bytes().to_vec();
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend((1u64 << 60).to_le_bytes());
    assert!(decode::<Frame<IpvsToVrrp>>(&bytes).is_err());
}
