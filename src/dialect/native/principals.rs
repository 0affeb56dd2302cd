//! People and service accounts.

use super::super::yandex::convert::List;
use super::super::yandex::rest::{Answer, Call, MethodNotAllowed, Outcome, Segments, run};
use super::convert::{self, Window};
use super::wire::{self, NoFields, Object, PageQuery, Principal, Principals, PrincipalsQuery};
use crate::service::Kms;
use crate::service::identity::CreatePrincipal;
use crate::service::request::RequestContext;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// `/claviger/v1/principals`
pub async fn principals(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match *call.method() {
        Method::GET => list(&kms, &ctx, call.query()?).await,
        Method::POST => create(&kms, &ctx, call.body().await?).await,
        _ => MethodNotAllowed::with("GET, POST"),
    })
    .await
}

async fn create(kms: &Kms, ctx: &RequestContext, Object(body): Object<wire::CreatePrincipal>) -> Outcome {
    let kind = convert::principal_kind(body.r#type)?;
    let folder_id = convert::required_folder_id(&body.folder_id)?;
    let request = CreatePrincipal { folder_id, kind, name: body.name };
    Answer::of(&Principal::from(kms.create_principal(ctx, request).await?))
}

async fn list(kms: &Kms, ctx: &RequestContext, query: PrincipalsQuery) -> Outcome {
    let PrincipalsQuery { folder_id, page_size, page_token } = query;
    let folder_id = convert::required_folder_id(&folder_id)?;
    let window = Window::of(List::Principals, *folder_id.as_bytes(), &PageQuery { page_size, page_token })?;
    let page = kms.principals(ctx, folder_id, window.after, window.limit).await?;
    let (principals, next_page_token) = window.rendered(page, Principal::from);
    Answer::of(&Principals { principals, next_page_token })
}

/// `/claviger/v1/principals/{id}`
pub async fn principal(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(id): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| {
        if ![Method::GET, Method::DELETE].contains(call.method()) {
            return MethodNotAllowed::with("GET, DELETE");
        }
        let NoFields {} = call.query()?;
        let id = convert::principal_id(&id)?;
        let found = match *call.method() {
            Method::DELETE => kms.delete_principal(&ctx, id).await?,
            _ => kms.principal(&ctx, id).await?,
        };
        Answer::of(&Principal::from(found))
    })
    .await
}
