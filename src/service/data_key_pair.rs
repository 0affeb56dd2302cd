//! Making asymmetric data keys.

use super::error::ServiceError;
use super::key_cache::KeyEntry;
use super::kms::Kms;
use super::material::usable;
use super::request::{DataKeyPair, GenerateDataKeyPair, RequestContext};
use crate::domain::access::Permission;

impl Kms {
    /// Makes a data key pair and encrypts its private half with the primary version.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    pub async fn generate_data_key_pair(
        &self,
        ctx: &RequestContext,
        request: GenerateDataKeyPair,
    ) -> Result<DataKeyPair, ServiceError> {
        self.on_key(ctx, Permission::Encrypt, request.key_id, |entry| async move {
            // A request that is going to be refused must not take seconds of the processor first.
            require_usable(&entry)?;
            let pair = self.token.key_pair(request.spec).await?;
            // Nor may the key's state and the caller's roles be those of seconds ago.
            let entry = self.permitted_key(ctx, Permission::Encrypt, request.key_id).await?;
            require_usable(&entry)?;
            let private = pair.private_pkcs8.clone();
            let encrypted = self.seal(&entry, &entry.primary, &request.context, private).await?;
            Ok(DataKeyPair { pair, encrypted })
        })
        .await
    }
}

fn require_usable(entry: &KeyEntry) -> Result<(), ServiceError> {
    entry.key.require_active()?;
    usable(&entry.primary).map(drop)
}
