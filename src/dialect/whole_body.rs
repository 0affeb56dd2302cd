//! Bodies that are read whole, some before it is verified who sent them.
//!
//! In: a body, and who is said to send it. Out: its bytes, which are wiped when they are dropped, and the room that they take
//! in the [`BodyBudget`] until the caller has verified them. A small body that has arrived with its head takes none and waits
//! for nothing.

use crate::auth::body_budget::{BodyBudget, Held, Sender};
use crate::service::error::ServiceError;
use axum::body::{Body, Bytes, HttpBody};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The longest time for a body, once there is room for it. Who is slower gives its room to others.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Bodies that say that they are no larger are looked at before there is room for them, in bytes. The largest ordinary one
/// is an encryption of 4 KiB with its context.
const SMALL: usize = 16 * 1024;

/// Why a body was not read whole.
#[derive(Debug)]
pub enum BodyError {
    /// It is larger than it may be.
    TooLarge,
    /// It ended early.
    Incomplete,
    /// It took too long.
    TooSlow,
    /// There was no room for it.
    NoRoom(ServiceError),
}

/// Reads a body of at most `max` bytes. One that says or shows itself to be larger is not read on.
///
/// # Errors
/// [`BodyError`].
pub async fn whole<'a>(
    body: Body,
    max: usize,
    budget: &'a BodyBudget,
    sender: Sender,
) -> Result<(Bytes, Option<Held<'a>>), BodyError> {
    whole_within(MAX_TIME, body, max, budget, sender).await
}

async fn whole_within<'a>(
    time: Duration,
    mut body: Body,
    max: usize,
    budget: &'a BodyBudget,
    sender: Sender,
) -> Result<(Bytes, Option<Held<'a>>), BodyError> {
    let hint = body.size_hint();
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    if bytes(hint.lower()) > max {
        return Err(BodyError::TooLarge);
    }
    let size = hint.exact().map_or(max, bytes).min(max);
    let mut read = Read { bytes: Zeroizing::new(Vec::new()), size };
    if size <= SMALL
        && let Some(done) = read.on(&mut body).now_or_never()
    {
        return done.map(|()| (read.into_bytes(), None));
    }
    let held = budget.reserve(sender, size).await.map_err(BodyError::NoRoom)?;
    timeout(time, read.on(&mut body)).await.map_err(|_| BodyError::TooSlow)??;
    Ok((read.into_bytes(), Some(held)))
}

/// What has been read. Frames are copied: one of a few bytes may keep a buffer of many.
struct Read {
    bytes: Zeroizing<Vec<u8>>,
    /// The most that there may be.
    size: usize,
}

impl Read {
    /// Reads to the end. It may be dropped and called again.
    async fn on(&mut self, body: &mut Body) -> Result<(), BodyError> {
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|_| BodyError::Incomplete)?;
            self.add(frame.data_ref().map_or(&[], |data| data.as_ref()))?;
        }
        Ok(())
    }

    fn add(&mut self, data: &[u8]) -> Result<(), BodyError> {
        let left = self.size - self.bytes.len();
        if data.len() > left {
            return Err(BodyError::TooLarge);
        }
        // At once and in full, so that nothing is left behind where it moves because it grows.
        self.bytes.reserve_exact(left);
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.bytes)
    }
}

#[cfg(test)]
mod tests;
