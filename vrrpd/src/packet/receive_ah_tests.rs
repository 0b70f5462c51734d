//! The authentication header: another socket, another length, an index, a sequence number and a check value.

use super::*;

fn configured() -> Instance {
    conf(Version::V2, Auth::Ah(Secret::new(b"s3cret".to_vec())))
}

fn ah_packet(sequence: u32) -> Vec<u8> {
    let conf = configured();
    let key = auth::ah_key(&conf.auth).unwrap();
    let envelope = advert::Envelope {
        source: SENDER,
        destination: GROUP,
        ttl: 255,
        id: 1,
        sum: Sum::Plain,
        trailer: None,
        ah: Some((&key, sequence)),
    };
    envelope.seal(&advert_of(&conf).body(Family::V4))
}

fn receive_ah(bytes: &[u8], last: u32) -> Result<Heard, Reject> {
    let packet = Packet::parse(bytes).map_err(|_| Reject::Length)?;
    let mut guard = Guard { last_ah: Some(last), ..Guard::default() };
    judge(
        Receiver {
            conf: &configured(),
            priority: 100,
            addrs: &OURS,
            list: Switch::On,
            old_checksum: OldChecksum::Detect,
        },
        &packet,
        &mut guard,
    )
}

#[test]
fn authentication_header() {
    let good = ah_packet(8);
    assert_eq!(receive_ah(&good, 7).unwrap().sequence, Some(8));
    assert_eq!(receive_ah(&good, 8), Err(Reject::AhReplay));
    assert_eq!(
        receive(&v2(), 100, &good),
        Err(Reject::AuthMismatch),
        "an authentication header that is not configured"
    );
    let without = packet(&conf(Version::V2, Auth::None), GROUP);
    assert_eq!(receive(&configured(), 100, &without), Err(Reject::AuthMismatch), "none though one is");
    // Every byte that does not change on the way is covered: index, sequence, check value, addresses, the advert.
    for at in (0..good.len()).filter(|at| ![1, 4, 5, 6, 7, 10, 11].contains(at)) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(receive_ah(&bad, 0).is_err(), "byte {at}");
    }
    let mut elsewhere = good;
    elsewhere[15] ^= 1;
    assert_eq!(receive_ah(&elsewhere, 0), Err(Reject::AhIndex));
}
