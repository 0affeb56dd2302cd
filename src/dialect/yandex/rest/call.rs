//! One REST request: its message, its answer, its refusals.

use super::super::errors::{WireError, rest_response, rest_response_with};
use super::super::proto::yandex::cloud::access::{
    ListAccessBindingsRequest, SetAccessBindingsRequest, UpdateAccessBindingsRequest,
};
use super::super::proto::yandex::cloud::kms::v1::{
    CancelSymmetricKeyVersionDestructionRequest, DeleteSymmetricKeyRequest, GenerateDataKeyRequest,
    GetSymmetricKeyRequest, ListSymmetricKeyOperationsRequest, ListSymmetricKeyVersionsRequest,
    RotateSymmetricKeyRequest, ScheduleSymmetricKeyVersionDestructionRequest, SetPrimarySymmetricKeyVersionRequest,
    SymmetricDecryptRequest, SymmetricEncryptRequest, SymmetricReEncryptRequest, UpdateSymmetricKeyRequest,
};
use super::super::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest};
use super::super::{MAX_MESSAGE_BYTES, gate, json};
use crate::dialect::wiped::WipedBody;
use crate::dialect::{RequestId, is_grpc};
use crate::service::error::ServiceError;
use crate::service::request::RequestContext;
use crate::telemetry::RequestNotes;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tonic::Code;

/// Why a request was not answered as asked.
#[derive(Debug)]
pub enum Refusal {
    /// An error with a gRPC code.
    Error(WireError),
    /// The path exists, for the methods of this `allow` header.
    Method(&'static str),
}

/// The variable parts of a path.
///
/// One that is not UTF-8 under its percent-encoding was never handed out.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(refused(&NO_SUCH_PATH.into(), &gate::request_id(&parts.extensions))),
        }
    }
}

/// The answer to a request, or why there is none.
pub type Outcome = Result<Answer, Refusal>;

/// That a path does not exist.
#[derive(Debug, Clone, Copy)]
pub struct NoSuchPath;

/// That a path does not exist.
pub const NO_SUCH_PATH: NoSuchPath = NoSuchPath;

impl From<NoSuchPath> for Refusal {
    fn from(_: NoSuchPath) -> Self {
        Self::Error(WireError::new(Code::NotFound, "no such path"))
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Error(error)
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Error(error.into())
    }
}

/// That a path does not take a method.
pub struct MethodNotAllowed;

impl MethodNotAllowed {
    /// The refusal that names the methods which are taken.
    pub const fn with(allow: &'static str) -> Outcome {
        Err(Refusal::Method(allow))
    }
}

/// A JSON body, which may hold plaintext.
pub struct Answer {
    body: WipedBody,
    /// Whether caches on the way must not keep it (RFC 9111, 5.2.2.5).
    no_store: bool,
}

impl Answer {
    /// A message as JSON.
    pub fn of<M: Serialize>(message: &M) -> Outcome {
        let bug = |error: serde_json::Error| ServiceError::Bug(format!("an answer has no JSON form: {error}"));
        let body = WipedBody::json(message).map_err(bug)?;
        Ok(Self { body, no_store: false })
    }

    /// A message as JSON that is shown this once.
    pub fn secret<M: Serialize>(message: &M) -> Outcome {
        Ok(Self { no_store: true, ..Self::of(message)? })
    }
}

/// A message with one field that its path fills.
pub trait OfPath {
    /// The field and its name.
    fn path_field(&mut self) -> (&'static str, &mut String);
}

macro_rules! of_path {
    ($field:ident: $($message:ty),* $(,)?) => {
        $(impl OfPath for $message {
            fn path_field(&mut self) -> (&'static str, &mut String) {
                (stringify!($field), &mut self.$field)
            }
        })*
    };
}

of_path!(
    key_id: GetSymmetricKeyRequest,
    ListSymmetricKeyVersionsRequest,
    ListSymmetricKeyOperationsRequest,
    UpdateSymmetricKeyRequest,
    DeleteSymmetricKeyRequest,
    RotateSymmetricKeyRequest,
    SetPrimarySymmetricKeyVersionRequest,
    ScheduleSymmetricKeyVersionDestructionRequest,
    CancelSymmetricKeyVersionDestructionRequest,
    SymmetricEncryptRequest,
    SymmetricDecryptRequest,
    SymmetricReEncryptRequest,
    GenerateDataKeyRequest,
);
of_path!(resource_id: ListAccessBindingsRequest, SetAccessBindingsRequest, UpdateAccessBindingsRequest);
of_path!(operation_id: GetOperationRequest, CancelOperationRequest);

/// Puts the id of the path into a message, which may repeat it but not name another one.
fn bind<M: OfPath>(mut message: M, id: &str) -> Result<M, ServiceError> {
    let (name, field) = message.path_field();
    if field.is_empty() {
        id.clone_into(field);
    } else if field != id {
        return Err(ServiceError::Invalid(format!("{name} differs from the id in the path")));
    }
    Ok(message)
}

/// A request that is being answered.
pub struct Call {
    request: Request,
}

impl Call {
    /// The HTTP method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// The `idempotency-key`.
    pub fn idempotency_key(&self) -> Option<String> {
        let value = self.request.headers().get("idempotency-key")?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The message in the query parameters.
    pub fn query<M: DeserializeOwned + Default>(&self) -> Result<M, ServiceError> {
        json::from_query(self.request.uri())
    }

    /// The message in the query parameters and the path.
    pub fn query_for<M: DeserializeOwned + Default + OfPath>(&self, id: &str) -> Result<M, ServiceError> {
        bind(self.query()?, id)
    }

    /// The message in the body.
    pub async fn body<M: DeserializeOwned + Default>(self) -> Result<M, ServiceError> {
        self.body_within(MAX_MESSAGE_BYTES).await
    }

    /// The message in a body of at most `max_bytes`.
    pub async fn body_within<M: DeserializeOwned + Default>(self, max_bytes: usize) -> Result<M, ServiceError> {
        json::no_query(self.request.uri())?;
        check_content_type(self.request.headers().get(header::CONTENT_TYPE))?;
        let too_large = |_| ServiceError::Invalid(format!("the body must be complete and at most {max_bytes} bytes"));
        let body = to_bytes(self.request.into_body(), max_bytes).await.map_err(too_large)?;
        json::from_body(&body)
    }

    /// Checks that there is nothing in the body, or an empty object.
    pub async fn empty_body(self) -> Result<(), ServiceError> {
        let members: BTreeMap<String, serde_json::Value> = self.body().await?;
        if members.is_empty() {
            return Ok(());
        }
        Err(ServiceError::Invalid("this request has no fields".into()))
    }

    /// The message in the body and the path.
    pub async fn body_for<M: DeserializeOwned + Default + OfPath>(self, id: &str) -> Result<M, ServiceError> {
        bind(self.body().await?, id)
    }
}

/// JSON in all its names; also what `curl -d` sends if it is not told otherwise.
fn check_content_type(value: Option<&HeaderValue>) -> Result<(), ServiceError> {
    let Some(value) = value else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken = ["application/json", "text/json", "application/x-www-form-urlencoded"];
    if taken.contains(&kind.as_str()) || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    Err(ServiceError::Invalid("content-type must be application/json".into()))
}

/// Answers an authenticated request.
pub async fn run(ctx: &RequestContext, request: Request, act: impl AsyncFnOnce(Call) -> Outcome) -> Response {
    answer(RequestId(ctx.request_id.clone()), request, act).await
}

/// Answers a request that needs no caller.
pub async fn run_open(request: Request, act: impl AsyncFnOnce(Call) -> Outcome) -> Response {
    answer(gate::request_id(request.extensions()), request, act).await
}

async fn answer(request_id: RequestId, request: Request, act: impl AsyncFnOnce(Call) -> Outcome) -> Response {
    let notes = request.extensions().get::<RequestNotes>().cloned();
    match act(Call { request }).await {
        Ok(answer) => ok(answer),
        Err(refusal) => {
            if let Refusal::Error(error) = &refusal {
                error.note(notes.as_ref());
            }
            refused(&refusal, &request_id)
        }
    }
}

/// Answers a request that needs no caller and takes GET only.
pub fn open_answer(request: &Request, act: impl FnOnce() -> Outcome) -> Response {
    let allowed = [Method::GET, Method::HEAD].contains(request.method());
    let outcome = if allowed { act() } else { MethodNotAllowed::with("GET") };
    match outcome {
        Ok(answer) => ok(answer),
        Err(refusal) => refused(&refusal, &gate::request_id(request.extensions())),
    }
}

/// The answer for paths that nothing serves, in the form of the request.
pub async fn no_such_path(request: Request) -> Response {
    let request_id = gate::request_id(request.extensions());
    if is_grpc(request.headers()) {
        return gate::grpc_refusal(&WireError::new(Code::Unimplemented, "no such service"), &request_id);
    }
    refused(&NO_SUCH_PATH.into(), &request_id)
}

fn ok(Answer { body, no_store }: Answer) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], Body::from(body)).into_response();
    if no_store {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn refused(refusal: &Refusal, request_id: &RequestId) -> Response {
    match refusal {
        Refusal::Error(error) => rest_response(error, request_id),
        Refusal::Method(allow) => {
            let error = WireError::new(Code::Unimplemented, format!("the path takes {allow} only"));
            let mut response = rest_response_with(StatusCode::METHOD_NOT_ALLOWED, &error, request_id);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_secret_is_not_to_be_stored() {
        let header = |answer: Outcome| ok(answer.unwrap_or_else(|_| panic!())).headers().get("cache-control").cloned();
        assert_eq!(header(Answer::of(&"x")), None);
        assert_eq!(header(Answer::secret(&"x")), Some(HeaderValue::from_static("no-store")));
    }
}
