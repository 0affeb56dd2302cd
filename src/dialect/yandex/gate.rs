//! What every request passes before its rpc, and every answer after it: authentication comes before anything of the
//! request is read, and answers carry `x-request-id`.

use super::errors::{WireError, grpc_status, rest_response, rest_response_with};
use super::names;
use crate::auth::{Authenticator, Peer};
use crate::dialect::{RequestId, is_grpc};
use crate::domain::Dialect;
use crate::domain::access::Origin;
use crate::service::request::{Counted, RequestContext};
use crate::telemetry::RequestNotes;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use tonic::{Code, Status};

/// The header that names a request in logs.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How refusals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// gRPC: trailers only.
    Grpc,
    /// REST: a JSON body.
    Rest,
}

/// What the gate of protected routes needs.
#[derive(Clone)]
pub struct Gate {
    /// Finds out who calls.
    pub authenticator: Arc<dyn Authenticator>,
    /// How refusals are written.
    pub form: Form,
}

/// The id of a request.
#[must_use]
pub fn request_id(extensions: &http::Extensions) -> RequestId {
    extensions.get::<RequestId>().cloned().unwrap_or_default()
}

/// Lets authenticated requests through, with a [`RequestContext`] in their extensions.
pub async fn authenticated(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(request.extensions());
    let peer = request.extensions().get::<Peer>();
    let caller = match gate.authenticator.authenticate(request.headers(), peer).await {
        Ok(caller) => caller,
        Err(error) => {
            let error = WireError::from(error);
            error.note(request.extensions().get());
            return refuse(gate.form, &error, &request_id);
        }
    };
    if let Some(notes) = request.extensions().get::<RequestNotes>() {
        notes.principal(caller.principal_id);
    }
    let context = RequestContext {
        request_id: request_id.0.clone(),
        caller,
        dialect: Dialect::Yandex,
        region: None,
        origin: Origin::of(request.extensions().get::<Peer>().map(|peer| peer.address)),
        counted: Counted::by_use_cases(),
    };
    request.extensions_mut().insert(context);
    match gate.form {
        Form::Rest => next.run(request).await,
        Form::Grpc => grpc_call(request, next, &request_id).await,
    }
}

/// Lets every gRPC request through.
pub async fn open_grpc(request: Request, next: Next) -> Response {
    let request_id = request_id(request.extensions());
    grpc_call(request, next, &request_id).await
}

/// Tells logs and metrics which operation it is, and puts the request's id into the answer.
pub async fn named(request: Request, next: Next) -> Response {
    let request_id = request_id(request.extensions());
    let notes = request.extensions().get::<RequestNotes>();
    let named = names::of_request(request.method(), request.uri().path());
    if let (Some(notes), Some((dialect, operation))) = (notes, named) {
        notes.operation(dialect, operation);
    }
    let mut response = next.run(request).await;
    if !request_id.0.is_empty()
        && let Ok(value) = HeaderValue::from_str(&request_id.0)
    {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// An error in the form of its route.
fn refuse(form: Form, error: &WireError, request_id: &RequestId) -> Response {
    match form {
        Form::Grpc => grpc_status(error, request_id).into_http::<Body>(),
        Form::Rest => rest_response(error, request_id),
    }
}

/// Answers for gRPC services that are not served.
pub fn grpc_refusal(error: &WireError, request_id: &RequestId) -> Response {
    refuse(Form::Grpc, error, request_id)
}

/// Runs a gRPC request and puts the refusals of the gRPC library into our form.
async fn grpc_call(request: Request, next: Next, request_id: &RequestId) -> Response {
    if !is_grpc(request.headers()) {
        let error = WireError::new(Code::InvalidArgument, "content-type must be application/grpc");
        return rest_response_with(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error, request_id);
    }
    let response = next.run(request).await;
    match library_refusal(response.headers()) {
        Some(error) => refuse(Form::Grpc, &error, request_id),
        None => response,
    }
}

/// A refusal that the gRPC library made before our code was reached: it has no details, ours always have.
///
/// The library says INTERNAL for bytes that are not a message, and OUT_OF_RANGE for a message that is too large. Both
/// are the caller's mistake, and clients repeat calls that end with INTERNAL.
fn library_refusal(headers: &HeaderMap) -> Option<WireError> {
    if headers.contains_key("grpc-status-details-bin") {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    match status.code() {
        Code::Ok => None,
        Code::Unimplemented if status.message().is_empty() => {
            Some(WireError::new(Code::Unimplemented, "no such method"))
        }
        Code::Unimplemented => Some(WireError::new(Code::Unimplemented, status.message())),
        _ => Some(WireError::new(Code::InvalidArgument, format!("unreadable request: {}", status.message()))),
    }
}
