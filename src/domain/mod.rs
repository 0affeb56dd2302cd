//! The rules of a key service, as pure values and functions.
//!
//! In: values that the callers of this module have already read. Out: new values or a named refusal.
//! No async, no I/O, no clock, no randomness, no SQL, no HTTP, no wire types: everything that changes
//! between two calls with the same arguments is a parameter. Used by `service` and by every adapter.

pub mod access;
pub mod address;
pub mod algorithm;
pub mod alias;
pub mod context;
pub mod envelope;
pub mod error;
pub mod id;
pub mod key;
pub mod key_pair;
pub mod key_token;
pub mod numbered;
pub mod operation;
pub mod schedule;
pub mod text;
pub mod time;
pub mod version;

#[cfg(test)]
mod properties;

/// The interface through which a request came, or whose rules a schedule follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Yandex Cloud KMS: the native model, over gRPC and REST.
    Yandex,
    /// AWS KMS (`TrentService`, JSON 1.1).
    Aws,
    /// Ncloud KMS (REST).
    Ncloud,
}

impl Dialect {
    /// Whether keys that are pending deletion are shown. The native dialect hides them from the moment their deletion is
    /// requested.
    #[must_use]
    pub const fn shows_pending_deletion(self) -> bool {
        match self {
            Self::Yandex => false,
            Self::Aws | Self::Ncloud => true,
        }
    }
}
