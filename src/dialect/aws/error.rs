//! What callers see of a refusal or failure: ONE total match from the service's errors to the names, statuses and texts of
//! AWS KMS.

use crate::service::error::ServiceError;
use http::StatusCode;

/// The name of an error on the wire, as `__type` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No such key, alias, or ARN of another region.
    NotFound,
    /// The service cannot be reached inside.
    DependencyTimeout,
    /// Not served.
    UnsupportedOperation,
    /// See the cloud's documentation.
    Validation,
    /// See the cloud's documentation.
    Tag,
    /// See the cloud's documentation.
    AlreadyExists,
    /// See the cloud's documentation.
    InvalidAliasName,
    /// See the cloud's documentation.
    InvalidMarker,
    /// See the cloud's documentation.
    MalformedPolicyDocument,
    /// See the cloud's documentation.
    InvalidGrantToken,
    /// See the cloud's documentation.
    InvalidKeyUsage,
    /// See the cloud's documentation.
    InvalidCiphertext,
    /// See the cloud's documentation.
    IncorrectKey,
    /// See the cloud's documentation.
    AccessDenied,
    /// See the cloud's documentation.
    DryRunOperation,
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
    /// What the request called it.
    pub given: &'a str,
}

/// A refusal or failure as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// Its name.
    pub code: Code,
    /// The HTTP status.
    pub status: StatusCode,
    /// The text for the caller.
    pub message: String,
    /// What the log says beside the text.
    cause: Option<String>,
}

impl AwsError {
    /// A refusal that is the caller's to mend: HTTP 400.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, status: StatusCode::BAD_REQUEST, message: message.into(), cause: None }
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

    /// A refusal of the core.
    #[must_use]
    pub fn of(error: ServiceError, about: &About<'_>) -> Self {
        let _ = (about.user, about.operation, about.subject, about.given);
        let cause = error.cause().map(str::to_owned);
        let (code, status) = (Code::DependencyTimeout, StatusCode::INTERNAL_SERVER_ERROR);
        Self { code, status, message: error.to_string(), cause }
    }

    /// What the log says beside the text.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}
