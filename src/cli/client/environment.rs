//! What the environment says about the server and the caller, checked before anything is sent.
//!
//! In: values of variables, and the error of a request that did not reach the server. Out: what the client is built
//! with, or a failure that names the variable: a later try with the same environment only fails again. Called by
//! [`super::server`].

use super::super::{Exit, Failure, variable};
use reqwest::{Certificate, Identity, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};
use std::error::Error;
use std::fmt::Display;
use std::net::IpAddr;
use zeroize::Zeroizing;

const CA: &str = "CLAVIGER_CA";
const TLS_ENDPOINT: &str = "CLAVIGER_TLS_ENDPOINT";
const CERTIFICATE: &str = "CLAVIGER_CLIENT_CERTIFICATE";
const KEY: &str = "CLAVIGER_CLIENT_KEY";

fn wrong(name: &str, what: impl Display) -> Failure {
    Failure::new(Exit::Usage, format!("{name}: {what}"))
}

/// Whether the endpoint that the environment names is one over TLS. Without TLS only this machine may be called: the
/// credential travels in clear.
///
/// # Errors
/// [`Exit::Usage`] for anything but `https://host:port`, and `http://host:port` on this machine.
pub fn is_encrypted(endpoint: &str) -> Result<bool, Failure> {
    let name = if variable(TLS_ENDPOINT).is_some() { TLS_ENDPOINT } else { "CLAVIGER_ENDPOINT" };
    let url = url_of(endpoint).map_err(|what| wrong(name, what))?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => Ok(true),
        _ if is_loopback(host) => Ok(false),
        _ => Err(wrong(name, format!("{host} is another machine: use https, by CLAVIGER_TLS_ENDPOINT"))),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn url_of(endpoint: &str) -> Result<Url, String> {
    let example = "it is like https://kms.example.org:8201";
    // A URL parser takes line breaks and tabs out silently.
    if endpoint.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("there is a space or a control character in it, such as a line break".to_owned());
    }
    let shown = format!("{endpoint:?} is not an endpoint");
    let url = Url::parse(endpoint).map_err(|error| format!("{shown} ({error}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{shown}; {example}"));
    }
    Ok(url)
}

/// Whether a token can stand in a header. The message does not repeat it.
///
/// # Errors
/// [`Exit::Usage`].
pub fn check_token(token: &str) -> Result<(), Failure> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let what = "there is a character in it that no token has, such as a space or the line break at the end of a file";
    Err(wrong("CLAVIGER_TOKEN", what))
}

/// The authorities of a PEM file.
///
/// # Errors
/// [`Exit::Usage`] for a file that cannot be read or has no certificate, or a wrong one, in it.
pub fn authorities(path: &str) -> Result<Vec<Certificate>, Failure> {
    let wrong = |what: &dyn Display| wrong(CA, format_args!("{path}: {what}"));
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let (mut store, mut found) = (RootCertStore::empty(), Vec::new());
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|error| wrong(&error))?;
        found.push(Certificate::from_der(&der).map_err(|error| wrong(&error))?);
        store.add(der).map_err(|error| wrong(&error))?;
    }
    if found.is_empty() { Err(wrong(&"there is no certificate (PEM) in it")) } else { Ok(found) }
}

/// Certificate and key of who calls; each file may hold both.
///
/// # Errors
/// [`Exit::Usage`] for files that cannot be read, or are not what they should be.
pub fn client_identity(certificate: &str, key: &str) -> Result<Identity, Failure> {
    let (certificate_pem, key_pem) = (file(CERTIFICATE, certificate)?, file(KEY, key)?);
    let mut pem = Zeroizing::new(Vec::with_capacity(certificate_pem.len() + 1 + key_pem.len()));
    pem.extend_from_slice(&certificate_pem);
    pem.push(b'\n');
    pem.extend_from_slice(&key_pem);
    let both = format!("{CERTIFICATE}, {KEY}");
    Identity::from_pem(&pem).map_err(|error| wrong(&both, format_args!("{certificate}, {key}: {}", chain(&error))))
}

fn file(name: &str, path: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| wrong(name, format_args!("{path}: {error}")))
}

/// Why no client could be made of what was read.
pub fn not_built(error: &reqwest::Error) -> Failure {
    let of = if variable(CERTIFICATE).is_some() { format!("{CERTIFICATE}, {KEY}") } else { CA.to_owned() };
    wrong(&of, chain(error))
}

/// Why a request did not come to an answer: a certificate that is refused stays refused, all else may pass.
pub fn unreachable(endpoint: &str, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    match refused_certificate(&error) {
        Some(refused) => Failure::new(Exit::Usage, format!("{endpoint}: {}", advice(refused))),
        None => Failure::new(Exit::Unavailable, format!("{endpoint}: {}", chain(&error))),
    }
}

fn advice(refused: &CertificateError) -> String {
    match refused {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the server's certificate is of no authority that is trusted here: set {CA} to the file of its authority \
             ({refused})"
        ),
        other => format!("the server's certificate is refused, see {TLS_ENDPOINT} and {CA} ({other})"),
    }
}

/// The refusal of a certificate among the causes of an error.
fn refused_certificate<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(refused)) = error.downcast_ref() {
        return Some(refused);
    }
    // An I/O error gives the cause of what it carries as its own, and leaves out what it carries.
    match error.downcast_ref().and_then(std::io::Error::get_ref) {
        Some(carried) => refused_certificate(carried),
        None => error.source().and_then(refused_certificate),
    }
}

/// An error with its causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://127.0.0.1:8200")]
    #[case("https://kms.example.org")]
    #[case("https://[::1]:8201/")]
    fn endpoints_are_taken(#[case] text: &str) {
        url_of(text).unwrap();
    }

    #[rstest]
    #[case("127.0.0.1:8200")]
    #[case("localhost:8200")]
    #[case("kms.example.org")]
    #[case("ftp://kms.example.org")]
    #[case("https://")]
    #[case("https://kms.example.org:port")]
    #[case("https://kms.example.org\n")]
    #[case("https://kms .example.org")]
    fn what_is_no_endpoint_is_refused(#[case] text: &str) {
        assert!(url_of(text).is_err());
    }

    #[rstest]
    #[case("clv1_t\n")]
    #[case(" clv1_t")]
    #[case("clv1_t\r")]
    #[case("clv1_\u{7f}t")]
    #[case("clv1_\u{e4}t")]
    fn a_token_that_is_none_is_refused_and_not_repeated(#[case] token: &str) {
        let failure = check_token(token).unwrap_err();
        assert!(failure.exit == Exit::Usage && failure.text.starts_with("CLAVIGER_TOKEN: "), "{}", failure.text);
        assert!(!failure.text.contains("clv1"), "{}", failure.text);
        check_token("clv1_t-._~+/=").unwrap();
    }

    #[test]
    fn a_file_without_a_good_certificate_has_no_authorities() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let path = path.to_str().unwrap();
        let pair = rcgen::KeyPair::generate().unwrap();
        let good = rcgen::CertificateParams::new(vec!["a".into()]).unwrap().self_signed(&pair).unwrap().pem();
        let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(authorities(path).unwrap_err().exit, Exit::Usage);
        for text in ["", "text", &pair.serialize_pem(), wrong, &format!("{good}{wrong}")] {
            std::fs::write(path, text).unwrap();
            let failure = authorities(path).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.text.starts_with("CLAVIGER_CA: "), "{}", failure.text);
        }
        std::fs::write(path, format!("{good}{good}")).unwrap();
        assert_eq!(authorities(path).unwrap().len(), 2);
    }

    #[test]
    fn a_refused_certificate_is_found_below_other_errors() {
        let refused = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let nested = std::io::Error::other(std::io::Error::other(refused()));
        assert_eq!(refused_certificate(&nested), Some(&CertificateError::UnknownIssuer));
        assert_eq!(refused_certificate(&std::io::Error::other(rustls::Error::DecryptError)), None);
        assert!(advice(&CertificateError::UnknownIssuer).contains("set CLAVIGER_CA"));
    }

    #[rstest]
    #[case("https://kms.example:8201", Some(true))]
    #[case("https://127.0.0.1:8201", Some(true))]
    #[case("http://localhost:8200", Some(false))]
    #[case("http://LOCALHOST:8200", Some(false))]
    #[case("http://127.0.0.1:8200", Some(false))]
    #[case("http://127.9.9.9", Some(false))]
    #[case("http://[::1]:8200/", Some(false))]
    #[case("http://kms.example:8200", None)]
    #[case("http://localhost.example:8200", None)]
    #[case("http://127.0.0.1.example:8200", None)]
    #[case("http://127.0.0.1@kms.example:8200", None)]
    #[case("http://10.0.0.1:8200", None)]
    #[case("http://[::2]:8200", None)]
    #[case("http://0.0.0.0:8200", None)]
    #[case("ftp://127.0.0.1", None)]
    #[case("127.0.0.1:8200", None)]
    #[case("localhost:8200", None)]
    fn only_this_machine_is_called_without_tls(#[case] endpoint: &str, #[case] encrypted: Option<bool>) {
        match (is_encrypted(endpoint), encrypted) {
            (Ok(found), Some(expected)) => assert_eq!(found, expected),
            (Err(failure), None) => {
                assert_eq!(failure.exit, Exit::Usage);
                assert!(failure.text.contains("https") || failure.text.contains("no endpoint"), "{}", failure.text);
            }
            (found, expected) => panic!("{:?}, not {expected:?}", found.map_err(|failure| failure.text)),
        }
    }
}
