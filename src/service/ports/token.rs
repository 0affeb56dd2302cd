//! The PKCS#11 token, as messages: what goes in and out are bytes and ids, never handles or sessions.

use crate::domain::algorithm::Algorithm;
use crate::domain::envelope::Suite;
use crate::domain::id::{ClusterId, CredentialId, KeyId, MaterialId};
use crate::domain::key_pair::KeyPairSpec;
use crate::domain::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why the token did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Ciphertext, tag, IV and AAD do not fit together: the caller's input is wrong. The token is well.
    #[error("the data is not authentic")]
    NotAuthentic,
    /// The data is too large for this token.
    #[error("at most {max_bytes} bytes can be processed")]
    TooLarge {
        /// The largest size that is accepted.
        max_bytes: usize,
    },
    /// The stored material does not unwrap, or is not what its row says: the database was changed or damaged.
    #[error("the stored key material is damaged: {0}")]
    MaterialDamaged(String),
    /// The token does not answer, lost its keys, or is overloaded. A later try may succeed.
    #[error("the token is unavailable: {0}")]
    Unavailable(String),
    /// The token calls the PIN wrong, or one more wrong PIN would lock it. Trying again does harm: tokens lock.
    #[error("the token refuses the PIN: {0}")]
    PinRefused(String),
    /// The token is not what it was set up to be, or broke a promise of its standard. Needs an operator.
    #[error("the token cannot be trusted: {0}")]
    Untrusted(String),
    /// The request asks for what this version does not do.
    #[error("not implemented: {0}")]
    NotImplemented(&'static str),
}

/// Key material as it is stored: readable by the token only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedMaterial {
    /// The number of the token key that protects it: a KEK for `AES_256_HSM`, else an internal GCM key.
    pub sealed_by: u32,
    /// The wrapped key (RFC 3394), or IV, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SealedMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedMaterial({} bytes by key {})", self.bytes.len(), self.sealed_by)
    }
}

/// What the token needs to use a version.
#[derive(Debug, Clone)]
pub struct Material {
    /// The version's material.
    pub id: MaterialId,
    /// The key it belongs to.
    pub key_id: KeyId,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The stored bytes.
    pub sealed: SealedMaterial,
    /// Whether it encrypts equal plaintexts to equal ciphertexts (of `AES_256` only).
    pub convergent: bool,
}

/// Result of an encryption.
#[derive(Debug, Clone)]
pub struct SealedData {
    /// The IV that was used.
    pub iv: Vec<u8>,
    /// Ciphertext, then tag.
    pub ciphertext: Vec<u8>,
}

/// The token.
#[async_trait]
pub trait Token: Send + Sync {
    /// Makes key material and seals it for storage.
    async fn generate(&self, id: MaterialId, key_id: KeyId, algorithm: Algorithm)
    -> Result<SealedMaterial, TokenError>;

    /// Encrypts. The caller has leased the invocation.
    async fn encrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        plaintext: Zeroizing<Vec<u8>>,
    ) -> Result<SealedData, TokenError>;

    /// Decrypts `ciphertext`, which ends with the tag.
    async fn decrypt(
        &self,
        material: Arc<Material>,
        aad: Vec<u8>,
        iv: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError>;

    /// Random bytes from the token's generator.
    async fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, TokenError>;

    /// Makes an asymmetric key pair that leaves the service. It is made in this process, a bounded number at a time: what
    /// is handed out in clear gains nothing from the token, and tokens are slow at it.
    async fn key_pair(&self, spec: KeyPairSpec) -> Result<KeyPair, TokenError>;

    /// Encrypts the secret of a credential with the token key for them, bound to the credential's id. The caller has
    /// leased an invocation of [`secrets_key`](Self::secrets_key).
    ///
    /// # Errors
    /// [`TokenError::TooLarge`] above a few thousand bytes, which no secret has.
    async fn seal_secret(&self, id: CredentialId, secret: Zeroizing<Vec<u8>>) -> Result<SealedMaterial, TokenError>;

    /// Decrypts what [`seal_secret`](Self::seal_secret) made.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if it is of another credential or was changed.
    async fn open_secret(&self, id: CredentialId, sealed: SealedMaterial) -> Result<Zeroizing<Vec<u8>>, TokenError>;

    /// The internal GCM key that [`seal_secret`](Self::seal_secret) invokes.
    fn secrets_key(&self) -> Option<MaterialId>;

    /// Drops every cached copy or handle of a material, because it was destroyed or switched off.
    async fn forget(&self, id: MaterialId);

    /// Does a real operation with the KEK.
    async fn check(&self) -> Result<(), TokenError>;

    /// The suite in which this token encrypts under `algorithm`, where the key is not convergent.
    fn suite(&self, algorithm: Algorithm) -> Suite;

    /// What the token is and how it protects keys.
    fn description(&self) -> TokenDescription;

    /// The internal GCM key that [`generate`](Self::generate) invokes for this algorithm, whose invocations are
    /// counted like those of any other; `None` if it invokes none.
    fn sealing_key(&self, algorithm: Algorithm) -> Option<MaterialId>;
}

/// How much the token itself enforces (decided by playing the attacks, never chosen silently).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// T: trusted wrapping is enforced and trust cannot be forged by the user PIN.
    #[serde(rename = "T")]
    Trusted,
    /// N: no trust; the unwrap template pins non-extractability.
    #[serde(rename = "N")]
    NonExtractable,
    /// W: nothing is enforced; a PIN holder can export keys.
    #[serde(rename = "W")]
    Weak,
}

/// An asymmetric key pair in clear.
#[derive(Clone)]
pub struct KeyPair {
    /// PKCS #8 (RFC 5208), DER.
    pub private_pkcs8: Zeroizing<Vec<u8>>,
    /// SubjectPublicKeyInfo (RFC 5280), DER.
    pub public_spki: Vec<u8>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({} bytes of public key)", self.public_spki.len())
    }
}

/// What stands behind the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// A software token.
    Software,
    /// Hardware without a validation certificate.
    HsmUnvalidated,
    /// Hardware with this certificate.
    HsmValidated(String),
}

/// One attack that was played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttackReport {
    /// Stable name, such as `unwrap-not-sensitive`.
    pub name: String,
    /// What happened.
    pub outcome: AttackOutcome,
    /// The CKR name with which the token refused, or what was gained.
    pub detail: String,
}

/// How an attack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackOutcome {
    /// The token refused it.
    Refused,
    /// It worked.
    Succeeded,
    /// The token lacks what the attack needs.
    NotApplicable,
}

/// Which token this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenIdentity {
    /// Token label.
    pub label: String,
    /// Manufacturer of the token.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Firmware version of the token.
    pub firmware: String,
    /// Description and version of the PKCS#11 library.
    pub library: String,
}

/// Who makes the IV of a GCM encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IvMode {
    /// We do, from the token's random generator.
    Given,
    /// The token does and writes it into our buffer.
    Made,
}

/// The mechanism that wraps data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrapMechanism {
    /// `CKM_AES_KEY_WRAP` (0x2109, RFC 3394).
    #[serde(rename = "AES_KEY_WRAP")]
    AesKeyWrap,
    /// `CKM_AES_KEY_WRAP_PAD` (0x210A).
    #[serde(rename = "AES_KEY_WRAP_PAD")]
    AesKeyWrapPad,
    /// `CKM_AES_KEY_WRAP_KWP` (0x210B, RFC 5649).
    #[serde(rename = "AES_KEY_WRAP_KWP")]
    AesKeyWrapKwp,
}

/// What the token can do: probed at `init`, overridable, stored with the token's identity and firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCapabilities {
    /// Largest GCM input in bytes.
    pub max_gcm_bytes: usize,
    /// Who makes the IV.
    pub iv_mode: IvMode,
    /// How data keys are wrapped.
    pub wrap_mechanism: WrapMechanism,
    /// Whether `CKA_VALUE_LEN` must be in the unwrap template (Luna) or must not (SoftHSM).
    pub value_len_on_unwrap: bool,
    /// Whether the token knows R/W sessions only.
    pub rw_sessions_only: bool,
    /// How many sessions may be open at once; `None` = no limit that it tells.
    pub max_sessions: Option<u32>,
    /// How many unwrapped keys are kept in the token.
    pub cached_keys: usize,
}

/// The key encryption key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KekRecord {
    /// Number that blobs name it by.
    pub number: u32,
    /// Its `CKA_ID`: 16 bytes, hexadecimal.
    pub object_id: String,
    /// A key wrapped under it, hexadecimal.
    pub canary: String,
    /// 16-byte check of the canary key, hexadecimal.
    pub canary_check: String,
    /// `CKA_CHECK_VALUE` if the token has one, hexadecimal: for display only.
    pub check_value: Option<String>,
    /// Whether it was adopted from a vendor's tool.
    pub adopted: bool,
}

/// What an internal token key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InternalKeyRole {
    /// Encrypts the material of software-protected versions.
    SoftwareVersions,
    /// Encrypts the secrets of credentials.
    Credentials,
    /// HMAC key from which the row-MAC key is derived.
    RowMac,
    /// Signs the audit log (ECDSA P-256).
    AuditSignature,
}

/// A permanent token key other than the KEK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternalKey {
    /// What it is for.
    pub role: InternalKeyRole,
    /// Number that blobs name it by.
    pub number: u32,
    /// Its `CKA_ID`: 16 bytes, hexadecimal. It is also the id of its invocation counter.
    pub object_id: String,
    /// For asymmetric keys: the public key as DER SubjectPublicKeyInfo, hexadecimal.
    pub public_key: Option<String>,
}

/// Everything that ties a database to its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBinding {
    /// The installation.
    pub cluster_id: ClusterId,
    /// False while `init` is making the keys: what it finds then, it made in a run that was cut off.
    pub complete: bool,
    /// When the ceremony was begun.
    pub created_at: Timestamp,
    /// The token.
    pub identity: TokenIdentity,
    /// What it can do.
    pub capabilities: TokenCapabilities,
    /// What it enforces.
    pub protection: Protection,
    /// What stands behind it.
    pub assurance: Assurance,
    /// The attacks that were played, and how each ended.
    pub attacks: Vec<AttackReport>,
    /// The KEKs, oldest first; the last one wraps.
    pub keks: Vec<KekRecord>,
    /// The other keys.
    pub internal_keys: Vec<InternalKey>,
}

/// What operators are shown of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDescription {
    /// Which token.
    pub identity: TokenIdentity,
    /// What it enforces.
    pub protection: Protection,
    /// What stands behind it.
    pub assurance: Assurance,
}
