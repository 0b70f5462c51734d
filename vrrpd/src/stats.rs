//! Counters, with the names of RFC 6527 where it has one, and the text of `keepalived.stats`.

use alloc::string::String;
use core::fmt::Write;

/// Why a packet did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reject {
    /// Shorter or longer than its own header says.
    Length,
    /// Multicast with a TTL other than 255, or a peer's TTL out of its range.
    Ttl,
    /// Another protocol version.
    Version,
    /// An authentication type that does not exist.
    AuthUnknown,
    /// Another authentication type than ours.
    AuthMismatch,
    /// The wrong password.
    AuthFailure,
    /// Another advert interval (version 2).
    Interval,
    /// Not an advertisement.
    Type,
    /// The IP header's length is not that of the packet.
    TotalLength,
    /// Wrong checksum.
    Checksum,
    /// Multicast for a unicast instance, or the reverse.
    Destination,
    /// `owner_ignore_adverts`.
    OwnerIgnores,
    /// Not one of the unicast peers.
    Source,
    /// The index of the authentication header is not the sender's address.
    AhIndex,
    /// The authentication header's sequence number was there before.
    AhReplay,
    /// `auth_hmac`: not signed.
    Unsigned,
    /// `auth_hmac`: the trailer is not one.
    Trailer,
    /// `auth_hmac`: signed too long ago, or in the future.
    Stale,
    /// `auth_hmac`: signed with a key that is not known here.
    UnknownKey,
    /// `auth_hmac`: the signature is wrong.
    Forged,
    /// `auth_hmac`: was there before.
    Replayed,
}

impl Reject {
    /// What the log says.
    pub fn text(self) -> &'static str {
        match self {
            Reject::Length => "the packet's length is not what its header says",
            Reject::Ttl => "invalid TTL: the packet may have been forwarded",
            Reject::Version => "invalid version: check `version` on both sides",
            Reject::AuthUnknown => "unknown authentication type",
            Reject::AuthMismatch => "authentication type mismatch: check `auth_type` on both sides",
            Reject::AuthFailure => "authentication failure: check `auth_pass` on both sides",
            Reject::Interval => "advertisement interval mismatch: check `advert_int` on both sides",
            Reject::Type => "invalid type: not an advertisement",
            Reject::TotalLength => "the IP header's length is not that of the packet",
            Reject::Checksum => "invalid checksum",
            Reject::Destination => {
                "multicast where unicast is configured, or the reverse: check `unicast_peer` on both sides"
            }
            Reject::OwnerIgnores => "ignored, because `owner_ignore_adverts` is set",
            Reject::Source => "the sender is not a configured unicast peer",
            Reject::AhIndex => "the index of its authentication header is not its address",
            Reject::AhReplay => {
                "its authentication header was there before: replayed, or the sender has been restarted"
            }
            Reject::Unsigned => "it is not signed: set `auth_hmac` on all routers, `mode permissive` until then",
            Reject::Trailer => "its signature has another form: keepalived 2.4.2 or newer is needed",
            Reject::Stale => "it was signed at another time: check that all clocks are right",
            Reject::UnknownKey => "it is signed with a key that is not configured here",
            Reject::Forged => "its signature is wrong: check that the keys are the same",
            Reject::Replayed => "it was there before: replayed, or the sender's clock has been set back",
        }
    }

    /// Its bit in a set of reasons.
    pub fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// Why a packet cannot even be given to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No IP header, or one that is longer than the packet.
    IpHeader,
    /// No authentication header where the IP header says so.
    AhHeader,
    /// Another protocol.
    Protocol,
    /// Too short for a VRRP header.
    VrrpHeader,
}

impl Malformed {
    /// What the log says.
    pub fn text(self) -> &'static str {
        match self {
            Malformed::IpHeader => "it has no whole IP header",
            Malformed::AhHeader => "it has no whole authentication header",
            Malformed::Protocol => "it is not VRRP",
            Malformed::VrrpHeader => "it is too short for a VRRP header",
        }
    }
}

/// Whether an instance has `auth_hmac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It has.
    Yes,
    /// It has not.
    No,
}

/// Counters of one instance. They wrap after 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Adverts that counted (`vrrpRcvdAdvertisements`).
    pub advert_rcvd: u64,
    /// Adverts sent; one to several unicast peers counts once.
    pub advert_sent: u64,
    /// Transitions to MASTER (`vrrpMasterTransitions`).
    pub become_master: u64,
    /// Transitions from MASTER.
    pub release_master: u64,
    /// `vrrpPacketLengthErrors`
    pub packet_len_err: u64,
    /// `vrrpIpTtlErrors`
    pub ip_ttl_err: u64,
    /// `vrrpRcvdInvalidTypePackets`
    pub invalid_type_rcvd: u64,
    /// `vrrpAdvIntervalErrors`
    pub advert_interval_err: u64,
    /// `vrrpAddressListErrors`; these adverts counted all the same.
    pub addr_list_err: u64,
    /// `vrrpRcvdInvalidAuthentications`, unknown type.
    pub invalid_authtype: u64,
    /// Authentication type other than ours.
    pub authtype_mismatch: u64,
    /// Wrong password.
    pub auth_failure: u64,
    /// `vrrpRouterChecksumErrors`
    pub checksum_err: u64,
    /// `vrrpRouterVersionErrors`
    pub version_err: u64,
    /// Wrong destination class.
    pub destination_err: u64,
    /// Not a peer.
    pub source_err: u64,
    /// `owner_ignore_adverts`
    pub owner_ignored: u64,
    /// `auth_hmac`: not signed.
    pub hmac_missing: u64,
    /// `auth_hmac`: the trailer is not one.
    pub hmac_malformed: u64,
    /// `auth_hmac`: signed at another time.
    pub hmac_stale: u64,
    /// `auth_hmac`: unknown key.
    pub hmac_unknown_key: u64,
    /// `auth_hmac`: wrong signature.
    pub hmac_invalid: u64,
    /// `auth_hmac`: was there before.
    pub hmac_replayed: u64,
    /// `vrrpRcvdPriZeroPackets`
    pub pri_zero_rcvd: u64,
    /// `vrrpSentPriZeroPackets`
    pub pri_zero_sent: u64,
}

impl Stats {
    /// Counts a packet that did not count.
    pub fn reject(&mut self, why: Reject) {
        let counter = match why {
            Reject::Length | Reject::TotalLength => &mut self.packet_len_err,
            Reject::Ttl => &mut self.ip_ttl_err,
            Reject::Version => &mut self.version_err,
            Reject::AuthUnknown => &mut self.invalid_authtype,
            Reject::AuthMismatch => &mut self.authtype_mismatch,
            Reject::AuthFailure => &mut self.auth_failure,
            Reject::Interval => &mut self.advert_interval_err,
            Reject::Type => &mut self.invalid_type_rcvd,
            Reject::Checksum => &mut self.checksum_err,
            Reject::Destination => &mut self.destination_err,
            Reject::OwnerIgnores => &mut self.owner_ignored,
            Reject::Source => &mut self.source_err,
            Reject::AhIndex | Reject::AhReplay => &mut self.auth_failure,
            Reject::Unsigned => &mut self.hmac_missing,
            Reject::Trailer => &mut self.hmac_malformed,
            Reject::Stale => &mut self.hmac_stale,
            Reject::UnknownKey => &mut self.hmac_unknown_key,
            Reject::Forged => &mut self.hmac_invalid,
            Reject::Replayed => &mut self.hmac_replayed,
        };
        count(counter);
    }

    /// Why packets did not count, but for `auth_hmac`, for `keepalived.data`: what `keepalived.stats` has no lines for, too.
    pub fn rejected(&self) -> [(&'static str, u64); 12] {
        [
            ("length", self.packet_len_err),
            ("TTL", self.ip_ttl_err),
            ("type", self.invalid_type_rcvd),
            ("advert interval", self.advert_interval_err),
            ("authentication type unknown", self.invalid_authtype),
            ("authentication type mismatch", self.authtype_mismatch),
            ("authentication failure", self.auth_failure),
            ("checksum", self.checksum_err),
            ("version", self.version_err),
            ("destination", self.destination_err),
            ("source", self.source_err),
            ("owner_ignore_adverts", self.owner_ignored),
        ]
    }

    /// What came of the signatures of `auth_hmac`. COMPAT: the words of keepalived 2.4.3.
    pub fn signatures(&self) -> [(&'static str, u64); 6] {
        [
            ("Missing", self.hmac_missing),
            ("Malformed", self.hmac_malformed),
            ("Unknown Key", self.hmac_unknown_key),
            ("Invalid HMAC", self.hmac_invalid),
            ("Stale", self.hmac_stale),
            ("Replay", self.hmac_replayed),
        ]
    }

    /// The counters that RFC 6527 §3 has for a virtual router, by its names.
    pub fn rfc6527(&self) -> [(&'static str, u64); 9] {
        [
            ("vrrpv3StatisticsMasterTransitions", self.become_master),
            ("vrrpv3StatisticsRcvdAdvertisements", self.advert_rcvd),
            ("vrrpv3StatisticsAdvIntervalErrors", self.advert_interval_err),
            ("vrrpv3StatisticsIpTtlErrors", self.ip_ttl_err),
            ("vrrpv3StatisticsRcvdPriZeroPackets", self.pri_zero_rcvd),
            ("vrrpv3StatisticsSentPriZeroPackets", self.pri_zero_sent),
            ("vrrpv3StatisticsRcvdInvalidTypePackets", self.invalid_type_rcvd),
            ("vrrpv3StatisticsAddressListErrors", self.addr_list_err),
            ("vrrpv3StatisticsPacketLengthErrors", self.packet_len_err),
        ]
    }

    /// Appends this instance's part of `keepalived.stats`. COMPAT: keepalived 2.2.7 layout, compared with its output; what 2.4.3 adds is
    /// written where the instance has `auth_hmac`.
    pub fn write(&self, name: &str, signed: Signed, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "VRRP Instance: {name}\n  Advertisements:\n    Received: {}\n    Sent: {}\n  Became master: {}\n  Released master: {}\n  \
             Packet Errors:\n    Length: {}\n    TTL: {}\n    Invalid Type: {}\n    Advertisement Interval: {}\n    Address List: {}\n  \
             Authentication Errors:\n    Invalid Type: {}\n    Type Mismatch: {}\n    Failure: {}\n",
            self.advert_rcvd,
            self.advert_sent,
            self.become_master,
            self.release_master,
            self.packet_len_err,
            self.ip_ttl_err,
            self.invalid_type_rcvd,
            self.advert_interval_err,
            self.addr_list_err,
            self.invalid_authtype,
            self.authtype_mismatch,
            self.auth_failure,
        );
        if signed == Signed::Yes {
            out.push_str("  Authentication Extension Errors:\n");
            for (what, packets) in self.signatures() {
                let _ = writeln!(out, "    {what}: {packets}");
            }
        }
        let _ =
            write!(out, "  Priority Zero:\n    Received: {}\n    Sent: {}\n", self.pri_zero_rcvd, self.pri_zero_sent);
    }
}

/// Adds one to a counter.
pub fn count(counter: &mut u64) {
    *counter = counter.wrapping_add(1);
}

/// Errors of the router as a whole (RFC 6527 §3), whoever the packets were for. They never go down while it runs, whatever a reload removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterErrors {
    /// `vrrpv3RouterChecksumErrors`
    pub checksum: u64,
    /// `vrrpv3RouterVersionErrors`
    pub version: u64,
}

impl RouterErrors {
    /// Counts a packet that was refused.
    pub fn refused(&mut self, why: Reject) {
        match why {
            Reject::Checksum => count(&mut self.checksum),
            Reject::Version => count(&mut self.version),
            _ => {}
        }
    }
}

/// Counters of packets that could not be given to an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// No whole IP header.
    pub ip_header: u64,
    /// No whole authentication header.
    pub ah_header: u64,
    /// Not VRRP.
    pub protocol: u64,
    /// Too short for a VRRP header.
    pub vrrp_header: u64,
    /// No instance with that virtual router on that interface (`vrrpRouterVrIdErrors`).
    pub unknown_vrid: u64,
    /// The instance was in INIT or FAULT, or the start-up delay was running.
    pub not_listening: u64,
    /// Not BFD (RFC 5880 §6.8.6), or authenticated.
    pub bfd_malformed: u64,
    /// No BFD session with that neighbour and discriminator over so few hops.
    pub bfd_unknown: u64,
}

impl Strays {
    /// Counts a packet that holds no VRRP.
    pub fn malformed(&mut self, why: Malformed) {
        count(match why {
            Malformed::IpHeader => &mut self.ip_header,
            Malformed::AhHeader => &mut self.ah_header,
            Malformed::Protocol => &mut self.protocol,
            Malformed::VrrpHeader => &mut self.vrrp_header,
        });
    }
}
