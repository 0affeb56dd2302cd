//! What each change makes stale in the directory's memory.
//!
//! In: a change that is being committed. Out: names to forget. Called by the directory; total, so that a new kind of change
//! cannot be overlooked.

use super::ports::{BindingScope, Change, CredentialLookup, CredentialRecord, CredentialSecret};

/// What a change makes stale in memory.
pub(super) enum Stale {
    /// One credential under one name.
    Credential(CredentialLookup),
    /// Every credential.
    AllCredentials,
    /// The roles on one resource.
    Grants(BindingScope),
}

impl Stale {
    /// What of the memory is stale after a change.
    pub(super) fn after(change: &Change) -> Vec<Self> {
        match change {
            Change::InsertCredential(record) => Self::names_of(record),
            Change::UpdateCredential(stored) => Self::names_of(&stored.value),
            Change::UpdatePrincipal(_) => vec![Self::AllCredentials],
            Change::PutBindings(scope, _) => vec![Self::Grants(*scope)],
            Change::InsertFolder(_)
            | Change::InsertPrincipal(_)
            | Change::PutAlias(_)
            | Change::InsertKey(_)
            | Change::UpdateKey(_)
            | Change::InsertVersion(..)
            | Change::InsertCounter(_)
            | Change::UpdateVersion(..)
            | Change::InsertOperation(_)
            | Change::RememberRequest(_)
            | Change::CountTokens(..) => Vec::new(),
        }
    }

    /// Under whatever name a credential may be in memory.
    fn names_of(record: &CredentialRecord) -> Vec<Self> {
        let by_secret = match &record.secret {
            CredentialSecret::TokenSha256(sha256) => Some(CredentialLookup::TokenSha256(*sha256)),
            CredentialSecret::AccessKey { access_key_id, .. } => {
                Some(CredentialLookup::AccessKeyId(access_key_id.clone()))
            }
            CredentialSecret::CertificateSha256(sha256) => Some(CredentialLookup::CertificateSha256(*sha256)),
            CredentialSecret::PublicKey(_) => None,
        };
        by_secret.into_iter().chain([CredentialLookup::Id(record.id)]).map(Self::Credential).collect()
    }
}
