//! Using a key for several texts at once: all of them are answered, or none.
//!
//! A list is one request: it is counted once, and encrypted under one version.

use super::error::ServiceError;
use super::key_cache::KeyEntry;
use super::kms::Kms;
use super::request::{Decrypted, Encrypted, RequestContext};
use crate::domain::access::Permission;
use crate::domain::context::EncryptionContext;
use crate::domain::id::KeyId;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What is done with each of a list under one key and context.
#[derive(Debug)]
pub struct ListOf<T> {
    /// The key.
    pub key_id: KeyId,
    /// The additional data of each.
    pub context: EncryptionContext,
    /// The list; the dialect bounds it.
    pub items: Vec<T>,
}

impl Kms {
    /// Encrypts each with the primary version.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt), of the first that fails.
    pub async fn encrypt_list(
        &self,
        ctx: &RequestContext,
        list: ListOf<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<Encrypted>, ServiceError> {
        let ListOf { key_id, context, items } = list;
        self.on_key(ctx, Permission::Encrypt, key_id, |entry| async move {
            entry.key.require_active()?;
            let mut encrypted = Vec::with_capacity(items.len());
            for plaintext in items {
                if !encrypted.is_empty() {
                    self.still_permitted(ctx, Permission::Encrypt, key_id).await?;
                }
                encrypted.push(self.seal(&entry, &entry.primary, &context, plaintext).await?);
            }
            Ok(encrypted)
        })
        .await
    }

    /// Decrypts each.
    ///
    /// # Errors
    /// Those of [`decrypt`](Self::decrypt), of the first that fails.
    pub async fn decrypt_list(
        &self,
        ctx: &RequestContext,
        list: ListOf<Vec<u8>>,
    ) -> Result<Vec<Decrypted>, ServiceError> {
        let ListOf { key_id, context, items } = list;
        self.on_key(ctx, Permission::Decrypt, key_id, |entry| async move {
            entry.key.require_active()?;
            let mut decrypted = Vec::with_capacity(items.len());
            let mut entry = entry;
            for ciphertext in items {
                if !decrypted.is_empty() {
                    entry = self.still_permitted(ctx, Permission::Decrypt, key_id).await?;
                }
                decrypted.push(self.open(&entry, &context, &ciphertext).await?);
            }
            Ok(decrypted)
        })
        .await
    }

    /// Decrypts each and encrypts it anew with the primary version of the same key, under the same context.
    ///
    /// # Errors
    /// Those of [`re_encrypt`](Self::re_encrypt), of the first that fails.
    pub async fn re_encrypt_list(
        &self,
        ctx: &RequestContext,
        list: ListOf<Vec<u8>>,
    ) -> Result<Vec<Encrypted>, ServiceError> {
        let ListOf { key_id, context, items } = list;
        let wanted = [(Permission::Encrypt, key_id), (Permission::Decrypt, key_id)];
        self.on_two_keys(ctx, wanted, |entry, _| async move {
            entry.key.require_active()?;
            let mut encrypted = Vec::with_capacity(items.len());
            let mut source = Arc::clone(&entry);
            for ciphertext in items {
                if !encrypted.is_empty() {
                    self.permitted_key(ctx, Permission::Encrypt, key_id).await?;
                    source = self.still_permitted(ctx, Permission::Decrypt, key_id).await?;
                }
                let opened = self.open(&source, &context, &ciphertext).await?;
                encrypted.push(self.seal(&entry, &entry.primary, &context, opened.plaintext).await?);
            }
            Ok(encrypted)
        })
        .await
    }

    /// Decides again, from memory: a long list must not go on for long after a key was switched off, a role, credential or
    /// token was taken, or an address list was changed. Out comes the key as it is now.
    async fn still_permitted(
        &self,
        ctx: &RequestContext,
        permission: Permission,
        key_id: KeyId,
    ) -> Result<Arc<KeyEntry>, ServiceError> {
        self.directory.require_in_force(&ctx.caller).await?;
        let entry = self.permitted_key(ctx, permission, key_id).await?;
        entry.key.require_active()?;
        Ok(entry)
    }
}
