//! TLS of SSL_GET, by rustls with ring: TLS 1.2 and 1.3.
//!
//! COMPAT: keepalived takes any certificate; here too, unless `ssl_verify` asks for more. Not to be reached are servers that offer no
//! suite with forward secrecy and authenticated encryption (RSA key exchange, CBC), and TLS 1.1 and older; the error says so.

use checkd::check::cert::not_after;
use ipc::config::check::{CheckConfig, CheckerKind};
use ipc::config::probe::{Tls, TlsContext};
use ipc::config::vrrp::Switch;
use ipc::report::{Level, Line};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes that a connection holds back for sending. Beside them rustls holds one record, and one handshake message of at most 64 KiB.
const SEND_LIMIT: usize = 64 * 1024;

/// What differs between the connections of one configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    verify: bool,
    ca: Option<String>,
    sni: bool,
}

impl Key {
    fn new(tls: &Tls, sni: bool) -> Key {
        Key { verify: tls.verify == Switch::On, ca: tls.ca_file.clone(), sni }
    }
}

/// The ways of TLS of one configuration, or why there is none.
#[derive(Default)]
pub struct Contexts {
    by_key: BTreeMap<Key, Result<Arc<ClientConfig>, String>>,
}

impl Contexts {
    /// Those that the checkers need; what is wrong with a file is told.
    pub fn new(config: &CheckConfig) -> (Contexts, Vec<Line>) {
        let mut contexts = Contexts::default();
        let mut lines = Vec::new();
        for checker in config.checkers.rows() {
            let CheckerKind::Ssl(_, tls) = &checker.kind else { continue };
            for sni in [false, true] {
                let key = Key::new(tls, sni);
                if contexts.by_key.contains_key(&key) {
                    continue;
                }
                let made = context(&config.tls, tls, sni);
                if let (Err(why), false) = (&made, sni) {
                    lines.push(Line::new(Level::Error, format!("{}: SSL_GET cannot be made: {why}", checker.origin)));
                }
                contexts.by_key.insert(key, made.map(Arc::new));
            }
        }
        (contexts, lines)
    }

    /// A connection to the server at `address`, which shall be `name`.
    pub fn connect(&self, tls: &Tls, name: Option<&str>, address: IpAddr) -> Result<ClientConnection, String> {
        let named = name.map(|name| {
            name.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(name, |(host, _)| host)
        });
        let dns = named
            .and_then(|name| ServerName::try_from(name.to_owned()).ok())
            .filter(|name| matches!(name, ServerName::DnsName(_)));
        let sni = tls.sni == Switch::On && dns.is_some();
        let config = match self.by_key.get(&Key::new(tls, sni)) {
            Some(Ok(config)) => Arc::clone(config),
            Some(Err(why)) => return Err(why.clone()),
            None => return Err("its settings are not there".to_owned()),
        };
        let name = dns.unwrap_or_else(|| ServerName::IpAddress(address.into()));
        let mut connection = ClientConnection::new(config, name).map_err(|e| e.to_string())?;
        connection.set_buffer_limit(Some(SEND_LIMIT));
        Ok(connection)
    }
}

/// When the certificate that the server showed ends.
pub fn certificate_ends(connection: &ClientConnection) -> Option<i64> {
    not_after(connection.peer_certificates()?.first()?)
}

/// What went wrong, and what can be done.
pub fn explain(error: &Error) -> String {
    match error {
        Error::AlertReceived(AlertDescription::HandshakeFailure) | Error::PeerIncompatible(_) => format!(
            "{error}; it may offer only RSA key exchange or CBC suites, which are not supported: TLS 1.3, or TLS 1.2 with ECDHE and \
             AES-GCM or ChaCha20, is needed"
        ),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            format!("{error}; it may speak only TLS 1.1 or older, which is not supported: TLS 1.2 or 1.3 is needed")
        }
        error => error.to_string(),
    }
}

fn context(files: &TlsContext, tls: &Tls, sni: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = if tls.verify == Switch::On {
        let roots = Arc::new(roots(files, tls)?);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, provider).build().map_err(|e| e.to_string())?;
        builder.with_webpki_verifier(verifier)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    };
    let mut config = match (&files.certificate, &files.key) {
        (Some(certificate), key) => {
            let key = key.as_ref().unwrap_or(certificate);
            let chain = certificates(files, certificate)?;
            builder
                .with_client_auth_cert(chain, private_key(files, key)?)
                .map_err(|e| format!("{certificate}, {key}: {e}"))?
        }
        (None, _) => builder.with_no_client_auth(),
    };
    config.enable_sni = sni;
    // Every probe says who it is anew: a server that would refuse strangers must not be well by an old ticket.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn roots(files: &TlsContext, tls: &Tls) -> Result<RootCertStore, String> {
    let named = tls.ca_file.as_deref().or(files.ca.as_deref());
    let path = match named {
        Some(path) => path,
        None => TlsContext::SYSTEM.into_iter().find(|path| files.file(path).is_some()).ok_or_else(|| {
            "ssl_verify needs to know whom to trust: `ssl_ca_file FILE`; the system has no file of authorities"
                .to_owned()
        })?,
    };
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(certificates(files, path)?);
    if taken == 0 { Err(format!("{path} holds no certificate of an authority")) } else { Ok(roots) }
}

fn certificates(files: &TlsContext, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates_in(files.file(path).ok_or_else(|| format!("{path} could not be read"))?, path)
}

fn private_key(files: &TlsContext, path: &str) -> Result<PrivateKeyDer<'static>, String> {
    private_key_in(files.file(path).ok_or_else(|| format!("{path} could not be read"))?, path)
}

/// The certificates in the text of a file, at least one.
pub fn certificates_in(content: &[u8], path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{path} holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(e) => Err(format!("{path}: {e}")),
    }
}

/// The private key in the text of a file.
pub fn private_key_in(content: &[u8], path: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(content).map_err(|e| format!("{path} holds no private key: {e}"))
}

/// A certificate of X.509 version 1 cannot be read for its key, and what it signs is not looked at, either.
macro_rules! any_signature {
    ($method:ident) => {
        fn $method(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
    };
}

/// Takes any certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    any_signature!(verify_tls12_signature);
    any_signature!(verify_tls13_signature);

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
