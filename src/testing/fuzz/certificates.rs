//! Certificates and public keys, from callers and from the other ends of TLS handshakes.

use crate::auth::certificate::{self, CertificateError, read_der, read_pem};
use crate::domain::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rustls::server::danger::ClientCertVerifier;
use std::time::Duration;

const CERTIFICATE: &[u8] = include_bytes!("testdata/client.pem");
const PUBLIC_KEY: &[u8] = include_bytes!("testdata/login_key.pem");

pub fn pem_seeds() -> Vec<Vec<u8>> {
    vec![CERTIFICATE.to_vec(), [b"a comment\n", CERTIFICATE].concat()]
}

fn in_pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A file with one certificate and nothing else.
pub fn certificate_pem(data: &[u8]) -> bool {
    let Ok(read) = read_pem(data) else { return false };
    let lines = data.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let begun: Vec<_> = lines.filter(|line| line.starts_with("-----BEGIN ")).collect();
    assert_eq!(begun.len(), 1, "one of several objects was chosen: {begun:?}");
    assert!(!begun.concat().contains("PRIVATE"), "a private key");
    assert!(!read.is_valid_at(Timestamp::from_micros(i64::MAX)), "a certificate without end");
    true
}

pub fn der_seeds() -> Vec<Vec<u8>> {
    CertificateDer::from_pem_slice(CERTIFICATE).into_iter().map(|der| der.to_vec()).collect()
}

/// The certificate of a handshake.
pub fn client_certificate(data: &[u8]) -> bool {
    let verifier = crate::server::client_certificates::AnyHeldKey::new(&default_provider());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    if verifier.verify_client_cert(&CertificateDer::from(data), &[], now).is_err() {
        return false;
    }
    let read = read_der(data);
    assert!(read.is_ok(), "a handshake goes well whose certificate cannot be read");
    match read_pem(in_pem("CERTIFICATE", data).as_bytes()) {
        // Keys with which nobody could sign a handshake are not registered.
        Err(CertificateError::UselessKey) => {}
        registered => assert_eq!(read, registered, "a file is read otherwise"),
    }
    true
}

pub fn public_key_seeds() -> Vec<Vec<u8>> {
    vec![PUBLIC_KEY.to_vec(), [b"\n\n", PUBLIC_KEY].concat()]
}

/// A file with an RSA public key: what comes out is its one form.
pub fn public_key(data: &[u8]) -> bool {
    let Ok(spki) = certificate::rsa_public_key(data) else { return false };
    let again = certificate::rsa_public_key(in_pem("PUBLIC KEY", &spki).as_bytes());
    assert_eq!(again.as_ref(), Ok(&spki), "its own form is not read again");
    true
}
