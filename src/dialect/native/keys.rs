//! How a key is protected, and its restoration.

use super::super::yandex::rest::{Answer, Call, MethodNotAllowed, NO_SUCH_PATH, Segments, run};
use super::super::yandex::{convert, render};
use super::wire::{KeyProtection, NoFields, ProtectedKey};
use crate::service::Kms;
use crate::service::request::RequestContext;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// `GET /claviger/v1/keys/{id}`, and `POST /claviger/v1/keys/{id}:restore`, whose answer is the operation record.
pub async fn key(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match (segment.rsplit_once(':'), call.method()) {
        (None, &Method::GET) => {
            let NoFields {} = call.query()?;
            let view = kms.key(&ctx, convert::key_id(&segment)?).await?;
            let hosted_by_hsm = view.primary.algorithm.hosted_by_hsm();
            let protection = KeyProtection::of(kms.token().description(), hosted_by_hsm);
            Answer::of(&ProtectedKey { key: render::key(view), protection })
        }
        (None, _) => MethodNotAllowed::with("GET"),
        (Some((id, "restore")), &Method::POST) => {
            call.empty_body().await?;
            let key_id = convert::key_id(id)?;
            Answer::of(&render::operation(kms.restore_key(&ctx, key_id, None).await?))
        }
        (Some((_, "restore")), _) => MethodNotAllowed::with("POST"),
        (Some(_), _) => Err(NO_SUCH_PATH.into()),
    })
    .await
}
