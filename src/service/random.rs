//! Random bytes for callers.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::RequestContext;
use crate::domain::access::Permission;
use zeroize::Zeroizing;

/// Most random bytes of one request (`NumberOfBytes` of AWS's `GenerateRandom`).
const MAX_BYTES: usize = 1024;

impl Kms {
    /// 1 to 1024 random bytes from the token's generator, for who may encrypt with the keys of its own folder.
    ///
    /// # Errors
    /// [`ServiceError::Denied`], [`ServiceError::Invalid`] for another number of bytes, and those of the token.
    pub async fn random(&self, ctx: &RequestContext, bytes: usize) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
        self.on_folder(ctx, Permission::Encrypt, ctx.caller.folder_id, || async move {
            if !(1..=MAX_BYTES).contains(&bytes) {
                return Err(ServiceError::Invalid(format!("1 to {MAX_BYTES} random bytes can be asked for")));
            }
            Ok(self.token.random(bytes).await?)
        })
        .await
    }
}
