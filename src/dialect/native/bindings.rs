//! Access bindings of folders and of the service; those of keys are in the Yandex dialect, whose messages and pages
//! these are too.

use super::super::yandex::proto::yandex::cloud::access::{
    ListAccessBindingsRequest, SetAccessBindingsRequest, UpdateAccessBindingsRequest,
};
use super::super::yandex::rest::{Answer, Call, MethodNotAllowed, NO_SUCH_PATH, Outcome, run};
use super::super::yandex::{convert, render, wkt};
use crate::service::Kms;
use crate::service::error::ServiceError;
use crate::service::ports::BindingScope;
use crate::service::request::RequestContext;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// Whose bindings a path is about, and its id there.
#[derive(Clone, Copy)]
enum Target<'a> {
    Service,
    Folder(&'a str),
}

impl<'a> Target<'a> {
    /// What a request may repeat as its `resourceId`.
    const fn id(self) -> &'a str {
        match self {
            Self::Service => "service",
            Self::Folder(id) => id,
        }
    }

    fn scope(self) -> Result<BindingScope, ServiceError> {
        match self {
            Self::Service => Ok(BindingScope::Service),
            Self::Folder(id) => super::convert::folder_id(id).map(BindingScope::Folder),
        }
    }
}

/// `GET /claviger/v1/service:listAccessBindings`
pub async fn list_of_service(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    of_service(&kms, &ctx, request, "listAccessBindings").await
}

/// `POST /claviger/v1/service:setAccessBindings`
pub async fn set_of_service(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    of_service(&kms, &ctx, request, "setAccessBindings").await
}

/// `POST /claviger/v1/service:updateAccessBindings`
pub async fn update_of_service(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    of_service(&kms, &ctx, request, "updateAccessBindings").await
}

async fn of_service(kms: &Kms, ctx: &RequestContext, request: Request, verb: &str) -> Response {
    run(ctx, request, async |call: Call| of_verb(kms, ctx, call, Target::Service, verb).await).await
}

/// Answers `/claviger/v1/folders/{id}:{verb}`.
pub async fn of_folder(kms: &Kms, ctx: &RequestContext, call: Call, id: &str, verb: &str) -> Outcome {
    of_verb(kms, ctx, call, Target::Folder(id), verb).await
}

async fn of_verb(kms: &Kms, ctx: &RequestContext, call: Call, target: Target<'_>, verb: &str) -> Outcome {
    match (verb, call.method()) {
        ("listAccessBindings", &Method::GET) => list(kms, ctx, call.query_for(target.id())?, target).await,
        ("setAccessBindings", &Method::POST) => set(kms, ctx, call, target).await,
        ("updateAccessBindings", &Method::POST) => update(kms, ctx, call, target).await,
        ("listAccessBindings", _) => MethodNotAllowed::with("GET"),
        ("setAccessBindings" | "updateAccessBindings", _) => MethodNotAllowed::with("POST"),
        _ => Err(NO_SUCH_PATH.into()),
    }
}

async fn list(kms: &Kms, ctx: &RequestContext, message: ListAccessBindingsRequest, target: Target<'_>) -> Outcome {
    let scope = target.scope()?;
    let page = convert::bindings_page(scope, &message)?;
    Answer::of(&render::bindings_page(page, &kms.access_bindings(ctx, scope).await?)?)
}

async fn set(kms: &Kms, ctx: &RequestContext, call: Call, target: Target<'_>) -> Outcome {
    let message: SetAccessBindingsRequest = call.body_for(target.id()).await?;
    let bindings = convert::binding_set(message.access_bindings)?;
    kms.set_access_bindings(ctx, target.scope()?, bindings).await?;
    Answer::of(&wkt::Empty {})
}

async fn update(kms: &Kms, ctx: &RequestContext, call: Call, target: Target<'_>) -> Outcome {
    let message: UpdateAccessBindingsRequest = call.body_for(target.id()).await?;
    let deltas = convert::binding_deltas(message.access_binding_deltas)?;
    kms.update_access_bindings(ctx, target.scope()?, deltas).await?;
    Answer::of(&wkt::Empty {})
}
