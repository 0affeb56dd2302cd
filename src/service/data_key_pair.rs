//! Making asymmetric data keys.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::{DataKeyPair, GenerateDataKeyPair, RequestContext};

impl Kms {
    /// Makes a data key pair and encrypts its private half.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    pub async fn generate_data_key_pair(
        &self,
        ctx: &RequestContext,
        request: GenerateDataKeyPair,
    ) -> Result<DataKeyPair, ServiceError> {
        let _ = (ctx, request);
        Err(ServiceError::NotImplemented("GenerateDataKeyPair"))
    }
}
