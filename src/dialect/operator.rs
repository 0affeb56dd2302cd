//! Claviger's own requests, where the native dialect has no rpc: for operators, and for `claviger key` and
//! `claviger clock`, which send them. Errors are in the native dialect's form.
//!
//! | request | permission |
//! |---|---|
//! | `POST /claviger/v1/keys/{id}:restore` | restore keys |
//! | `POST /claviger/v1/clock:confirm` | confirm the clock |

use super::RequestId;
use super::yandex::errors::{WireError, rest_response};
use crate::auth::Authenticator;
use crate::domain::Dialect;
use crate::domain::id::KeyId;
use crate::service::Kms;
use crate::service::error::{Missing, ServiceError};
use crate::service::request::RequestContext;
use crate::telemetry::RequestNotes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use http::HeaderMap;
use std::sync::Arc;

const DIALECT: &str = "operator";

/// What the requests need.
#[derive(Clone)]
pub struct OperatorDeps {
    /// The use cases.
    pub kms: Arc<Kms>,
    /// Who calls.
    pub authenticator: Arc<dyn Authenticator>,
}

/// The routes.
pub fn routes(deps: OperatorDeps) -> Router {
    Router::new()
        .route("/claviger/v1/keys/{target}", post(on_key))
        .route("/claviger/v1/clock:confirm", post(confirm_clock))
        .with_state(deps)
}

async fn on_key(
    State(deps): State<OperatorDeps>,
    Path(target): Path<String>,
    Extension(request_id): Extension<RequestId>,
    Extension(notes): Extension<RequestNotes>,
    headers: HeaderMap,
) -> Response {
    notes.operation(DIALECT, "RestoreKey");
    let restored = async {
        let ctx = context(&deps, &headers, &request_id, &notes).await?;
        let unknown = |id: &str| ServiceError::NotFound { what: Missing::Key, id: id.to_owned() };
        let id = target.strip_suffix(":restore").ok_or_else(|| unknown(&target))?;
        let key_id = KeyId::parse(id).ok_or_else(|| unknown(id))?;
        deps.kms.restore_key(&ctx, key_id).await.map(drop)
    };
    answer(restored.await, &request_id, &notes)
}

async fn confirm_clock(
    State(deps): State<OperatorDeps>,
    Extension(request_id): Extension<RequestId>,
    Extension(notes): Extension<RequestNotes>,
    headers: HeaderMap,
) -> Response {
    notes.operation(DIALECT, "ConfirmClock");
    let confirmed = async {
        let ctx = context(&deps, &headers, &request_id, &notes).await?;
        deps.kms.confirm_clock(&ctx).await
    };
    answer(confirmed.await, &request_id, &notes)
}

async fn context(
    deps: &OperatorDeps,
    headers: &HeaderMap,
    request_id: &RequestId,
    notes: &RequestNotes,
) -> Result<RequestContext, ServiceError> {
    let caller = deps.authenticator.authenticate(headers).await?;
    notes.principal(caller.principal_id);
    Ok(RequestContext { request_id: request_id.0.clone(), caller, dialect: Dialect::Yandex })
}

fn answer(result: Result<(), ServiceError>, request_id: &RequestId, notes: &RequestNotes) -> Response {
    match result {
        Ok(()) => Json(serde_json::json!({})).into_response(),
        Err(error) => {
            if let Some(cause) = error.cause() {
                notes.cause(cause);
            }
            rest_response(&WireError::from(error), request_id)
        }
    }
}
