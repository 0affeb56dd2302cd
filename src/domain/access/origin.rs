//! Where a request comes from, and whether it may reach no more than a token of one key does.

use super::role::Permission;
use crate::domain::key_token::{KeyToken, TokenUse};
use core::net::IpAddr;

/// What decisions need of a request beside its caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The other end of the connection; `None` if nobody knows it.
    pub address: Option<IpAddr>,
    /// The token of a key that the request was authenticated by, if it was.
    pub key_token: Option<KeyToken>,
}

impl Origin {
    /// A request from this address, authenticated by a credential of its caller.
    #[must_use]
    pub const fn of(address: Option<IpAddr>) -> Self {
        Self { address, key_token: None }
    }
}

impl KeyToken {
    /// Whether the token is good for this, on its key.
    #[must_use]
    pub const fn reaches(&self, permission: Permission) -> bool {
        match self.usage {
            TokenUse::Access => permission.uses_key(),
            TokenUse::Refresh => matches!(permission, Permission::ViewKey),
        }
    }
}

#[cfg(test)]
mod tests;
