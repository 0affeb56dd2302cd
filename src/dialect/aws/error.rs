//! What callers see of a refusal or failure: ONE total match from the service's errors to the names, statuses and texts of
//! AWS KMS.
//!
//! Names and statuses are those of the service model (2014-11-01) and of the JSON protocol. Texts in this file that name
//! an ARN, and those of NotFoundException, are the ones that others have recorded from the cloud; the rest are ours.

use super::arn;
use crate::auth::sigv4::SignatureError;
use crate::dialect::cut;
use crate::domain::error::StateError;
use crate::service::error::{Missing, ServiceError};
use crate::telemetry::RequestNotes;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The longest text of an error, in characters: it may quote what a caller sent.
const MAX_MESSAGE_CHARS: usize = 2000;
/// The type of every answer's body.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The name of an error on the wire, as `__type` has it, without its suffix `Exception`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name),*
        }

        impl Code {
            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!(stringify!($name), "Exception")),*
                }
            }
        }
    };
}

codes! {
    /// The caller may know of the resource, and not do this with it.
    AccessDenied,
    /// The alias exists.
    AlreadyExists,
    /// The key is about to be rotated by its schedule.
    Conflict,
    /// The service is not reached inside, or not in time.
    DependencyTimeout,
    /// The key is disabled.
    Disabled,
    /// The request would have succeeded.
    DryRunOperation,
    /// The signature is not whole, or not in the header.
    IncompleteSignature,
    /// The ciphertext belongs to another key than the named one.
    IncorrectKey,
    /// The alias's name is not one that callers may give.
    InvalidAliasName,
    /// The ARN is none of a key here.
    InvalidArn,
    /// Ciphertext, context and key do not belong together.
    InvalidCiphertext,
    /// There are no grants, so no token of one is valid.
    InvalidGrantToken,
    /// The key cannot be used so.
    InvalidKeyUsage,
    /// The marker is none of this list.
    InvalidMarker,
    /// The signature is none of this request, not for now, or not for this place.
    InvalidSignature,
    /// A mistake of ours, or damaged data.
    KMSInternal,
    /// The key's state does not allow it.
    KMSInvalidState,
    /// As many as are allowed are there already.
    LimitExceeded,
    /// The policy is no policy.
    MalformedPolicyDocument,
    /// There is no signature.
    MissingAuthenticationToken,
    /// No such key or alias, or none that the caller may know of.
    NotFound,
    /// The body is larger than any request.
    RequestEntityTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body is not JSON of the operation's types.
    Serialization,
    /// The tags are not as tags must be.
    Tag,
    /// Too many requests.
    Throttling,
    /// There is no such operation.
    UnknownOperation,
    /// The access key is unknown, revoked or expired.
    UnrecognizedClient,
    /// Not served.
    UnsupportedOperation,
    /// A value is outside of what the operation's table allows.
    Validation,
}

impl Code {
    /// The HTTP status: the caller's mistakes are 400, ours and the inside's 500.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::DependencyTimeout | Self::KMSInternal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The caller's ARN.
    pub user: &'a str,
    /// The operation's name.
    pub operation: &'static str,
    /// The ARN of the resource.
    pub subject: &'a str,
    /// The ARN of what the request called it: that of an alias, where the request named one.
    pub given: &'a str,
}

/// A refusal or failure as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// Its name.
    pub code: Code,
    /// The text for the caller.
    pub message: String,
    /// What the log says beside the text.
    cause: Option<String>,
    /// When to try again, in seconds, for throttled requests.
    retry_after_s: Option<u32>,
}

/// The body of an error. One without a text has no member for it, as the cloud's.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "__type")]
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

impl AwsError {
    /// A refusal with the status of its code. A text that is longer than 2,000 characters is cut.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = cut(message.into(), MAX_MESSAGE_CHARS);
        Self { code, message, cause: None, retry_after_s: None }
    }

    /// `NotFoundException`.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// `UnsupportedOperationException`.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Code::UnsupportedOperation, message)
    }

    /// A mistake of ours; the text is the cause, for the log.
    #[must_use]
    pub fn bug(cause: impl Into<String>) -> Self {
        Self::unspecific(&ServiceError::Bug(cause.into()))
    }

    /// A refusal of the core.
    #[must_use]
    pub fn of(error: ServiceError, about: &About<'_>) -> Self {
        match error {
            ServiceError::Denied => {
                denied(about, &format!("because no identity-based policy allows the kms:{} action", about.operation))
            }
            ServiceError::AddressDenied => denied(about, "with an explicit deny in a resource-based policy"),
            ServiceError::NotFound { what: Missing::Key | Missing::Alias, .. } => not_there(about),
            ServiceError::State(state) => of_state(&state, about),
            ServiceError::Exists(_) if arn::is_alias(about.subject) => {
                Self::new(Code::AlreadyExists, format!("An alias with the name {} already exists", about.subject))
            }
            ServiceError::OnDemandRotationLimit { .. } => Self::new(
                Code::LimitExceeded,
                format!(
                    "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can \
                     be performed for this key: {}",
                    about.subject
                ),
            ),
            error => Self::unspecific(&error),
        }
    }

    /// A refusal of the core that is about no key, or says the same of all.
    fn unspecific(error: &ServiceError) -> Self {
        let code = match error {
            ServiceError::Invalid(_) | ServiceError::Value(_) | ServiceError::TooLarge { .. } => Code::Validation,
            // What is wrong with a ciphertext is not told.
            ServiceError::NotAuthentic => return Self::new(Code::InvalidCiphertext, ""),
            ServiceError::Unauthenticated => {
                return Self::new(Code::UnrecognizedClient, SignatureError::UnknownClient.to_string());
            }
            ServiceError::Denied | ServiceError::AddressDenied => Code::AccessDenied,
            ServiceError::NotFound { .. } => return Self::not_found("The resource does not exist"),
            ServiceError::State(_) | ServiceError::InvocationLimit => Code::KMSInvalidState,
            ServiceError::VersionLimit { .. }
            | ServiceError::OnDemandRotationLimit { .. }
            | ServiceError::AliasLimit { .. } => Code::LimitExceeded,
            ServiceError::Exists(_) => Code::AlreadyExists,
            ServiceError::Throttled { .. } => Code::Throttling,
            ServiceError::Conflict | ServiceError::Unavailable(_) => Code::DependencyTimeout,
            ServiceError::Integrity(_) | ServiceError::Bug(_) => Code::KMSInternal,
            ServiceError::NotImplemented(_) => Code::UnsupportedOperation,
        };
        let cause = error.cause().map(str::to_owned);
        Self { cause, retry_after_s: error.retry_after_s(), ..Self::new(code, error.to_string()) }
    }

    /// What the log says beside the text.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Notes why the service failed, for the one log line of the request. A caller's mistakes have no cause.
    pub fn note(&self, notes: Option<&RequestNotes>) {
        if let (Some(cause), Some(notes)) = (&self.cause, notes) {
            notes.cause(cause);
        }
    }
}

impl From<SignatureError> for AwsError {
    fn from(error: SignatureError) -> Self {
        let code = match &error {
            SignatureError::Missing => Code::MissingAuthenticationToken,
            SignatureError::Incomplete(_) => Code::IncompleteSignature,
            SignatureError::Invalid(_) => Code::InvalidSignature,
            SignatureError::UnknownClient | SignatureError::SessionToken => Code::UnrecognizedClient,
            SignatureError::Service(error) => return Self::unspecific(error),
        };
        Self::new(code, error.to_string())
    }
}

/// For failures that are about no key.
impl From<ServiceError> for AwsError {
    fn from(error: ServiceError) -> Self {
        Self::unspecific(&error)
    }
}

impl IntoResponse for AwsError {
    fn into_response(self) -> Response {
        let body = Body { code: self.code.name(), message: &self.message };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code.name()));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn denied(about: &About<'_>, why: &str) -> AwsError {
    let About { user, operation, subject, .. } = about;
    AwsError::new(
        Code::AccessDenied,
        format!("User: {user} is not authorized to perform: kms:{operation} on resource: {subject} {why}"),
    )
}

/// Tells no more than the request: who named an alias does not learn what it stands for.
fn not_there(about: &About<'_>) -> AwsError {
    let given = about.given;
    if arn::is_alias(given) {
        return AwsError::not_found(format!("Alias {given} is not found."));
    }
    AwsError::not_found(format!("Key '{given}' does not exist"))
}

fn of_state(state: &StateError, about: &About<'_>) -> AwsError {
    let subject = about.subject;
    let invalid = |text: String| AwsError::new(Code::KMSInvalidState, text);
    match state {
        StateError::KeyInactive => AwsError::new(Code::Disabled, format!("{subject} is disabled.")),
        StateError::KeyPendingDeletion => invalid(format!("{subject} is pending deletion.")),
        StateError::KeyNotPendingDeletion => invalid(format!("{subject} is not pending deletion.")),
        StateError::KeyDeleted => not_there(about),
        StateError::RotationImminent => AwsError::new(Code::Conflict, state.to_string()),
        StateError::DeletionProtected
        | StateError::KeyActive
        | StateError::KeyIsConvergent
        | StateError::VersionIsNewest
        | StateError::RotationOff
        | StateError::DestructionWait
        | StateError::DestructionsHeld
        | StateError::NoTokenGenerator
        | StateError::VersionNotActive
        | StateError::VersionDestroyed
        | StateError::VersionAlreadyScheduled
        | StateError::VersionNotScheduled
        | StateError::VersionIsPrimary
        | StateError::NotDue => invalid(state.to_string()),
    }
}

#[cfg(test)]
mod tests;
