//! What callers see of a refusal or failure: ONE total match from the service's errors to a gRPC code, a text
//! and details, and their two forms, a gRPC status and a REST body.

use super::proto::google::rpc;
use super::wkt::Any;
use crate::dialect::{RequestId, cut};
use crate::domain::error::StateError;
use crate::service::error::{Missing, ServiceError};
use crate::telemetry::RequestNotes;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use prost::Message;
use tonic::Code;

/// The longest text of an error, in characters: it may quote what a caller sent.
const MAX_MESSAGE_CHARS: usize = 400;

/// A refusal or failure as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The gRPC code; REST derives its HTTP status from it.
    pub code: Code,
    /// The text for the caller.
    pub message: String,
    /// What the log says beside the text.
    cause: Option<String>,
    /// When to try again, for throttled requests.
    retry_after_s: Option<u32>,
}

impl WireError {
    /// A code and a text, which is cut at a length that fits a header.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = cut(message.into(), MAX_MESSAGE_CHARS);
        Self { code, message, cause: None, retry_after_s: None }
    }
}

impl WireError {
    /// Notes why the service failed, for the one log line of the request. A caller's mistakes have no cause.
    pub fn note(&self, notes: Option<&RequestNotes>) {
        if let (Some(cause), Some(notes)) = (&self.cause, notes) {
            notes.cause(cause);
        }
    }
}

impl From<ServiceError> for WireError {
    fn from(error: ServiceError) -> Self {
        let code = match &error {
            ServiceError::Invalid(_)
            | ServiceError::Value(_)
            | ServiceError::NotAuthentic
            | ServiceError::TooLarge { .. } => Code::InvalidArgument,
            ServiceError::Unauthenticated => Code::Unauthenticated,
            ServiceError::AddressDenied | ServiceError::Denied => Code::PermissionDenied,
            ServiceError::NotFound { what, id } => return Self::new(Code::NotFound, not_found(*what, id)),
            ServiceError::State(state) => return state_error(state),
            ServiceError::VersionLimit { .. }
            | ServiceError::OnDemandRotationLimit { .. }
            | ServiceError::AliasLimit { .. }
            | ServiceError::InvocationLimit => Code::FailedPrecondition,
            ServiceError::Exists(_) => Code::AlreadyExists,
            ServiceError::Throttled { .. } => Code::ResourceExhausted,
            ServiceError::Conflict => Code::Aborted,
            ServiceError::Unavailable(_) => Code::Unavailable,
            ServiceError::Integrity(_) => Code::DataLoss,
            ServiceError::NotImplemented(_) => Code::Unimplemented,
            ServiceError::Bug(_) => Code::Internal,
        };
        let cause = error.cause().map(str::to_owned);
        Self { cause, retry_after_s: error.retry_after_s(), ..Self::new(code, error.to_string()) }
    }
}

fn not_found(what: Missing, id: &str) -> String {
    let what = match what {
        Missing::Folder => "folder",
        Missing::Key => "key",
        Missing::Version => "key version",
        Missing::Operation => "operation",
        Missing::Principal => "principal",
        Missing::Credential => "credential",
        Missing::Alias => "alias",
    };
    format!("{what} {id} not found")
}

/// A deleted key does not exist here; any other state can be changed by the caller.
fn state_error(state: &StateError) -> WireError {
    match state {
        StateError::KeyPendingDeletion | StateError::KeyDeleted => WireError::new(Code::NotFound, "key not found"),
        StateError::KeyInactive
        | StateError::KeyActive
        | StateError::KeyIsConvergent
        | StateError::VersionIsNewest
        | StateError::RotationOff
        | StateError::DestructionWait
        | StateError::DestructionsHeld
        | StateError::NoTokenGenerator
        | StateError::KeyNotPendingDeletion
        | StateError::RotationImminent
        | StateError::DeletionProtected
        | StateError::VersionNotActive
        | StateError::VersionDestroyed
        | StateError::VersionAlreadyScheduled
        | StateError::VersionNotScheduled
        | StateError::VersionIsPrimary
        | StateError::NotDue => WireError::new(Code::FailedPrecondition, state.to_string()),
    }
}

/// The HTTP status of a gRPC code (specification, section 2).
#[must_use]
pub fn http_status(code: Code) -> StatusCode {
    let status = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The error as `google.rpc.Status`, which is the REST body and the binary details of a gRPC status alike.
fn status_message(error: &WireError, request_id: &RequestId) -> rpc::Status {
    let info = rpc::RequestInfo { request_id: request_id.0.clone(), serving_data: String::new() };
    let details = if info.request_id.is_empty() { Vec::new() } else { vec![Any::pack(&info)] };
    rpc::Status { code: error.code as i32, message: error.message.clone(), details }
}

/// The gRPC form.
#[must_use]
pub fn grpc_status(error: &WireError, request_id: &RequestId) -> tonic::Status {
    let details = status_message(error, request_id).encode_to_vec();
    tonic::Status::with_details(error.code, &error.message, details.into())
}

/// The REST form.
#[must_use]
pub fn rest_response(error: &WireError, request_id: &RequestId) -> Response {
    rest_response_with(http_status(error.code), error, request_id)
}

/// The REST form with an HTTP status of its own.
#[must_use]
pub fn rest_response_with(status: StatusCode, error: &WireError, request_id: &RequestId) -> Response {
    let body = serde_json::to_vec(&status_message(error, request_id)).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
    if error.code == Code::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::ValueError;
    use rstest::rstest;

    #[rstest]
    #[case(ServiceError::Invalid("x".into()), 3, 400)]
    #[case(ServiceError::Value(ValueError::TooLong { field: "name", limit: 100 }), 3, 400)]
    #[case(ServiceError::NotAuthentic, 3, 400)]
    #[case(ServiceError::TooLarge { max_bytes: 1 }, 3, 400)]
    #[case(ServiceError::Unauthenticated, 16, 401)]
    #[case(ServiceError::Denied, 7, 403)]
    #[case(ServiceError::NotFound { what: Missing::Key, id: "k".into() }, 5, 404)]
    #[case(ServiceError::State(StateError::KeyPendingDeletion), 5, 404)]
    #[case(ServiceError::State(StateError::KeyDeleted), 5, 404)]
    #[case(ServiceError::State(StateError::KeyInactive), 9, 400)]
    #[case(ServiceError::State(StateError::DeletionProtected), 9, 400)]
    #[case(ServiceError::State(StateError::VersionIsPrimary), 9, 400)]
    #[case(ServiceError::State(StateError::VersionNotScheduled), 9, 400)]
    #[case(ServiceError::VersionLimit { limit: 100 }, 9, 400)]
    #[case(ServiceError::InvocationLimit, 9, 400)]
    #[case(ServiceError::Exists("x"), 6, 409)]
    #[case(ServiceError::Throttled { text: "x", retry_after_s: 1 }, 8, 429)]
    #[case(ServiceError::Conflict, 10, 409)]
    #[case(ServiceError::Unavailable("the token is gone".into()), 14, 503)]
    #[case(ServiceError::Integrity("row 7".into()), 15, 500)]
    #[case(ServiceError::NotImplemented("x"), 12, 501)]
    #[case(ServiceError::Bug("oops".into()), 13, 500)]
    fn every_service_error_has_its_code_and_http_status(
        #[case] error: ServiceError,
        #[case] code: i32,
        #[case] status: u16,
    ) {
        let wire = WireError::from(error);
        assert_eq!((wire.code as i32, http_status(wire.code).as_u16()), (code, status));
    }

    #[test]
    fn the_cause_of_a_failure_is_not_told_to_callers() {
        for error in [
            ServiceError::Unavailable("SECRET".into()),
            ServiceError::Integrity("SECRET".into()),
            ServiceError::Bug("SECRET".into()),
        ] {
            assert!(!WireError::from(error).message.contains("SECRET"));
        }
    }

    #[test]
    fn a_tampered_row_never_reads_as_a_bad_ciphertext() {
        let integrity = WireError::from(ServiceError::Integrity("row".into()));
        let ciphertext = WireError::from(ServiceError::NotAuthentic);
        assert_ne!((integrity.code, integrity.message), (ciphertext.code, ciphertext.message));
    }

    #[test]
    fn a_long_text_is_cut() {
        let error = WireError::new(Code::InvalidArgument, "\u{fc}".repeat(5000));
        assert_eq!(error.message.chars().count(), MAX_MESSAGE_CHARS + 3);
    }

    #[test]
    fn grpc_details_carry_the_request_id() {
        let error = WireError::from(ServiceError::Denied);
        let status = grpc_status(&error, &RequestId("r-1".into()));
        let details = rpc::Status::decode(status.details()).unwrap();
        assert_eq!((details.code, details.message.as_str()), (7, "permission denied"));
        assert_eq!(details.details[0].unpack::<rpc::RequestInfo>().unwrap().request_id, "r-1");
    }

    #[test]
    fn a_throttled_rest_request_is_told_when_to_come_back() {
        for (retry_after_s, header) in [(1, "1"), (60, "60")] {
            let error = ServiceError::Throttled { text: "slower", retry_after_s };
            let response = rest_response(&error.into(), &RequestId("r-1".into()));
            assert_eq!(
                (response.status().as_u16(), &response.headers()["retry-after"]),
                (429, &header.parse().unwrap())
            );
        }
        let response = rest_response(&ServiceError::Denied.into(), &RequestId("r-1".into()));
        assert!(!response.headers().contains_key("retry-after"));
    }

    #[tokio::test]
    async fn the_rest_body_has_code_message_and_request_info() {
        let error = WireError::from(ServiceError::Unauthenticated);
        let response = rest_response(&error, &RequestId("r-1".into()));
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        insta::assert_snapshot!(String::from_utf8(body.to_vec()).unwrap(), @r#"{"code":16,"message":"a valid credential is required","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"r-1"}]}"#);
    }
}
