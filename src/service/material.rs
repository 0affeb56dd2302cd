//! What several use cases do with key material: making it, sealing data under it, opening data.

use super::error::{Missing, ServiceError};
use super::key_cache::{KeyEntry, VersionEntry};
use super::kms::Kms;
use super::ports::{Material, SealedMaterial};
use super::request::{Decrypted, Encrypted};
use crate::domain::algorithm::Algorithm;
use crate::domain::context::EncryptionContext;
use crate::domain::envelope::{Envelope, Header, Suite};
use crate::domain::error::StateError;
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::numbered::Numbered;
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
        entry.key.check_context(context)?;
        let material = usable(version)?;
        version.counter.take().await?;
        if version.counter.is_over_warning() && version.version.id == entry.key.primary_version {
            self.note_overuse(&entry.key);
        }
        let header = self.header(&material);
        let aad = header.aad(context, &context_sha256(context));
        let sealed = self.token.encrypt(material, aad, plaintext).await?;
        let envelope = Envelope { header, iv: sealed.iv, sealed: sealed.ciphertext };
        let (version_id, version_number) = (header.material_id, version.version.number);
        Ok(Encrypted { version_id, version_number, ciphertext: envelope.to_bytes() })
    }

    /// The header of what is encrypted under a material.
    fn header(&self, material: &Material) -> Header {
        let suite = if material.convergent { Suite::Convergent256 } else { self.token.suite(material.algorithm) };
        Header { suite, key_id: material.key_id, material_id: material.id }
    }

    /// Decrypts a ciphertext of an active key.
    pub(super) async fn open(
        &self,
        entry: &KeyEntry,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<Decrypted, ServiceError> {
        entry.key.check_context(context)?;
        let (version, envelope) = self.version_and_envelope(entry, ciphertext).await?;
        let header = envelope.header;
        let convergent = header.suite == Suite::Convergent256;
        if header.suite.algorithm() != version.version.algorithm || convergent != entry.key.convergent {
            return Err(ServiceError::NotAuthentic);
        }
        let material = usable(&version)?;
        let aad = header.aad(context, &context_sha256(context));
        let plaintext = self.token.decrypt(material, aad, envelope.iv, envelope.sealed).await?;
        Ok(Decrypted { version_id: header.material_id, plaintext })
    }

    /// What a ciphertext is to be decrypted with, whichever form it has. A header that is not of this key, and an id or
    /// number that this key never had, mean a changed ciphertext, not something to look for.
    async fn version_and_envelope(
        &self,
        entry: &KeyEntry,
        ciphertext: &[u8],
    ) -> Result<(Arc<VersionEntry>, Envelope), ServiceError> {
        let wrong = || ServiceError::NotAuthentic;
        let of_key = |bytes: &[u8]| Envelope::parse(bytes).ok().filter(|it| it.header.key_id == entry.key.id);
        if !Numbered::is_meant(ciphertext) {
            let envelope = of_key(ciphertext).ok_or_else(wrong)?;
            let version = self.cache.version(entry, envelope.header.material_id).await?;
            return Ok((version.ok_or_else(wrong)?, envelope));
        }
        let Numbered { number, body } = Numbered::parse(ciphertext).map_err(|_| wrong())?;
        let version = self.cache.version_numbered(entry, number).await?.ok_or_else(wrong)?;
        if let Some(envelope) = of_key(&body) {
            let fits = envelope.header.material_id == version.version.id;
            return if fits { Ok((version, envelope)) } else { Err(wrong()) };
        }
        let header = self.header(&*usable(&version)?);
        // The IV mode of HSM keys is not in the text: it is the token's, fixed at `init` with its profile.
        let envelope = Envelope::under(header, body).map_err(|_| wrong())?;
        Ok((version, envelope))
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
