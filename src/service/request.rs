//! What dialects hand to the use cases, and what they get back. Ids are parsed, texts are checked.

use super::ports::{KeyFilter, KeyPair};
use crate::domain::Dialect;
use crate::domain::access::{Caller, Origin};
use crate::domain::algorithm::Algorithm;
use crate::domain::alias::AliasName;
use crate::domain::context::EncryptionContext;
use crate::domain::id::{AccountId, FolderId, KeyId, MaterialId};
use crate::domain::key::{Key, Requires, Switch};
use crate::domain::key_pair::KeyPairSpec;
use crate::domain::text::{Description, Labels, Name, ShortName};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
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
    /// The region that the request was made to, in dialects that have regions: keys of other regions do not exist for it.
    pub region: Option<Arc<str>>,
    /// Where it comes from.
    pub origin: Origin,
    /// What the request counts as for its principal.
    pub counted: Counted,
}

/// What a request counts as for the limit of its principal. There is no default: each dialect says it of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted(bool);

impl Counted {
    /// As many requests as use cases are called for it: for dialects that call one for each request that they read.
    #[must_use]
    pub const fn by_use_cases() -> Self {
        Self(false)
    }

    /// One, which is counted: `Kms::count_incoming` gives this.
    pub(super) const fn done() -> Self {
        Self(true)
    }

    /// Whether nothing is left to be counted.
    pub(super) const fn is_done(self) -> bool {
        self.0
    }
}

impl RequestContext {
    /// Whether there is such a key for this request, as far as its dialect and region go.
    #[must_use]
    pub fn shows(&self, key: &Key) -> bool {
        self.is_in_region(key) && !key.is_hidden_in(self.dialect)
    }

    /// Whether the key is in the region that the request was made to, or the request was made to none.
    #[must_use]
    pub fn is_in_region(&self, key: &Key) -> bool {
        self.region.as_deref().is_none_or(|region| region == key.region)
    }

    /// Which keys of a folder there are for this request.
    #[must_use]
    pub fn key_filter(&self) -> KeyFilter {
        KeyFilter {
            region: self.region.as_deref().map(str::to_owned),
            pending_deletion: self.dialect.shows_pending_deletion(),
        }
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct CreateKey {
    /// The folder that will own it.
    pub folder_id: FolderId,
    /// Free name.
    pub name: Name,
    /// Ncloud's name, if it has one.
    pub key_name: Option<ShortName>,
    /// Free text.
    pub description: Description,
    /// Labels.
    pub labels: Labels,
    /// Tags, apart from labels; at most 50.
    pub tags: BTreeMap<String, String>,
    /// Algorithm of the first version, and of the next ones.
    pub algorithm: Algorithm,
    /// Whether equal plaintexts under equal contexts are to have equal ciphertexts; of `AES_256` only.
    pub convergent: bool,
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
    /// Ncloud's name.
    pub key_name: Option<ShortName>,
    /// Free text.
    pub description: Option<Description>,
    /// On or off.
    pub switch: Option<Switch>,
    /// The whole set of labels.
    pub labels: Option<Labels>,
    /// Tags to be set and removed.
    pub tags: TagChange,
    /// What the change asks of the key's state.
    pub requires: Requires,
    /// Algorithm of the next version.
    pub default_algorithm: Option<Algorithm>,
    /// Automatic rotation by the rules of the asking dialect: `Some(None)` turns it off.
    pub rotation_period: Option<Option<Duration>>,
    /// What a rotation period does to a schedule that is there.
    pub reschedule: Reschedule,
    /// Whether deletion is refused.
    pub deletion_protection: Option<bool>,
}

/// What a rotation period does to a schedule that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reschedule {
    /// It becomes a schedule of the asking dialect with this period.
    #[default]
    Always,
    /// The same, but a schedule of the asking dialect stays as it is, whatever its period.
    UnlessOwn,
    /// The same, but without a schedule there is nothing to change, which is refused.
    IfOn,
}

/// Tags to be set and removed; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagChange {
    /// New tags, and new values of tags that are there.
    pub set: BTreeMap<String, String>,
    /// Names of tags that go; one that is not there is no mistake.
    pub remove: Vec<String>,
}

/// A key as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// By its id, in whichever account (an envelope names it so).
    Anywhere(KeyId),
    /// By its id, in this account.
    Id(AccountId, KeyId),
    /// By an alias of this account.
    Alias(AccountId, AliasName),
}

/// Where a named key is. Nothing is decided yet about what the caller may do with it, nor whether it may know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// The key.
    pub key_id: KeyId,
    /// The account number of its folder.
    pub account_id: AccountId,
}

/// The rules of a rotation on demand beyond those of the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnDemandRules {
    /// Most rotations on demand of one key, whoever asked for them.
    pub max_rotations: Option<u32>,
    /// How long before the schedule's own rotation none is made.
    pub keep_clear_of_schedule: Duration,
}

/// A use of keys that is checked and not made.
#[derive(Debug, Clone, Default)]
pub struct DryRun {
    /// What would be decrypted.
    pub decrypt: Option<DryDecrypt>,
    /// The key that would encrypt.
    pub encrypt: Option<KeyId>,
    /// The additional data that it would bind; `None` if that is not looked at.
    pub context: Option<EncryptionContext>,
}

/// A decryption that is not answered.
#[derive(Debug, Clone)]
pub enum DryDecrypt {
    /// Whether key and caller are right; ciphertext and context are not looked at.
    Key(KeyId),
    /// Whether ciphertext and context are right too, which takes a decryption.
    Ciphertext(Decrypt),
}

/// A data key pair to be made.
#[derive(Debug, Clone)]
pub struct GenerateDataKeyPair {
    /// The key that encrypts the private half.
    pub key_id: KeyId,
    /// Additional data to bind.
    pub context: EncryptionContext,
    /// Its kind.
    pub spec: KeyPairSpec,
}

/// A data key pair. A dialect that is asked for the encrypted form only drops the private half in clear.
#[derive(Debug, Clone)]
pub struct DataKeyPair {
    /// In clear.
    pub pair: KeyPair,
    /// The version that was used, and the envelope of the private half (PKCS #8, DER).
    pub encrypted: Encrypted,
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
    /// Its number.
    pub version_number: u32,
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
        let encrypted = Encrypted { version_id, version_number: 1, ciphertext: Vec::new() };
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
