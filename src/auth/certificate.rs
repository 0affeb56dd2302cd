//! Certificates and public keys as bytes: what is read of them, and which are refused.
//!
//! In: DER or PEM from anybody. Out: the SHA-256 by which a client certificate is known and its validity, or an RSA public
//! key in one canonical form. Plain functions. Called by the TLS listener and by the dialects that register credentials.
//!
//! A client certificate is known by its SubjectPublicKeyInfo alone: its issuer, names and uses are not looked at, because
//! whoever registered it vouches for the key and for nothing else.

use crate::domain::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, VerificationAlgorithm,
};
use x509_parser::oid_registry::{OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519};
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The longest file that is looked at. An RSA-8192 certificate has about 4 kB.
const MAX_PEM_BYTES: usize = 64 * 1024;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The least public exponent (FIPS 186-5, 5.4 (e)).
const LEAST_EXPONENT: u64 = 65_537;

/// Why a certificate or key is refused. The texts are for who handed it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than 64 KiB.
    #[error("a PEM file has at most 64 KiB")]
    TooLong,
    /// No PEM at all, or broken PEM.
    #[error("this is not PEM (-----BEGIN ...-----)")]
    NotPem,
    /// A private key. It should not have left its owner.
    #[error("this is a private key, which must stay with its owner: hand over the certificate or public key only")]
    PrivateKey,
    /// Several objects: it would not be clear which is meant.
    #[error("exactly one object is expected in the PEM file, without the certificates of its issuers")]
    NotOne,
    /// Another object than a certificate.
    #[error("a certificate is expected (-----BEGIN CERTIFICATE-----)")]
    NotACertificate,
    /// An unreadable certificate.
    #[error("the certificate cannot be read")]
    BadCertificate,
    /// A key of another algorithm, curve or length than the TLS listener verifies.
    #[error(
        "a client with this certificate could never connect: its key must be RSA with 2048 to 8192 bits, ECDSA on P-256, \
         P-384 or P-521, or Ed25519"
    )]
    UselessKey,
    /// Another object than a public key.
    #[error("an RSA public key is expected (-----BEGIN PUBLIC KEY----- or -----BEGIN RSA PUBLIC KEY-----)")]
    NotAPublicKey,
    /// A public key that is not RSA, or cannot be read.
    #[error("the public key cannot be read, or is not RSA")]
    NotRsa,
    /// Too short or too long.
    #[error("an RSA key has 2048 to 8192 bits here")]
    RsaBits,
    /// An exponent that is too small or even.
    #[error("the public exponent of an RSA key is odd and at least 65537 here")]
    RsaExponent,
}

/// What is read of a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
    /// The first instant of its validity.
    pub not_before: Timestamp,
    /// The last instant of its validity (RFC 5280, 4.1.2.5: inclusive).
    pub not_after: Timestamp,
}

impl ClientCertificate {
    /// Whether the certificate is valid at this instant.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// Reads a certificate, DER.
///
/// # Errors
/// [`CertificateError::BadCertificate`].
pub fn read_der(der: &[u8]) -> Result<ClientCertificate, CertificateError> {
    let (rest, certificate) = parse_x509_certificate(der).map_err(|_| CertificateError::BadCertificate)?;
    if !rest.is_empty() {
        return Err(CertificateError::BadCertificate);
    }
    let validity = certificate.validity();
    Ok(ClientCertificate {
        spki_sha256: sha256(certificate.public_key().raw),
        not_before: instant(validity.not_before),
        not_after: instant(validity.not_after),
    })
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo.
///
/// # Errors
/// [`CertificateError::BadCertificate`].
pub fn spki_sha256(der: &[u8]) -> Result<[u8; 32], CertificateError> {
    Ok(read_der(der)?.spki_sha256)
}

/// Reads the one certificate in a PEM file. A file with a whole chain is refused: were its order wrong, the key of a
/// certification authority would be registered.
///
/// # Errors
/// What is wrong with the file.
pub fn read_pem(pem: &[u8]) -> Result<ClientCertificate, CertificateError> {
    let object = only_object(pem)?;
    if object.label != "CERTIFICATE" {
        return Err(CertificateError::NotACertificate);
    }
    let read = read_der(&object.contents)?;
    let (_, certificate) = parse_x509_certificate(&object.contents).map_err(|_| CertificateError::BadCertificate)?;
    if can_log_in(certificate.public_key()) { Ok(read) } else { Err(CertificateError::UselessKey) }
}

/// Whether the TLS listener verifies signatures of this key.
fn can_log_in(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let algorithm = &key.algorithm.algorithm;
    let verifiers: &[&'static dyn VerificationAlgorithm] = if *algorithm == OID_PKCS1_RSAENCRYPTION {
        &[&RSA_PSS_2048_8192_SHA256]
    } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        &[&ECDSA_P256_SHA256_ASN1, &ECDSA_P384_SHA384_ASN1, &ECDSA_P521_SHA512_ASN1]
    } else if *algorithm == OID_SIG_ED25519 {
        &[&ED25519]
    } else {
        &[]
    };
    verifiers.iter().any(|verifier| ParsedPublicKey::new(*verifier, key.raw).is_ok()) && has_good_length(key)
}

/// Whether the key is as long as RSA keys must be, or none.
fn has_good_length(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let Ok(PublicKey::RSA(rsa)) = key.parsed() else { return true };
    positive(rsa.modulus).is_some_and(|n| RSA_BITS.contains(&bits(n)))
}

/// The length of a number without leading zero bytes.
fn bits(number: &[u8]) -> usize {
    number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize)
}

/// The RSA public key in a PEM file (SubjectPublicKeyInfo or PKCS#1) as SubjectPublicKeyInfo, DER, in the one canonical form:
/// equal keys give equal bytes.
///
/// # Errors
/// What is wrong with the file or the key.
pub fn rsa_public_key(pem: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let object = only_object(pem)?;
    match object.label.as_str() {
        "RSA PUBLIC KEY" => canonical_rsa(&object.contents),
        "PUBLIC KEY" => {
            let parsed = SubjectPublicKeyInfo::from_der(&object.contents);
            let (rest, info) = parsed.map_err(|_| CertificateError::NotRsa)?;
            let whole = rest.is_empty() && info.raw.len() == object.contents.len();
            if !whole || info.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
                return Err(CertificateError::NotRsa);
            }
            canonical_rsa(&info.subject_public_key.data)
        }
        _ => Err(CertificateError::NotAPublicKey),
    }
}

fn only_object(pem: &[u8]) -> Result<Pem, CertificateError> {
    if pem.len() > MAX_PEM_BYTES {
        return Err(CertificateError::TooLong);
    }
    let mut objects = Pem::iter_from_buffer(pem);
    let first = objects.next().ok_or(CertificateError::NotPem)?.map_err(|_| CertificateError::NotPem)?;
    let further = objects.next();
    // Also a private key that follows its certificate is worth to be told of.
    if std::iter::once(&first).chain(further.iter().flatten()).any(|object| object.label.contains("PRIVATE KEY")) {
        return Err(CertificateError::PrivateKey);
    }
    if further.is_some() { Err(CertificateError::NotOne) } else { Ok(first) }
}

/// An RSAPublicKey (RFC 8017, A.1.1), checked and encoded anew.
fn canonical_rsa(pkcs1: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let (rest, key) = RSAPublicKey::from_der(pkcs1).map_err(|_| CertificateError::NotRsa)?;
    let exponent = key.try_exponent().map_err(|_| CertificateError::RsaExponent)?;
    let n = positive(key.modulus).ok_or(CertificateError::NotRsa)?;
    let e = positive(key.exponent).ok_or(CertificateError::RsaExponent)?;
    if !rest.is_empty() {
        return Err(CertificateError::NotRsa);
    }
    if !RSA_BITS.contains(&bits(n)) {
        return Err(CertificateError::RsaBits);
    }
    if exponent < LEAST_EXPONENT || exponent.is_multiple_of(2) {
        return Err(CertificateError::RsaExponent);
    }
    let encoded: Result<PublicKeyX509Der<'_>, _> = RsaPublicKeyComponents { n, e }.as_der();
    let encoded = encoded.map_err(|_| CertificateError::NotRsa)?.as_ref().to_vec();
    // The verifier of logins must be able to take it.
    ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &encoded).map_err(|_| CertificateError::NotRsa)?;
    Ok(encoded)
}

/// The magnitude of an INTEGER's contents without leading zeros, if it is above zero.
fn positive(contents: &[u8]) -> Option<&[u8]> {
    let negative = contents.first().is_none_or(|byte| byte & 0x80 != 0);
    let start = contents.iter().position(|byte| *byte != 0)?;
    if negative { None } else { contents.get(start..) }
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

fn instant(time: ASN1Time) -> Timestamp {
    Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests;
