//! The AWS KMS dialect: `POST /`, JSON 1.1, `X-Amz-Target: TrentService.Operation`, signed by Signature Version 4.
//!
//! A request passes [`gate`] (who calls), is read by [`input`] against the table of its operation in [`shapes`], makes
//! one service call in the handler that [`dispatch`] finds, and is answered by [`output`] or [`error`].
//! docs/dialects/aws.md lists what is served and where it differs from the cloud.

pub mod aliases;
pub mod arn;
pub mod blob;
pub mod call;
pub mod crypto;
pub mod data_keys;
pub mod dispatch;
pub mod error;
pub mod gate;
pub mod input;
pub mod keys;
pub mod lists;
pub mod marker;
pub mod metadata;
pub mod operation;
pub mod output;
pub mod policies;
pub mod policy;
pub mod re_encrypt;
pub mod rotation;
pub mod shapes;
pub mod source;
pub mod states;
pub mod tags;

use crate::auth::Signatures;
use crate::auth::body_budget::BodyBudget;
use crate::service::Kms;
use axum::Router;
use std::sync::Arc;

/// What the dialect is built on.
pub struct AwsDeps {
    /// The core.
    pub kms: Arc<Kms>,
    /// Finds out who signed a request.
    pub signatures: Arc<Signatures>,
    /// Room for bodies whose signatures are not verified yet.
    pub bodies: Arc<BodyBudget>,
}

/// The route of the dialect: every `POST /`.
pub fn routes(deps: AwsDeps) -> Router {
    gate::routes(deps)
}
