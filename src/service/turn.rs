//! What all changes of principals, credentials, bindings and folders have in common: one after the other, each decided
//! while nobody else can change what the decision rests on.
//!
//! In: the caller and the decision, not begun yet. Out: the turn and what was decided. Called by these changes right
//! before they commit, after they were decided once without waiting: only who may make a change keeps others waiting.
//!
//! The order of locks, everywhere: the directory's turn, then the stripe of an alias, then the stripe of a key, then the
//! directory's `loading` or that of the names of keys. Whoever has a later one never waits for an earlier one, and nobody
//! has two of a kind.

use super::directory::Turn;
use super::error::ServiceError;
use super::kms::Kms;
use super::request::RequestContext;
use std::future::Future;

impl Kms {
    /// Waits for the turn, and decides then. What was decided before may not hold any more: those ahead may have taken the
    /// caller's role or its credential, or may have deleted it, and their callers were told that this binds.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if the caller's credential is not in force any more, and the decision's.
    pub(super) async fn in_turn<T>(
        &self,
        ctx: &RequestContext,
        decision: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(Turn, T), ServiceError> {
        let turn = self.directory.turn().await;
        self.directory.require_in_force(&ctx.caller).await?;
        Ok((turn, decision.await?))
    }
}
