//! The accounts the children run under.

use ipc::msg::Role;
use nix::unistd::User;

/// The first uid and gid used in place of an account that does not exist; the four roles take it and the next three. Below
/// systemd's range for dynamic users (61184–65519) there may be real people, above it is `nobody`.
pub const FIRST_SPARE: u32 = 61_184;

/// A uid with its gid, neither ever 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Whom a child becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Somebody else.
    Becomes(Account),
    /// It stays the user who types `holdfast -t`, who has no rights to give up.
    Stays,
}

impl Whom {
    /// What a child is told about it.
    pub fn arguments(self) -> Vec<String> {
        match self {
            Whom::Becomes(Account { uid, gid }) => {
                ["--uid", &uid.to_string(), "--gid", &gid.to_string()].map(str::to_owned).to_vec()
            }
            Whom::Stays => vec!["--unprivileged".to_owned()],
        }
    }
}

/// The four accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    compile: Account,
    check: Account,
    vrrp: Account,
    ipvs: Account,
}

const NAMES: [(Role, &str); 4] = [
    (Role::Vrrp, "holdfast-vrrp"),
    (Role::Check, "holdfast-check"),
    (Role::Ipvs, "holdfast-ipvs"),
    (Role::Compile, "holdfast-compile"),
];

impl Accounts {
    /// Looks the accounts up. For those that are missing (or are root) spare numbers are used; the second value is then one
    /// sentence about it. Asks the name service, so only before the event loop runs.
    pub fn find() -> (Accounts, Option<String>) {
        Self::find_with(|name| {
            let user = User::from_name(name).ok().flatten()?;
            Some(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
        })
    }

    fn find_with(look_up: impl Fn(&str) -> Option<Account>) -> (Accounts, Option<String>) {
        let spare = Account { uid: FIRST_SPARE, gid: FIRST_SPARE };
        let mut found = Accounts { compile: spare, check: spare, vrrp: spare, ipvs: spare };
        let mut missing = Vec::new();
        for (number, (role, name)) in (FIRST_SPARE..).zip(NAMES) {
            let account = look_up(name).filter(|a| a.uid != 0 && a.gid != 0).unwrap_or_else(|| {
                missing.push(format!("{name} ({number})"));
                Account { uid: number, gid: number }
            });
            match role {
                Role::Compile => found.compile = account,
                Role::Check => found.check = account,
                Role::Vrrp => found.vrrp = account,
                Role::Ipvs => found.ipvs = account,
            }
        }
        let notice = (!missing.is_empty()).then(|| {
            let missing = missing.join(", ");
            format!(
                "These accounts do not exist, the uids in brackets are used: {missing}. systemd-sysusers creates them"
            )
        });
        (found, notice)
    }

    /// The account of a role.
    pub fn of(&self, role: Role) -> Account {
        match role {
            Role::Compile => self.compile,
            Role::Check => self.check,
            Role::Vrrp => self.vrrp,
            Role::Ipvs => self.ipvs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_accounts_get_distinct_spare_uids_and_one_notice() {
        let (accounts, notice) = Accounts::find_with(|_| None);
        let mut uids: Vec<u32> = NAMES.iter().map(|(role, _)| accounts.of(*role).uid).collect();
        uids.sort_unstable();
        assert_eq!(uids, [61_184, 61_185, 61_186, 61_187]);
        assert!(notice.unwrap().contains("holdfast-compile (61187)"));
    }

    #[test]
    fn an_account_that_is_root_is_not_used() {
        let (accounts, notice) = Accounts::find_with(|name| {
            Some(if name == "holdfast-vrrp" { Account { uid: 0, gid: 5 } } else { Account { uid: 7, gid: 8 } })
        });
        assert_eq!(accounts.of(Role::Vrrp).uid, 61_184);
        assert_eq!(accounts.of(Role::Check), Account { uid: 7, gid: 8 });
        assert!(notice.unwrap().contains("holdfast-vrrp"));
    }
}
