//! What every request passes before its operation: form, size, signature. Authentication comes first: who is not known
//! learns nothing, not even whether an operation exists.
//!
//! The server's edge gives every answer to `POST /` its `x-amzn-RequestId`, also those that do not come from here.

use super::AwsDeps;
use super::call::Call;
use super::dispatch::dispatch;
use super::error::{AwsError, Code};
use super::operation::Operation;
use crate::auth::{Peer, Signed};
use crate::dialect::whole_body::{BodyError, whole};
use crate::dialect::yandex::rest::no_such_path;
use crate::dialect::{RequestId, is_grpc};
use crate::domain::Dialect;
use crate::domain::access::Origin;
use crate::service::request::{Counted, RequestContext};
use crate::telemetry::RequestNotes;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, header};
use std::sync::Arc;

/// The largest body that is read, in bytes. It is read before the signature is verified, which is over it.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Names the operation.
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// What stands before an operation's name.
const TARGET_PREFIX: &str = "TrentService.";

/// The route: `POST /`. Other methods, and gRPC, are answered as on any path that nothing serves.
pub fn routes(deps: AwsDeps) -> Router {
    Router::new().route("/", any(handle)).with_state(Arc::new(deps))
}

/// Whether a request is one of this dialect, whatever becomes of it.
#[must_use]
pub fn is_aws(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/" && !is_grpc(request.headers())
}

async fn handle(State(deps): State<Arc<AwsDeps>>, request: Request) -> Response {
    if !is_aws(&request) {
        return no_such_path(request).await;
    }
    let notes = request.extensions().get::<RequestNotes>().cloned();
    match answer(&deps, request, notes.as_ref()).await {
        Ok(response) => response,
        Err(error) => {
            error.note(notes.as_ref());
            error.into_response()
        }
    }
}

async fn answer(deps: &AwsDeps, request: Request, notes: Option<&RequestNotes>) -> Result<Response, AwsError> {
    let (head, body) = request.into_parts();
    let operation = target(&head.headers);
    if let Some(notes) = notes {
        notes.operation("aws", operation.map_or("unknown", Operation::name));
    }
    let claimed = deps.signatures.look_at(&head).await?;
    let (body, held) = whole(body, MAX_BODY_BYTES, &deps.bodies, claimed.sender()).await.map_err(unread)?;
    let signed = deps.signatures.verify(claimed, &body).await?;
    drop(held);
    if let Some(notes) = notes {
        notes.principal(signed.caller.principal_id);
    }
    // Many requests end before a use case, and some take several: each counts here, and once.
    let counted = deps.kms.count_incoming(&signed.caller)?;
    check_content_type(&head.headers)?;
    let operation = operation.ok_or_else(|| unknown_operation(&head.headers))?;
    let call = call(deps, &head, (signed, counted), operation).await?;
    Ok(dispatch(&call, &body).await?.into_response())
}

async fn call<'a>(
    deps: &'a AwsDeps,
    head: &Parts,
    (signed, counted): (Signed, Counted),
    operation: Operation,
) -> Result<Call<'a>, AwsError> {
    let Signed { caller, name, region } = signed;
    let account = deps.kms.account_of(caller.folder_id).await?;
    let request_id = head.extensions.get::<RequestId>().cloned().unwrap_or_default().0;
    let origin = Origin::of(head.extensions.get::<Peer>().map(|peer| peer.address));
    let ctx = RequestContext { request_id, caller, dialect: Dialect::Aws, region: Some(region), origin, counted };
    Ok(Call { kms: &deps.kms, ctx, account, user: name, operation })
}

/// The operation that the request names, once.
fn target(headers: &HeaderMap) -> Option<Operation> {
    let mut values = headers.get_all(X_AMZ_TARGET).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Operation::parse(value.to_str().ok()?.strip_prefix(TARGET_PREFIX)?)
}

/// Why the headers name no operation.
fn unknown_operation(headers: &HeaderMap) -> AwsError {
    let text = match headers.contains_key(X_AMZ_TARGET) {
        true => {
            "The X-Amz-Target header names no operation of this service: it must be TrentService. followed by a name"
        }
        false => "The X-Amz-Target header is missing: it must be TrentService. followed by the name of an operation",
    };
    AwsError::new(Code::UnknownOperation, text)
}

/// JSON 1.1, or JSON by its general name, which clients of look-alikes send; no type at all is JSON too. The cloud knows no
/// operation of another protocol.
fn check_content_type(headers: &HeaderMap) -> Result<(), AwsError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let taken = ["application/x-amz-json-1.1", "application/json"];
    if taken.iter().any(|taken| kind.eq_ignore_ascii_case(taken)) {
        return Ok(());
    }
    Err(AwsError::new(
        Code::UnknownOperation,
        "The Content-Type header must be application/x-amz-json-1.1 or application/json",
    ))
}

/// A refusal of a body.
fn unread(error: BodyError) -> AwsError {
    match error {
        BodyError::TooLarge => AwsError::new(
            Code::RequestEntityTooLarge,
            format!("The body of the request must be at most {MAX_BODY_BYTES} bytes long"),
        ),
        BodyError::Incomplete => AwsError::new(Code::Serialization, "The body of the request is not complete"),
        BodyError::TooSlow => AwsError::new(Code::RequestTimeout, "The body of the request did not arrive in time"),
        BodyError::NoRoom(error) => error.into(),
    }
}

#[cfg(test)]
mod tests;
