//! Key algorithms.

use serde::{Deserialize, Serialize};

/// The algorithm of a key version. All are AES-GCM (NIST SP 800-38D) with a 128-bit tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Algorithm {
    /// 128-bit key, used in the memory of this process.
    #[serde(rename = "AES_128")]
    Aes128,
    /// 192-bit key, used in the memory of this process.
    #[serde(rename = "AES_192")]
    Aes192,
    /// 256-bit key, used in the memory of this process.
    #[serde(rename = "AES_256")]
    Aes256,
    /// 256-bit key that is generated and used inside the token only.
    #[serde(rename = "AES_256_HSM")]
    Aes256Hsm,
}

impl Algorithm {
    /// Every algorithm, for tables and tests.
    pub const ALL: [Self; 4] = [Self::Aes128, Self::Aes192, Self::Aes256, Self::Aes256Hsm];

    /// Key length in bytes.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 | Self::Aes256Hsm => 32,
        }
    }

    /// Whether the key is used inside the token only (`hosted_by_hsm`).
    #[must_use]
    pub const fn hosted_by_hsm(self) -> bool {
        matches!(self, Self::Aes256Hsm)
    }

    /// The stable number that is stored and bound into AAD.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Aes128 => 1,
            Self::Aes192 => 2,
            Self::Aes256 => 3,
            Self::Aes256Hsm => 4,
        }
    }

    /// The algorithm of a stored [`code`](Self::code).
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Aes128),
            2 => Some(Self::Aes192),
            3 => Some(Self::Aes256),
            4 => Some(Self::Aes256Hsm),
            _ => None,
        }
    }
}
