//! The sessions of a generation: whose packet it is, and what a reload means.

use super::chance::Chance;
use super::session::{Session, Standing, Turned, hops};
use crate::active::{Active, Env};
use crate::effects::Effects;
use crate::io::BfdHeard;
use crate::packet::bfd::Control;
use crate::stats::count;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::BfdIdx;
use ipc::config::bfd::{Bfd, Told};
use ipc::msg::sessions::{SessionState, VrrpToCheck};
use ipc::report::Level;
use ipc::table::Table;
use ipc::time::Mono;

/// The sessions of a new generation: those to the same neighbour from the same address go on, others begin, and those that are left over
/// say goodbye.
pub fn reconfigured(
    wanted: &Table<BfdIdx, Bfd>,
    old: &Table<BfdIdx, Session>,
    chance: &mut Chance,
    now: Mono,
    out: &mut Effects,
) -> Table<BfdIdx, Session> {
    let mut left: Vec<Session> = old.rows().to_vec();
    let mut sessions: Table<BfdIdx, Session> = Table::new();
    for conf in wanted.rows() {
        let same = left.iter().position(|session| is_same(&session.conf, conf));
        let session = match same {
            Some(at) => left.swap_remove(at).reconfigured(conf.clone(), now),
            None => {
                let mut mine = chance.discriminator();
                while sessions.rows().iter().chain(old.rows()).any(|session| session.mine == mine) {
                    mine = chance.discriminator();
                }
                Session::new(conf.clone(), mine, Chance::new(chance.bits()), now)
            }
        };
        // A table of the same index type was just read, so there is room.
        if sessions.push(session).is_err() {
            break;
        }
    }
    for mut session in left {
        session.close(out);
    }
    sessions
}

fn is_same(a: &Bfd, b: &Bfd) -> bool {
    (a.neighbor, a.source, a.multihop) == (b.neighbor, b.source, b.multihop)
}

impl Active {
    /// A BFD packet came in.
    pub fn bfd_packet(&mut self, heard: &BfdHeard, env: &mut Env<'_>) {
        let Some(control) = Control::parse(&heard.bytes) else { return count(&mut self.strays.bfd_malformed) };
        let Some(index) = self.bfd_receiver(heard, &control) else { return count(&mut self.strays.bfd_unknown) };
        self.bfd_act(index, env, |session, now, out| session.receive(&control, now, out));
    }

    /// RFC 5880 §6.8.6: the session whose discriminator the neighbour names; when it knows none yet, the one with that neighbour (RFC 5881
    /// §3), first that which speaks from the address it came to. It must come from the neighbour, to the port and over the number of hops
    /// of the session.
    fn bfd_receiver(&self, heard: &BfdHeard, control: &Control) -> Option<BfdIdx> {
        let mut candidates = self.bfds.iter().filter(|(_, session)| {
            let named = control.yours == 0 || session.mine == control.yours;
            named
                && session.conf.neighbor == heard.from
                && hops(&session.conf) == heard.hops
                && session.is_near(heard.ttl)
        });
        let to_its_own = |session: &Session| session.conf.source.is_some() && session.conf.source == heard.to;
        let first = candidates.next()?;
        if to_its_own(first.1) {
            return Some(first.0);
        }
        candidates.find(|(_, session)| to_its_own(session)).or(Some(first)).map(|(index, _)| index)
    }

    /// A session's time has come.
    pub(crate) fn bfd_expired(&mut self, index: BfdIdx, env: &mut Env<'_>) {
        self.bfd_act(index, env, Session::expire);
    }

    fn bfd_act(
        &mut self,
        index: BfdIdx,
        env: &mut Env<'_>,
        f: impl FnOnce(&mut Session, Mono, &mut Effects) -> Turned,
    ) {
        let Some(session) = self.bfds.at_mut(index) else { return };
        let turned = f(session, env.now, env.out);
        self.wake_bfd(index, env.now);
        if turned == Turned::Yes {
            self.bfd_turned(index, env);
        }
    }

    /// Tells checkd how the sessions stand that checkers hear of.
    pub fn say_sessions(&self, out: &mut Effects) {
        self.bfds.iter().for_each(|(index, session)| say(index, session, out));
    }

    /// Those that track it are told.
    fn bfd_turned(&mut self, index: BfdIdx, env: &mut Env<'_>) {
        if let Some(session) = self.bfds.at(index) {
            say(index, session, env.out);
        }
        let Some(session) = self.bfds.at(index) else { return };
        let (name, standing) = (session.conf.name.clone(), session.standing());
        let users =
            self.started_where(|instance| instance.options.track_bfds.iter().any(|tracked| tracked.bfd == index));
        let word = match standing {
            Standing::Up => Some("UP"),
            Standing::Down => Some("DOWN"),
            Standing::Fresh => None,
        };
        for (instance, word) in users.iter().filter_map(|user| self.instances.at(*user)).zip(word.into_iter().cycle()) {
            let text = format!("VRRP_Instance({}) Tracked BFD instance {name} is {word}", instance.conf.name);
            env.out.log(Level::Info, text);
        }
        self.appraise(&users, env);
    }

    /// Says goodbye on all sessions.
    pub fn close_bfds(&mut self, out: &mut Effects) {
        for (_, session) in self.bfds.iter_mut() {
            session.close(out);
        }
    }
}

/// Tells checkd of a session, unless it is for instances alone (`vrrp`) or nothing is known yet.
fn say(bfd: BfdIdx, session: &Session, out: &mut Effects) {
    let now = match session.standing() {
        Standing::Up => SessionState::Up,
        Standing::Down => SessionState::Down,
        Standing::Fresh => return,
    };
    if session.conf.told != Told::Vrrp {
        out.check(VrrpToCheck::Session { bfd, now });
    }
}
