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
    /// Those of [`encrypt`](Self::encrypt), [`ServiceError::Throttled`] if this principal, or all together, wait for as
    /// many pairs as they may, and [`ServiceError::Unauthenticated`] if the caller's credential came out of
    /// force while the pair was made.
    pub async fn generate_data_key_pair(
        &self,
        ctx: &RequestContext,
        request: GenerateDataKeyPair,
    ) -> Result<DataKeyPair, ServiceError> {
        self.on_key(ctx, Permission::Encrypt, request.key_id, |entry| async move {
            // A request that is going to be refused must not take seconds of the processor first.
            require_usable(&entry)?;
            let place = self.pair_places.take(ctx.caller.principal_id)?;
            let pair = self.token.key_pair(request.spec).await?;
            drop(place);
            // Nor may the caller's credential and roles and the key's state be those of seconds ago.
            self.directory.require_in_force(&ctx.caller).await?;
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
