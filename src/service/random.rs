//! Random bytes for callers.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::RequestContext;
use zeroize::Zeroizing;

impl Kms {
    /// Random bytes from the token's generator, for who may encrypt with the keys of its own folder.
    ///
    /// # Errors
    /// Those of the token.
    pub async fn random(&self, ctx: &RequestContext, bytes: usize) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
        let _ = (ctx, bytes);
        Err(ServiceError::NotImplemented("GenerateRandom"))
    }
}
