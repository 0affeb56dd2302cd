//! Commands of operators that no cloud API has: restoring a deleted key, and confirming the clock. Authentication,
//! error bodies and the operation record are those of the native dialect's REST form.

use super::yandex::render;
use super::yandex::rest::{Answer, Call, MethodNotAllowed, NO_SUCH_PATH, Segments, run};
use crate::service::Kms;
use crate::service::request::RequestContext;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Routes that need a caller.
pub fn protected(kms: Arc<Kms>) -> Router {
    Router::new()
        .route("/claviger/v1/keys/{key}", any(key))
        .route("/claviger/v1/clock:confirm", any(confirm_clock))
        .with_state(kms)
}

/// `POST /claviger/v1/keys/{id}:restore`: the answer is the operation record.
async fn key(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match (segment.rsplit_once(':'), call.method()) {
        (Some((id, "restore")), &Method::POST) => {
            call.empty_body().await?;
            let key_id = super::yandex::convert::key_id(id)?;
            Answer::of(&render::operation(kms.restore_key(&ctx, key_id).await?))
        }
        (Some((_, "restore")), _) => MethodNotAllowed::with("POST"),
        _ => Err(NO_SUCH_PATH.into()),
    })
    .await
}

/// `POST /claviger/v1/clock:confirm`: the answer is an empty object.
async fn confirm_clock(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| {
        if *call.method() != Method::POST {
            return MethodNotAllowed::with("POST");
        }
        call.empty_body().await?;
        kms.confirm_clock(&ctx).await?;
        Answer::of(&BTreeMap::<String, String>::new())
    })
    .await
}
