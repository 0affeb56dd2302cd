//! Tokens with which one key is used. Like the tokens of logins, nobody stores them.
//!
//! In: what a token is good for, under which generator, in whose name and until when. Out: a text that only this installation
//! can make, and back from it what it says. Called by the directory, which looks at the credential that the token was issued
//! with on every use; the generator is looked at where the key is.

use super::signed_text::SignedText;
use crate::domain::id::{CredentialId, GeneratorId, KeyId};
use crate::domain::key_token::{KeyToken, TokenUse};
use crate::domain::time::Timestamp;
use zeroize::Zeroizing;

/// What the token of a key begins with, so that scanners can find leaked ones.
pub const KEY_TOKEN_PREFIX: &str = "clvk1_";

const VERSION: u8 = 1;
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const RANDOM_BYTES: usize = 16;
/// Version, use, credential, key, generator, end, random bytes.
const PAYLOAD_BYTES: usize = 1 + 1 + 3 * ID_BYTES + TIME_BYTES + RANDOM_BYTES;

/// What the token of a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyTokenClaim {
    /// What it may reach.
    pub token: KeyToken,
    /// The credential that it was issued with, whose principal it acts for.
    pub parent: CredentialId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes and reads the tokens of keys.
pub(crate) struct KeyTokens(SignedText);

const fn code(usage: TokenUse) -> u8 {
    match usage {
        TokenUse::Access => 1,
        TokenUse::Refresh => 2,
    }
}

impl KeyTokens {
    /// Tokens under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(SignedText::new(key, KEY_TOKEN_PREFIX, PAYLOAD_BYTES))
    }

    /// A token. The random bytes make tokens of one instant differ.
    pub fn issue(&self, claim: &KeyTokenClaim, random: [u8; RANDOM_BYTES]) -> Zeroizing<String> {
        let KeyToken { usage, key_id, generator_id } = &claim.token;
        let micros = claim.expires_at.as_micros().to_be_bytes();
        let ids = [claim.parent.as_bytes(), key_id.as_bytes(), generator_id.as_bytes()];
        self.0.issue(&[&[VERSION, code(*usage)], ids[0], ids[1], ids[2], &micros, &random])
    }

    /// What a token says, if it was made under this key. The tag is compared in constant time.
    pub fn read(&self, text: &str) -> Option<KeyTokenClaim> {
        let payload = self.0.read(text.strip_prefix(KEY_TOKEN_PREFIX)?)?;
        let ([version, usage], payload) = payload.split_first_chunk()?;
        let (parent, payload) = payload.split_first_chunk::<ID_BYTES>()?;
        let (key_id, payload) = payload.split_first_chunk::<ID_BYTES>()?;
        let (generator_id, payload) = payload.split_first_chunk::<ID_BYTES>()?;
        let (micros, _) = payload.split_first_chunk::<TIME_BYTES>()?;
        let usage = [TokenUse::Access, TokenUse::Refresh].into_iter().find(|known| code(*known) == *usage)?;
        let token = KeyToken {
            usage,
            key_id: KeyId::from_bytes(*key_id),
            generator_id: GeneratorId::from_bytes(*generator_id),
        };
        let expires_at = Timestamp::from_micros(i64::from_be_bytes(*micros));
        let parent = CredentialId::from_bytes(*parent);
        (*version == VERSION).then_some(KeyTokenClaim { token, parent, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(usage: TokenUse) -> KeyTokenClaim {
        KeyTokenClaim {
            token: KeyToken {
                usage,
                key_id: KeyId::from_bytes([2; 16]),
                generator_id: GeneratorId::from_bytes([3; 16]),
            },
            parent: CredentialId::from_bytes([1; 16]),
            expires_at: Timestamp::from_micros(1_234_567_890),
        }
    }

    #[test]
    fn a_token_says_what_it_was_issued_for() {
        let tokens = KeyTokens::new(&[1; 32]);
        for usage in [TokenUse::Access, TokenUse::Refresh] {
            let (one, other) = (tokens.issue(&claim(usage), [2; 16]), tokens.issue(&claim(usage), [3; 16]));
            assert_ne!(one, other);
            assert_eq!((tokens.read(&one), tokens.read(&other)), (Some(claim(usage)), Some(claim(usage))));
        }
    }

    #[test]
    fn every_changed_character_and_another_installation_is_refused() {
        let tokens = KeyTokens::new(&[1; 32]);
        let text = tokens.issue(&claim(TokenUse::Access), [2; 16]);
        for (at, old) in text.char_indices() {
            for new in "AQgw-_= ~\u{e4}".chars().filter(|new| *new != old) {
                let mut changed = text.to_string();
                changed.replace_range(at..=at, &new.to_string());
                assert_eq!(tokens.read(&changed), None, "{new} at {at}");
            }
        }
        assert_eq!(KeyTokens::new(&[2; 32]).read(&text), None);
        assert_eq!(tokens.read(&text[..text.len() - 1]), None);
    }

    /// The two kinds of token are under different keys, but even under one they would not be taken for each other.
    #[test]
    fn the_token_of_a_login_is_none_of_a_key() {
        use super::super::login_token::{Claim, LoginTokens};
        let parent = CredentialId::from_bytes([1; 16]);
        let login = LoginTokens::new(&[1; 32]).issue(Claim { parent, expires_at: Timestamp::from_micros(1) }, [2; 16]);
        assert_eq!(KeyTokens::new(&[1; 32]).read(&login), None);
    }
}
