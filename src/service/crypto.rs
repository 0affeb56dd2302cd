//! Using keys: Encrypt, Decrypt, ReEncrypt, GenerateDataKey.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::{
    DataKey, Decrypt, Decrypted, Encrypt, Encrypted, GenerateDataKey, ReEncrypt, ReEncrypted, RequestContext,
};
use crate::domain::access::Permission;

impl Kms {
    /// Encrypts with the primary version, or with the active version that the request names.
    ///
    /// # Errors
    /// [`ServiceError::State`] if key or version are not active, [`ServiceError::TooLarge`],
    /// [`ServiceError::InvocationLimit`], and those of token and store.
    pub async fn encrypt(&self, ctx: &RequestContext, request: Encrypt) -> Result<Encrypted, ServiceError> {
        self.on_key(ctx, Permission::Encrypt, request.key_id, |entry| async move {
            entry.key.require_active()?;
            let version = self.named_version(&entry, request.version_id).await?;
            self.seal(&entry, &version, &request.context, request.plaintext).await
        })
        .await
    }

    /// Decrypts; the envelope names the version.
    ///
    /// # Errors
    /// [`ServiceError::NotAuthentic`] if ciphertext, context and key do not belong together,
    /// [`ServiceError::State`] if key or version are not active, and those of token and store.
    pub async fn decrypt(&self, ctx: &RequestContext, request: Decrypt) -> Result<Decrypted, ServiceError> {
        self.on_key(ctx, Permission::Decrypt, request.key_id, |entry| async move {
            entry.key.require_active()?;
            self.open(&entry, &request.context, &request.ciphertext).await
        })
        .await
    }

    /// Decrypts and encrypts anew; the plaintext does not leave the service.
    ///
    /// # Errors
    /// Those of [`decrypt`](Self::decrypt) for the source, of [`encrypt`](Self::encrypt) for the target.
    pub async fn re_encrypt(&self, ctx: &RequestContext, request: ReEncrypt) -> Result<ReEncrypted, ServiceError> {
        let ReEncrypt { source, key_id, version_id, context } = request;
        let wanted = [(Permission::Encrypt, key_id), (Permission::Decrypt, source.key_id)];
        self.on_two_keys(ctx, wanted, |target, origin| async move {
            target.key.require_active()?;
            origin.key.require_active()?;
            let opened = self.open(&origin, &source.context, &source.ciphertext).await?;
            let version = self.named_version(&target, version_id).await?;
            let encrypted = self.seal(&target, &version, &context, opened.plaintext).await?;
            Ok(ReEncrypted { source_version_id: opened.version_id, encrypted })
        })
        .await
    }

    /// Makes a data key from the token's random generator and encrypts it.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    pub async fn generate_data_key(
        &self,
        ctx: &RequestContext,
        request: GenerateDataKey,
    ) -> Result<DataKey, ServiceError> {
        self.on_key(ctx, Permission::Encrypt, request.key_id, |entry| async move {
            entry.key.require_active()?;
            let version = self.named_version(&entry, request.version_id).await?;
            let plaintext = self.token.random(request.bytes).await?;
            let encrypted = self.seal(&entry, &version, &request.context, plaintext.clone()).await?;
            Ok(DataKey { plaintext, encrypted })
        })
        .await
    }
}
