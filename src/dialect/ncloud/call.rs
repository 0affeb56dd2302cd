//! What a handler has: the core, who calls, and what the path and the body say.

use super::error::NcloudError;
use super::input::Input;
use super::output::Output;
use super::route::{Operation, Route};
use super::{addresses, crypto, keys, rotation, tokens, versions};
use crate::domain::id::KeyId;
use crate::service::Kms;
use crate::service::request::RequestContext;
use serde::Serialize;
use std::sync::Arc;

/// One authenticated request.
pub struct Call<'a> {
    /// The core.
    pub kms: &'a Arc<Kms>,
    /// Who asks.
    pub ctx: RequestContext,
    /// What is asked for.
    pub route: Route,
    /// What follows the path's `?`.
    pub query: &'a str,
    /// Where keys are reached.
    pub base_url: &'a str,
}

impl Call<'_> {
    /// The key that the path names, if a key can have the name. Whether there is one, and whether the caller may know of it,
    /// is found out by the use case, which also counts the request.
    ///
    /// # Errors
    /// NOT_FOUND for what is no tag.
    pub fn key(&self) -> Result<KeyId, NcloudError> {
        self.route.key_id().ok_or_else(NcloudError::no_key)
    }

    /// An answer.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR for data without a JSON form.
    pub fn answer(&self, data: &impl Serialize) -> Result<Output, NcloudError> {
        Output::of(self.route.api, data)
    }
}

/// Calls the handler of an operation.
///
/// # Errors
/// The handler's.
pub async fn dispatch(call: &Call<'_>, input: Input) -> Result<Output, NcloudError> {
    use Operation as O;
    match call.route.operation {
        O::CreateKey => keys::create(call, input).await,
        O::ListKeys => keys::list(call).await,
        O::KeyInfo => keys::info(call).await,
        O::EnableKey | O::DisableKey => keys::switch(call).await,
        O::UpdateName => keys::update_name(call, input).await,
        O::UpdateMemo => keys::update_memo(call, input).await,
        O::RequestDeletion => keys::request_deletion(call).await,
        O::CancelDeletion => keys::cancel_deletion(call).await,
        O::DeleteKey => keys::delete(call).await,
        O::RotateKey => rotation::rotate(call).await,
        O::EnableAutoRotation => rotation::enable(call).await,
        O::DisableAutoRotation => rotation::disable(call).await,
        O::UpdateRotationPeriod => rotation::update_period(call, input).await,
        O::ListVersions => versions::list(call).await,
        O::EnableVersion | O::DisableVersion => versions::switch(call).await,
        O::Encrypt => crypto::encrypt(call, input).await,
        O::Decrypt => crypto::decrypt(call, input).await,
        O::CreateCustomKey => crypto::create_custom_key(call, input).await,
        O::ReEncrypt => crypto::re_encrypt(call, input).await,
        O::Sign | O::Verify | O::PublicKey => crypto::of_asymmetric_keys(call).await,
        O::CreateTokenGenerator | O::ReplaceTokenGenerator | O::DeleteTokenGenerator => {
            tokens::change_generator(call).await
        }
        O::TokenGenerator => tokens::generator(call).await,
        O::IssueTokenSet | O::RenewTokenSet => tokens::token_set(call, input).await,
        O::RenewAccessToken => tokens::access_token(call, input).await,
        O::EnableAcl | O::DisableAcl => addresses::switch(call).await,
        O::Acl => addresses::acl(call).await,
        O::AddAclAddresses | O::RemoveAclAddresses => addresses::change(call, input).await,
        O::Activities | O::LastUseInfo => keys::not_recorded(call).await,
    }
}
