//! How many bytes of request bodies are held while they come in, and before it is verified who sent them.
//!
//! In: where a request comes from, whose credential it names, and how large its body may become. Out: a [`Held`], as soon as
//! there is room; it is dropped once the body is verified or dropped itself. Called by dialects whose signatures are over the
//! body, before they read it: anybody who has seen a credential's public id can send bodies in its name. So one source fills
//! a share of the room only, and in the name of one credential a part of that share: others have room left.

use super::shares::{Part, Shares};
use super::source::Source;
use crate::domain::id::CredentialId;
use crate::service::error::ServiceError;
use crate::telemetry::metrics::HeldBytes;
use futures_util::FutureExt;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// What room is counted in, in bytes.
const UNIT: usize = 1024;
const TOO_MANY: &str = "too many requests whose bodies have not arrived yet: try again later";
const RETRY_AFTER_SECONDS: u32 = 1;

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// For everybody together, in KiB.
    pub all_kib: usize,
    /// For one source, in KiB.
    pub source_kib: usize,
    /// For one credential named by one source, in KiB.
    pub credential_kib: usize,
    /// How many may wait for room at once; further ones are refused without waiting.
    pub waiting: usize,
    /// How long they wait.
    pub patience: Duration,
}

impl Default for Room {
    /// 32 MiB in all, an eighth of it per source, a quarter of that per credential.
    fn default() -> Self {
        Self {
            all_kib: 32 * 1024,
            source_kib: 4 * 1024,
            credential_kib: 1024,
            waiting: 256,
            patience: Duration::from_secs(1),
        }
    }
}

/// Who is said to send a body.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The other end of the connection.
    pub address: Option<IpAddr>,
    /// The credential that the request names, one in force.
    pub credential_id: CredentialId,
}

/// The room of the whole server.
pub struct BodyBudget {
    room: Room,
    all: Semaphore,
    places: Semaphore,
    shares: Shares<Owner>,
}

/// Whose a share is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Source(Source),
    Credential(Source, CredentialId),
}

/// Room that is taken, until it is dropped.
pub struct Held<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _of_source: Part<'a, Owner>,
    _of_credential: Part<'a, Owner>,
    _shown: HeldBytes,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(Room::default())
    }
}

impl BodyBudget {
    /// A budget of which nothing is taken.
    #[must_use]
    pub fn new(room: Room) -> Self {
        let (all, places) = (Semaphore::new(room.all_kib), Semaphore::new(room.waiting));
        Self { room, all, places, shares: Shares::default() }
    }

    /// Takes room for this many bytes, or waits a short while for it. More than any one may have counts as that much.
    ///
    /// # Errors
    /// [`ServiceError::Throttled`] if there was none in that time, or if too many wait already.
    pub async fn reserve(&self, sender: Sender, bytes: usize) -> Result<Held<'_>, ServiceError> {
        let most = self.room.credential_kib.min(self.room.source_kib).min(self.room.all_kib);
        let units = bytes.div_ceil(UNIT).clamp(1, most.max(1));
        let mut taken = pin!(self.take(sender, u32::try_from(units).unwrap_or(u32::MAX)));
        if let Some(held) = taken.as_mut().now_or_never() {
            return Ok(held);
        }
        let refused = || {
            crate::telemetry::metrics::body_refused();
            ServiceError::Throttled { text: TOO_MANY, retry_after_s: RETRY_AFTER_SECONDS }
        };
        let _place = self.places.try_acquire().map_err(|_| refused())?;
        timeout(self.room.patience, taken).await.map_err(|_| refused())
    }

    /// The smallest share comes first: who waits for its own keeps nothing from others.
    async fn take(&self, sender: Sender, units: u32) -> Held<'_> {
        let source = Source::of(sender.address);
        let owner = Owner::Credential(source, sender.credential_id);
        let of_credential = self.shares.take(owner, self.room.credential_kib, units).await;
        let of_source = self.shares.take(Owner::Source(source), self.room.source_kib, units).await;
        // It is never closed.
        let all = self.all.acquire_many(units).await.ok();
        let shown = HeldBytes::new(f64::from(units) * 1024.0);
        Held { _all: all, _of_source: of_source, _of_credential: of_credential, _shown: shown }
    }
}

#[cfg(test)]
mod tests;
