//! Whether a use of keys would succeed.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::{DryRun, RequestContext};

impl Kms {
    /// Checks a use of one or two keys in the order in which it would be made: who may do it, the state of keys and
    /// versions, and, where asked for, whether a ciphertext decrypts. Encrypts nothing and counts no invocation.
    ///
    /// # Errors
    /// Those with which the use itself would end.
    pub async fn dry_run(&self, ctx: &RequestContext, request: DryRun) -> Result<(), ServiceError> {
        let _ = (ctx, request);
        Err(ServiceError::NotImplemented("dry runs"))
    }
}
