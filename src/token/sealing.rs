//! Secrets of ours that internal keys of the token encrypt: software-protected versions, and secrets of credentials.
//!
//! In: which kind of secret, and the row that it belongs to. Out: the AAD that binds the one to the other, and the parts
//! of the stored bytes (IV, ciphertext, tag). Each kind has token keys and a purpose of its own, so that nothing of one
//! kind, and nothing of another row, opens as the other. Used by the caller's side and by the data workers.

use crate::domain::algorithm::Algorithm;
use crate::domain::envelope::{IV_BYTES, TAG_BYTES};
use crate::domain::id::{CredentialId, KeyId, MaterialId};
use crate::service::ports::{InternalKeyRole, TokenError};
use zeroize::Zeroizing;

/// The longest secret that is sealed, in bytes: far above those of credentials, and far below what any token encrypts
/// in one call.
pub const MAX_SECRET_BYTES: usize = 4096;
/// Domain separation label of every AAD made here.
const LABEL: &[u8] = b"claviger-seal-1";

/// What an internal key encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealingRole {
    /// Keys of software-protected versions.
    SoftwareVersions,
    /// Secrets of credentials.
    Credentials,
}

impl SealingRole {
    /// The role of an internal key, if it encrypts.
    pub const fn of(role: InternalKeyRole) -> Option<Self> {
        match role {
            InternalKeyRole::SoftwareVersions => Some(Self::SoftwareVersions),
            InternalKeyRole::Credentials => Some(Self::Credentials),
            InternalKeyRole::RowMac | InternalKeyRole::AuditSignature => None,
        }
    }

    /// The role among all internal keys.
    pub const fn internal(self) -> InternalKeyRole {
        match self {
            Self::SoftwareVersions => InternalKeyRole::SoftwareVersions,
            Self::Credentials => InternalKeyRole::Credentials,
        }
    }
}

/// What is to be sealed.
pub enum Secret {
    /// As many random bytes of the token's.
    New {
        /// How many.
        bytes: usize,
    },
    /// These bytes.
    Given(Zeroizing<Vec<u8>>),
}

/// The AAD of a software-protected version: purpose, table, row id (the version's id is its material's, so it stands once
/// as either), key id and algorithm, each with its length.
pub fn version_aad(id: MaterialId, key_id: KeyId, algorithm: Algorithm) -> Vec<u8> {
    aad(&[b"software-version", b"versions", id.as_bytes(), key_id.as_bytes(), &[algorithm.code()]])
}

/// The AAD of a credential's secret: purpose, table and row id, each with its length.
pub fn credential_aad(id: CredentialId) -> Vec<u8> {
    aad(&[b"credential-secret", b"credentials", id.as_bytes()])
}

fn aad(parts: &[&[u8]]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(128);
    for part in std::iter::once(&LABEL).chain(parts) {
        aad.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}

/// The IV, and ciphertext with tag, of stored bytes.
///
/// # Errors
/// [`TokenError::MaterialDamaged`] for a length that was never stored.
pub fn split(bytes: &mut [u8]) -> Result<(&mut [u8], &[u8]), TokenError> {
    let damaged = |what: &str| Err(TokenError::MaterialDamaged(what.to_owned()));
    match bytes.len() {
        ..MIN_SEALED_BYTES => damaged("it is too short"),
        MIN_SEALED_BYTES..=MAX_SEALED_BYTES => {
            let (iv, sealed) = bytes.split_at_mut(IV_BYTES);
            Ok((iv, sealed))
        }
        _ => damaged("it is too long"),
    }
}

const MIN_SEALED_BYTES: usize = IV_BYTES + TAG_BYTES;
const MAX_SEALED_BYTES: usize = IV_BYTES + MAX_SECRET_BYTES + TAG_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MaterialId = MaterialId::from_bytes([1; 16]);
    const KEY_ID: KeyId = KeyId::from_bytes([2; 16]);

    #[test]
    fn the_aad_of_a_version_differs_in_every_part() {
        let base = version_aad(ID, KEY_ID, Algorithm::Aes128);
        assert_ne!(base, version_aad(MaterialId::from_bytes([3; 16]), KEY_ID, Algorithm::Aes128));
        assert_ne!(base, version_aad(ID, KeyId::from_bytes([1; 16]), Algorithm::Aes128));
        assert_ne!(base, version_aad(ID, KEY_ID, Algorithm::Aes256));
    }

    #[test]
    fn the_aad_of_stored_versions_stays_as_it_is() {
        let aad = version_aad(ID, KEY_ID, Algorithm::Aes128);
        let (head, ids) = aad.split_at(4 + 15 + 4 + 16 + 4 + 8);
        assert_eq!(head, b"\0\0\0\x0fclaviger-seal-1\0\0\0\x10software-version\0\0\0\x08versions");
        let code = Algorithm::Aes128.code();
        assert_eq!(ids, [&[0, 0, 0, 16][..], &[1; 16], &[0, 0, 0, 16], &[2; 16], &[0, 0, 0, 1, code]].concat());
    }

    #[test]
    fn the_aad_of_a_credential_names_purpose_table_and_row() {
        let aad = credential_aad(CredentialId::from_bytes([7; 16]));
        let text = b"\0\0\0\x0fclaviger-seal-1\0\0\0\x11credential-secret\0\0\0\x0bcredentials\0\0\0\x10";
        assert_eq!(aad, [&text[..], &[7; 16]].concat());
    }

    #[test]
    fn lengths_that_were_never_stored_are_damaged() {
        let outcome = |bytes: usize| split(&mut vec![0; bytes]).map(|(iv, sealed)| (iv.len(), sealed.len()));
        assert_eq!((outcome(28), outcome(28 + 4096)), (Ok((12, 16)), Ok((12, 4112))));
        for bytes in [0, 27, 28 + 4097] {
            assert!(matches!(outcome(bytes), Err(TokenError::MaterialDamaged(_))), "{bytes}");
        }
    }

    #[test]
    fn a_role_that_encrypts_is_found_among_all_and_back() {
        for role in [SealingRole::SoftwareVersions, SealingRole::Credentials] {
            assert_eq!(SealingRole::of(role.internal()), Some(role));
        }
        assert_eq!(SealingRole::of(InternalKeyRole::RowMac), None);
    }
}
