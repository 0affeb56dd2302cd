//! Certificates and public keys: what is read, and what is refused with which reason.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};
use rstest::rstest;

const RSA_2048: &str = include_str!("testdata/rsa2048.pem");
const RSA_2048_PKCS1: &str = include_str!("testdata/rsa2048_pkcs1.pem");
const RSA_1024: &str = include_str!("testdata/rsa1024.pem");
const RSA_2048_E3: &str = include_str!("testdata/rsa2048_e3.pem");
const EC_P256: &str = include_str!("testdata/p256.pem");

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn certificate(key: &KeyPair) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec!["client".into()]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.self_signed(key).unwrap()
}

#[test]
fn a_certificate_is_known_by_the_hash_of_its_public_key_whatever_else_it_says() {
    let key = KeyPair::generate().unwrap();
    let [one, two] = [certificate(&key), certificate(&key)];
    let expected = sha256(&key.subject_public_key_info());
    let read = read_pem(one.pem().as_bytes()).unwrap();
    assert_eq!(read, read_der(one.der()).unwrap());
    assert_eq!(read.spki_sha256, expected);
    assert_eq!(spki_sha256(two.der()).unwrap(), expected);
    assert_eq!(read.not_before, Timestamp::from_micros(1_767_225_600_000_000));
    assert_eq!(read.not_after, Timestamp::from_micros(1_798_761_600_000_000));
    let another = certificate(&KeyPair::generate().unwrap());
    assert_ne!(spki_sha256(another.der()).unwrap(), expected);
}

#[test]
fn a_certificate_is_valid_from_its_first_to_its_last_instant() {
    let at = Timestamp::from_micros;
    let certificate = ClientCertificate { spki_sha256: [0; 32], not_before: at(10), not_after: at(20) };
    let valid: Vec<_> = [9, 10, 20, 21].map(|now| certificate.is_valid_at(at(now))).into();
    assert_eq!(valid, [false, true, true, false]);
}

#[test]
fn a_file_must_hold_exactly_one_certificate() {
    let key = KeyPair::generate().unwrap();
    let good = certificate(&key).pem();
    let private = key.serialize_pem();
    let read = |text: &str| read_pem(text.as_bytes()).unwrap_err();
    assert_eq!(read(&format!("{good}{good}")), CertificateError::NotOne);
    assert_eq!(read(&private), CertificateError::PrivateKey);
    assert_eq!(read(&format!("{good}{private}")), CertificateError::PrivateKey);
    assert_eq!(read(&format!("{private}{good}")), CertificateError::PrivateKey);
    assert_eq!(read(RSA_2048), CertificateError::NotACertificate);
    assert_eq!(read(""), CertificateError::NotPem);
    assert_eq!(read("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"), CertificateError::NotPem);
    assert_eq!(read(&" ".repeat(MAX_PEM_BYTES + 1)), CertificateError::TooLong);
    assert!(read_pem(format!("comment\n{good}").as_bytes()).is_ok());
}

#[test]
fn a_certificate_with_anything_behind_it_is_refused() {
    let mut der = certificate(&KeyPair::generate().unwrap()).der().to_vec();
    der.push(0);
    assert_eq!(read_der(&der), Err(CertificateError::BadCertificate));
    assert_eq!(read_pem(pem("CERTIFICATE", &der).as_bytes()), Err(CertificateError::BadCertificate));
}

#[test]
fn both_forms_of_an_rsa_key_give_the_same_bytes() {
    let spki = rsa_public_key(RSA_2048.as_bytes()).unwrap();
    assert_eq!(pem("PUBLIC KEY", &spki), RSA_2048);
    assert_eq!(rsa_public_key(RSA_2048_PKCS1.as_bytes()).unwrap(), spki);
}

#[rstest]
#[case(RSA_1024, CertificateError::RsaBits)]
#[case(RSA_2048_E3, CertificateError::RsaExponent)]
#[case(EC_P256, CertificateError::NotRsa)]
#[case("nothing", CertificateError::NotPem)]
fn a_key_that_logins_must_not_use_is_refused(#[case] text: &str, #[case] error: CertificateError) {
    assert_eq!(rsa_public_key(text.as_bytes()), Err(error));
}

#[test]
fn a_certificate_or_a_private_key_is_no_public_key() {
    let key = KeyPair::generate().unwrap();
    let refused = |text: String| rsa_public_key(text.as_bytes()).unwrap_err();
    assert_eq!(refused(certificate(&key).pem()), CertificateError::NotAPublicKey);
    assert_eq!(refused(key.serialize_pem()), CertificateError::PrivateKey);
    assert_eq!(refused(format!("{RSA_2048}{RSA_2048}")), CertificateError::NotOne);
}

#[test]
fn a_public_key_with_anything_behind_it_is_refused() {
    let mut der = rsa_public_key(RSA_2048.as_bytes()).unwrap();
    der.push(0);
    assert_eq!(rsa_public_key(pem("PUBLIC KEY", &der).as_bytes()), Err(CertificateError::NotRsa));
}

#[rstest]
#[case::rsa_2048(include_str!("testdata/client_rsa2048.pem"), true)]
#[case::p384(include_str!("testdata/client_p384.pem"), true)]
#[case::p521(include_str!("testdata/client_p521.pem"), true)]
#[case::ed25519(include_str!("testdata/client_ed25519.pem"), true)]
#[case::rsa_1024(include_str!("testdata/client_rsa1024.pem"), false)]
#[case::rsa_2047(include_str!("testdata/client_rsa2047.pem"), false)]
#[case::rsa_pss_only(include_str!("testdata/client_rsa_pss.pem"), false)]
#[case::p224(include_str!("testdata/client_p224.pem"), false)]
#[case::secp256k1(include_str!("testdata/client_secp256k1.pem"), false)]
#[case::ed448(include_str!("testdata/client_ed448.pem"), false)]
fn a_certificate_is_taken_only_if_its_key_can_log_in(#[case] text: &str, #[case] good: bool) {
    let read = read_pem(text.as_bytes());
    if good {
        assert!(read.is_ok(), "{read:?}");
    } else {
        assert_eq!(read, Err(CertificateError::UselessKey));
        assert!(CertificateError::UselessKey.to_string().contains("RSA with 2048 to 8192 bits"));
    }
}

/// INTEGER contents of an RSAPublicKey with this modulus and exponent.
fn pkcs1(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let integer = |value: &[u8]| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[0x02, 0x82], length.as_slice(), value].concat()
    };
    let short = [&[0x02, u8::try_from(exponent.len()).unwrap()], exponent].concat();
    let body = [integer(modulus), short].concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], length.as_slice(), &body].concat()
}

#[test]
fn bits_and_exponent_are_judged_by_value_not_by_length() {
    let odd = |bits: usize| {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, 0);
        modulus
    };
    let judged = |modulus: &[u8], exponent: &[u8]| {
        rsa_public_key(pem("RSA PUBLIC KEY", &pkcs1(modulus, exponent)).as_bytes()).map(|_| ())
    };
    assert_eq!(judged(&odd(2048), &[1, 0, 1]), Ok(()));
    assert_eq!(judged(&odd(2040), &[1, 0, 1]), Err(CertificateError::RsaBits));
    assert_eq!(judged(&odd(8200), &[1, 0, 1]), Err(CertificateError::RsaBits));
    assert_eq!(judged(&odd(2048), &[1, 0, 2]), Err(CertificateError::RsaExponent));
    assert_eq!(judged(&odd(2048), &[0]), Err(CertificateError::RsaExponent));
    let negative = vec![0xff; 256];
    assert_eq!(judged(&negative, &[1, 0, 1]), Err(CertificateError::NotRsa));
}
