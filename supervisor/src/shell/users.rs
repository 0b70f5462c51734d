//! Whom a command runs as. Asks the name service, so this is done when a configuration is loaded, not when a command runs.

use ipc::config::script::{RunAs, ScriptConfig, ScriptSecurity};
use nix::unistd::{Group, User, getegid, geteuid};

/// The account that runs scripts when the configuration names none. COMPAT: keepalived 2.4.3.
pub const ACCOUNT: &str = "keepalived_script";

/// A uid with its gid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Identity {
    /// Whom the supervisor runs as.
    pub const ROOT: Identity = Identity { uid: 0, gid: 0 };

    /// This process.
    pub fn own() -> Identity {
        Identity { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }
}

/// Whom commands without `user` run as, or why they cannot be run.
pub fn default_identity(table: &ScriptConfig) -> Result<Identity, String> {
    if let Some(run_as) = &table.default_user {
        return look_up(run_as).map_err(|why| format!("script_user: {why}"));
    }
    match User::from_name(ACCOUNT) {
        Ok(Some(user)) => Ok(Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw() }),
        // The supervisor's own, which is root, also where an ordinary user asks for a configuration test.
        Ok(None) | Err(_) if table.security == ScriptSecurity::Off => Ok(Identity::ROOT),
        Ok(None) | Err(_) => Err(format!(
            "enable_script_security is set, no script_user is, and there is no account {ACCOUNT}; \
             set script_user in global_defs (script_user root is allowed) or create the account"
        )),
    }
}

/// The numbers of a configured user.
pub fn look_up(run_as: &RunAs) -> Result<Identity, String> {
    let name = &run_as.user;
    let by_name = User::from_name(name).map_err(|e| format!("user {name} cannot be looked up: {}", e.desc()))?;
    let user = match (by_name, name.parse::<u32>()) {
        (Some(user), _) => Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw() },
        (None, Ok(uid)) => {
            let known = User::from_uid(uid.into()).ok().flatten();
            match (known, &run_as.group) {
                (Some(user), _) => Identity { uid, gid: user.gid.as_raw() },
                (None, Some(_)) => Identity { uid, gid: uid },
                (None, None) => return Err(format!("user {uid} does not exist, so its group is not known")),
            }
        }
        (None, Err(_)) => return Err(format!("user {name} does not exist")),
    };
    let Some(group) = &run_as.group else { return Ok(user) };
    let by_name = Group::from_name(group).map_err(|e| format!("group {group} cannot be looked up: {}", e.desc()))?;
    match (by_name, group.parse::<u32>()) {
        (Some(found), _) => Ok(Identity { gid: found.gid.as_raw(), ..user }),
        (None, Ok(gid)) => Ok(Identity { gid, ..user }),
        (None, Err(_)) => Err(format!("group {group} does not exist")),
    }
}
