//! How a token is opened.

use super::hsm::HsmToken;
use super::module::TokenSelector;
use super::pin::Pin;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

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
    /// How many unwrapped keys are kept in the token; the token's own budget may be lower.
    pub cached_keys: usize,
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
            cached_keys: 10_000,
            software_cached_keys: 10_000,
            software_cache_ttl: Duration::from_secs(60),
            recovery_pause: (Duration::from_millis(100), Duration::from_secs(5)),
        }
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
