//! How a token is opened.

use super::hsm::HsmToken;
use super::module::TokenSelector;
use super::pin::Pin;
use crate::service::ports::{TokenCapabilities, TokenError};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// For the login, an owner and a worker.
const LEAST_SESSIONS: usize = 3;

/// Settings of the running token.
pub struct TokenConfig {
    /// The PKCS#11 library.
    pub module: PathBuf,
    /// Which of its tokens.
    pub selector: TokenSelector,
    /// The user PIN. It is kept, for the login after a recovery.
    pub pin: Pin,
    /// Threads that encrypt and decrypt, each with a session.
    pub workers: usize,
    /// Threads that generate, unwrap and destroy, each with a session.
    pub owners: usize,
    /// How many requests may wait for a thread; more are refused.
    pub queue: usize,
    /// How long a caller waits for an answer.
    pub deadline: Duration,
    /// How many calls may hang, each with a thread that is lost to it, before all callers are refused.
    pub max_hung_calls: usize,
    /// Instead of the largest GCM input that was probed, in bytes.
    pub max_gcm_bytes: Option<usize>,
    /// Instead of the number of sessions that the token tells.
    pub max_sessions: Option<u32>,
    /// Instead of the number of unwrapped keys that are kept in the token by default.
    pub cached_keys: Option<usize>,
    /// How many decrypted software keys are kept in memory.
    pub software_cached_keys: usize,
    /// How long a decrypted software key is kept at most, in steps of a second.
    pub software_cache_ttl: Duration,
    /// The pause between two attempts to recover: doubled from the first to the second.
    pub recovery_pause: (Duration, Duration),
}

impl TokenConfig {
    /// The defaults for a token.
    #[must_use]
    pub const fn new(module: PathBuf, selector: TokenSelector, pin: Pin) -> Self {
        Self {
            module,
            selector,
            pin,
            workers: 4,
            owners: 2,
            queue: 1024,
            deadline: Duration::from_secs(10),
            max_hung_calls: 8,
            max_gcm_bytes: None,
            max_sessions: None,
            cached_keys: None,
            software_cached_keys: 10_000,
            software_cache_ttl: Duration::from_secs(60),
            recovery_pause: (Duration::from_millis(100), Duration::from_secs(5)),
        }
    }

    /// What the token can do: as it was probed at `init`, unless the settings say otherwise.
    #[must_use]
    pub fn capabilities(&self, probed: &TokenCapabilities) -> TokenCapabilities {
        TokenCapabilities {
            max_gcm_bytes: self.max_gcm_bytes.unwrap_or(probed.max_gcm_bytes),
            max_sessions: self.max_sessions.or(probed.max_sessions),
            cached_keys: self.cached_keys.unwrap_or(probed.cached_keys),
            ..probed.clone()
        }
    }

    /// How many owners and workers the token has sessions for, beside the one that keeps the login. Threads in the
    /// places of hung ones come on top.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] if it has too few for one of each.
    pub(super) fn threads(&self, max_sessions: Option<u32>) -> Result<(usize, usize), TokenError> {
        let (owners, workers) = (self.owners.max(1), self.workers.max(1));
        let Some(limit) = max_sessions.and_then(|limit| usize::try_from(limit).ok()) else {
            return Ok((owners, workers));
        };
        if limit < LEAST_SESSIONS {
            return Err(TokenError::Unavailable(format!("{LEAST_SESSIONS} sessions are needed, it has {limit}")));
        }
        let owners = owners.min(limit - 2);
        Ok((owners, workers.min(limit - 1 - owners)))
    }
}

impl std::fmt::Debug for TokenConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenConfig({} of {})", self.module.display(), format_args!("{:?}", self.selector))
    }
}

/// A token that is ready.
pub struct OpenedToken {
    /// The token.
    pub token: HsmToken,
    /// The key of the store's row MACs.
    pub row_key: Zeroizing<[u8; 32]>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn config() -> TokenConfig {
        let pin = Pin::generated(&Zeroizing::new("1234".to_owned()));
        TokenConfig::new("library".into(), TokenSelector::Label("kms".to_owned()), pin)
    }

    #[test]
    fn threads_fit_into_the_sessions_of_the_token() {
        let threads = |limit| config().threads(limit).ok();
        assert_eq!(threads(None), Some((2, 4)));
        assert_eq!(threads(Some(100)), Some((2, 4)));
        assert_eq!(threads(Some(5)), Some((2, 2)));
        assert_eq!(threads(Some(4)), Some((2, 1)));
        assert_eq!(threads(Some(3)), Some((1, 1)));
        assert_eq!(threads(Some(2)), None);
    }
}
