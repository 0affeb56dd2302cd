//! Identifiers. All are opaque to callers; only their text form is fixed.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier made of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the identifier.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads the canonical text form (36 characters, lower case, with hyphens).
            ///
            /// Anything else is `None`: such an id was never handed out, so callers answer "not found".
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                let canonical = id.hyphenated().to_string() == text;
                canonical.then_some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A key.
    KeyId
);
uuid_id!(
    /// One piece of key material. It is also the id of the key version that holds it.
    MaterialId
);
uuid_id!(
    /// A folder: the tenant that owns keys and principals.
    FolderId
);
uuid_id!(
    /// A person or service account.
    PrincipalId
);
uuid_id!(
    /// A credential of a principal.
    CredentialId
);
uuid_id!(
    /// A long-running operation as the native dialect shows it.
    OperationId
);
uuid_id!(
    /// A generator of tokens for one key.
    GeneratorId
);
uuid_id!(
    /// One installation: a database and the token keys that belong to it.
    ClusterId
);

impl KeyId {
    /// Reads a `keyTag`. Anything but 32 lower-case hexadecimal digits is `None`: such a tag was never handed out.
    #[must_use]
    pub fn from_tag(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        let canonical = &*id.simple().encode_lower(&mut Uuid::encode_buffer()) == text;
        canonical.then_some(Self(id))
    }

    /// The key's `keyTag`: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn simple(&self) -> String {
        self.0.simple().to_string()
    }
}

/// The 12-digit account number of a folder, as AWS clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(u64);

impl AccountId {
    /// The account number made from 8 random bytes: never with a leading zero.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(100_000_000_000 + u64::from_le_bytes(bytes) % 900_000_000_000)
    }

    /// The number itself.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Reads twelve decimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self)
    }

    /// The account number read back from storage.
    #[must_use]
    pub const fn from_stored(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}
