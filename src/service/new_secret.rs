//! Making the secrets of credentials: the only place where one is in clear before it is shown.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{CredentialSecret, SealedMaterial};
use crate::domain::id::CredentialId;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// What an API token begins with, so that scanners can find leaked ones.
pub const TOKEN_PREFIX: &str = "clv1_";

/// What the id of an access key pair begins with; AWS's own ids begin with another of four letters.
const ACCESS_KEY_PREFIX: &str = "CLVA";
/// 16 characters of 5 bits.
const ACCESS_KEY_ID_BYTES: usize = 10;
/// 40 characters of 6 bits.
const ACCESS_KEY_SECRET_BYTES: usize = 30;
/// RFC 4648, 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The SHA-256 by which the database knows an API token.
#[must_use]
pub fn token_sha256(token: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    out
}

impl Kms {
    /// An API token of 256 random bits: what is stored of it, and the token.
    pub(super) fn new_api_token(&self) -> (CredentialSecret, Zeroizing<String>) {
        let secret = self.ids.secret();
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(TOKEN_PREFIX);
        URL_SAFE_NO_PAD.encode_string(secret.as_slice(), &mut text);
        (CredentialSecret::TokenSha256(token_sha256(&text)), text)
    }

    /// An access key pair in the AWS form: its public id, and its secret of 40 characters as it is stored and as it is
    /// shown.
    pub(super) async fn new_access_key(
        &self,
        id: CredentialId,
    ) -> Result<(String, SealedMaterial, Zeroizing<String>), ServiceError> {
        let access_key_id = access_key_id(&self.ids.secret()[..ACCESS_KEY_ID_BYTES]);
        let random = self.ids.secret();
        let mut text = Zeroizing::new(String::with_capacity(64));
        STANDARD.encode_string(&random[..ACCESS_KEY_SECRET_BYTES], &mut text);
        if let Some(key) = self.token.secrets_key() {
            self.invocations.counter(key).take().await?;
        }
        let sealed = self.token.seal_secret(id, Zeroizing::new(text.as_bytes().to_vec())).await?;
        Ok((access_key_id, sealed, text))
    }
}

/// The public id of an access key pair: 20 upper-case letters and digits.
fn access_key_id(random: &[u8]) -> String {
    let bit = |at: usize| random[at / 8] >> (7 - at % 8) & 1;
    let digit = |at: usize| (at..at + 5).fold(0, |digit, at| digit << 1 | bit(at));
    let digits = (0..random.len() * 8).step_by(5).map(|at| char::from(BASE32[usize::from(digit(at))]));
    ACCESS_KEY_PREFIX.chars().chain(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4648, 10, twice.
    #[test]
    fn the_id_of_an_access_key_is_base32() {
        assert_eq!(access_key_id(b"fooba"), "CLVAMZXW6YTB");
        assert_eq!(access_key_id(b"foobafooba"), "CLVAMZXW6YTBMZXW6YTB");
    }

    #[test]
    fn every_bit_of_randomness_is_in_the_id() {
        let plain = access_key_id(&[0; ACCESS_KEY_ID_BYTES]);
        let ids: std::collections::HashSet<String> = (0..ACCESS_KEY_ID_BYTES * 8)
            .map(|bit| {
                let mut random = [0; ACCESS_KEY_ID_BYTES];
                random[bit / 8] |= 1 << (bit % 8);
                access_key_id(&random)
            })
            .collect();
        assert!(ids.len() == 80 && !ids.contains(&plain) && ids.iter().all(|id| id.len() == 20), "{ids:?}");
    }
}
