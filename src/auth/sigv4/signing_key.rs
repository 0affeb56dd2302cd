//! Signing keys and signatures (AWS Signature Version 4, "Calculate the signature").
//!
//! In: the secret of an access key pair and a scope, or a key and what was signed. Out: the key, or whether the signature is
//! good. Called by [`super`]. HMAC is done here and not in the library, so that keys are wiped when they are dropped.

use crate::service::directory::DerivedKey;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

/// What the credential scope ends with.
pub(crate) const TERMINATOR: &str = "aws4_request";
/// What the secret is prefixed with.
const PREFIX: &[u8] = b"AWS4";

/// The key for one day, region and service.
pub(crate) fn signing_key(secret: &[u8], date: &str, region: &str, service: &str) -> DerivedKey {
    // Not grown later: that would leave a copy behind.
    let mut prefixed = Zeroizing::new(Vec::with_capacity(PREFIX.len() + secret.len()));
    prefixed.extend_from_slice(PREFIX);
    prefixed.extend_from_slice(secret);
    let of_date = step(&prefixed, date);
    [region, service, TERMINATOR].iter().fold(of_date, |key, part| step(key.as_slice(), part))
}

fn step(key: &[u8], part: &str) -> DerivedKey {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), part.as_bytes());
    let mut derived = Zeroizing::new([0; 32]);
    derived.copy_from_slice(tag.as_ref());
    derived
}

/// Whether `signature` is that of `string_to_sign`, compared in constant time.
pub(crate) fn is_signature(key: &DerivedKey, string_to_sign: &[u8], signature: &[u8; 32]) -> bool {
    hmac::verify(&hmac::Key::new(HMAC_SHA256, key.as_slice()), string_to_sign, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// AWS's own example of a derived key.
    #[test]
    fn the_key_is_that_of_the_documentation() {
        let key = signing_key(SECRET, "20150830", "us-east-1", "iam");
        let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn every_part_of_the_scope_makes_another_key() {
        let key = |secret, date, region, service| *signing_key(secret, date, region, service);
        let one = key(SECRET, "20150830", "us-east-1", "kms");
        assert_eq!(one, key(SECRET, "20150830", "us-east-1", "kms"));
        assert_ne!(one, key(b"other", "20150830", "us-east-1", "kms"));
        assert_ne!(one, key(SECRET, "20150831", "us-east-1", "kms"));
        assert_ne!(one, key(SECRET, "20150830", "us-east-2", "kms"));
        assert_ne!(one, key(SECRET, "20150830", "us-east-1", "iam"));
    }
}
