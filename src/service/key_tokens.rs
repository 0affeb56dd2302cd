//! Tokens with which one key is used in the name of who issued them, and the generator that they depend on.

use super::access_log;
use super::change::LockedKey;
use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{Change, Stored};
use super::request::RequestContext;
use crate::domain::access::Permission;
use crate::domain::error::StateError;
use crate::domain::id::{GeneratorId, KeyId};
use crate::domain::key::Key;
use crate::domain::key_token::{KeyToken, TokenGenerator, TokenUse};
use crate::domain::operation::OperationKind;
use crate::domain::time::Timestamp;
use std::time::Duration;
use zeroize::Zeroizing;

/// A token that is to be issued: what it is good for and how long; `None` = as long as there is time.
pub type TokenOrder = (TokenUse, Option<Duration>);

/// A change of a key's generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratorChange {
    /// There is one afterwards; one that is there stays.
    Create,
    /// A new one takes the place of the one that is there: all tokens are worth nothing.
    Replace,
    /// There is none afterwards: all tokens are worth nothing.
    Delete,
}

impl Kms {
    /// The key's generator of tokens, also a deleted one; `None` if it never had one.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::State`] unless the key is live, and those of the store.
    pub async fn token_generator(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
    ) -> Result<Option<TokenGenerator>, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            entry.key.require_live()?;
            Ok(entry.key.token_generator)
        })
        .await
    }

    /// Changes the key's generator of tokens. Who may say who uses the key may.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is live, or to replace a generator, active and has one; and those of the store.
    pub async fn change_token_generator(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        change: GeneratorChange,
    ) -> Result<(), ServiceError> {
        self.on_key(ctx, Permission::SetBindings, key_id, |_| async move {
            let LockedKey { lock, key, primary } = self.locked_key(ctx, Permission::SetBindings, key_id).await?;
            let Stored { value, row_seq } = key;
            let before = value.token_generator.filter(TokenGenerator::is_active);
            let new = || Some(TokenGenerator::new(GeneratorId::from_bytes(self.ids.id()), self.clock.now()));
            value.require_live()?;
            let after = match (change, before) {
                (GeneratorChange::Create, Some(_)) | (GeneratorChange::Delete, None) => return Ok(()),
                (GeneratorChange::Create, None) => new(),
                (GeneratorChange::Delete, Some(generator)) => Some(generator.deleted(self.clock.now())?),
                (GeneratorChange::Replace, None) => return Err(StateError::NoTokenGenerator.into()),
                (GeneratorChange::Replace, Some(_)) => value.require_active().map(|()| new())?,
            };
            let changed = Stored { value: Key { token_generator: after, ..value }, row_seq };
            self.commit_key_change(ctx, lock, changed, primary, OperationKind::UpdateKey).await?;
            access_log::token_generator_changed(ctx, key_id, before, after);
            Ok(())
        })
        .await
    }

    /// Issues tokens in the caller's name, which give no more than the caller has when they are used. They end with the
    /// credential of the caller, or with that of who issued the token by which the caller is known.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is active and has a generator, and those of the store.
    pub async fn issue_key_tokens<const N: usize>(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        orders: [TokenOrder; N],
    ) -> Result<[Zeroizing<String>; N], ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |_| async move {
            let LockedKey { lock, key, .. } = self.locked_key(ctx, Permission::ViewKey, key_id).await?;
            let Stored { value, row_seq } = key;
            value.require_active()?;
            let generator = value.token_generator.ok_or(StateError::NoTokenGenerator)?.having_issued(N as u64)?;
            let changed = Stored { value: Key { token_generator: Some(generator), ..value }, row_seq };
            self.commit_key(lock, key_id, None, vec![Change::UpdateKey(Box::new(changed))]).await?;
            access_log::key_tokens_issued(ctx, key_id, generator.id, N);
            let now = self.clock.now();
            Ok(orders.map(|(usage, period)| {
                let end = period.map_or(Timestamp::LATEST_END, |period| now.plus(period).min(Timestamp::LATEST_END));
                let token = KeyToken { usage, key_id, generator_id: generator.id };
                self.directory.issue_key_token(&ctx.caller, token, end)
            }))
        })
        .await
    }
}
