//! Whom a command runs as. Asks the name service, so this is done when a configuration is loaded, not when a command runs.

use ipc::config::Origin;
use ipc::config::script::{RunAs, ScriptConfig, ScriptSecurity};
use ipc::config::vrrp::Switch;
use nix::unistd::{Gid, Group, User, getegid, geteuid, getgrouplist};
use std::ffi::CString;

/// The account that runs scripts when the configuration names none. COMPAT: keepalived 2.4.3.
pub const ACCOUNT: &str = "keepalived_script";

/// A uid with its gid, and other groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups, without `gid`; none unless the configuration asks for them.
    pub others: Vec<u32>,
}

impl Identity {
    /// Whom the supervisor runs as.
    pub const ROOT: Identity = Identity::new(0, 0);

    /// A user and one group.
    pub const fn new(uid: u32, gid: u32) -> Identity {
        Identity { uid, gid, others: Vec::new() }
    }

    /// This process; its supplementary groups do not matter.
    pub fn own() -> Identity {
        Identity::new(geteuid().as_raw(), getegid().as_raw())
    }

    /// Whether it is in a group.
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.others.contains(&gid)
    }
}

/// Whom commands without `user` run as, or why they cannot be run.
pub fn default_identity(table: &ScriptConfig) -> Result<Identity, String> {
    let all = table.identity.supplementary_groups;
    if let Some(run_as) = &table.default_user {
        return look_up(run_as, all).map_err(|why| format!("script_user: {why}"));
    }
    match User::from_name(ACCOUNT) {
        Ok(Some(user)) => with_others(&user, Identity::new(user.uid.as_raw(), user.gid.as_raw()), all),
        // The supervisor's own, which is root, also where an ordinary user asks for a configuration test.
        Ok(None) | Err(_) if table.security == ScriptSecurity::Off => Ok(Identity::ROOT),
        Ok(None) | Err(_) => Err(format!(
            "enable_script_security is set, no script_user is, and there is no account {ACCOUNT}; \
             set script_user in global_defs (script_user root is allowed) or create the account"
        )),
    }
}

/// The numbers of a configured user; with supplementary groups where its `:` or `all` (`set_supplementary_groups`) asks for them.
pub fn look_up(run_as: &RunAs, all: Switch) -> Result<Identity, String> {
    let name = &run_as.user;
    let by_name = User::from_name(name).map_err(|e| format!("user {name} cannot be looked up: {}", e.desc()))?;
    let (account, user) = match (by_name, name.parse::<u32>()) {
        (Some(user), _) => (Some(user.clone()), Identity::new(user.uid.as_raw(), user.gid.as_raw())),
        (None, Ok(uid)) => {
            let known = User::from_uid(uid.into()).ok().flatten();
            let gid = match (&known, &run_as.group) {
                (Some(user), _) => user.gid.as_raw(),
                (None, Some(_)) => uid,
                (None, None) => {
                    return Err(format!("user {uid} ({}) does not exist; name a group as well", run_as.origin));
                }
            };
            (known, Identity::new(uid, gid))
        }
        (None, Err(_)) => {
            return Err(format!("user {name} ({}) does not exist; create it, or name one that does", run_as.origin));
        }
    };
    let identity = match &run_as.group {
        Some(group) => Identity { gid: number_of(group, &run_as.origin)?, ..user },
        None => user,
    };
    match account {
        Some(account) if run_as.others == Switch::On => with_others(&account, identity, Switch::On),
        Some(account) => with_others(&account, identity, all),
        None => Ok(identity), // a number without an account is in no group
    }
}

fn number_of(group: &str, origin: &Origin) -> Result<u32, String> {
    let by_name = Group::from_name(group).map_err(|e| format!("group {group} cannot be looked up: {}", e.desc()))?;
    match (by_name, group.parse::<u32>()) {
        (Some(found), _) => Ok(found.gid.as_raw()),
        (None, Ok(gid)) => Ok(gid),
        (None, Err(_)) => Err(format!("group {group} ({origin}) does not exist; create it, or name one that does")),
    }
}

/// With the groups that an account is in, where they are asked for.
fn with_others(account: &User, identity: Identity, wanted: Switch) -> Result<Identity, String> {
    if wanted == Switch::Off {
        return Ok(identity);
    }
    let failed = |why: String| format!("the groups of user {} cannot be looked up: {why}", account.name);
    let name = CString::new(account.name.as_bytes()).map_err(|e| failed(e.to_string()))?;
    let all = getgrouplist(&name, account.gid).map_err(|e| failed(e.desc().to_owned()))?;
    let others = all.into_iter().map(Gid::as_raw).filter(|gid| *gid != identity.gid);
    Ok(Identity { others: others.collect(), ..identity })
}
