//! VRRPv2 authentication: type 0 (none), type 1 (simple text password, RFC 2338 §5.3.6) and type 2 (IP
//! authentication header, [`super::ah`]).

use ipc::config::vrrp::Auth;
use subtle::ConstantTimeEq;

/// Length of the authentication data that ends every VRRPv2 packet, in bytes.
pub const DATA_LEN: usize = 8;

/// The number of the authentication type.
pub fn kind(auth: &Auth) -> u8 {
    match auth {
        Auth::None => 0,
        Auth::Pass(_) => 1,
        Auth::Ah(_) => 2,
    }
}

/// The authentication data: the password's first eight bytes, padded with zeros. COMPAT: with AH it is zero, the key is not sent.
pub fn data(auth: &Auth) -> [u8; DATA_LEN] {
    let mut field = [0; DATA_LEN];
    if let Auth::Pass(secret) = auth {
        for (to, from) in field.iter_mut().zip(secret.reveal()) {
            *to = *from;
        }
    }
    field
}

/// The key of the authentication header: the password as [`data`] would send it.
pub fn ah_key(auth: &Auth) -> Option<[u8; DATA_LEN]> {
    match auth {
        Auth::Ah(secret) => Some(data(&Auth::Pass(secret.clone()))),
        Auth::None | Auth::Pass(_) => None,
    }
}

/// Whether received data is right, in a time that does not depend on where it differs.
pub fn accepts(auth: &Auth, received: &[u8; DATA_LEN]) -> bool {
    match auth {
        Auth::None | Auth::Ah(_) => true,
        Auth::Pass(_) => bool::from(data(auth).ct_eq(received)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::config::Secret;

    #[test]
    fn a_password_is_padded_and_cut_to_eight_bytes() {
        let pass = |text: &str| Auth::Pass(Secret::new(text.as_bytes().to_vec()));
        assert_eq!(data(&pass("1111")), *b"1111\0\0\0\0");
        assert_eq!(data(&pass("123456789")), *b"12345678");
        assert!(accepts(&pass("1111"), b"1111\0\0\0\0"));
        assert!(!accepts(&pass("1111"), b"1111\0\0\0\x01"));
        assert!(!accepts(&pass("1111"), b"1112\0\0\0\0"));
        assert!(accepts(&Auth::None, b"anything"));
    }
}
