//! Wire messages to checked requests: parse, don't validate.
//!
//! In: a message as a client sent it. Out: a request of [`crate::service::request`] that cannot be wrong, or
//! [`ServiceError::Invalid`] (or `Value`) for what breaks a limit, or `NotFound` for an id that this service never
//! hands out. All limits of a message are checked before any of its ids is looked for.

mod bindings;
mod crypto;
mod keys;
mod page;

pub use bindings::{BindingsPage, binding_deltas, binding_set, bindings_page, key_scope};
pub use crypto::{decrypt, encrypt, generate_data_key, re_encrypt};
pub use keys::{create_key, schedule_destruction, update_key, version_of_key};
pub use page::{List, next_token, page_after, page_size, render_page};

use super::proto::yandex::cloud::kms::v1::SymmetricAlgorithm;
use super::wkt;
use crate::domain::algorithm::Algorithm;
use crate::domain::id::{FolderId, KeyId, MaterialId, OperationId};
use crate::service::error::{Missing, ServiceError};
use std::time::Duration;

/// The longest id that is looked at, in characters.
const MAX_ID_CHARS: usize = 50;

/// A refusal with a text.
fn invalid(text: impl Into<String>) -> ServiceError {
    ServiceError::Invalid(text.into())
}

/// An id whose length is right; whether there can be such a thing is asked later.
#[derive(Debug, Clone, Copy)]
pub struct IdText<'a>(&'a str);

impl<'a> IdText<'a> {
    /// Checks a required id.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] if it is empty or longer than 50 characters.
    pub fn required(field: &str, text: &'a str) -> Result<Self, ServiceError> {
        Self::optional(field, text)?.ok_or_else(|| invalid(format!("{field} is required")))
    }

    /// Checks an id that may be empty.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] if it is longer than 50 characters.
    pub fn optional(field: &str, text: &'a str) -> Result<Option<Self>, ServiceError> {
        if text.chars().count() > MAX_ID_CHARS {
            return Err(invalid(format!("{field} must be at most {MAX_ID_CHARS} characters long")));
        }
        Ok((!text.is_empty()).then_some(Self(text)))
    }

    /// The id of a folder, if it has the form of one.
    #[must_use]
    pub fn folder(self) -> Option<FolderId> {
        FolderId::parse(self.0)
    }

    /// The id of a key.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] if it is not one of ours.
    pub fn key(self) -> Result<KeyId, ServiceError> {
        KeyId::parse(self.0).ok_or_else(|| self.missing(Missing::Key))
    }

    /// The id of a key version.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] if it is not one of ours.
    pub fn version(self) -> Result<MaterialId, ServiceError> {
        MaterialId::parse(self.0).ok_or_else(|| self.missing(Missing::Version))
    }

    /// The id of an operation.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] if it is not one of ours.
    pub fn operation(self) -> Result<OperationId, ServiceError> {
        OperationId::parse(self.0).ok_or_else(|| self.missing(Missing::Operation))
    }

    /// That a thing of this id does not exist.
    #[must_use]
    pub fn missing(self, what: Missing) -> ServiceError {
        ServiceError::NotFound { what, id: self.0.to_owned() }
    }
}

/// The key of a request that has nothing else.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn key_id(text: &str) -> Result<KeyId, ServiceError> {
    IdText::required("key_id", text)?.key()
}

/// The operation of a request.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn operation_id(text: &str) -> Result<OperationId, ServiceError> {
    IdText::required("operation_id", text)?.operation()
}

/// An algorithm that this service has.
fn algorithm(field: &str, code: i32) -> Result<Algorithm, ServiceError> {
    match SymmetricAlgorithm::try_from(code) {
        Ok(SymmetricAlgorithm::Aes128) => Ok(Algorithm::Aes128),
        Ok(SymmetricAlgorithm::Aes192) => Ok(Algorithm::Aes192),
        Ok(SymmetricAlgorithm::Aes256) => Ok(Algorithm::Aes256),
        Ok(SymmetricAlgorithm::Aes256Hsm) => Ok(Algorithm::Aes256Hsm),
        Ok(SymmetricAlgorithm::GostR34122015K) => {
            Err(invalid(format!("{field}: GOST_R_3412_2015_K is not implemented")))
        }
        Ok(SymmetricAlgorithm::Unspecified) => Err(invalid(format!("{field} is required"))),
        Err(_) => Err(invalid(format!("{field}: {code} is not an algorithm"))),
    }
}

/// A period that is not negative.
///
/// # Errors
/// [`ServiceError::Invalid`] for any other.
pub fn period(field: &str, period: wkt::Duration) -> Result<Duration, ServiceError> {
    let parts = (u64::try_from(period.seconds), u32::try_from(period.nanos));
    match parts {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(invalid(format!("{field} must be a period that is not negative"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const UUID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

    #[test]
    fn an_empty_or_overlong_id_is_invalid() {
        for text in [String::new(), "a".repeat(51)] {
            assert!(matches!(key_id(&text), Err(ServiceError::Invalid(_))), "{text:?}");
            assert!(matches!(operation_id(&text), Err(ServiceError::Invalid(_))), "{text:?}");
        }
    }

    #[rstest]
    #[case("x".into())]
    #[case("\u{e9}".repeat(50))]
    #[case(UUID.to_uppercase())]
    #[case(UUID.replace('-', ""))]
    fn a_malformed_id_is_not_found(#[case] text: String) {
        assert!(matches!(key_id(&text), Err(ServiceError::NotFound { what: Missing::Key, id }) if id == text));
        assert!(matches!(operation_id(&text), Err(ServiceError::NotFound { what: Missing::Operation, .. })));
    }

    #[test]
    fn a_canonical_id_is_read() {
        assert_eq!(key_id(UUID).unwrap().to_string(), UUID);
    }

    #[rstest]
    #[case(1, Algorithm::Aes128)]
    #[case(2, Algorithm::Aes192)]
    #[case(3, Algorithm::Aes256)]
    #[case(4, Algorithm::Aes256Hsm)]
    fn an_algorithm_of_ours_is_read(#[case] code: i32, #[case] expected: Algorithm) {
        assert_eq!(algorithm("f", code).unwrap(), expected);
    }

    #[rstest]
    #[case(0, "f is required")]
    #[case(5, "f: GOST_R_3412_2015_K is not implemented")]
    #[case(6, "f: 6 is not an algorithm")]
    #[case(-1, "f: -1 is not an algorithm")]
    fn any_other_algorithm_is_invalid(#[case] code: i32, #[case] text: &str) {
        assert_eq!(algorithm("f", code).unwrap_err().to_string(), text);
    }

    #[rstest]
    #[case(-1, 0)]
    #[case(0, -1)]
    #[case(1, -1)]
    #[case(0, 1_000_000_000)]
    fn a_negative_or_malformed_period_is_invalid(#[case] seconds: i64, #[case] nanos: i32) {
        assert!(matches!(period("p", wkt::Duration { seconds, nanos }), Err(ServiceError::Invalid(_))));
    }

    #[test]
    fn a_period_is_read() {
        let wire = wkt::Duration { seconds: 90, nanos: 5 };
        assert_eq!(period("p", wire).unwrap(), Duration::new(90, 5));
    }
}
