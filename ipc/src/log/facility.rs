//! Syslog facilities: names, option values and codes.

use syslog::Facility;

/// COMPAT: keepalived 2.4.3, the facility without `-S`.
pub const DAEMON: u8 = 3;

const FACILITIES: [(&str, Facility); 24] = [
    ("kern", Facility::LOG_KERN),
    ("user", Facility::LOG_USER),
    ("mail", Facility::LOG_MAIL),
    ("daemon", Facility::LOG_DAEMON),
    ("auth", Facility::LOG_AUTH),
    ("syslog", Facility::LOG_SYSLOG),
    ("lpr", Facility::LOG_LPR),
    ("news", Facility::LOG_NEWS),
    ("uucp", Facility::LOG_UUCP),
    ("cron", Facility::LOG_CRON),
    ("authpriv", Facility::LOG_AUTHPRIV),
    ("ftp", Facility::LOG_FTP),
    ("ntp", Facility::LOG_NTP),
    ("audit", Facility::LOG_AUDIT),
    ("alert", Facility::LOG_ALERT),
    ("clock_daemon", Facility::LOG_CLOCK_DAEMON),
    ("local0", Facility::LOG_LOCAL0),
    ("local1", Facility::LOG_LOCAL1),
    ("local2", Facility::LOG_LOCAL2),
    ("local3", Facility::LOG_LOCAL3),
    ("local4", Facility::LOG_LOCAL4),
    ("local5", Facility::LOG_LOCAL5),
    ("local6", Facility::LOG_LOCAL6),
    ("local7", Facility::LOG_LOCAL7),
];

/// The code of a `-S` value: a digit 0 to 7 is local0 to local7, else a name.
/// COMPAT: keepalived 2.4.3 `--log-facility`.
pub fn code(option: &str) -> Option<u8> {
    let name = match option.as_bytes() {
        [b'0'..=b'7'] => format!("local{option}"),
        _ => option.to_ascii_lowercase(),
    };
    FACILITIES.iter().position(|(known, _)| *known == name).and_then(|n| u8::try_from(n).ok())
}

/// The name of a code.
pub fn name(code: u8) -> Option<&'static str> {
    FACILITIES.get(usize::from(code)).map(|(name, _)| *name)
}

/// For the formatter; a code out of range becomes `daemon`.
pub(super) fn facility(code: u8) -> Facility {
    FACILITIES.get(usize::from(code)).map_or(Facility::LOG_DAEMON, |(_, facility)| *facility)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_values() {
        assert_eq!(code("0"), Some(16));
        assert_eq!(code("7"), Some(23));
        assert_eq!(code("local3"), Some(19));
        assert_eq!(code("daemon"), Some(DAEMON));
        assert_eq!(code("8"), None);
        assert_eq!(code(""), None);
        assert_eq!(name(23), Some("local7"));
        assert_eq!(name(24), None);
    }

    #[test]
    fn the_table_is_in_the_order_of_the_codes() {
        for (n, (name, facility)) in FACILITIES.iter().enumerate() {
            assert_eq!(*facility as usize, n << 3, "{name}");
        }
    }
}
