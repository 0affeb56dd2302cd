//! Whether a use of keys would succeed.

use super::error::ServiceError;
use super::key_cache::KeyEntry;
use super::kms::Kms;
use super::material::usable;
use super::request::{DryDecrypt, DryRun, RequestContext};
use crate::domain::access::Permission;
use crate::domain::context::EncryptionContext;
use crate::domain::id::KeyId;

impl Kms {
    /// Checks a use of one or two keys in the order in which it would be made: who may do it, the state of keys and
    /// versions, and, where asked for, whether a ciphertext decrypts. Encrypts nothing and counts no invocation, so that
    /// a key version that has encrypted as often as it may is not noticed.
    ///
    /// # Errors
    /// Those with which the use itself would end, and [`ServiceError::Invalid`] for a use of no key.
    pub async fn dry_run(&self, ctx: &RequestContext, request: DryRun) -> Result<(), ServiceError> {
        let DryRun { decrypt, encrypt, context } = request;
        match (decrypt, encrypt) {
            (Some(source), Some(key_id)) => self.dry_re_encrypt(ctx, source, key_id, context).await,
            (Some(source), None) => self.dry_decrypt(ctx, source).await,
            (None, Some(key_id)) => self.dry_encrypt(ctx, key_id, context).await,
            (None, None) => {
                self.limits.count_request(ctx)?;
                Err(ServiceError::Invalid("a dry run needs a key".into()))
            }
        }
    }

    async fn dry_encrypt(
        &self,
        ctx: &RequestContext,
        key_id: KeyId,
        context: Option<EncryptionContext>,
    ) -> Result<(), ServiceError> {
        self.on_key(ctx, Permission::Encrypt, key_id, |entry| async move {
            entry.key.require_active()?;
            encrypts(&entry, context.as_ref())
        })
        .await
    }

    async fn dry_decrypt(&self, ctx: &RequestContext, source: DryDecrypt) -> Result<(), ServiceError> {
        self.on_key(ctx, Permission::Decrypt, source.key_id(), |entry| async move {
            entry.key.require_active()?;
            self.opens(&entry, &source).await
        })
        .await
    }

    async fn dry_re_encrypt(
        &self,
        ctx: &RequestContext,
        source: DryDecrypt,
        key_id: KeyId,
        context: Option<EncryptionContext>,
    ) -> Result<(), ServiceError> {
        let wanted = [(Permission::Encrypt, key_id), (Permission::Decrypt, source.key_id())];
        self.on_two_keys(ctx, wanted, |target, origin| async move {
            target.key.require_active()?;
            origin.key.require_active()?;
            self.opens(&origin, &source).await?;
            encrypts(&target, context.as_ref())
        })
        .await
    }

    async fn opens(&self, entry: &KeyEntry, source: &DryDecrypt) -> Result<(), ServiceError> {
        match source {
            DryDecrypt::Key(_) => Ok(()),
            DryDecrypt::Ciphertext(source) => self.open(entry, &source.context, &source.ciphertext).await.map(drop),
        }
    }
}

/// Whether the key's primary version could encrypt with this context.
fn encrypts(entry: &KeyEntry, context: Option<&EncryptionContext>) -> Result<(), ServiceError> {
    context.map_or(Ok(()), |context| entry.key.check_context(context))?;
    usable(&entry.primary).map(drop)
}

impl DryDecrypt {
    /// The key that would decrypt.
    const fn key_id(&self) -> KeyId {
        match self {
            Self::Key(key_id) => *key_id,
            Self::Ciphertext(source) => source.key_id,
        }
    }
}
