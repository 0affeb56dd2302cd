//! The ciphertext format, one for all dialects.
//!
//! | field | bytes |
//! |---|---|
//! | format | 1, always [`FORMAT`] |
//! | suite | 1, fixes the algorithm and who makes the IV |
//! | key id | 16 |
//! | material id | 16 |
//! | IV length | 1 |
//! | IV | IV length |
//! | ciphertext and tag | the rest, at least [`TAG_BYTES`] |
//!
//! Everything before the IV length is bound by the AAD, so no header can be exchanged.

use super::algorithm::Algorithm;
use super::context::EncryptionContext;
use super::id::{KeyId, MaterialId};

/// The format number of envelopes made by this version.
pub const FORMAT: u8 = 1;
/// GCM tag length: 128 bits (NIST SP 800-38D, 5.2.1.2).
pub const TAG_BYTES: usize = 16;
/// Length of random IVs, chosen here or by the token: 96 bits (NIST SP 800-38D, 5.2.1.1).
pub const IV_BYTES: usize = 12;
/// Length of IVs that follow from plaintext and context: so long that no two of them are ever equal by chance.
pub const SYNTHETIC_IV_BYTES: usize = 32;
/// Domain separation label of the AAD.
const LABEL: &[u8] = b"claviger-env-1";
const HEADER_BYTES: usize = 1 + 1 + 16 + 16 + 1;

/// Algorithm and origin of the IV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-256-GCM in the token, IV from the token's random generator.
    HsmGivenIv,
    /// AES-256-GCM in the token, IV made by the token during encryption.
    HsmMadeIv,
    /// AES-128-GCM in this process.
    Software128,
    /// AES-192-GCM in this process.
    Software192,
    /// AES-256-GCM in this process.
    Software256,
    /// AES-256-GCM in this process under a key, and with a nonce, that follow from plaintext and context (docs/adr/0018).
    Convergent256,
}

impl Suite {
    /// The number in the envelope.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::HsmGivenIv => 1,
            Self::HsmMadeIv => 2,
            Self::Software128 => 3,
            Self::Software192 => 4,
            Self::Software256 => 5,
            Self::Convergent256 => 6,
        }
    }

    /// The suite of a number.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::HsmGivenIv),
            2 => Some(Self::HsmMadeIv),
            3 => Some(Self::Software128),
            4 => Some(Self::Software192),
            5 => Some(Self::Software256),
            6 => Some(Self::Convergent256),
            _ => None,
        }
    }

    /// The algorithm that a version must have for this suite.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::HsmGivenIv | Self::HsmMadeIv => Algorithm::Aes256Hsm,
            Self::Software128 => Algorithm::Aes128,
            Self::Software192 => Algorithm::Aes192,
            Self::Software256 | Self::Convergent256 => Algorithm::Aes256,
        }
    }

    /// How long the IV of its envelopes is, in bytes.
    #[must_use]
    pub const fn iv_bytes(self) -> usize {
        match self {
            Self::HsmGivenIv | Self::HsmMadeIv | Self::Software128 | Self::Software192 | Self::Software256 => IV_BYTES,
            Self::Convergent256 => SYNTHETIC_IV_BYTES,
        }
    }
}

/// What the AAD binds of an envelope's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Algorithm and origin of the IV.
    pub suite: Suite,
    /// The key.
    pub key_id: KeyId,
    /// The version's material.
    pub material_id: MaterialId,
}

impl Header {
    /// The AAD for this header and a context whose canonical form hashes to `context_sha256`.
    #[must_use]
    pub fn aad(&self, context: &EncryptionContext, context_sha256: &[u8; 32]) -> Vec<u8> {
        let mut aad = Vec::with_capacity(LABEL.len() + 2 + 32 + 1 + 32);
        aad.extend_from_slice(LABEL);
        aad.push(FORMAT);
        aad.push(self.suite.code());
        aad.extend_from_slice(self.key_id.as_bytes());
        aad.extend_from_slice(self.material_id.as_bytes());
        aad.push(context.kind());
        aad.extend_from_slice(context_sha256);
        aad
    }
}

/// An envelope taken apart. The parts are checked for form only; they are authentic once decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The header.
    pub header: Header,
    /// The IV.
    pub iv: Vec<u8>,
    /// Ciphertext, then tag.
    pub sealed: Vec<u8>,
}

/// The bytes are not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext is not in a format of this service")]
pub struct MalformedEnvelope;

impl Envelope {
    /// The envelope as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.iv.len() + self.sealed.len());
        out.push(FORMAT);
        out.push(self.header.suite.code());
        out.extend_from_slice(self.header.key_id.as_bytes());
        out.extend_from_slice(self.header.material_id.as_bytes());
        out.push(u8::try_from(self.iv.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.iv);
        out.extend_from_slice(&self.sealed);
        out
    }

    /// The envelope with this header whose IV, ciphertext and tag these bytes are: the opposite of [`tail`](Self::tail).
    ///
    /// # Errors
    /// [`MalformedEnvelope`] for fewer bytes than the parts need.
    pub fn under(header: Header, mut tail: Vec<u8>) -> Result<Self, MalformedEnvelope> {
        let iv_bytes = header.suite.iv_bytes();
        if tail.len() < iv_bytes + TAG_BYTES {
            return Err(MalformedEnvelope);
        }
        let sealed = tail.split_off(iv_bytes);
        Ok(Self { header, iv: tail, sealed })
    }

    /// What of an envelope's bytes follows its header: IV, ciphertext and tag.
    #[must_use]
    pub fn tail(bytes: &[u8]) -> &[u8] {
        bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Takes bytes apart.
    ///
    /// # Errors
    /// [`MalformedEnvelope`] for an unknown format or suite, an empty IV, or fewer bytes than the parts need.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedEnvelope> {
        let (header, iv, sealed) = Self::parts(bytes)?;
        Ok(Self { header, iv: iv.to_vec(), sealed: sealed.to_vec() })
    }

    /// The header of what is an envelope as a whole.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn header_of(bytes: &[u8]) -> Result<Header, MalformedEnvelope> {
        Self::parts(bytes).map(|(header, ..)| header)
    }

    /// Header, IV, and ciphertext with its tag.
    fn parts(bytes: &[u8]) -> Result<(Header, &[u8], &[u8]), MalformedEnvelope> {
        let (head, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(MalformedEnvelope)?;
        if head[0] != FORMAT {
            return Err(MalformedEnvelope);
        }
        let suite = Suite::from_code(head[1]).ok_or(MalformedEnvelope)?;
        let id = |from: usize| <[u8; 16]>::try_from(&head[from..from + 16]).map_err(|_| MalformedEnvelope);
        let header = Header { suite, key_id: KeyId::from_bytes(id(2)?), material_id: MaterialId::from_bytes(id(18)?) };
        let iv_bytes = usize::from(head[HEADER_BYTES - 1]);
        let (iv, sealed) = rest.split_at_checked(iv_bytes).ok_or(MalformedEnvelope)?;
        if iv.is_empty() || sealed.len() < TAG_BYTES {
            return Err(MalformedEnvelope);
        }
        Ok((header, iv, sealed))
    }
}
