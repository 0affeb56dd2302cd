//! What callers see of a refusal or failure: ONE total match from the service's errors to the codes, statuses and shapes of
//! NAVER Cloud.
//!
//! The service itself answers `{"code", "msg"}`. What the cloud's API gateway answers before the service is asked is
//! `{"error": {"errorCode", "message", "details"}}`: who is not known, what is not there, too much, and too late.

use crate::auth::NcloudAuthError;
use crate::dialect::cut;
use crate::domain::error::StateError;
use crate::service::error::{Missing, ServiceError};
use crate::telemetry::RequestNotes;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The longest text of an error, in characters: it may quote what a caller sent.
const MAX_MESSAGE_CHARS: usize = 1000;
/// The type of every answer's body.
pub const CONTENT_TYPE: &str = "application/json;charset=UTF-8";

/// A code of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request is malformed or has a bad value, or ciphertext, context and key do not belong together.
    InvalidRequest,
    /// The token is not valid for this.
    Unauthorized,
    /// The caller may know of the key, and not do this with it.
    Forbidden,
    /// No such key or version, or none that the caller may know of.
    NotFound,
    /// The state of key or version, or a limit, does not allow it.
    UnprocessableEntity,
    /// A mistake of ours, or damaged data.
    InternalServerError,
    /// Not served. The cloud has no such code.
    NotImplemented,
}

impl Code {
    const fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::InvalidRequest => ("INVALID_REQUEST", "Invalid request", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("UNAUTHORIZED", "Unauthorized", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("FORBIDDEN", "Forbidden", StatusCode::FORBIDDEN),
            Self::NotFound => ("NOT_FOUND", "Not found", StatusCode::NOT_FOUND),
            Self::UnprocessableEntity => ("UNPROCESSABLE_ENTITY", "Invalid status", StatusCode::UNPROCESSABLE_ENTITY),
            Self::InternalServerError => {
                ("INTERNAL_SERVER_ERROR", "Server internal error", StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::NotImplemented => ("NOT_IMPLEMENTED", "Not implemented", StatusCode::NOT_IMPLEMENTED),
        }
    }
}

/// A code of the API gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayCode {
    /// The request is no whole one.
    BadRequest,
    /// It is not known who sent it.
    AuthenticationFailed,
    /// Nothing is at that path and method.
    NotFound,
    /// Too many requests.
    QuotaExceeded,
    /// The body is larger than any request.
    TooLarge,
    /// The service is not reached inside.
    EndpointError,
    /// The service did not answer in time.
    EndpointTimeout,
}

impl GatewayCode {
    const fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::BadRequest => ("100", "Bad Request Exception", StatusCode::BAD_REQUEST),
            Self::AuthenticationFailed => ("200", "Authentication Failed", StatusCode::UNAUTHORIZED),
            Self::NotFound => ("300", "Not Found Exception", StatusCode::NOT_FOUND),
            Self::QuotaExceeded => ("400", "Quota Exceeded", StatusCode::TOO_MANY_REQUESTS),
            Self::TooLarge => ("430", "Request Entity Too Large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::EndpointError => ("500", "Endpoint Error", StatusCode::SERVICE_UNAVAILABLE),
            Self::EndpointTimeout => ("510", "Endpoint Timeout", StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

/// Whose answer it is in the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Service(Code),
    Gateway(GatewayCode),
}

/// A refusal or failure as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NcloudError {
    kind: Kind,
    /// What to do about it, behind the fixed text of the code.
    details: String,
    /// What the log says beside the text.
    cause: Option<String>,
    /// When to try again, in seconds.
    retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct ServiceBody<'a> {
    code: &'static str,
    msg: &'a str,
}

#[derive(Serialize)]
struct GatewayBody<'a> {
    error: GatewayErrorBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayErrorBody<'a> {
    error_code: &'static str,
    message: &'static str,
    details: &'a str,
}

impl NcloudError {
    fn with(kind: Kind, details: impl Into<String>) -> Self {
        let details = cut(details.into(), MAX_MESSAGE_CHARS);
        Self { kind, details, cause: None, retry_after_s: None }
    }

    /// A refusal by the service. A text that is longer than 1,000 characters is cut.
    #[must_use]
    pub fn new(code: Code, details: impl Into<String>) -> Self {
        Self::with(Kind::Service(code), details)
    }

    /// A refusal before the service.
    #[must_use]
    pub fn gateway(code: GatewayCode, details: impl Into<String>) -> Self {
        Self::with(Kind::Gateway(code), details)
    }

    /// `INVALID_REQUEST`.
    #[must_use]
    pub fn invalid(details: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, details)
    }

    /// `NOT_FOUND`, for a key.
    #[must_use]
    pub fn no_key() -> Self {
        Self::new(Code::NotFound, "there is no key with this keyTag")
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Service(code) => code.parts().2,
            Kind::Gateway(code) => code.parts().2,
        }
    }

    /// Notes why the service failed, for the one log line of the request. A caller's mistakes have no cause.
    pub fn note(&self, notes: Option<&RequestNotes>) {
        if let (Some(cause), Some(notes)) = (&self.cause, notes) {
            notes.cause(cause);
        }
    }

    fn body(&self) -> Vec<u8> {
        let body = match self.kind {
            Kind::Service(code) => {
                let (code, message, _) = code.parts();
                let msg =
                    if self.details.is_empty() { message.to_owned() } else { format!("{message}: {}", self.details) };
                serde_json::to_vec(&ServiceBody { code, msg: &msg })
            }
            Kind::Gateway(code) => {
                let (error_code, message, _) = code.parts();
                serde_json::to_vec(&GatewayBody {
                    error: GatewayErrorBody { error_code, message, details: &self.details },
                })
            }
        };
        body.unwrap_or_default()
    }
}

impl From<NcloudAuthError> for NcloudError {
    fn from(error: NcloudAuthError) -> Self {
        match error {
            NcloudAuthError::Signature(text) => Self::gateway(GatewayCode::AuthenticationFailed, text),
            NcloudAuthError::Token => Self::new(Code::Unauthorized, error.to_string()),
            NcloudAuthError::Service(error) => error.into(),
        }
    }
}

impl From<ServiceError> for NcloudError {
    fn from(error: ServiceError) -> Self {
        let kind = match &error {
            ServiceError::State(state) => return of_state(state),
            ServiceError::NotFound { what: Missing::Key, .. } => return Self::no_key(),
            ServiceError::NotFound { what: Missing::Version, .. } => {
                return Self::new(Code::NotFound, "the key has no version with this number");
            }
            ServiceError::Unauthenticated => {
                return Self::new(Code::Unauthorized, "the token or access key is not valid for this any more");
            }
            ServiceError::Invalid(_)
            | ServiceError::Value(_)
            | ServiceError::NotAuthentic
            | ServiceError::TooLarge { .. } => Kind::Service(Code::InvalidRequest),
            ServiceError::Denied | ServiceError::AddressDenied => Kind::Service(Code::Forbidden),
            ServiceError::NotFound { .. } => Kind::Service(Code::NotFound),
            ServiceError::VersionLimit { .. }
            | ServiceError::OnDemandRotationLimit { .. }
            | ServiceError::AliasLimit { .. }
            | ServiceError::InvocationLimit
            | ServiceError::Exists(_) => Kind::Service(Code::UnprocessableEntity),
            ServiceError::Throttled { .. } => Kind::Gateway(GatewayCode::QuotaExceeded),
            ServiceError::Conflict | ServiceError::Unavailable(_) => Kind::Gateway(GatewayCode::EndpointError),
            ServiceError::Integrity(_) | ServiceError::Bug(_) => Kind::Service(Code::InternalServerError),
            ServiceError::NotImplemented(_) => Kind::Service(Code::NotImplemented),
        };
        let details = match &error {
            ServiceError::NotImplemented(what) => (*what).to_owned(),
            error => error.to_string(),
        };
        let cause = error.cause().map(str::to_owned);
        Self { cause, retry_after_s: error.retry_after_s(), ..Self::with(kind, details) }
    }
}

/// A deleted key is not there; any other state can be changed by somebody.
fn of_state(state: &StateError) -> NcloudError {
    let text = match state {
        StateError::KeyDeleted => return NcloudError::no_key(),
        StateError::KeyInactive => "the key's status is DISABLE".to_owned(),
        StateError::KeyActive => "the key's status is ENABLE already".to_owned(),
        StateError::KeyPendingDeletion => "the key's status is REVOKE: cancel its deletion first".to_owned(),
        StateError::KeyNotPendingDeletion => "the key's status is not REVOKE: request its deletion first".to_owned(),
        // There is no other way here to make another version primary.
        StateError::VersionIsPrimary => "the version that encrypts cannot be disabled: rotate the key first".to_owned(),
        StateError::KeyIsConvergent
        | StateError::RotationImminent
        | StateError::RotationOff
        | StateError::DeletionProtected
        | StateError::DestructionWait
        | StateError::DestructionsHeld
        | StateError::VersionNotActive
        | StateError::VersionDestroyed
        | StateError::VersionAlreadyScheduled
        | StateError::VersionNotScheduled
        | StateError::VersionIsNewest
        | StateError::NoTokenGenerator
        | StateError::NotDue => state.to_string(),
    };
    NcloudError::new(Code::UnprocessableEntity, text)
}

impl IntoResponse for NcloudError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::ValueError;
    use rstest::rstest;

    fn shown(error: &NcloudError) -> (u16, serde_json::Value) {
        (error.status().as_u16(), serde_json::from_slice(&error.body()).unwrap())
    }

    #[rstest]
    #[case(ServiceError::Invalid("x".into()), 400, "INVALID_REQUEST")]
    #[case(ServiceError::Value(ValueError::TooLong { field: "name", limit: 100 }), 400, "INVALID_REQUEST")]
    #[case(ServiceError::NotAuthentic, 400, "INVALID_REQUEST")]
    #[case(ServiceError::TooLarge { max_bytes: 1 }, 400, "INVALID_REQUEST")]
    #[case(ServiceError::Unauthenticated, 401, "UNAUTHORIZED")]
    #[case(ServiceError::Denied, 403, "FORBIDDEN")]
    #[case(ServiceError::AddressDenied, 403, "FORBIDDEN")]
    #[case(ServiceError::NotFound { what: Missing::Key, id: "k".into() }, 404, "NOT_FOUND")]
    #[case(ServiceError::NotFound { what: Missing::Version, id: "7".into() }, 404, "NOT_FOUND")]
    #[case(ServiceError::State(StateError::KeyDeleted), 404, "NOT_FOUND")]
    #[case(ServiceError::State(StateError::KeyInactive), 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::State(StateError::KeyPendingDeletion), 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::State(StateError::DeletionProtected), 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::State(StateError::VersionIsNewest), 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::VersionLimit { limit: 100 }, 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::InvocationLimit, 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::Exists("x"), 422, "UNPROCESSABLE_ENTITY")]
    #[case(ServiceError::Integrity("row 7".into()), 500, "INTERNAL_SERVER_ERROR")]
    #[case(ServiceError::Bug("oops".into()), 500, "INTERNAL_SERVER_ERROR")]
    #[case(ServiceError::NotImplemented("x"), 501, "NOT_IMPLEMENTED")]
    fn the_service_answers_with_code_and_msg(#[case] error: ServiceError, #[case] status: u16, #[case] code: &str) {
        let (shown_status, body) = shown(&error.into());
        assert_eq!((shown_status, body["code"].as_str()), (status, Some(code)), "{body}");
        assert!(body["msg"].as_str().is_some_and(|msg| !msg.is_empty()) && body["error"].is_null(), "{body}");
    }

    #[rstest]
    #[case(ServiceError::Throttled { text: "slowly", retry_after_s: 9 }.into(), 429, "400", "Quota Exceeded")]
    #[case(ServiceError::Unavailable("gone".into()).into(), 503, "500", "Endpoint Error")]
    #[case(ServiceError::Conflict.into(), 503, "500", "Endpoint Error")]
    #[case(NcloudAuthError::Signature("x".into()).into(), 401, "200", "Authentication Failed")]
    fn the_gateway_answers_with_an_error_object(
        #[case] error: NcloudError,
        #[case] status: u16,
        #[case] code: &str,
        #[case] message: &str,
    ) {
        let (shown_status, body) = shown(&error);
        let expected = (Some(code), Some(message));
        assert_eq!(
            (shown_status, (body["error"]["errorCode"].as_str(), body["error"]["message"].as_str())),
            (status, expected)
        );
        assert!(body["error"]["details"].is_string() && body["code"].is_null(), "{body}");
    }

    #[test]
    fn causes_are_for_the_log_only() {
        for error in [
            ServiceError::Unavailable("SECRET".into()),
            ServiceError::Integrity("SECRET".into()),
            ServiceError::Bug("SECRET".into()),
        ] {
            let error = NcloudError::from(error);
            assert_eq!(error.cause.as_deref().map(|cause| cause.contains("SECRET")), Some(true));
            assert!(!String::from_utf8(error.body()).unwrap().contains("SECRET"));
        }
    }

    #[test]
    fn a_throttled_request_is_told_when_to_try_again() {
        let error = NcloudError::from(ServiceError::Throttled { text: "slowly", retry_after_s: 9 });
        assert_eq!(error.into_response().headers()["retry-after"], "9");
    }
}
