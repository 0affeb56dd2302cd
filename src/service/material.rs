//! What several use cases do with key material: making it, sealing data under it, opening data.

use super::error::{Missing, ServiceError};
use super::key_cache::{KeyEntry, VersionEntry};
use super::kms::Kms;
use super::ports::{Material, SealedMaterial};
use super::request::Encrypted;
use crate::domain::algorithm::Algorithm;
use crate::domain::context::EncryptionContext;
use crate::domain::envelope::{Envelope, Header};
use crate::domain::error::StateError;
use crate::domain::id::{KeyId, MaterialId};
use aws_lc_rs::digest;
use std::sync::Arc;
use zeroize::Zeroizing;

/// New material, not stored yet.
pub(super) struct NewMaterial {
    pub id: MaterialId,
    pub material: SealedMaterial,
}

impl Kms {
    /// Has the token make material for a new version of a key.
    pub(super) async fn generate_material(
        &self,
        key_id: KeyId,
        algorithm: Algorithm,
    ) -> Result<NewMaterial, ServiceError> {
        if let Some(sealing_key) = self.token.sealing_key(algorithm) {
            self.invocations.counter(sealing_key).take().await?;
        }
        let id = MaterialId::from_bytes(self.ids.id());
        let material = self.token.generate(id, key_id, algorithm).await?;
        Ok(NewMaterial { id, material })
    }

    /// The version that a request names, or the primary one.
    pub(super) async fn named_version(
        &self,
        entry: &KeyEntry,
        version_id: Option<MaterialId>,
    ) -> Result<Arc<VersionEntry>, ServiceError> {
        let Some(id) = version_id else { return Ok(Arc::clone(&entry.primary)) };
        let found = self.cache.version(entry, id).await?;
        found.ok_or_else(|| ServiceError::NotFound { what: Missing::Version, id: id.to_string() })
    }

    /// Encrypts under a version of an active key.
    pub(super) async fn seal(
        &self,
        entry: &KeyEntry,
        version: &VersionEntry,
        context: &EncryptionContext,
        plaintext: Zeroizing<Vec<u8>>,
    ) -> Result<Encrypted, ServiceError> {
        let material = usable(version)?;
        version.counter.take().await?;
        if version.counter.is_over_warning() && version.version.id == entry.key.primary_version {
            self.note_overuse(&entry.key);
        }
        let suite = self.token.suite(material.algorithm);
        let header = Header { suite, key_id: material.key_id, material_id: material.id };
        let aad = header.aad(context, &context_sha256(context));
        let sealed = self.token.encrypt(material, aad, plaintext).await?;
        let envelope = Envelope { header, iv: sealed.iv, sealed: sealed.ciphertext };
        Ok(Encrypted { version_id: header.material_id, ciphertext: envelope.to_bytes() })
    }

    /// Decrypts an envelope of an active key.
    pub(super) async fn open(
        &self,
        entry: &KeyEntry,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<(MaterialId, Zeroizing<Vec<u8>>), ServiceError> {
        let envelope = Envelope::parse(ciphertext).map_err(|_| ServiceError::NotAuthentic)?;
        let header = envelope.header;
        if header.key_id != entry.key.id {
            return Err(ServiceError::NotAuthentic);
        }
        // An id that this key never had means a changed header, not a version to look for.
        let version = self.cache.version(entry, header.material_id).await?.ok_or(ServiceError::NotAuthentic)?;
        if header.suite.algorithm() != version.version.algorithm {
            return Err(ServiceError::NotAuthentic);
        }
        let material = usable(&version)?;
        let aad = header.aad(context, &context_sha256(context));
        let plaintext = self.token.decrypt(material, aad, envelope.iv, envelope.sealed).await?;
        Ok((header.material_id, plaintext))
    }
}

/// The material of a version, if the version may be used.
pub(super) fn usable(version: &VersionEntry) -> Result<Arc<Material>, ServiceError> {
    version.version.require_active()?;
    Ok(version.material.clone().ok_or(StateError::VersionDestroyed)?)
}

fn context_sha256(context: &EncryptionContext) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, &context.canonical()).as_ref());
    out
}
