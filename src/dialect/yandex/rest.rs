//! The REST routes: HTTP method and path to rpc, as docs/dialects/yandex.md lists them. Each handler reads a
//! message from body or query, puts the path's id into it and calls the rpc's function.

mod call;

use super::discovery::Discovery;
use super::proto::yandex::cloud::endpoint::{GetApiEndpointRequest, ListApiEndpointsRequest};
use super::{json, rpc};
use crate::service::Kms;
use crate::service::request::RequestContext;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::any;
use call::open_answer;
use http::Method;
use std::sync::Arc;

pub use call::{Answer, Call, MethodNotAllowed, NO_SUCH_PATH, Outcome, Segments, no_such_path, run, run_open};

/// Routes that need a caller.
pub fn protected(kms: Arc<Kms>) -> Router {
    Router::new()
        .route("/kms/v1/keys", any(keys))
        .route("/kms/v1/keys/{key}", any(key))
        .route("/kms/v1/keys/{key}/{list}", any(key_list))
        .route("/operations/{operation}", any(operation))
        .route("/kms/v1/asymmetricEncryptionKeys", any(asymmetric))
        .route("/kms/v1/asymmetricEncryptionKeys/{*rest}", any(asymmetric))
        .route("/kms/v1/asymmetricSignatureKeys", any(asymmetric))
        .route("/kms/v1/asymmetricSignatureKeys/{*rest}", any(asymmetric))
        .with_state(kms)
}

/// Routes that do not.
pub fn open(discovery: Arc<Discovery>) -> Router {
    Router::new()
        .route("/endpoints", any(endpoints))
        .route("/endpoints/{endpoint}", any(endpoint))
        .with_state(discovery)
}

async fn keys(State(kms): State<Arc<Kms>>, Extension(ctx): Extension<RequestContext>, request: Request) -> Response {
    run(&ctx, request, async |call: Call| match *call.method() {
        Method::GET => Answer::of(&rpc::list(&kms, &ctx, call.query()?).await?),
        Method::POST => {
            let idempotency_key = call.idempotency_key();
            Answer::of(&rpc::create(&kms, &ctx, call.body().await?, idempotency_key).await?)
        }
        _ => MethodNotAllowed::with("GET, POST"),
    })
    .await
}

/// `/kms/v1/keys/{id}` and `/kms/v1/keys/{id}:{verb}`: what follows the last colon is the verb.
async fn key(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match segment.rsplit_once(':') {
        Some((id, verb)) => key_verb(&kms, &ctx, call, id, verb).await,
        None => key_itself(&kms, &ctx, call, &segment).await,
    })
    .await
}

async fn key_itself(kms: &Kms, ctx: &RequestContext, call: Call, id: &str) -> Outcome {
    match *call.method() {
        Method::GET => Answer::of(&rpc::key(kms, ctx, call.query_for(id)?).await?),
        Method::PATCH => Answer::of(&rpc::update(kms, ctx, call.body_for(id).await?).await?),
        Method::DELETE => Answer::of(&rpc::delete(kms, ctx, call.query_for(id)?).await?),
        _ => MethodNotAllowed::with("GET, PATCH, DELETE"),
    }
}

async fn key_verb(kms: &Kms, ctx: &RequestContext, call: Call, id: &str, verb: &str) -> Outcome {
    let allowed = match verb {
        "encrypt"
        | "decrypt"
        | "reEncrypt"
        | "generateDataKey"
        | "setPrimaryVersion"
        | "rotate"
        | "scheduleVersionDestruction"
        | "cancelVersionDestruction"
        | "setAccessBindings"
        | "updateAccessBindings" => Method::POST,
        "listAccessBindings" => Method::GET,
        _ => return Err(NO_SUCH_PATH.into()),
    };
    if *call.method() != allowed {
        return MethodNotAllowed::with(if allowed == Method::GET { "GET" } else { "POST" });
    }
    match verb {
        "encrypt" => Answer::of(&rpc::encrypt(kms, ctx, call.body_for(id).await?).await?),
        "decrypt" => Answer::of(&rpc::decrypt(kms, ctx, call.body_for(id).await?).await?),
        "reEncrypt" => Answer::of(&rpc::re_encrypt(kms, ctx, call.body_for(id).await?).await?),
        "generateDataKey" => Answer::of(&rpc::generate_data_key(kms, ctx, call.body_for(id).await?).await?),
        "setPrimaryVersion" => Answer::of(&rpc::set_primary_version(kms, ctx, call.body_for(id).await?).await?),
        "rotate" => Answer::of(&rpc::rotate(kms, ctx, call.body_for(id).await?).await?),
        "scheduleVersionDestruction" => {
            Answer::of(&rpc::schedule_version_destruction(kms, ctx, call.body_for(id).await?).await?)
        }
        "cancelVersionDestruction" => {
            Answer::of(&rpc::cancel_version_destruction(kms, ctx, call.body_for(id).await?).await?)
        }
        "listAccessBindings" => Answer::of(&rpc::list_access_bindings(kms, ctx, call.query_for(id)?).await?),
        "setAccessBindings" => Answer::of(&rpc::set_access_bindings(kms, ctx, call.body_for(id).await?).await?),
        _ => Answer::of(&rpc::update_access_bindings(kms, ctx, call.body_for(id).await?).await?),
    }
}

async fn key_list(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments((id, list)): Segments<(String, String)>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match (list.as_str(), call.method()) {
        ("versions", &Method::GET) => Answer::of(&rpc::list_versions(&kms, &ctx, call.query_for(&id)?).await?),
        ("operations", &Method::GET) => Answer::of(&rpc::list_operations(&kms, &ctx, call.query_for(&id)?).await?),
        ("versions" | "operations", _) => MethodNotAllowed::with("GET"),
        _ => Err(NO_SUCH_PATH.into()),
    })
    .await
}

/// Cancel is a GET in the proto and a POST in the cloud's design guide: both are served.
async fn operation(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match (segment.rsplit_once(':'), call.method()) {
        (None, &Method::GET) => Answer::of(&rpc::operation(&kms, &ctx, call.query_for(&segment)?).await?),
        (Some((id, "cancel")), &Method::GET) => {
            Answer::of(&rpc::cancel_operation(&kms, &ctx, call.query_for(id)?).await?)
        }
        (Some((id, "cancel")), &Method::POST) => {
            Answer::of(&rpc::cancel_operation(&kms, &ctx, call.body_for(id).await?).await?)
        }
        (Some((_, "cancel")), _) => MethodNotAllowed::with("GET, POST"),
        (None, _) => MethodNotAllowed::with("GET"),
        (Some(_), _) => Err(NO_SUCH_PATH.into()),
    })
    .await
}

async fn asymmetric(Extension(ctx): Extension<RequestContext>, request: Request) -> Response {
    run(&ctx, request, async |_: Call| Err(rpc::NO_ASYMMETRIC_KEYS.into())).await
}

async fn endpoints(State(discovery): State<Arc<Discovery>>, request: Request) -> Response {
    open_answer(&request, || {
        let message: ListApiEndpointsRequest = json::from_query(request.uri())?;
        Answer::of(&discovery.endpoints(&message))
    })
}

async fn endpoint(
    State(discovery): State<Arc<Discovery>>,
    Segments(id): Segments<String>,
    request: Request,
) -> Response {
    open_answer(&request, || {
        json::no_query(request.uri())?;
        Answer::of(&discovery.endpoint(&GetApiEndpointRequest { api_endpoint_id: id.clone() })?)
    })
}
