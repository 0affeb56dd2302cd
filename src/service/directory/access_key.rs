//! Access key pairs as signatures are verified with them: the secret, and what is derived from it.
//!
//! In: an opened secret. Out: the same to whoever verifies a signature. Called by the directory, which keeps both as long as
//! it remembers the credential, and by `auth`.

use super::Entry;
use crate::domain::access::Caller;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A key that was derived from the secret of an access key pair.
pub type DerivedKey = Zeroizing<[u8; 32]>;

/// Derived keys that are kept of one pair: two days in a few regions.
const KEPT_KEYS: usize = 16;

/// An access key pair that is in force.
pub struct AccessKey {
    opened: Arc<Opened>,
    entry: Arc<Entry>,
}

/// The secret of an access key pair in clear.
pub(super) struct Opened {
    secret: Zeroizing<Vec<u8>>,
    /// With the scope of each; the oldest first.
    derived: Mutex<VecDeque<(String, Arc<DerivedKey>)>>,
}

impl Opened {
    pub(super) fn new(secret: Zeroizing<Vec<u8>>) -> Self {
        Self { secret, derived: Mutex::default() }
    }

    fn derived(&self, scope: &str, derive: impl FnOnce(&[u8]) -> DerivedKey) -> Arc<DerivedKey> {
        let mut kept = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = kept.iter().find(|(known, _)| known == scope) {
            return Arc::clone(key);
        }
        let key = Arc::new(derive(&self.secret));
        if kept.len() == KEPT_KEYS {
            kept.pop_front();
        }
        kept.push_back((scope.to_owned(), Arc::clone(&key)));
        key
    }
}

impl AccessKey {
    pub(super) const fn new(opened: Arc<Opened>, entry: Arc<Entry>) -> Self {
        Self { opened, entry }
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Who signs with it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.entry.caller
    }

    /// The name of its principal, 1 to 100 characters of any kind.
    #[must_use]
    pub fn principal_name(&self) -> &Arc<str> {
        &self.entry.name
    }

    /// The secret, 40 characters.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.opened.secret
    }

    /// What `derive` makes of the secret for this scope. It is made once and kept while the credential is remembered, so
    /// that a revocation drops it too; of many scopes, the oldest are made anew.
    pub fn derived(&self, scope: &str, derive: impl FnOnce(&[u8]) -> DerivedKey) -> Arc<DerivedKey> {
        self.opened.derived(scope, derive)
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("caller", self.caller()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(opened: &Opened, scope: &str, made: &mut u8) -> [u8; 32] {
        **opened.derived(scope, |secret| {
            assert_eq!(secret, b"secret");
            *made += 1;
            Zeroizing::new([*made; 32])
        })
    }

    #[test]
    fn a_key_is_derived_once_per_scope_and_the_oldest_goes_first() {
        let opened = Opened::new(Zeroizing::new(b"secret".to_vec()));
        let mut made = 0;
        let first = derive(&opened, "first", &mut made);
        assert_eq!(derive(&opened, "first", &mut made), first);
        assert_eq!(made, 1);
        for number in 1..KEPT_KEYS {
            assert_ne!(derive(&opened, &number.to_string(), &mut made), first);
        }
        assert_eq!(derive(&opened, "first", &mut made), first, "there is still room");
        assert_ne!(derive(&opened, "one more", &mut made), first);
        assert_ne!(derive(&opened, "first", &mut made), first, "it was the oldest");
        assert_eq!(opened.derived.lock().unwrap().len(), KEPT_KEYS);
    }
}
