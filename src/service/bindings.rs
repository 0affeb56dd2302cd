//! Access bindings of the service, of folders and of keys.

use super::error::ServiceError;
use super::kms::Kms;
use super::ports::{BindingScope, Stored};
use super::request::RequestContext;
use crate::domain::access::{BindingDelta, BindingSet};
use crate::domain::operation::Operation;

impl Kms {
    /// Exactly the bindings that were set on a resource, without inherited ones. `row_seq` changes with the set.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Denied`], and those of the store.
    pub async fn access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
    ) -> Result<Stored<BindingSet>, ServiceError> {
        let _ = (ctx, scope);
        Err(ServiceError::NotImplemented("access bindings"))
    }

    /// Replaces the bindings of a resource. For a key, the answer is the operation record.
    ///
    /// # Errors
    /// [`ServiceError::Denied`]; [`ServiceError::Invalid`] if nobody could change the service's bindings any more; those
    /// of the store.
    pub async fn set_access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        bindings: BindingSet,
    ) -> Result<Option<Operation>, ServiceError> {
        let _ = (ctx, scope, bindings);
        Err(ServiceError::NotImplemented("access bindings"))
    }

    /// Adds and removes bindings of a resource, in the order given, all or none. For a key, the answer is the operation
    /// record.
    ///
    /// # Errors
    /// As [`set_access_bindings`](Self::set_access_bindings), and [`ServiceError::Value`] above the limit.
    pub async fn update_access_bindings(
        &self,
        ctx: &RequestContext,
        scope: BindingScope,
        deltas: Vec<BindingDelta>,
    ) -> Result<Option<Operation>, ServiceError> {
        let _ = (ctx, scope, deltas);
        Err(ServiceError::NotImplemented("access bindings"))
    }
}
