//! The Ncloud dialect: NAVER Cloud's Key Management Service, API 2.0 (`/kms/v1/keys...`) and API 1.0 (`/keys/v2/...`).
//!
//! A request passes [`gate`] (who calls, which [`route`]), its body is read by [`input`], one handler makes one service call,
//! and [`output`] or [`error`] writes the answer. docs/dialects/ncloud.md lists what is served, where it differs from the
//! cloud, and what was chosen where the cloud's documents leave a choice.
//!
//! Paths below `/kms/v1` are those of the native dialect too: any header `x-ncp-*` says that a request is of this one.

pub mod addresses;
pub mod call;
pub mod crypto;
pub mod error;
pub mod gate;
pub mod input;
pub mod keys;
pub mod output;
pub mod rotation;
pub mod route;
pub mod tokens;
pub mod versions;
pub mod view;

use crate::auth::NcloudRequests;
use crate::auth::body_budget::BodyBudget;
use crate::service::Kms;
use axum::Router;
use axum::middleware::from_fn_with_state;
use std::sync::Arc;

/// What the dialect is built on.
pub struct NcloudDeps {
    /// The core.
    pub kms: Arc<Kms>,
    /// Finds out who sent a request.
    pub requests: NcloudRequests,
    /// Room for bodies that are being read.
    pub bodies: Arc<BodyBudget>,
    /// Where keys are reached, as `baseUrl` of a key says it.
    pub base_url: String,
}

/// Puts the dialect before a router: requests of this dialect never come to it.
pub fn before(router: Router, deps: NcloudDeps) -> Router {
    router.layer(from_fn_with_state(Arc::new(deps), gate::dispatch))
}
