//! Keys of SSL_GET under a password: opened when the configuration is compiled, so that the checks never see the password.
//!
//! PKCS #8 with PBES2 (RFC 8018 §6.2), which is what OpenSSL has written since 1.0; the formats before it are told about.

use pkcs8::der::SecretDocument;
use pkcs8::der::pem::LineEnding;
use pkcs8::{EncryptedPrivateKeyInfoRef, Error, pkcs5};

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// The text of a file with its key in the open; the rest, such as certificates, stays. A file without such a key is returned as it is.
pub(super) fn open(content: &[u8], path: &str, password: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let Ok(text) = core::str::from_utf8(content) else { return Ok(content.to_vec()) };
    // RFC 1421 §4.6.1.1: the key of its own format, with the way it was encrypted in a header.
    if text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED")) {
        return Err(format!(
            "{path}: a key under a password in the format before PKCS #8 is not supported; openssl pkcs8 -topk8 -in {path} -out NEW \
             writes it anew"
        ));
    }
    let Some(from) = text.find(BEGIN) else { return Ok(content.to_vec()) };
    let Some((before, key)) = text.split_at_checked(from) else { return Ok(content.to_vec()) };
    let Some((key, after)) = key.find(END).and_then(|at| key.split_at_checked(at.saturating_add(END.len()))) else {
        return Err(format!("{path}: the key has no end"));
    };
    let Some(password) = password else {
        return Err(format!("{path}: the key is under a password; `password` of the `SSL` block says which"));
    };
    let opened = SecretDocument::from_pem(key)
        .map_err(|e| format!("{path}: the key cannot be read: {e}"))
        .and_then(|(_, sealed)| decrypt(&sealed, password).map_err(|e| format!("{path}: {}", why(&e))))?;
    let plain = opened.to_pem("PRIVATE KEY", LineEnding::LF).map_err(|e| format!("{path}: {e}"))?;
    Ok([before, &plain, after].concat().into_bytes())
}

fn decrypt(sealed: &SecretDocument, password: &[u8]) -> Result<SecretDocument, Error> {
    sealed.decode_msg::<EncryptedPrivateKeyInfoRef<'_>>()?.decrypt(password)
}

fn why(error: &Error) -> String {
    match error {
        // What comes out of a wrong key has a wrong padding, or is no key.
        Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | Error::Asn1(_) => {
            "the key does not open; is `password` of the `SSL` block the right one?".to_owned()
        }
        error => format!(
            "the key is encrypted in a way that is not supported ({error}); openssl pkcs8 -topk8 writes it anew with another"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::tls;
    use std::process::Command;

    fn openssl(arguments: &str) {
        let done = Command::new("openssl").args(arguments.split(' ')).output().unwrap();
        assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn what_openssl_writes() {
        let directory = std::env::temp_dir().join(format!("checkd-key-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let d = directory.display();
        openssl(&format!("req -x509 -newkey rsa:2048 -nodes -keyout {d}/k -out {d}/c -days 3 -subj /CN=x"));
        let certificate = std::fs::read_to_string(directory.join("c")).unwrap();
        for way in ["", " -v2 aes-128-cbc", " -v2 des3", " -v2prf hmacWithSHA1", " -scrypt -scrypt_N 1024"] {
            openssl(&format!("pkcs8 -topk8 -in {d}/k -out {d}/sealed -passout pass:secret -iter 2000{way}"));
            let sealed = std::fs::read_to_string(directory.join("sealed")).unwrap();
            let both = format!("{certificate}{sealed}").into_bytes();
            let opened = open(&both, "F", Some(b"secret")).unwrap_or_else(|e| panic!("{way}: {e}"));
            assert!(tls::private_key_in(&opened, "F").is_ok(), "{way}");
            assert_eq!(tls::certificates_in(&opened, "F").unwrap().len(), 1, "{way}");
            let wrong = open(&both, "F", Some(b"other")).unwrap_err();
            assert!(wrong.contains("does not open"), "{way}: {wrong}");
            assert!(open(&both, "F", None).unwrap_err().contains("`password` of the `SSL` block"));
        }
        openssl(&format!("rsa -in {d}/k -out {d}/old -traditional -aes256 -passout pass:secret"));
        let old = std::fs::read(directory.join("old")).unwrap();
        assert!(open(&old, "F", Some(b"secret")).unwrap_err().contains("openssl pkcs8 -topk8"));
        openssl(&format!("pkcs8 -topk8 -in {d}/k -out {d}/first -passout pass:secret -v1 PBE-SHA1-3DES"));
        let first = std::fs::read(directory.join("first")).unwrap();
        assert!(open(&first, "F", Some(b"secret")).is_err());
        let _ = std::fs::remove_dir_all(directory);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(middle: String, cut in 0_usize..200) {
            let text = format!("{BEGIN}\n{middle}\n{END}\n");
            let _ = open(text.as_bytes().get(..cut).unwrap_or(text.as_bytes()), "F", Some(b"x"));
        }
    }
}
