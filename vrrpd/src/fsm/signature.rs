//! `auth_hmac`: what is signed, with which sequence, and which signatures of others count. COMPAT: keepalived 2.4.2; unlike there, a
//! reload does not forget what was heard, so nothing recorded before it can be played back after it.

use crate::packet::hmac::{self, Sequence};
use crate::stats::Reject;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::{Instance as Conf, Transport};
use ipc::config::vrrp_options::{AntiReplay, Hmac, HmacKey, HmacMode};

/// Senders on a multicast group whose last sequence is remembered; the one not heard for longest makes room.
const SENDERS: usize = 4;

/// The signatures of one instance.
#[derive(Clone, Debug)]
pub struct Signatures {
    conf: Hmac,
    /// The only senders that count, with unicast.
    peers: Option<Vec<IpAddr>>,
    /// What was last sent.
    sent: Option<Sequence>,
    /// What was last heard of whom, the latest last.
    heard: Vec<(IpAddr, Sequence)>,
    /// How far the clock of the last genuine sender was from ours.
    pub skew: Duration,
}

impl Signatures {
    /// Nothing sent, nothing heard; `None` without `auth_hmac`.
    pub fn new(conf: &Conf, hmac: Option<&Hmac>) -> Option<Self> {
        let peers = match &conf.transport {
            Transport::Unicast { peers, .. } => Some(peers.iter().map(|peer| peer.addr).collect()),
            Transport::Multicast { .. } => None,
        };
        let conf = hmac?.clone();
        Some(Signatures { conf, peers, sent: None, heard: Vec::new(), skew: Duration::ZERO })
    }

    /// The same with another configuration.
    pub fn reconfigured(mut self, fresh: Signatures) -> Self {
        self.conf = fresh.conf;
        self.peers = fresh.peers;
        self
    }

    /// How far clocks may differ without a word: half of `time_window`.
    pub fn quiet_skew(&self) -> Duration {
        self.conf.window / 2
    }

    /// The trailer for an advert; `None` when nothing is signed (`mode receive-only`).
    pub fn sign(&mut self, source: IpAddr, body: &[u8], day: Duration) -> Option<[u8; hmac::TRAILER_LEN]> {
        if self.conf.mode == HmacMode::ReceiveOnly {
            return None;
        }
        let sequence = self.next(day);
        self.sent = Some(sequence);
        let secret = self.key(self.conf.active)?;
        Some(hmac::sign(secret, self.conf.active, sequence, source, body))
    }

    /// The time, or one more than the last: grows whatever the clock does. With `anti_replay time` it starts again from a clock that
    /// was set back so far that receivers would take nothing until then.
    fn next(&self, day: Duration) -> Sequence {
        let clock = Sequence::at(day);
        let Some(last) = self.sent else { return clock };
        let lost = self.conf.anti_replay == AntiReplay::Time
            && Duration::from_secs(last.seconds().saturating_sub(clock.seconds()).into()) > self.conf.window;
        if clock.is_after(last) || lost { clock } else { last.next() }
    }

    fn key(&self, id: u8) -> Option<&[u8]> {
        self.conf.keys.iter().find(|(known, _)| *known == id).and_then(|(_, key)| match key {
            HmacKey::Bytes(secret) => Some(secret.reveal()),
            HmacKey::File(_) | HmacKey::Credential(_) => None,
        })
    }

    /// Whether an advert may count as far as its signature goes. `body` is the VRRP packet without IP header and trailer.
    pub fn check(&mut self, trailer: Option<&[u8]>, source: IpAddr, body: &[u8], day: Duration) -> Result<(), Reject> {
        let Some(trailer) = trailer else {
            return match self.conf.mode {
                HmacMode::Enforce => Err(Reject::Unsigned),
                HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(()),
            };
        };
        let trailer = hmac::parse(trailer).ok_or(Reject::Trailer)?;
        let skew = Duration::from_secs(Sequence::at(day).seconds().abs_diff(trailer.sequence.seconds()).into());
        if self.conf.anti_replay == AntiReplay::Time && skew > self.conf.window {
            return Err(Reject::Stale);
        }
        let secret = self.key(trailer.key).ok_or(Reject::UnknownKey)?;
        if !hmac::verify(secret, &trailer, source, body) {
            return Err(Reject::Forged);
        }
        if self.peers.as_ref().is_some_and(|peers| !peers.contains(&source)) {
            return Err(Reject::Source);
        }
        self.remember(source, trailer.sequence, day)?;
        self.skew = if self.conf.anti_replay == AntiReplay::Time { skew } else { Duration::ZERO };
        Ok(())
    }

    /// COMPAT: only what is newer counts; with `anti_replay time` what was heard outside of the window is forgotten.
    fn remember(&mut self, source: IpAddr, sequence: Sequence, day: Duration) -> Result<(), Reject> {
        let window = self.conf.window;
        let is_old =
            |mark: Sequence| Duration::from_secs(Sequence::at(day).seconds().abs_diff(mark.seconds()).into()) > window;
        let place = self.heard.iter().position(|(sender, _)| *sender == source);
        if let Some((_, mark)) = place.and_then(|n| self.heard.get(n)) {
            let forgotten = self.conf.anti_replay == AntiReplay::Time && is_old(*mark);
            if !forgotten && !sequence.is_after(*mark) {
                return Err(Reject::Replayed);
            }
        }
        let room = self.peers.as_ref().map_or(SENDERS, Vec::len);
        match place {
            Some(n) => drop(self.heard.remove(n)),
            None if self.heard.len() >= room.max(1) => drop(self.heard.remove(0)),
            None => {}
        }
        self.heard.push((source, sequence));
        Ok(())
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
