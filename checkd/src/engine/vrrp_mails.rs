//! Mails about instances and groups. vrrpd says what they have become, the supervisor passes it on, the names and the settings are those
//! of this process's own slice. COMPAT: keepalived 2.2.7, subjects and bodies captured; the same state of one is not mailed twice.

use super::{Action, Engine};
use crate::alert::Letter;
use crate::alert::words::{about_group, about_instance};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::Generation;
use ipc::config::check::{CheckConfig, Correspondent, VrrpMail};
use ipc::config::global::Mail;
use ipc::config::vrrp::Switch;
use ipc::msg::control::{News, NotifyState};

/// What mails need of a configuration.
#[derive(Clone, Debug)]
pub(super) struct Post {
    generation: Generation,
    /// `global_defs`
    pub mail: Mail,
    /// `router_id`
    pub router_id: String,
    vrrp: VrrpMail,
}

/// With whom, and what they were told last.
#[derive(Debug, Default)]
pub(super) struct Correspondence {
    /// Of the generation that counts.
    pub current: Option<Post>,
    /// Of the one before: what vrrpd says of instances that a reload removes has its indices.
    previous: Option<Post>,
    /// By name, for a reload numbers them anew.
    told: BTreeMap<(Subject, String), NotifyState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Instance,
    Group,
}

impl Correspondence {
    /// Another generation counts.
    pub fn turn(&mut self, generation: Generation, config: &CheckConfig) {
        let (mail, router_id, vrrp) = (config.mail.clone(), config.router_id.clone(), config.vrrp_mail.clone());
        self.previous = self.current.replace(Post { generation, mail, router_id, vrrp });
    }

    /// The letter that this means, if anybody wants one.
    fn letter(&mut self, generation: Generation, news: News) -> Option<Letter> {
        let posts = [self.current.as_ref(), self.previous.as_ref()];
        let post = posts.into_iter().flatten().find(|post| post.generation == generation)?;
        let (subject, state, who) = match news {
            News::Instance { instance, state, .. } => (Subject::Instance, state, post.vrrp.instances.at(instance)?),
            News::Group { group, state } => (Subject::Group, state, post.vrrp.groups.at(group)?),
            News::Real { .. } | News::Service { .. } => return None,
        };
        let Correspondent { name, alert } = who;
        if *alert == Switch::Off || (state == NotifyState::Fault && post.mail.no_faults == Switch::On) {
            return None;
        }
        let (about, body) = match subject {
            Subject::Instance => about_instance(name, state)?,
            Subject::Group => about_group(name, state)?,
        };
        let letter = Letter::of(&post.mail, &post.router_id, &about, &body);
        let before = self.told.insert((subject, name.clone()), state);
        letter.filter(|_| before != Some(state))
    }
}

impl Engine {
    /// vrrpd tells of a change.
    pub(super) fn news(&mut self, generation: Generation, news: News, out: &mut Vec<Action>) {
        out.extend(self.correspondence.letter(generation, news).map(Action::Compose));
    }
}
