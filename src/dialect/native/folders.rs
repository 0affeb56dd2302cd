//! Folders, and the access bindings on them.

use super::super::yandex::convert::List;
use super::super::yandex::rest::{Answer, Call, MethodNotAllowed, Outcome, Segments, run};
use super::bindings;
use super::convert::{self, Window};
use super::wire::{CreateFolder, Folder, Folders, NoFields, Object, PageQuery};
use crate::service::Kms;
use crate::service::request::RequestContext;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::Method;
use std::sync::Arc;

/// `/claviger/v1/folders`
pub async fn folders(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| match *call.method() {
        Method::GET => list(&kms, &ctx, &call.query()?).await,
        Method::POST => {
            let Object(CreateFolder { name }) = call.body().await?;
            Answer::of(&Folder::from(kms.create_folder(&ctx, name).await?))
        }
        _ => MethodNotAllowed::with("GET, POST"),
    })
    .await
}

async fn list(kms: &Kms, ctx: &RequestContext, query: &PageQuery) -> Outcome {
    let window = Window::of(List::Folders, [0; 16], query)?;
    let page = kms.folders(ctx, window.after, window.limit).await?;
    let (folders, next_page_token) = window.rendered(page, Folder::from);
    Answer::of(&Folders { folders, next_page_token })
}

/// `/claviger/v1/folders/{id}` and `/claviger/v1/folders/{id}:{verb}`
pub async fn folder(
    State(kms): State<Arc<Kms>>,
    Extension(ctx): Extension<RequestContext>,
    Segments(segment): Segments<String>,
    request: Request,
) -> Response {
    run(&ctx, request, async |call: Call| {
        if let Some((id, verb)) = segment.rsplit_once(':') {
            return bindings::of_folder(&kms, &ctx, call, id, verb).await;
        }
        if *call.method() != Method::GET {
            return MethodNotAllowed::with("GET");
        }
        let NoFields {} = call.query()?;
        Answer::of(&Folder::from(kms.folder(&ctx, convert::folder_id(&segment)?).await?))
    })
    .await
}
