//! What no cloud API has: folders, principals and their credentials, access bindings of folders and of the service, how a
//! key is protected, and the commands of operators. `claviger`'s own client commands are built on it.
//!
//! Authentication, error bodies, JSON rules and operation records are those of the Yandex dialect's REST form. In: a
//! request with a [`RequestContext`]. Out: one service call, and its result as JSON. docs/cli.md lists the paths.

mod bindings;
mod convert;
mod credentials;
mod folders;
mod keys;
pub mod names;
mod principals;
mod wire;

use super::yandex::rest::{Answer, Call, MethodNotAllowed, run};
use crate::service::Kms;
use crate::service::request::RequestContext;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{NoFields, WhoAmI};

/// What every path of this API begins with.
pub const PREFIX: &str = "/claviger/v1/";

/// Routes that need a caller.
pub fn protected(kms: Arc<Kms>) -> Router {
    Router::new()
        .route("/claviger/v1/whoami", any(who_am_i))
        .route("/claviger/v1/folders", any(folders::folders))
        .route("/claviger/v1/folders/{folder}", any(folders::folder))
        .route("/claviger/v1/principals", any(principals::principals))
        .route("/claviger/v1/principals/{principal}", any(principals::principal))
        .route("/claviger/v1/principals/{principal}/credentials", any(credentials::credentials))
        .route("/claviger/v1/credentials/{credential}", any(credentials::credential))
        .route("/claviger/v1/service:listAccessBindings", any(bindings::list_of_service))
        .route("/claviger/v1/service:setAccessBindings", any(bindings::set_of_service))
        .route("/claviger/v1/service:updateAccessBindings", any(bindings::update_of_service))
        .route("/claviger/v1/keys/{key}", any(keys::key))
        .route("/claviger/v1/clock:confirm", any(confirm_clock))
        .with_state(kms)
}

/// `GET /claviger/v1/whoami`: the caller and the credential that it presented.
async fn who_am_i(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| {
        if *call.method() != Method::GET {
            return MethodNotAllowed::with("GET");
        }
        let NoFields {} = call.query()?;
        let principal = kms.principal(&ctx, ctx.caller.principal_id).await?;
        let credential = kms.credential(&ctx, ctx.caller.credential_id).await?;
        let credential = wire::Credential::of(credential, kms.now());
        Answer::of(&WhoAmI { principal: principal.into(), credential })
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
