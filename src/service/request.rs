//! What dialects hand to the use cases, and what they get back. Ids are parsed, texts are checked.

use crate::domain::Dialect;
use crate::domain::access::Caller;
use crate::domain::algorithm::Algorithm;
use crate::domain::context::EncryptionContext;
use crate::domain::id::{FolderId, KeyId, MaterialId};
use crate::domain::key::Switch;
use crate::domain::text::{Description, Labels, Name};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Who asks, and how the request is known in logs.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The `x-request-id` of the answer.
    pub request_id: String,
    /// The authenticated caller.
    pub caller: Caller,
    /// The dialect of the request.
    pub dialect: Dialect,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct CreateKey {
    /// The folder that will own it.
    pub folder_id: FolderId,
    /// Free name.
    pub name: Name,
    /// Free text.
    pub description: Description,
    /// Labels.
    pub labels: Labels,
    /// Algorithm of the first version, and of the next ones.
    pub algorithm: Algorithm,
    /// Automatic rotation, if wanted.
    pub rotation_period: Option<Duration>,
    /// Whether deletion is refused.
    pub deletion_protection: bool,
    /// The client's idempotency key and the SHA-256 of its request.
    pub idempotency: Option<Idempotency>,
}

/// A client's promise that equal requests are one request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The client's key.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: [u8; 32],
}

/// Settings of a key to be changed; `None` leaves a setting as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyPatch {
    /// Free name.
    pub name: Option<Name>,
    /// Free text.
    pub description: Option<Description>,
    /// On or off.
    pub switch: Option<Switch>,
    /// The whole set of labels.
    pub labels: Option<Labels>,
    /// Algorithm of the next version.
    pub default_algorithm: Option<Algorithm>,
    /// Automatic rotation: `Some(None)` turns it off.
    pub rotation_period: Option<Option<Duration>>,
    /// Whether deletion is refused.
    pub deletion_protection: Option<bool>,
}

/// Data to be encrypted.
#[derive(Clone)]
pub struct Encrypt {
    /// The key.
    pub key_id: KeyId,
    /// An active version of it; `None` is the primary one.
    pub version_id: Option<MaterialId>,
    /// Additional data to bind.
    pub context: EncryptionContext,
    /// The data.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// An encryption's result.
#[derive(Debug, Clone)]
pub struct Encrypted {
    /// The version that was used.
    pub version_id: MaterialId,
    /// The envelope.
    pub ciphertext: Vec<u8>,
}

/// Data to be decrypted.
#[derive(Debug, Clone)]
pub struct Decrypt {
    /// The key.
    pub key_id: KeyId,
    /// The additional data that was bound.
    pub context: EncryptionContext,
    /// The envelope.
    pub ciphertext: Vec<u8>,
}

/// A decryption's result.
#[derive(Clone)]
pub struct Decrypted {
    /// The version that was used.
    pub version_id: MaterialId,
    /// The data.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// Data to be encrypted anew without leaving the service.
#[derive(Debug, Clone)]
pub struct ReEncrypt {
    /// What to decrypt.
    pub source: Decrypt,
    /// The new key.
    pub key_id: KeyId,
    /// An active version of it; `None` is the primary one.
    pub version_id: Option<MaterialId>,
    /// The new additional data.
    pub context: EncryptionContext,
}

/// A re-encryption's result.
#[derive(Debug, Clone)]
pub struct ReEncrypted {
    /// The version that decrypted.
    pub source_version_id: MaterialId,
    /// The version that encrypted, and the envelope.
    pub encrypted: Encrypted,
}

/// A data key to be made.
#[derive(Debug, Clone)]
pub struct GenerateDataKey {
    /// The key that encrypts it.
    pub key_id: KeyId,
    /// An active version of it; `None` is the primary one.
    pub version_id: Option<MaterialId>,
    /// Additional data to bind.
    pub context: EncryptionContext,
    /// Length of the data key in bytes.
    pub bytes: usize,
}

/// A data key, in clear and encrypted. A dialect that is asked for the encrypted form only drops the other.
#[derive(Clone)]
pub struct DataKey {
    /// In clear.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The version that was used, and the envelope.
    pub encrypted: Encrypted,
}

// Plaintext is never printed, whoever prints the request that it came with.

impl fmt::Debug for Encrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encrypt({} bytes under key {})", self.plaintext.len(), self.key_id)
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({} bytes by version {})", self.plaintext.len(), self.version_id)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({} bytes under version {})", self.plaintext.len(), self.encrypted.version_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_not_printed() {
        let (key_id, version_id) = (KeyId::from_bytes([1; 16]), MaterialId::from_bytes([2; 16]));
        let plaintext = Zeroizing::new(vec![222; 3]);
        let encrypted = Encrypted { version_id, ciphertext: Vec::new() };
        let texts = [
            format!(
                "{:?}",
                Encrypt { key_id, version_id: None, context: EncryptionContext::Empty, plaintext: plaintext.clone() }
            ),
            format!("{:?}", Decrypted { version_id, plaintext: plaintext.clone() }),
            format!("{:?}", DataKey { plaintext, encrypted }),
        ];
        assert!(texts.iter().all(|text| text.contains("3 bytes") && !text.contains("222")), "{texts:?}");
    }
}
