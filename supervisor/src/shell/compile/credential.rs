//! Credentials of the service manager (systemd.exec(5), "Credentials"): files of this service alone, in a directory that
//! `CREDENTIALS_DIRECTORY` names. Which one is wanted, the compiler says; where they are, it does not learn.

use super::file::{Unusable, open_regular};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Where the service manager has put them.
pub fn directory() -> Option<OsString> {
    std::env::var_os("CREDENTIALS_DIRECTORY")
}

/// Opens the credential of this name, which is one ([`ipc::msg::compile::is_credential`]).
pub fn open(name: &str, directory: Option<&OsStr>) -> Result<OwnedFd, String> {
    let directory = directory.map(Path::new).filter(|directory| directory.is_absolute());
    let directory =
        directory.ok_or("the service manager has given no credentials: LoadCredential= in the unit does")?;
    open_regular(&directory.join(name)).map_err(|unusable| match unusable {
        Unusable::Missing => "the service manager has given no credential of this name".to_owned(),
        Unusable::Because(why) => why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_credential_is_a_file_in_the_directory() {
        let dir = crate::shell::testdir::TestDir::new("credential");
        std::fs::write(dir.path().join("vrrp-key"), "secret").unwrap();
        let directory = Some(dir.path().as_os_str());
        let mut text = String::new();
        std::fs::File::from(open("vrrp-key", directory).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "secret");
        assert!(open("other", directory).unwrap_err().contains("no credential of this name"));
        for none in [None, Some(OsStr::new("")), Some(OsStr::new("relative"))] {
            assert!(open("vrrp-key", none).unwrap_err().contains("LoadCredential="));
        }
    }
}
