//! Time and randomness.

use crate::domain::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// An instant of the boot clock: it counts up while the machine runs or sleeps and never leaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootInstant {
    /// Which boot of the machine: instants of different boots cannot be compared.
    pub boot_id: Arc<str>,
    /// Time since that boot.
    pub elapsed: Duration,
}

/// All time of the service.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// The boot clock (`CLOCK_BOOTTIME`).
    fn boot(&self) -> BootInstant;
}

/// All randomness of the service, except what comes from the token.
pub trait IdSource: Send + Sync {
    /// 16 random bytes, marked as a version 4 UUID (RFC 9562).
    fn id(&self) -> [u8; 16];
    /// 32 bytes for a secret.
    fn secret(&self) -> zeroize::Zeroizing<[u8; 32]>;
}
