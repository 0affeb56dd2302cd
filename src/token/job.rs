//! The messages between the callers and the data workers.

use super::handle::KeyHandle;
use super::sealing::{SealingRole, Secret};
use super::software::SoftwareKey;
use crate::service::ports::{SealedData, SealedMaterial, TokenError};
use cryptoki::error::Error;
use std::sync::Arc;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// What is encrypted or decrypted. It travels back with a stale handle, for the second try.
pub struct Inputs {
    /// Additional authenticated data.
    pub aad: Vec<u8>,
    /// The IV to decrypt with; empty for an encryption.
    pub iv: Vec<u8>,
    /// What to encrypt; empty for a decryption.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// What to decrypt, with its tag; empty for an encryption.
    pub ciphertext: Vec<u8>,
}

/// Why a call failed, before the caller's side of it is known.
pub enum CallError {
    /// The token or library said so.
    Pkcs11(Error),
    /// The handle is of another generation; the token was not asked.
    Stale,
    /// The answer is known.
    Known(TokenError),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Pkcs11(error)
    }
}

/// Why a worker did not do what was asked.
pub enum Failure {
    /// The handle is of another generation, or the token does not know it.
    Stale {
        /// The generation in which it was used.
        generation: u64,
        /// What it was used with, back for a second try; boxed, because it is rare.
        inputs: Option<Box<Inputs>>,
    },
    /// The code, in this text, says nothing: ask for a probe.
    Unclear(String),
    /// The token has no room, as the code in this text says: less of ours in it may help.
    Exhausted(String),
    /// The answer is known.
    Known(TokenError),
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::Known(error)
    }
}

/// Where the answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// One request to a data worker.
pub enum Job {
    /// Encrypt in the token.
    Encrypt {
        /// The key.
        key: Arc<KeyHandle>,
        /// AAD and plaintext.
        inputs: Inputs,
        /// Where the answer goes.
        reply: Reply<SealedData>,
    },
    /// Decrypt in the token.
    Decrypt {
        /// The key.
        key: Arc<KeyHandle>,
        /// AAD, IV, ciphertext and tag.
        inputs: Inputs,
        /// Where the answer goes.
        reply: Reply<Zeroizing<Vec<u8>>>,
    },
    /// Encrypt in this process, under an IV from the token.
    EncryptInSoftware {
        /// The key.
        key: Arc<SoftwareKey>,
        /// AAD and plaintext.
        inputs: Inputs,
        /// Where the answer goes.
        reply: Reply<SealedData>,
    },
    /// Encrypt a secret of ours with the newest of the token keys for its kind.
    Seal {
        /// Which token keys.
        role: SealingRole,
        /// What to encrypt.
        secret: Secret,
        /// The AAD that binds it to its row.
        aad: Vec<u8>,
        /// Where the answer goes.
        reply: Reply<SealedMaterial>,
    },
    /// Decrypt a secret of ours with the token key that encrypted it.
    Unseal {
        /// Which token keys.
        role: SealingRole,
        /// The stored bytes: IV, ciphertext and tag.
        sealed: SealedMaterial,
        /// The AAD that binds it to its row.
        aad: Vec<u8>,
        /// Where the answer goes.
        reply: Reply<Zeroizing<Vec<u8>>>,
    },
    /// Random bytes.
    Random {
        /// How many.
        bytes: usize,
        /// Where the answer goes.
        reply: Reply<Zeroizing<Vec<u8>>>,
    },
}

impl Job {
    /// Whether the caller has gone away meanwhile: its deadline is over or its connection closed.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Encrypt { reply, .. } | Self::EncryptInSoftware { reply, .. } => reply.is_closed(),
            Self::Decrypt { reply, .. } | Self::Unseal { reply, .. } | Self::Random { reply, .. } => reply.is_closed(),
            Self::Seal { reply, .. } => reply.is_closed(),
        }
    }
}
