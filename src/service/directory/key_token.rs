//! Tokens of keys, as far as the directory knows: that they were made here, and that the credential which they were issued
//! with is in force. Whether the key still has the generator is decided with the key.

use super::{CredentialLookup, Directory, Recognised};
use crate::domain::access::Caller;
use crate::domain::key_token::KeyToken;
use crate::domain::time::Timestamp;
use crate::service::error::ServiceError;
use crate::service::key_token_text::KeyTokenClaim;
use zeroize::Zeroizing;

/// Who acts by a token, and what the token may reach.
pub type ByKeyToken = (Caller, KeyToken);

impl Directory {
    /// Who presents this token of a key. Whoever has found that the key has its generator calls
    /// [`accepted_token_of`](Self::accepted_token_of).
    ///
    /// # Errors
    /// The store's.
    pub async fn by_key_token(&self, text: &str) -> Result<Recognised<ByKeyToken>, ServiceError> {
        let Some(claim) = self.key_tokens.read(text) else { return Ok(Recognised::Refused(None)) };
        let parent = self.find(CredentialLookup::Id(claim.parent)).await?;
        Ok(match parent.keep(|_| self.has_not_ended(&claim)) {
            Recognised::InForce(entry) => Recognised::InForce((entry.caller.clone(), claim.token)),
            Recognised::Refused(principal) => Recognised::Refused(principal),
        })
    }

    /// As [`by_key_token`](Self::by_key_token), if memory says that it is in force.
    #[must_use]
    pub fn remembered_by_key_token(&self, text: &str) -> Option<ByKeyToken> {
        let claim = self.key_tokens.read(text).filter(|claim| self.has_not_ended(claim))?;
        let entry = self.remembered(&CredentialLookup::Id(claim.parent))?;
        Some((entry.caller.clone(), claim.token))
    }

    /// Takes note that a request was made with a token of this caller.
    pub fn accepted_token_of(&self, caller: &Caller) {
        if let Some(entry) = self.remembered(&CredentialLookup::Id(caller.credential_id)) {
            self.note_use(&entry);
        }
    }

    /// A token that acts for the caller until then, and no longer than the caller's credential is in force.
    pub(in crate::service) fn issue_key_token(
        &self,
        caller: &Caller,
        token: KeyToken,
        expires_at: Timestamp,
    ) -> Zeroizing<String> {
        let claim = KeyTokenClaim { token, parent: caller.credential_id, expires_at };
        self.key_tokens.issue(&claim, self.ids.id())
    }

    fn has_not_ended(&self, claim: &KeyTokenClaim) -> bool {
        self.clock.now() < claim.expires_at
    }
}
