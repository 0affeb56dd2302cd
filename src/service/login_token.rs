//! The tokens of logins: short-lived bearer tokens that nobody stores.
//!
//! In: the credential that was logged in with, and an end. Out: a text that only this installation can make, and back
//! from it what it says. Called by the directory, which looks at the credential on every use: a token is worth
//! nothing once that is revoked. The key is the same at every start, so tokens survive restarts.

use super::signed_text::SignedText;
use crate::domain::id::CredentialId;
use crate::domain::time::Timestamp;
use zeroize::Zeroizing;

/// What the token of a login begins with, so that scanners can find leaked ones.
pub const LOGIN_TOKEN_PREFIX: &str = "clvl1_";

const VERSION: u8 = 1;
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const RANDOM_BYTES: usize = 16;
/// Version, credential, end, random bytes.
const PAYLOAD_BYTES: usize = 1 + ID_BYTES + TIME_BYTES + RANDOM_BYTES;

/// What the token of a login says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The credential that was logged in with.
    pub parent: CredentialId,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Makes and reads the tokens of logins.
pub(crate) struct LoginTokens(SignedText);

impl LoginTokens {
    /// Tokens under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(SignedText::new(key, LOGIN_TOKEN_PREFIX, PAYLOAD_BYTES))
    }

    /// A token. The random bytes make tokens of one instant differ.
    pub fn issue(&self, claim: Claim, random: [u8; RANDOM_BYTES]) -> Zeroizing<String> {
        let micros = claim.expires_at.as_micros().to_be_bytes();
        self.0.issue(&[&[VERSION], claim.parent.as_bytes(), &micros, &random])
    }

    /// What a token says, if it was made under this key; `text` is without the prefix. The tag is compared in constant
    /// time.
    pub fn read(&self, text: &str) -> Option<Claim> {
        let payload = self.0.read(text)?;
        let (version, payload) = payload.split_first()?;
        let (parent, payload) = payload.split_first_chunk::<ID_BYTES>()?;
        let (micros, _) = payload.split_first_chunk::<TIME_BYTES>()?;
        let expires_at = Timestamp::from_micros(i64::from_be_bytes(*micros));
        (*version == VERSION).then_some(Claim { parent: CredentialId::from_bytes(*parent), expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn claim() -> Claim {
        Claim { parent: CredentialId::from_bytes([7; 16]), expires_at: Timestamp::from_micros(1_234_567_890) }
    }

    fn without_prefix(token: &str) -> &str {
        token.strip_prefix(LOGIN_TOKEN_PREFIX).unwrap()
    }

    #[test]
    fn a_token_says_what_it_was_issued_for() {
        let tokens = LoginTokens::new(&[1; 32]);
        let one = tokens.issue(claim(), [2; 16]);
        let other = tokens.issue(claim(), [3; 16]);
        assert_ne!(one, other);
        for text in [one, other] {
            assert_eq!(text.len(), LOGIN_TOKEN_PREFIX.len() + tokens.0.text_bytes());
            assert_eq!(tokens.read(without_prefix(&text)), Some(claim()));
        }
    }

    #[test]
    fn every_changed_bit_and_length_is_refused() {
        let tokens = LoginTokens::new(&[1; 32]);
        let text = tokens.issue(claim(), [2; 16]);
        let text = without_prefix(&text);
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tokens.read(&URL_SAFE_NO_PAD.encode(changed)), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(tokens.read(&URL_SAFE_NO_PAD.encode(&bytes[..length])), None, "length {length}");
        }
        assert_eq!(tokens.read(&format!("{text}A")), None);
    }

    /// A token has one spelling: the unused bits of its last character are zero.
    #[test]
    fn every_changed_character_is_refused() {
        let tokens = LoginTokens::new(&[1; 32]);
        let text = tokens.issue(claim(), [2; 16]);
        let text = without_prefix(&text);
        for (at, old) in text.char_indices() {
            for new in "AQgwBz-_=+/ ~\u{e4}".chars().filter(|new| *new != old) {
                let mut changed = text.to_owned();
                changed.replace_range(at..=at, &new.to_string());
                assert_eq!(tokens.read(&changed), None, "{new} at {at}");
            }
        }
    }

    #[test]
    fn a_token_of_another_installation_is_refused() {
        let text = LoginTokens::new(&[1; 32]).issue(claim(), [2; 16]);
        assert_eq!(LoginTokens::new(&[2; 32]).read(without_prefix(&text)), None);
    }
}
