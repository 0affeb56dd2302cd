use super::*;
use crate::domain::error::ValueError;
use rstest::rstest;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
const ALIAS: &str = "arn:aws:kms:us-east-1:111122223333:alias/x";
const ABOUT: About<'_> =
    About { user: "arn:aws:iam::111122223333:user/alice", operation: "Encrypt", subject: KEY, given: KEY };

async fn rendered(error: AwsError) -> (u16, http::HeaderMap, String) {
    let (head, body) = error.into_response().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[rstest]
#[case(ServiceError::Invalid("x".into()), "ValidationException", 400)]
#[case(ServiceError::Value(ValueError::TooLong { field: "name", limit: 100 }), "ValidationException", 400)]
#[case(ServiceError::TooLarge { max_bytes: 1 }, "ValidationException", 400)]
#[case(ServiceError::NotAuthentic, "InvalidCiphertextException", 400)]
#[case(ServiceError::Unauthenticated, "UnrecognizedClientException", 400)]
#[case(ServiceError::Denied, "AccessDeniedException", 400)]
#[case(ServiceError::NotFound { what: Missing::Key, id: "k".into() }, "NotFoundException", 400)]
#[case(ServiceError::NotFound { what: Missing::Folder, id: "k".into() }, "NotFoundException", 400)]
#[case(ServiceError::State(StateError::KeyPendingDeletion), "KMSInvalidStateException", 400)]
#[case(ServiceError::State(StateError::KeyNotPendingDeletion), "KMSInvalidStateException", 400)]
#[case(ServiceError::State(StateError::KeyDeleted), "NotFoundException", 400)]
#[case(ServiceError::State(StateError::KeyInactive), "DisabledException", 400)]
#[case(ServiceError::State(StateError::RotationImminent), "ConflictException", 400)]
#[case(ServiceError::State(StateError::DeletionProtected), "KMSInvalidStateException", 400)]
#[case(ServiceError::State(StateError::VersionNotActive), "KMSInvalidStateException", 400)]
#[case(ServiceError::State(StateError::VersionDestroyed), "KMSInvalidStateException", 400)]
#[case(ServiceError::VersionLimit { limit: 100 }, "LimitExceededException", 400)]
#[case(ServiceError::OnDemandRotationLimit { limit: 25 }, "LimitExceededException", 400)]
#[case(ServiceError::AliasLimit { limit: 50 }, "LimitExceededException", 400)]
#[case(ServiceError::InvocationLimit, "KMSInvalidStateException", 400)]
#[case(ServiceError::Exists("x"), "AlreadyExistsException", 400)]
#[case(ServiceError::Throttled { text: "x", retry_after_s: 1 }, "ThrottlingException", 400)]
#[case(ServiceError::Conflict, "DependencyTimeoutException", 500)]
#[case(ServiceError::Unavailable("the token is gone".into()), "DependencyTimeoutException", 500)]
#[case(ServiceError::Integrity("row 7".into()), "KMSInternalException", 500)]
#[case(ServiceError::NotImplemented("x"), "UnsupportedOperationException", 400)]
#[case(ServiceError::Bug("oops".into()), "KMSInternalException", 500)]
fn every_service_error_has_its_name_and_status(#[case] error: ServiceError, #[case] name: &str, #[case] status: u16) {
    for wire in [AwsError::of(error.clone(), &ABOUT), AwsError::from(error)] {
        // Without a key to speak of, its state is told in general.
        let general = ["DisabledException", "ConflictException", "NotFoundException"].contains(&name);
        assert!(wire.code.name() == name || general && wire.code == Code::KMSInvalidState, "{wire:?}");
        assert_eq!(wire.code.status().as_u16(), status);
    }
}

#[rstest]
#[case(SignatureError::Missing, "MissingAuthenticationTokenException", "Request is missing Authentication Token")]
#[case(SignatureError::Incomplete("x".into()), "IncompleteSignatureException", "x")]
#[case(SignatureError::Invalid("y".into()), "InvalidSignatureException", "y")]
#[case(
    SignatureError::UnknownClient,
    "UnrecognizedClientException",
    "The security token included in the request is invalid."
)]
#[case(SignatureError::Service(ServiceError::Throttled { text: "slowly", retry_after_s: 9 }), "ThrottlingException", "slowly")]
fn every_signature_error_has_its_name(#[case] error: SignatureError, #[case] name: &str, #[case] text: &str) {
    let wire = AwsError::from(error);
    assert_eq!((wire.code.name(), wire.code.status().as_u16(), wire.message.as_str()), (name, 400, text));
}

#[rstest]
#[case(
    ServiceError::Denied,
    "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: kms:Encrypt on resource: \
     arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11 because no identity-based policy allows \
     the kms:Encrypt action"
)]
#[case(
    ServiceError::State(StateError::KeyInactive),
    "arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11 is disabled."
)]
#[case(
    ServiceError::State(StateError::KeyPendingDeletion),
    "arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11 is pending deletion."
)]
#[case(
    ServiceError::NotFound { what: Missing::Key, id: "0b7c1b6e".into() },
    "Key 'arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11' does not exist"
)]
#[case(ServiceError::NotAuthentic, "")]
fn texts_are_the_clouds(#[case] error: ServiceError, #[case] text: &str) {
    assert_eq!(AwsError::of(error, &ABOUT).message, text);
}

#[test]
fn who_named_an_alias_does_not_learn_the_key_behind_it() {
    let about = About { given: ALIAS, ..ABOUT };
    for error in [
        ServiceError::NotFound { what: Missing::Key, id: "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11".into() },
        ServiceError::NotFound { what: Missing::Alias, id: "alias/x".into() },
        ServiceError::State(StateError::KeyDeleted),
    ] {
        let expected = "Alias arn:aws:kms:us-east-1:111122223333:alias/x is not found.";
        assert_eq!(AwsError::of(error, &about).message, expected);
    }
}

#[test]
fn an_alias_that_exists_is_named() {
    let about = About { subject: ALIAS, given: ALIAS, ..ABOUT };
    let error = AwsError::of(ServiceError::Exists("taken"), &about);
    let expected = "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/x already exists";
    assert_eq!((error.code, error.message.as_str()), (Code::AlreadyExists, expected));
}

#[tokio::test]
async fn the_cause_of_a_failure_is_not_told_to_callers_but_noted() {
    for error in [
        ServiceError::Unavailable("SECRET".into()),
        ServiceError::Integrity("SECRET".into()),
        ServiceError::Bug("SECRET".into()),
    ] {
        let error = AwsError::of(error, &ABOUT);
        let notes = RequestNotes::default();
        error.note(Some(&notes));
        assert_eq!(notes.noted_cause(), Some("SECRET"));
        let (status, _, body) = rendered(error).await;
        assert!(status == 500 && !body.contains("SECRET"), "{body}");
    }
}

#[test]
fn a_tampered_row_never_reads_as_a_bad_ciphertext() {
    let code = |error| AwsError::of(error, &ABOUT).code;
    assert_ne!(code(ServiceError::Integrity("row".into())), code(ServiceError::NotAuthentic));
}

#[tokio::test]
async fn an_error_is_json_with_its_name_and_text() {
    let (status, headers, body) = rendered(AwsError::not_found("no \"such\" key")).await;
    assert_eq!((status, headers["content-type"].as_bytes()), (400, CONTENT_TYPE.as_bytes()));
    assert_eq!(headers["x-amzn-errortype"], "NotFoundException");
    assert_eq!(body, r#"{"__type":"NotFoundException","message":"no \"such\" key"}"#);
    let (_, _, body) = rendered(AwsError::of(ServiceError::NotAuthentic, &ABOUT)).await;
    assert_eq!(body, r#"{"__type":"InvalidCiphertextException"}"#);
}

#[tokio::test]
async fn a_throttled_caller_is_told_when_to_come_back() {
    let error = AwsError::of(ServiceError::Throttled { text: "slowly", retry_after_s: 7 }, &ABOUT);
    assert_eq!(rendered(error).await.1["retry-after"], "7");
}

#[test]
fn a_long_text_is_cut() {
    let error = AwsError::new(Code::Validation, "\u{fc}".repeat(5000));
    assert_eq!(error.message.chars().count(), MAX_MESSAGE_CHARS + 3);
}
