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

/// A generator and how many tokens were issued under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratorView {
    /// The generator.
    pub generator: TokenGenerator,
    /// How many tokens.
    pub issued: u64,
}

impl Kms {
    /// Whether a token that was made here is worth something as far as its key goes: the key has the generator. What the
    /// token may do is decided later, with the key; this is for who must know before anything is done in the name of the
    /// token's principal.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_generator_of(&self, token: &KeyToken) -> Result<bool, ServiceError> {
        let entry = self.cache.key(token.key_id).await?;
        Ok(entry.is_some_and(|entry| entry.attached().generator_id == Some(token.generator_id)))
    }

    /// The key's generator of tokens, also a deleted one; `None` if it never had one.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::State`] unless the key is live, and those of the store.
    pub async fn token_generator(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
    ) -> Result<Option<GeneratorView>, ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            entry.key.require_live()?;
            let Some(generator) = entry.key.token_generator else { return Ok(None) };
            let issued = self.store.tokens_issued(generator.id).await?;
            Ok(Some(GeneratorView { generator, issued }))
        })
        .await
    }

    /// Changes the key's generator of tokens. Who may say who uses the key may.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is live, and to replace a generator, unless there is one; and those of the
    /// store. A generator can be deleted while the key is pending deletion too.
    pub async fn change_token_generator(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        change: GeneratorChange,
    ) -> Result<(), ServiceError> {
        self.on_key(ctx, Permission::SetBindings, key_id, |_| async move {
            let LockedKey { lock, key, primary } = self.locked_key(ctx, Permission::SetBindings, key_id).await?;
            let Stored { value, row_seq } = key;
            if change != GeneratorChange::Delete {
                value.require_live()?;
            }
            let before = value.token_generator.filter(TokenGenerator::is_active);
            let now = self.clock.now();
            let new = TokenGenerator::new(GeneratorId::from_bytes(self.ids.id()), now);
            let after = match (change, before) {
                (GeneratorChange::Create, Some(_)) | (GeneratorChange::Delete, None) => return Ok(()),
                (GeneratorChange::Create, None) | (GeneratorChange::Replace, Some(_)) => new,
                (GeneratorChange::Delete, Some(generator)) => generator.deleted(now)?,
                (GeneratorChange::Replace, None) => return Err(StateError::NoTokenGenerator.into()),
            };
            let changed = Stored { value: Key { token_generator: Some(after), ..value }, row_seq };
            self.commit_key_change(ctx, lock, changed, primary, OperationKind::UpdateKey).await?;
            access_log::token_generator_changed(ctx, key_id, before, after);
            Ok(())
        })
        .await
    }

    /// Issues tokens in the caller's name, which give no more than the caller has when they are used. They end with the
    /// credential of the caller, or with that of who issued the token by which the caller is known.
    ///
    /// The key's row is not changed and not locked: who may only view a key must not keep others from it. A generator that
    /// is replaced meanwhile makes the tokens worth nothing, as it does those before.
    ///
    /// # Errors
    /// [`ServiceError::State`] unless the key is active and has a generator, and those of the store.
    pub async fn issue_key_tokens<const N: usize>(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        orders: [TokenOrder; N],
    ) -> Result<[Zeroizing<String>; N], ServiceError> {
        self.on_key(ctx, Permission::ViewKey, key_id, |entry| async move {
            entry.key.require_active()?;
            // What was accepted may have been revoked since: its answer binds.
            self.directory.require_in_force(&ctx.caller).await?;
            let generator_id = entry.attached().generator_id.ok_or(StateError::NoTokenGenerator)?;
            self.store.commit(vec![Change::CountTokens(generator_id, N as u64)]).await?;
            access_log::key_tokens_issued(ctx, key_id, generator_id, N);
            let now = self.clock.now();
            Ok(orders.map(|(usage, period)| {
                let end = period.map_or(Timestamp::LATEST_END, |period| now.plus(period).min(Timestamp::LATEST_END));
                self.directory.issue_key_token(&ctx.caller, KeyToken { usage, key_id, generator_id }, end)
            }))
        })
        .await
    }
}
